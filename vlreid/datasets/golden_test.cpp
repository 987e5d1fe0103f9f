// Every parser case of golden/datasets: the tree is made in a temporary folder and the lists compared row by
// row.
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/datasets/dataset.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>

namespace vlreid {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

ReferenceSystem system_of(const std::string& name) {
  if (name == "CR") return ReferenceSystem::cr;
  return name == "FT" ? ReferenceSystem::ft : ReferenceSystem::mm;
}

std::string set_of_class(const std::string& name) {
  static const std::map<std::string, std::string> sets = {
      {"Market1501", "market1501"}, {"DukeMTMCreID", "dukemtmc"}, {"OCC_DukeMTMCreID", "occ_duke"},
      {"MSMT17", "msmt17"},         {"MSMT17V1", "msmt17_v1"},    {"IUST", "iust"},
      {"DESTRE", "destre"},         {"PersonX", "personx"},       {"VeRi", "veri"},
      {"VehicleID", "VehicleID"}};
  return sets.at(name);
}

void make_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void make_tree(const Json& item, const fs::path& tree) {
  const Json files = item.value("files", Json::array());
  for (const std::string file : files) {
    if (file.ends_with('/'))
      fs::create_directories(tree / file);
    else
      make_file(tree / file, "");
  }
  const Json contents = item.value("contents", Json::object());
  for (const auto& [file, text] : contents.items())
    make_file(tree / file, text);
}

Json rows_of(const Subset& subset, const fs::path& tree) {
  Json rows = Json::array();
  for (const Record& record : subset)
    rows.push_back({fs::path(record.path).lexically_relative(tree).lexically_normal().string(),
                    record.identity, record.camera, record.view});
  return rows;
}

// Multimodal-ReID's rows have a fifth column.
Json first_four(const Json& rows) {
  Json out = Json::array();
  for (const Json& row : rows)
    out.push_back({row[0], row[1], row[2], row[3]});
  return out;
}

// What is expected of a case: `recommended` where it has rows or an error, the result of the case `normal`
// where its note says so.
Json expected_of(const Json& item, const Json& cases) {
  if (!item.contains("recommended")) return item["reference"];
  const Json& recommended = item["recommended"];
  if (recommended.contains("train") || recommended.contains("error")) return recommended;
  for (const Json& other : cases)
    if (other["name"] == "normal" && other["system"] == item["system"]) return other["reference"];
  return {};
}

DatasetOptions options_of(const Json& item, const fs::path& tree) {
  return {.system = system_of(item["system"]),
          .working_folder = tree / item.value("working_folder", std::string()),
          .identity_offset = item.value("arguments", Json::object()).value("pid_begin", 0)};
}

void check_error(const std::string& set, const fs::path& root, const DatasetOptions& options) {
  try {
    open_dataset(set, root, options);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::missing || error.kind() == ErrorKind::data) << error.what();
    const Fault& fault = error.fault();
    EXPECT_FALSE(fault.place.empty() || fault.found.empty() || fault.expected.empty() || fault.remedy.empty())
        << error.what();
  }
}

void check_case(const Json& item, const Json& cases) {
  SCOPED_TRACE(item["class"].get<std::string>() + " " + item["name"].get<std::string>() + " " +
               item["system"].get<std::string>());
  const TempFolder tree;
  make_tree(item, tree.path());
  const std::string set = set_of_class(item["class"]);
  const fs::path root = tree / item["root"].get<std::string>();
  const DatasetOptions options = options_of(item, tree.path());
  const Json expected = expected_of(item, cases);
  if (expected.contains("error")) return check_error(set, root, options);

  const Dataset dataset = open_dataset(set, root, options);
  const std::array<std::pair<const char*, const Subset*>, 3> subsets = {
      {{"train", &dataset.train}, {"query", &dataset.query}, {"gallery", &dataset.gallery}}};
  for (const auto& [name, subset] : subsets) {
    EXPECT_EQ(rows_of(*subset, tree.path()), first_four(expected[name])) << name;
    const Json& counted = expected["counts_" + std::string(name)];
    EXPECT_EQ(counts(*subset).identities, counted["identities"]) << name;
    EXPECT_EQ(counts(*subset).images, counted["images"]) << name;
    EXPECT_EQ(counts(*subset).cameras, counted["cameras"]) << name;
    if (!counted["views"].is_null()) {
      EXPECT_EQ(counts(*subset).views, counted["views"]) << name;
    }
  }
  if (expected.contains("extra") && !item.contains("recommended")) {
    EXPECT_EQ(Json(dataset.vehicle_types), expected["extra"]["type_per_label"]);
  }
}

class ParserGolden : public testing::TestWithParam<const char*> {};

TEST_P(ParserGolden, EveryCase) {
  VLREID_GOLDEN(path, std::string("datasets/") + GetParam() + ".json");
  const Json cases = Json::parse(read_text(path))["cases"];
  EXPECT_FALSE(cases.empty());
  for (const Json& item : cases)
    check_case(item, cases);
}

INSTANTIATE_TEST_SUITE_P(Datasets, ParserGolden,
                         testing::Values("market1501", "dukemtmcreid", "occluded-duke", "msmt17", "iust",
                                         "destre", "personx", "veri776"));

TEST(VeRiGolden, UnlistedTypeIsEmptyWithAWarning) {
  VLREID_GOLDEN(path, "datasets/veri776.json");
  const Json items = Json::parse(read_text(path))["cases"];
  ASSERT_FALSE(items.empty());
  for (const Json& item : items) {
    if (item["name"] != "unlisted-type") continue;
    const TempFolder tree;
    make_tree(item, tree.path());
    const Dataset dataset = open_dataset("veri", tree.path(), {.system = ReferenceSystem::mm});
    EXPECT_EQ(dataset.vehicle_types[1], "");
    EXPECT_NE(dataset.warnings.back().find("typeID 0"), std::string::npos);
  }
}

// --- VehicleID ---

Json all_rows(const Dataset& dataset, const fs::path& tree) {
  Json rows = Json::array();
  for (const Subset* subset : {&dataset.query, &dataset.gallery})
    for (const Json& row : rows_of(*subset, tree))
      rows.push_back({row[0], row[1]});
  std::sort(rows.begin(), rows.end());
  return rows;
}

// The properties of the draw that hold whatever the generator: see `properties` in the file.
void check_trials(const Dataset& dataset) {
  ASSERT_EQ(dataset.trials.size(), 10U);
  std::vector<std::size_t> everything(dataset.query.size() + dataset.gallery.size());
  std::iota(everything.begin(), everything.end(), std::size_t{0});
  const auto record = [&](std::size_t i) {
    return i < dataset.query.size() ? dataset.query[i] : dataset.gallery[i - dataset.query.size()];
  };
  for (const Trial& trial : dataset.trials) {
    ASSERT_EQ(trial.gallery.size(), dataset.gallery.size());
    for (std::size_t i = 0; i < trial.gallery.size(); ++i)
      EXPECT_EQ(record(trial.gallery[i]).identity, dataset.gallery[i].identity);
    for (std::size_t i = 0; i < trial.query.size(); ++i)
      EXPECT_EQ(record(trial.query[i]).identity, dataset.query[i].identity);
    std::vector<std::size_t> used = trial.query;
    used.insert(used.end(), trial.gallery.begin(), trial.gallery.end());
    std::sort(used.begin(), used.end());
    EXPECT_EQ(used, everything);
  }
  EXPECT_EQ(dataset.trials[0].query.back() + 1, dataset.query.size());
}

TEST(VehicleIdGolden, SmallCase) {
  VLREID_GOLDEN(path, "datasets/vehicleid.json");
  const Json items = Json::parse(read_text(path))["cases"];
  ASSERT_FALSE(items.empty());
  for (const Json& item : items) {
    const TempFolder tree;
    make_tree(item, tree.path());
    const Dataset dataset =
        open_dataset(item["config_name"].get<std::string>(), tree.path(), {.vehicleid_check_counts = false});
    const Json& reference = item["reference"];
    EXPECT_EQ(rows_of(dataset.train, tree.path()), first_four(reference["train"]));
    EXPECT_EQ(counts(dataset.query).images, reference["counts_query"]["images"]);
    EXPECT_EQ(counts(dataset.gallery).identities, reference["counts_gallery"]["identities"]);
    check_trials(dataset);
    Json lines = Json::array();
    for (const char* part : {"query", "gallery"})
      for (const Json& row : reference["one_draw"][part])
        lines.push_back({row[0], row[1]});
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(all_rows(dataset, tree.path()), lines);
    for (const Record& record : dataset.gallery)
      EXPECT_EQ(record.camera, 1);
    for (const Record& record : dataset.query)
      EXPECT_EQ(record.camera + record.view, 1);
  }
}

TEST(VehicleId, EveryLineIsDrawnEquallyOftenAndASeedRepeatsItself) {
  VLREID_GOLDEN(path, "datasets/vehicleid.json");
  const TempFolder tree;
  make_tree(Json::parse(read_text(path))["cases"][0], tree.path());
  std::map<std::string, int> drawn;
  constexpr int kDraws = 3000;
  for (int seed = 0; seed < kDraws / 10; ++seed) {
    const DatasetOptions options{.seed = static_cast<std::uint64_t>(seed), .vehicleid_check_counts = false};
    const Dataset dataset = open_dataset("vehicleid", tree.path(), options);
    EXPECT_EQ(dataset.query, open_dataset("vehicleid", tree.path(), options).query);
    for (const Trial& trial : dataset.trials)
      for (const std::size_t i : trial.gallery)
        ++drawn[fs::path(i < dataset.query.size() ? dataset.query[i].path
                                                  : dataset.gallery[i - dataset.query.size()].path)
                    .stem()
                    .string()];
  }
  EXPECT_EQ(drawn["0000110"], kDraws); // the only image of its identity
  // A third of 3000 with a standard deviation of 26: five of them.
  for (const char* name :
       {"0000100", "0000101", "0000102", "0000090", "0000091", "0000092", "0000120", "0000121", "0000122"})
    EXPECT_NEAR(drawn[name], kDraws / 3, 130) << name;
}

std::string name_of(std::int64_t number) {
  return fmt::format("{:07}", number);
}

// The lists of full size by `full_size_rule`.
std::string train_list(std::int64_t identities) {
  std::string text;
  for (std::int64_t i = 0; i < 26328; ++i)
    text += name_of(i) + " " + std::to_string(((7919 * i) % 13164 % identities) * 2 + 1) + "\n";
  return text;
}

std::string test_list(std::int64_t size, std::int64_t identities) {
  std::string text;
  for (std::int64_t i = 0; i < 3 * size; ++i)
    text += name_of(500000 + i) + " " + std::to_string(((7 * i) % size % identities) * 2 + 2) + "\n";
  return text;
}

// With coreutils; only this test needs it.
std::string sha256(const fs::path& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("sha256sum '" + file.string() + "'").c_str(), "r"),
                                                   pclose);
  std::array<char, 65> text{};
  return fgets(text.data(), text.size(), pipe.get()) ? text.data() : "";
}

TEST(VehicleIdGolden, FullSize) {
  VLREID_GOLDEN(path, "datasets/vehicleid.json");
  const Json items = Json::parse(read_text(path))["full_size"];
  ASSERT_FALSE(items.empty());
  for (const Json& item : items) {
    const TempFolder tree;
    const int size = item["test_size"];
    const fs::path lists = tree / "VehicleID_V1.0/train_test_split";
    make_file(lists / "train_list.txt", train_list(13164));
    make_file(lists / ("test_list_" + std::to_string(size) + ".txt"), test_list(size, size));
    const Dataset dataset = open_dataset("vehicleid", tree.path(), {.vehicleid_test_size = size});

    const auto expect_counts = [&](const Subset& subset, const char* name) {
      const Json& counted = item[name];
      EXPECT_EQ(counts(subset), (SubsetCounts{counted["identities"], counted["images"], counted["cameras"],
                                              counted["views"]}));
    };
    expect_counts(dataset.train, "counts_train");
    expect_counts(dataset.query, "counts_query");
    expect_counts(dataset.gallery, "counts_gallery");
    const Json rows = rows_of(dataset.train, tree.path());
    EXPECT_EQ(Json(std::vector<Json>(rows.begin(), rows.begin() + 4)), item["train_first"]);
    EXPECT_EQ(Json(std::vector<Json>(rows.end() - 2, rows.end())), item["train_last"]);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_EQ(dataset.gallery[i].identity, item["gallery_identities_first"][i]);
    std::string lines;
    for (const Record& record : dataset.train)
      lines += fs::path(record.path).filename().string() + " " + std::to_string(record.identity) + "\n";
    write_file(tree / "lines", lines);
    EXPECT_EQ(sha256(tree / "lines"), item["train_sha256_of_lines_name.jpg_space_label"]);
    check_trials(dataset);
  }
}

ErrorKind error_of(const fs::path& tree, const DatasetOptions& options = {}) {
  try {
    open_dataset("vehicleid", tree, options);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(VehicleIdGolden, ErrorCases) {
  const TempFolder tree;
  fs::create_directories(tree / "VehicleID_V1.0");
  EXPECT_EQ(error_of(tree.path()), ErrorKind::missing);
  const fs::path lists = tree / "VehicleID_V1.0/train_test_split";
  make_file(lists / "test_list_800.txt", test_list(800, 800));
  EXPECT_EQ(error_of(tree.path()), ErrorKind::missing);
  make_file(lists / "train_list.txt", train_list(13163));
  EXPECT_EQ(error_of(tree.path()), ErrorKind::data);
  make_file(lists / "train_list.txt", "\n" + train_list(13164) + "\n");
  EXPECT_EQ(error_of(tree.path()), ErrorKind::internal) << "blank lines are ignored";
  EXPECT_EQ(error_of(tree.path(), {.vehicleid_test_size = 1000}), ErrorKind::config);
  make_file(lists / "test_list_800.txt", test_list(800, 799));
  EXPECT_EQ(error_of(tree.path()), ErrorKind::data);
  std::string with_blanks = test_list(800, 800);
  with_blanks.insert(with_blanks.find('\n'), " ");
  make_file(lists / "test_list_800.txt", with_blanks + "\n\n");
  EXPECT_EQ(error_of(tree.path()), ErrorKind::internal) << "blanks at the end of a line are ignored";
  fs::remove(lists / "test_list_800.txt");
  EXPECT_EQ(error_of(tree.path()), ErrorKind::missing);
}

} // namespace
} // namespace vlreid
