#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/progress.h"
#include "vlreid/cli/model_arguments.h"
#include "vlreid/cli/verb.h"
#include "vlreid/eval/cross_domain.h"
#include "vlreid/eval/run_weights.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

namespace fs = std::filesystem;

constexpr const char *kPageFile = "report.html", *kScoresFile = "scores.json";

const std::vector<std::pair<std::string, RunCheckpoint>> kCheckpoints = {{"best", RunCheckpoint::best},
                                                                         {"last", RunCheckpoint::last}};

struct CrossArguments {
  ModelArguments model; // weights and configuration differ from row to row
  std::vector<std::string> weights, datasets;
  std::string config_file, checkpoint = "best", out;
  bool as_json = false;
};

// "market1501:../data", or a folder whose layout is recognised.
Dataset open_named(const std::string& word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string::npos) return open_dataset("auto", word);
  return open_dataset(word.substr(0, colon), word.substr(colon + 1));
}

std::vector<CrossDataset> open_all(const std::vector<std::string>& words) {
  std::vector<CrossDataset> sets;
  for (const std::string& word : words) {
    CrossDataset set{.name = word, .dataset = open_named(word)};
    const auto is_same = [&](const CrossDataset& other) {
      return place_of(other.dataset) == place_of(set.dataset);
    };
    if (std::ranges::none_of(sets, is_same)) sets.push_back(std::move(set));
  }
  // The short name where it says enough.
  for (CrossDataset& set : sets)
    if (std::ranges::count(sets, set.dataset.name, [](const CrossDataset& s) { return s.dataset.name; }) == 1)
      set.name = set.dataset.name;
  return sets;
}

// Where a run's training sets lie; one that is no longer there cannot be among those asked for.
std::vector<DatasetPlace> training_places(const DatasetSelection& selected) {
  std::vector<DatasetPlace> places;
  for (const std::string& name : {selected.name, selected.merged}) {
    if (name.empty()) continue;
    try {
      places.push_back(place_of(open_dataset(name, selected.root)));
    } catch (const Error&) {
      places.push_back({.name = name, .root = {}});
    }
  }
  return places;
}

CrossModel load_row(const CrossArguments& arguments, const RunWeights& found) {
  ModelArguments model = arguments.model;
  model.weights = found.file.string();
  model.config_file = found.config.string();
  LoadedArguments loaded = load_arguments(model);
  CrossModel row{.name = found.name,
                 .embedder = std::move(loaded.embedder),
                 .normalise = loaded.config.test.normalise_features()};
  if (found.is_of_run) row.trained_on = training_places(loaded.config.datasets);
  return row;
}

std::vector<CrossModel> load_rows(const CrossArguments& arguments) {
  std::vector<CrossModel> rows;
  std::vector<fs::path> files;
  for (const std::string& word : arguments.weights) {
    const RunWeights found =
        find_run_weights(word, choose(arguments.checkpoint, kCheckpoints), arguments.config_file);
    if (const fs::path file = fs::canonical(found.file); std::ranges::find(files, file) == files.end()) {
      files.push_back(file);
      rows.push_back(load_row(arguments, found));
    }
  }
  // Two folders of one name are told apart by their paths.
  std::vector<std::string> names;
  for (const CrossModel& row : rows)
    names.push_back(row.name);
  for (CrossModel& row : rows)
    if (std::ranges::count(names, row.name) > 1) row.name = row.embedder.weights;
  return rows;
}

void write_report(const fs::path& folder, const CrossTable& table) {
  std::error_code error;
  fs::create_directories(folder, error);
  VLREID_REQUIRE(!error, ErrorKind::cannot_create, folder.string(), error.message(),
                 "a folder that can be made", "choose another --out");
  write_file(folder / kScoresFile, to_json(table).dump(1) + "\n");
  write_file(folder / kPageFile, to_page(table));
}

int run_cross(const CrossArguments& arguments) {
  VLREID_REQUIRE(arguments.out.empty() || !fs::exists(arguments.out) || fs::is_directory(arguments.out),
                 ErrorKind::cannot_create, arguments.out, "a file", "a folder, or nothing",
                 "choose another --out");
  const std::vector<CrossDataset> sets = open_all(arguments.datasets);
  const std::vector<CrossModel> rows = load_rows(arguments);
  CrossTable table;
  {
    Progress progress("cross", "images", count_cross_images(rows, sets));
    table = evaluate_cross_domain(rows, sets, &progress);
  }
  if (!arguments.out.empty()) write_report(arguments.out, table);
  fmt::print("{}", arguments.as_json ? to_json(table).dump(2) + "\n" : to_text(table));
  return 0;
}

void define_options(Options& options, CrossArguments& arguments) {
  options.words("WEIGHTS", arguments.weights, "folders of training runs, or weights files",
                {.is_required = true});
  options.words("--datasets", arguments.datasets,
                "NAME:FOLDER of each dataset, or its FOLDER alone where the layout tells what it is",
                {.is_required = true});
  options.text("--checkpoint", arguments.checkpoint, "which of a run's: best mAP, or of the last epoch",
               {.choices = names_of(kCheckpoints)});
  options.text("--config-file,--config_file", arguments.config_file,
               "YAML file for weights that are no run's and have none beside them", {.shows_default = false});
  options.text("--out", arguments.out, "write report.html and scores.json to this folder",
               {.shows_default = false});
  arguments.model.define_running(options);
  options.flag("--json", arguments.as_json, "print the scores as JSON");
}

} // namespace

Verb make_cross_verb(const std::string& verb_summary) {
  return {.name = "cross",
          .summary = verb_summary,
          .example =
              "vlreid cross runs/market runs/duke --datasets market1501:../data dukemtmc:../data --out "
              "runs/across",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<CrossArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_cross(*arguments); };
          }};
}

} // namespace vlreid
