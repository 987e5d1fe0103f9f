#include "vlreid/datasets/doctor.h"

#include "vlreid/base/files.h"
#include "vlreid/datasets/doctor_images.h"
#include "vlreid/datasets/published_counts.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kExamples = 3;
constexpr std::array<const char*, 3> kSubsetNames = {"train", "query", "gallery"};

std::array<const Subset*, 3> subsets_of(const Dataset& dataset) {
  return {&dataset.train, &dataset.query, &dataset.gallery};
}

// One finding being counted.
class Tally {
public:
  Tally(Severity severity, std::string rule, std::string text, std::string remedy)
      : finding_{.severity = severity,
                 .rule = std::move(rule),
                 .text = std::move(text),
                 .examples = {},
                 .remedy = std::move(remedy)} {}

  void add(const std::string& example) {
    ++finding_.count;
    if (finding_.examples.size() < kExamples) finding_.examples.push_back(example);
  }
  std::int64_t count() const { return finding_.count; }
  void set_severity(Severity severity) { finding_.severity = severity; }
  // Leaves a finding only when something was counted.
  void finish(Report& report) {
    if (finding_.count > 0) report.findings.push_back(std::move(finding_));
  }

private:
  Finding finding_;
};

void add_problems(const Dataset& dataset, Report& report) {
  std::map<std::string, Tally> tallies;
  for (const auto& [rule, fault] : dataset.problems) {
    const std::string text = "broken rule of " + dataset.name + "; expected " + fault.expected;
    const auto at = tallies.try_emplace(rule, Severity::error, rule, text, fault.remedy).first;
    at->second.add(fault.place + ": " + fault.found);
  }
  for (auto& [rule, tally] : tallies)
    tally.finish(report);
}

void add_reader_notes(const Dataset& dataset, Report& report) {
  Tally warnings(Severity::warning, "reader", "remarks while reading the set", "see each of them");
  for (const std::string& warning : dataset.warnings)
    warnings.add(warning);
  warnings.finish(report);
  if (dataset.dropped_junk == 0) return;
  report.findings.push_back({.severity = Severity::note,
                             .rule = "junk",
                             .text = "images with identity -1 were left out",
                             .count = dataset.dropped_junk,
                             .examples = {},
                             .remedy = "none: -1 means junk"});
}

void check_empty(const Dataset& dataset, Report& report) {
  Tally test(Severity::error, "empty-subset", "no images, so nothing can be evaluated",
             "add images, or mend the layout");
  if (dataset.query.empty()) test.add("query");
  if (dataset.gallery.empty()) test.add("gallery");
  test.finish(report);
  Tally train(Severity::warning, "empty-train", "no training images",
              "add images if the set is to be trained on");
  if (dataset.train.empty()) train.add("train");
  train.finish(report);
}

// What a query's identity has in the gallery: how many images, and whether they come from more than one
// camera.
struct GalleryEntry {
  std::int64_t images = 0;
  int camera = 0;
  bool has_several_cameras = false;
};

std::unordered_map<std::int64_t, GalleryEntry> index_gallery(const Subset& gallery) {
  std::unordered_map<std::int64_t, GalleryEntry> entries;
  for (const Record& record : gallery) {
    GalleryEntry& entry = entries[record.identity];
    entry.has_several_cameras |= entry.images > 0 && entry.camera != record.camera;
    entry.camera = record.camera;
    ++entry.images;
  }
  return entries;
}

void check_matches(const Dataset& dataset, Report& report) {
  if (dataset.query.empty() || dataset.gallery.empty()) return;
  Tally none(Severity::warning, "query-without-match",
             "queries whose identity is not in the gallery; evaluation leaves them out",
             "add gallery images of these people, or remove the queries");
  Tally same(Severity::warning, "same-camera-only",
             dataset.has_cameras
                 ? "queries whose only matches are from their own camera; evaluation leaves them out"
                 : "queries that are their own only match; evaluation leaves them out",
             dataset.has_cameras ? "add images from another camera, or read the set without cameras"
                                 : "add a second image of these identities");
  const auto entries = index_gallery(dataset.gallery);
  std::unordered_set<std::string> gallery_paths;
  if (!dataset.has_cameras)
    for (const Record& record : dataset.gallery)
      gallery_paths.insert(record.path);
  for (const Record& query : dataset.query) {
    const auto found = entries.find(query.identity);
    const std::string example = query.path + " (identity " + std::to_string(query.identity) + ")";
    if (found == entries.end()) {
      none.add(example);
      continue;
    }
    const GalleryEntry& entry = found->second;
    const bool is_alone = dataset.has_cameras ? !entry.has_several_cameras && entry.camera == query.camera
                                              : entry.images == 1 && gallery_paths.contains(query.path);
    if (is_alone) same.add(example);
  }
  const bool is_nothing_left = none.count() + same.count() == static_cast<std::int64_t>(dataset.query.size());
  for (Tally* tally : {&none, &same}) {
    if (is_nothing_left) tally->set_severity(Severity::error);
    tally->finish(report);
  }
}

void check_cameras(const Dataset& dataset, Report& report) {
  if (!dataset.has_cameras) return;
  Tally negative(Severity::error, "camera-range",
                 "camera numbers below 0 after the set's own base is taken off",
                 "number the cameras as the set does, usually from 1 in file names");
  std::set<int> used;
  for (const Subset* subset : subsets_of(dataset))
    for (const Record& record : *subset) {
      used.insert(record.camera);
      if (record.camera < 0) negative.add(record.path + " (camera " + std::to_string(record.camera) + ")");
    }
  negative.finish(report);

  Tally gaps(Severity::note, "camera-gap", "camera numbers that no image has, below the highest one",
             "none is needed: tables are as long as the highest number");
  for (int camera = 0; !used.empty() && camera < *used.rbegin(); ++camera)
    if (!used.contains(camera)) gaps.add("camera " + std::to_string(camera));
  gaps.finish(report);
}

bool is_unsplit(const Dataset& dataset) {
  return dataset.query == dataset.gallery && dataset.train.size() == dataset.query.size() &&
         !dataset.query.empty();
}

// MSMT17's lists number test people anew, so they have no train_numbers.
void check_overlap(const Dataset& dataset, Report& report) {
  if (is_unsplit(dataset)) return; // said once, by the reader
  const std::set<std::int64_t> train(dataset.train_numbers.begin(), dataset.train_numbers.end());
  std::set<std::int64_t> shared;
  for (const Subset* subset : {&dataset.query, &dataset.gallery})
    for (const Record& record : *subset)
      if (train.contains(record.identity)) shared.insert(record.identity);
  Tally tally(Severity::error, "identity-overlap",
              "identities that are in train and in query or gallery: scores would be too good",
              "keep each identity in one of the two");
  for (const std::int64_t identity : shared)
    tally.add("identity " + std::to_string(identity));
  tally.finish(report);
}

void check_train(const Dataset& dataset, Report& report) {
  std::map<std::int64_t, GalleryEntry> entries;
  for (const auto& [identity, entry] : index_gallery(dataset.train))
    entries.emplace(identity, entry);
  Tally single(Severity::warning, "single-image-identity",
               "training identities with one image: no positive pair for the triplet loss",
               "add images of them, or leave them out");
  Tally one_camera(Severity::note, "single-camera-identity", "training identities seen by one camera only",
                   "none is needed; they teach nothing across cameras");
  for (const auto& [label, entry] : entries) {
    const auto place = static_cast<std::size_t>(label);
    const bool has_number = place < dataset.train_numbers.size();
    const std::string text = has_number ? "identity " + std::to_string(dataset.train_numbers[place])
                                        : "label " + std::to_string(label);
    if (entry.images == 1)
      single.add(text);
    else if (dataset.has_cameras && !entry.has_several_cameras && report.train.cameras > 1)
      one_camera.add(text);
  }
  single.finish(report);
  one_camera.finish(report);
}

void check_published(const Dataset& dataset, Report& report) {
  const auto found = std::find_if(kPublishedSets.begin(), kPublishedSets.end(),
                                  [&](const PublishedSet& set) { return set.name == dataset.name; });
  if (found == kPublishedSets.end()) return;
  const std::array<SubsetCounts, 3> actual = {report.train, report.query, report.gallery};
  // Fewer than half of the training identities: somebody's extract, not a damaged copy of the whole.
  if (2 * actual[0].identities < found->parts[0].identities) return;
  Tally tally(Severity::warning, "published-counts", "differs from the published set",
              "download or unpack the set again");
  const auto compare = [&](std::size_t i, const char* what, std::int64_t is, std::int64_t published) {
    if (published > 0 && is != published)
      tally.add(std::string(kSubsetNames[i]) + ": " + std::to_string(is) + " " + what + ", published " +
                std::to_string(published));
  };
  for (std::size_t i = 0; i < actual.size(); ++i) {
    compare(i, "identities", actual[i].identities, found->parts[i].identities);
    compare(i, "images", actual[i].images + dataset.left_out[i], found->parts[i].images);
  }
  tally.finish(report);
}

void check_skipped(const Dataset& dataset, Report& report) {
  Tally tally(Severity::warning, "skipped-extension",
              "images that are not read: this layout takes names that end in .jpg only",
              "rename them to .jpg if they are JPEG files, convert them, or describe the set by a CSV list");
  for (const fs::path& folder : dataset.folders)
    for (const std::string& name : list_files(folder))
      if (has_image_extension(name) && !name.ends_with(".jpg")) tally.add((folder / name).string());
  tally.finish(report);
}

void check_repeated_paths(const Dataset& dataset, Report& report) {
  Tally tally(Severity::warning, "repeated-path", "images that stand twice in one subset",
              "remove the second line");
  for (const Subset* subset : subsets_of(dataset)) {
    std::unordered_set<std::string_view> seen;
    for (const Record& record : *subset)
      if (!seen.insert(record.path).second) tally.add(record.path);
  }
  tally.finish(report);
}

void check_readable(const std::vector<ImageFact>& facts, Report& report) {
  Tally unreadable(Severity::error, "unreadable-image", "images that cannot be decoded",
                   "download them again, or remove them");
  Tally truncated(Severity::warning, "truncated-image",
                  "images whose end is missing: loaded with a grey or black part",
                  "download them again, or remove them");
  for (const ImageFact& fact : facts)
    if (!fact.fault.empty()) (fact.is_truncated ? truncated : unreadable).add(fact.fault);
  unreadable.finish(report);
  truncated.finish(report);
}

void check_sizes(const std::vector<ImageFact>& facts, const DoctorOptions& options, Report& report) {
  const std::string pixels = " pixels";
  Tally small(Severity::warning, "tiny-image",
              "images with a side below " + std::to_string(options.smallest_side) + pixels,
              "check the boxes they were cut with");
  Tally large(Severity::note, "huge-image",
              "images with a side above " + std::to_string(options.largest_side) + pixels,
              "crop to the person or vehicle; shrink for speed");
  for (const ImageFact& fact : facts) {
    if (fact.height == 0) continue;
    const std::string example =
        fact.record->path + " (" + std::to_string(fact.width) + " x " + std::to_string(fact.height) + ")";
    if (std::min(fact.height, fact.width) < options.smallest_side) small.add(example);
    if (std::max(fact.height, fact.width) > options.largest_side) large.add(example);
  }
  small.finish(report);
  large.finish(report);
}

// Facts with equal content that are not the same file, next to each other.
void check_duplicates(std::vector<ImageFact> facts, Report& report) {
  Tally within(Severity::warning, "duplicate-in-subset", "files with the same content in one subset",
               "keep one of each");
  Tally leak(Severity::error, "duplicate-train-test",
             "files with the same content in train and in query or gallery",
             "remove them from one side: scores would be too good");
  Tally easy(Severity::warning, "duplicate-query-gallery",
             "files with the same content in query and gallery: a match for nothing",
             "remove them from the gallery");
  std::erase_if(facts, [](const ImageFact& fact) {
    return fact.hash[0] == 0 && fact.hash[1] == 0;
  }); // could not be read
  std::stable_sort(facts.begin(), facts.end(),
                   [](const ImageFact& a, const ImageFact& b) { return a.hash < b.hash; });
  for (std::size_t i = 1, first = 0; i < facts.size(); ++i) {
    if (facts[i].hash != facts[first].hash) first = i;
    // Against the first of the group and the one before: the first is of the lowest subset, the one before
    // often of the same.
    const std::size_t other = facts[i - 1].subset == facts[i].subset ? i - 1 : first;
    if (i == first || facts[other].record->path == facts[i].record->path) continue;
    Tally& tally = facts[other].subset == facts[i].subset ? within : facts[other].subset == 0 ? leak : easy;
    tally.add(facts[i].record->path + " = " + facts[other].record->path);
  }
  for (Tally* tally : {&within, &leak, &easy})
    tally->finish(report);
}

void check_images(const Dataset& dataset, const DoctorOptions& options, Report& report) {
  if (!options.decode_images) return;
  std::vector<ImageFact> facts = examine_images(dataset, options.sample_images, options.show_progress);
  report.images_decoded = static_cast<std::int64_t>(facts.size());
  check_readable(facts, report);
  check_sizes(facts, options, report);
  check_duplicates(std::move(facts), report);
}

} // namespace

std::string_view severity_name(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames = {"error", "warning", "note"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::int64_t Report::count(Severity severity) const {
  return std::count_if(findings.begin(), findings.end(),
                       [&](const Finding& finding) { return finding.severity == severity; });
}

Report diagnose(const Dataset& dataset, const DoctorOptions& options) {
  Report report{.dataset = dataset.name,
                .root = dataset.root,
                .train = counts(dataset.train),
                .query = counts(dataset.query),
                .gallery = counts(dataset.gallery),
                .has_cameras = dataset.has_cameras};
  add_problems(dataset, report);
  check_empty(dataset, report);
  check_matches(dataset, report);
  check_overlap(dataset, report);
  check_cameras(dataset, report);
  check_train(dataset, report);
  check_published(dataset, report);
  check_skipped(dataset, report);
  check_repeated_paths(dataset, report);
  check_images(dataset, options, report);
  add_reader_notes(dataset, report);
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
  return report;
}

Report check_dataset(std::string_view name, const fs::path& root, DatasetOptions dataset_options,
                     const DoctorOptions& options) {
  dataset_options.keep_going = true;
  try {
    return diagnose(open_dataset(name, root, dataset_options), options);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::config || error.kind() == ErrorKind::internal) throw;
    Report report{.dataset = std::string(name), .root = root};
    const Fault& fault = error.fault();
    report.findings.push_back({.severity = Severity::error,
                               .rule = "layout",
                               .text = "the set cannot be read; expected " + fault.expected,
                               .count = 1,
                               .examples = {fault.place + ": " + fault.found},
                               .remedy = fault.remedy});
    return report;
  }
}

} // namespace vlreid
