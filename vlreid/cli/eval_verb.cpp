#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/model_arguments.h"
#include "vlreid/cli/verb.h"
#include "vlreid/eval/embed_dataset.h"
#include "vlreid/eval/ranked_lists.h"
#include "vlreid/eval/run_record.h"
#include "vlreid/eval/scores.h"
#include "vlreid/eval/text_retrieval.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

constexpr const char* kLogger = "transreid.test"; // as the references name theirs

const std::vector<std::pair<std::string, AveragePrecision>> kConventions = {
    {"plain", AveragePrecision::plain}, {"trapezoid", AveragePrecision::trapezoid}};

struct EvalArguments {
  ModelArguments model;
  std::string features, save_features, dataset, root, rerank, convention = "plain", page, record, note;
  std::string captions, images, split = "test";
  bool as_json = false, ignores_side_information = false;
};

// "50,15,0.3"
RerankOptions parse_rerank(const std::string& text) {
  const std::vector<std::string> parts = split(text, ',');
  const auto k1 = parse_integer(parts[0]), k2 = parse_integer(parts.size() == 3 ? parts[1] : "");
  const auto lambda = parse_real(parts.size() == 3 ? parts[2] : "");
  VLREID_REQUIRE(k1 && k2 && lambda, ErrorKind::usage, "--rerank", "'" + text + "'", "K1,K2,LAMBDA",
                 "for example --rerank 50,15,0.3");
  RerankOptions options{.k1 = static_cast<int>(*k1), .k2 = static_cast<int>(*k2), .lambda = *lambda};
  options.validate();
  return options;
}

struct Evaluated {
  LabelledFeatures features;
  std::string title;
  ScoreOptions options;
};

Evaluated embed_dataset(const EvalArguments& arguments) {
  LoadedArguments loaded = load_arguments(arguments.model);
  loaded.embedder.ignores_side_information = arguments.ignores_side_information;
  const Dataset dataset =
      open_dataset(arguments.dataset.empty() ? loaded.config.datasets.name : arguments.dataset,
                   arguments.root.empty() ? loaded.config.datasets.root : arguments.root);
  if (!loaded.config.output_dir.empty()) {
    std::filesystem::create_directories(loaded.config.output_dir);
    open_log_file(std::filesystem::path(loaded.config.output_dir) / "test_log.txt");
  }
  for (const std::string& line : split(banner(dataset), '\n'))
    log_info(kLogger, line);
  Embedder embedder(loaded.embedder);
  log_info(kLogger, embedder.summary());
  log_info(kLogger, "Enter inferencing");
  Progress progress("embed", "images",
                    static_cast<std::int64_t>(dataset.query.size() + dataset.gallery.size()));
  Evaluated evaluated{
      .features = embed_evaluation_lists(embedder, dataset, &progress), .title = dataset.name, .options = {}};
  evaluated.options.normalise = loaded.config.test.normalise_features();
  if (loaded.config.test.rerank) evaluated.options.rerank = RerankOptions{};
  return evaluated;
}

Evaluated read_features(const EvalArguments& arguments) {
  VLREID_REQUIRE(arguments.model.weights.empty() && arguments.model.config_file.empty() &&
                     arguments.model.overrides.empty(),
                 ErrorKind::usage, "--features", "features and a model are both named", "one of them",
                 "drop --features, or the weights and the configuration");
  return {.features = load_features(arguments.features), .title = arguments.features, .options = {}};
}

void print(const Scores& scores, const EvalArguments& arguments) {
  const AveragePrecision convention = choose(arguments.convention, kConventions);
  log_info(kLogger, "Validation Results ");
  for (const std::string& line : log_lines(scores.plain, convention))
    log_info(kLogger, line);
  if (scores.reranked) {
    log_info(kLogger, "Validation Results, re-ranked ");
    for (const std::string& line : log_lines(*scores.reranked, convention))
      log_info(kLogger, line);
  }
  fmt::print("{}",
             arguments.as_json ? to_json(scores, convention).dump(2) + "\n" : table(scores, convention));
}

// Sentences against images.
int run_text_retrieval(const EvalArguments& arguments) {
  for (const std::string* other :
       {&arguments.features, &arguments.dataset, &arguments.root, &arguments.rerank, &arguments.page})
    VLREID_REQUIRE(other->empty(), ErrorKind::usage, "--captions", "captions and '" + *other + "'",
                   "captions alone, with --images and --split", "drop one of them");
  LoadedArguments loaded = load_arguments(arguments.model);
  ModelSettings& settings = loaded.embedder.settings;
  settings.uses_neck = settings.sie_camera = settings.sie_view = false;
  const auto images = select_split(open_captions(arguments.captions, arguments.images), arguments.split);
  Embedder embedder(loaded.embedder);
  log_info(kLogger, embedder.summary());
  Progress progress("embed", "sentences and images", -1);
  const LabelledFeatures features = embed_captions(embedder, images, &progress);
  if (!arguments.save_features.empty()) save_features(arguments.save_features, features);
  const Scores scores = score(features, {});
  log_info(kLogger,
           fmt::format("{} sentences look for {} images", features.query.size(), features.gallery.size()));
  fmt::print("{}", arguments.as_json ? text_retrieval_json(scores, features).dump(2) + "\n"
                                     : table(scores, AveragePrecision::plain));
  return 0;
}

int run_eval(const EvalArguments& arguments) {
  if (!arguments.captions.empty()) return run_text_retrieval(arguments);
  std::optional<RerankOptions> rerank;
  if (!arguments.rerank.empty()) rerank = parse_rerank(arguments.rerank);
  Evaluated evaluated = arguments.features.empty() ? embed_dataset(arguments) : read_features(arguments);
  if (rerank) evaluated.options.rerank = rerank;
  if (!arguments.save_features.empty()) save_features(arguments.save_features, evaluated.features);
  if (!arguments.page.empty() || !arguments.record.empty()) evaluated.options.list_length = kPageListLength;
  const Scores scores = score(evaluated.features, evaluated.options);
  if (!arguments.page.empty())
    write_ranked_lists(arguments.page, evaluated.features, scores,
                       {.title = evaluated.title,
                        .note = arguments.note,
                        .convention = choose(arguments.convention, kConventions)});
  if (!arguments.record.empty())
    record_evaluation(arguments.record, evaluated.features, scores, evaluated.title);
  print(scores, arguments);
  return 0;
}

void define_options(Options& options, EvalArguments& arguments) {
  arguments.model.define(options);
  options.text("--dataset", arguments.dataset, "dataset instead of DATASETS.NAMES", {.shows_default = false});
  options.text("--root", arguments.root, "its folder instead of DATASETS.ROOT_DIR", {.shows_default = false});
  options.text("--features", arguments.features, "score these features; no model is run",
               {.shows_default = false});
  options.text("--save-features", arguments.save_features,
               "keep the features and labels in this .safetensors", {.shows_default = false});
  options.text("--rerank", arguments.rerank, "also re-rank: K1,K2,LAMBDA (the references' choice: 50,15,0.3)",
               {.shows_default = false});
  options.text("--average-precision", arguments.convention,
               "mean precision at the hits, or area under the interpolated curve",
               {.choices = names_of(kConventions)});
  options.text("--page", arguments.page, "write a page of ranked lists to this .html",
               {.shows_default = false});
  options.text("--record", arguments.record,
               "make a folder of the scores that 'vlreid report' shows beside training runs",
               {.shows_default = false});
  options.text("--note", arguments.note, "a sentence for that page", {.shows_default = false});
  options.text("--captions", arguments.captions,
               "score text -> image retrieval on this list of captions (CUHK-PEDES, ICFG-PEDES or RSTPReid "
               "JSON, or CSV)",
               {.shows_default = false});
  options.text("--images", arguments.images, "folder that the paths of --captions begin in",
               {.shows_default = false});
  options.text("--split", arguments.split, "which part of --captions",
               {.choices = {"train", "val", "test", "all"}});
  options.flag("--no-sie", arguments.ignores_side_information,
               "leave out camera and view embeddings (another set's weights)");
  options.flag("--json", arguments.as_json, "print the scores as JSON");
}

} // namespace

Verb make_eval_verb(const std::string& verb_summary) {
  return {.name = "eval",
          .summary = verb_summary,
          .example = "vlreid eval --config-file configs/person/vit_clipreid.yml --weights ViT-B-16_60.pth "
                     "DATASETS.ROOT_DIR ../data",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<EvalArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_eval(*arguments); };
          }};
}

} // namespace vlreid
