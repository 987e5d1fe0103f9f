#include "vlreid/datasets/market_like.h"

#include "vlreid/base/strings.h"
#include "vlreid/datasets/reading.h"

#include <optional>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

enum SystemMask : unsigned { kNone = 1, kCr = 2, kFt = 4, kMm = 8, kAll = 15 };

struct Row {
  std::string_view set;
  unsigned systems;
  MarketRules rules;
};

const std::vector<std::string> kMarketFolders = {"Market-1501-v15.09.15", "Market1501", "Market-1501"};
const std::vector<std::string> kDukeFolders = {"dukemtmcreid/DukeMTMC-reID", "DukeMTMC-reID"};
const std::vector<std::string> kOccludedDukeFolders = {"dukemtmcreid/Occluded_Duke", "Occluded_Duke"};

// spec/datasets.md section 3. The first row that has the set and the system counts.
const std::vector<Row>& rows() {
  using enum CameraPattern;
  static const std::vector<Row> table = {
      {"market1501",
       kNone | kCr | kMm,
       {.camera = digits,
        .lowest_camera = 1,
        .highest_camera = 6,
        .highest_identity = 1501,
        .own_folders = kMarketFolders}},
      {"market1501", kFt, {.camera = digits_and_hyphens, .own_folders = kMarketFolders}},
      {"dukemtmc",
       kNone | kCr | kMm,
       {.camera = digits, .lowest_camera = 1, .highest_camera = 8, .own_folders = kDukeFolders}},
      {"dukemtmc", kFt, {.camera = digits_and_hyphens, .own_folders = kDukeFolders}},
      {"occ_duke",
       kAll,
       {.camera = digits,
        .lowest_camera = 1,
        .highest_camera = 8,
        .view = 1,
        .own_folders = kOccludedDukeFolders}},
      {"msmt17", kFt, {.camera = digits, .camera_base = 0}},
      {"msmt17", kAll, {.camera = digits, .lowest_camera = 1, .highest_camera = 15}},
      {"iust", kAll, {.camera = digits, .camera_base = 0, .own_folders = {"iust", "IUST"}}},
      {"destre", kAll, {.camera = digits, .camera_base = 0, .own_folders = {"destre", "DeSTRe"}}},
      {"personx",
       kAll,
       {.camera = digits_and_hyphens, .parts = {"4", "5", "6"}, .own_folders = {"PersonX_v1", "PersonX"}}},
      {"veri",
       kAll,
       {.camera = digits,
        .lowest_camera = 1,
        .highest_camera = 20,
        .highest_identity = 776,
        .folders = {"image_train", "image_query", "image_test"},
        .own_folders = {"VeRi"}}},
      {"market_folders", kAll, {.camera = digits}},
  };
  return table;
}

// COMPAT: CLIP-ReID and Multimodal-ReID read one digit of the camera in the Market and Duke sets ("_c12" is
// camera 1), and Multimodal-ReID wants and reads a sequence in Market-1501.
MarketRules with_quirks(MarketRules rules, std::string_view set, ReferenceSystem system) {
  const bool is_duke = set == "dukemtmc" || set == "occ_duke";
  const bool reads_one_digit = set == "market1501" || is_duke;
  if (system != ReferenceSystem::none && reads_one_digit && rules.camera == CameraPattern::digits)
    rules.camera = CameraPattern::one_digit;
  rules.has_sequence = set == "market1501" && system == ReferenceSystem::mm;
  return rules;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_digit_or_hyphen(char c) {
  return is_digit(c) || c == '-';
}

// End of the run of characters from `begin` for which `belongs` holds.
std::size_t run_end(std::string_view text, std::size_t begin, bool (*belongs)(char)) {
  while (begin < text.size() && belongs(text[begin]))
    ++begin;
  return begin;
}

struct NameParts {
  std::string_view identity, camera, sequence;
};

// The camera and what must follow it, `rest` standing after "_c".
std::optional<NameParts> match_camera(std::string_view rest, const MarketRules& rules) {
  std::size_t end =
      run_end(rest, 0, rules.camera == CameraPattern::digits_and_hyphens ? is_digit_or_hyphen : is_digit);
  if (end == 0) return std::nullopt;
  if (rules.camera == CameraPattern::one_digit) end = 1;
  NameParts parts{.identity = {}, .camera = rest.substr(0, end), .sequence = {}};
  if (!rules.has_sequence) return parts;
  if (rest.size() < end + 2 || rest[end] != 's' || !is_digit(rest[end + 1])) return std::nullopt;
  parts.sequence = rest.substr(end + 1, 1);
  return parts;
}

// First run of digits and hyphens, from the left, that "_c" and a camera follow.
std::optional<NameParts> match_name(std::string_view name, const MarketRules& rules) {
  for (std::size_t begin = 0; begin < name.size(); ++begin) {
    if (!is_digit_or_hyphen(name[begin])) continue;
    const std::size_t end = run_end(name, begin, is_digit_or_hyphen);
    if (name.substr(end).starts_with("_c")) {
      std::optional<NameParts> parts = match_camera(name.substr(end + 2), rules);
      if (parts) {
        parts->identity = name.substr(begin, end - begin);
        return parts;
      }
    }
    begin = end;
  }
  return std::nullopt;
}

std::string pattern_text(const MarketRules& rules) {
  return std::string("a name with <identity>_c<camera>") + (rules.has_sequence ? "s<sequence>" : "") +
         (rules.has_sequence ? " as in 0002_c1s1_000451_03.jpg" : " as in 0002_c1_000451.jpg");
}

class MarketReader {
public:
  MarketReader(Dataset& dataset, const MarketRules& rules, const DatasetOptions& options)
      : dataset_(dataset), rules_(rules), options_(options) {}

  void read_folder(const fs::path& folder, Subset& out) {
    const std::string prefix = (folder / "").string();
    const std::vector<std::string> names = list_jpg(dataset_, folder);
    out.reserve(out.size() + names.size());
    for (const std::string& name : names) {
      std::optional<Record> record = read_name(prefix, name);
      if (record) out.push_back(std::move(*record));
    }
  }

private:
  // Nothing for junk and, with keep_going, for names that break a rule.
  std::optional<Record> read_name(const std::string& prefix, const std::string& name) {
    const std::string path = prefix + name;
    const std::optional<NameParts> parts = match_name(name, rules_);
    const std::optional<std::int64_t> identity = parts ? parse_integer(parts->identity) : std::nullopt;
    const std::optional<std::int64_t> camera = parts ? parse_integer(parts->camera) : std::nullopt;
    constexpr std::int64_t kLargestCamera = 1'000'000; // far above any set, far below overflow
    if (!identity || !camera || *camera > kLargestCamera || *camera < -kLargestCamera) {
      report("name", path, "the name holds no identity and camera", pattern_text(rules_));
      return std::nullopt;
    }
    if (*identity == -1) {
      ++dataset_.dropped_junk;
      return std::nullopt;
    }
    if (!check_ranges(path, *identity, *camera)) return std::nullopt;
    const int view = rules_.has_sequence ? parts->sequence[0] - '1' : rules_.view;
    if (view < 0) {
      report("name", path, "sequence 0", "sequences from 1");
      return std::nullopt;
    }
    return Record{.path = path,
                  .identity = *identity,
                  .camera = static_cast<int>(*camera) - rules_.camera_base,
                  .view = view};
  }

  bool check_ranges(const std::string& path, std::int64_t identity, std::int64_t camera) {
    if (rules_.highest_identity >= 0 && (identity < 0 || identity > rules_.highest_identity)) {
      report("identity-range", path, "identity " + std::to_string(identity),
             "0 to " + std::to_string(rules_.highest_identity) + ", or -1 for junk");
      return false;
    }
    const bool has_range = rules_.highest_camera >= rules_.lowest_camera;
    if (has_range && (camera < rules_.lowest_camera || camera > rules_.highest_camera)) {
      report("camera-range", path, "camera " + std::to_string(camera),
             std::to_string(rules_.lowest_camera) + " to " + std::to_string(rules_.highest_camera));
      return false;
    }
    return true;
  }

  void report(const char* rule, const std::string& path, std::string found, std::string expected) {
    const std::string remedy =
        std::string(rule) == "name"
            ? "remove or rename the file"
            : "remove the file, or read the set as market_folders if it is not " + dataset_.name;
    report_problem(
        dataset_, options_, rule, ErrorKind::data,
        {.place = path, .found = std::move(found), .expected = std::move(expected), .remedy = remedy});
  }

  Dataset& dataset_;
  const MarketRules& rules_;
  const DatasetOptions& options_;
};

unsigned mask_of(ReferenceSystem system) {
  return 1u << static_cast<unsigned>(system);
}

} // namespace

MarketRules market_rules(std::string_view set, ReferenceSystem system) {
  for (const Row& row : rows())
    if (row.set == set && (row.systems & mask_of(system)) != 0) return with_quirks(row.rules, set, system);
  VLREID_ASSERT(false && "set without a row");
  return {};
}

void read_market_folders(Dataset& dataset, const fs::path& folder, const MarketRules& rules,
                         const DatasetOptions& options) {
  const std::array<Subset*, 3> subsets = {&dataset.train, &dataset.query, &dataset.gallery};
  MarketReader reader(dataset, rules, options);
  for (std::size_t i = 0; i < subsets.size(); ++i)
    for (const std::string& part : rules.parts) {
      const fs::path subfolder = folder / part / rules.folders[i];
      if (require_folder(dataset, options, subfolder)) reader.read_folder(subfolder, *subsets[i]);
    }
}

Dataset read_market_set(std::string_view set, const fs::path& root, const MarketRules& rules,
                        const DatasetOptions& options) {
  Dataset dataset{.name = std::string(set), .root = {}};
  std::vector<std::string> markers;
  for (const std::string& part : rules.parts)
    markers.push_back((fs::path(part) / rules.folders[0]).string());
  dataset.root = find_set_folder(root, rules.own_folders, markers, set);
  read_market_folders(dataset, dataset.root, rules, options);
  relabel_train(dataset);
  return dataset;
}

#define VLREID_MARKET_SET(name)                                                                              \
  Dataset make_##name(const fs::path& root, const DatasetOptions& options) {                                 \
    return read_market_set(#name, root, market_rules(#name, options.system), options);                       \
  }
VLREID_MARKET_SET(destre)
VLREID_MARKET_SET(dukemtmc)
VLREID_MARKET_SET(iust)
VLREID_MARKET_SET(market1501)
VLREID_MARKET_SET(market_folders)
VLREID_MARKET_SET(occ_duke)
VLREID_MARKET_SET(personx)
#undef VLREID_MARKET_SET

} // namespace vlreid
