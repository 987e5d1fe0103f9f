#include "vlreid/attributes/sentences.h"
#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/model_arguments.h"
#include "vlreid/cli/multimodal_flags.h"
#include "vlreid/cli/verb.h"
#include "vlreid/eval/embed_dataset.h"
#include "vlreid/eval/scores.h"
#include "vlreid/eval/text_retrieval.h"
#include "vlreid/eval/zero_shot.h"
#include "vlreid/inference/zero_shot_weights.h"
#include "vlreid/text/templates.h"

#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

constexpr const char* kLogger = "transreid.test"; // as the references name theirs

struct ZeroShotArguments {
  ModelArguments model;
  std::string dataset, root, plain_clip, attributes, split = "test", sentences, save_features;
  std::string test_dataset, clip_weights, mode; // of Multimodal-ReID
  int reference_batch = 0, height = 0;
  std::string ratio;
  bool is_augmented = false, is_mixed = false, is_by_sentence = false, as_json = false;
};

// The value of one option that has two names.
std::string one_of(const char* names, const std::string& ours, const std::string& theirs) {
  VLREID_REQUIRE(ours.empty() || theirs.empty() || ours == theirs, ErrorKind::usage, names,
                 "'" + ours + "' and '" + theirs + "'", "one of them", "leave one out");
  return ours.empty() ? theirs : ours;
}

// --height and --ratio: width = int(height * ratio).
std::optional<Grid> image_size(const ZeroShotArguments& arguments) {
  VLREID_REQUIRE(arguments.height > 0 || arguments.ratio.empty(), ErrorKind::usage, "--ratio",
                 "no --height to take it of", "both, or neither: the weights say their size",
                 "add --height N");
  if (arguments.height == 0) return std::nullopt;
  const auto [height, width] = size_of_flags("--ratio", arguments.height, arguments.ratio);
  return Grid{height, width};
}

// What a configuration may say that has no meaning here.
void refuse_unsuited(const ModelSettings& settings) {
  VLREID_REQUIRE(!settings.uses_neck.value_or(false), ErrorKind::config, "TEST.NECK_FEAT",
                 "'after' the neck, which sentences do not pass", "'before'",
                 "add TEST.NECK_FEAT before to the command line");
  VLREID_REQUIRE(!settings.sie_camera.value_or(false) && !settings.sie_view.value_or(false),
                 ErrorKind::config, "MODEL.SIE_CAMERA or MODEL.SIE_VIEW",
                 "on, but cameras of another set have no embedding", "both off",
                 "add MODEL.SIE_CAMERA False MODEL.SIE_VIEW False to the command line");
}

LoadedArguments load(const ZeroShotArguments& arguments) {
  ModelArguments model = arguments.model;
  model.weights = one_of("--weights and --clip_weights", model.weights, arguments.clip_weights);
  if (model.weights.empty()) model.weights = find_plain_clip(arguments.plain_clip);
  VLREID_REQUIRE(model.batch_size == 0 || arguments.reference_batch == 0, ErrorKind::usage,
                 "--batch and --bs", "both", "one of them", "leave one out");
  if (arguments.reference_batch > 0) model.batch_size = arguments.reference_batch;
  LoadedArguments loaded = load_arguments(model);
  refuse_unsuited(loaded.embedder.settings);
  return loaded;
}

Embedder make_embedder(const ZeroShotArguments& arguments, EmbedderOptions options) {
  const auto size = image_size(arguments);
  ModelSettings& settings = options.settings;
  VLREID_REQUIRE(!size || !settings.input_size, ErrorKind::usage, "--height", "INPUT.SIZE_TEST as well",
                 "one of them", "leave one out");
  ZeroShotRequest request{.weights = options.weights,
                          .words = find_plain_clip(arguments.plain_clip),
                          .image = size,
                          .stride = {},
                          .mode = arguments.mode};
  if (settings.input_size) request.image = Grid{(*settings.input_size)[0], (*settings.input_size)[1]};
  if (settings.stride) request.stride = (*settings.stride)[0];
  const ZeroShotWeights weights = zero_shot_weights(request);
  settings.input_size = std::array{weights.image.height, weights.image.width};
  settings.stride = std::array{weights.stride, weights.stride};
  return {weights.state, options};
}

// The table that belongs to a dataset, where it is kept; "" for none.
std::string find_attributes(const ZeroShotArguments& arguments, const Dataset& dataset,
                            const std::string& root) {
  if (!arguments.attributes.empty()) return arguments.attributes;
  const fs::path reference = fs::path("Market-1501_Attribute") / "market_attribute.mat";
  for (const fs::path& path : {dataset.root / "attributes.csv", dataset.root / "market_attribute.mat",
                               fs::path(root) / "attributes.csv", fs::path(root) / reference, reference})
    if (fs::exists(path)) return path.string();
  VLREID_REQUIRE(!arguments.is_mixed && !arguments.is_by_sentence, ErrorKind::missing,
                 arguments.is_mixed ? "--mm" : "--by-sentence",
                 "no attributes.csv in " + dataset.root.string() + " and no " + reference.string() + " in " +
                     root,
                 "a table of attributes to make sentences of", "name one with --attributes");
  return "";
}

// The kind of sentence; "" where it is left to the dataset.
std::string kind_of(const ZeroShotArguments& arguments) {
  return one_of("--sentences and --augmented_template", arguments.sentences,
                arguments.is_augmented ? "augmented" : "");
}

// The texts of one evaluation.
struct Descriptions {
  std::vector<std::int64_t> identities;       // of the dataset; -1: nobody of it
  std::vector<std::string> first;             // sentence of each
  std::vector<float> features;                // [I, E]
  std::size_t queries_known = 0, queries = 0; // identities of the queries: with a sentence, and all
};

Descriptions describe_people(const ZeroShotArguments& arguments, const Dataset& dataset,
                             const std::string& file, Embedder& embedder) {
  const AttributeTable table = select_split(open_attributes(file), arguments.split);
  const std::string_view word = word_of_dataset(dataset.name);
  std::string kind = kind_of(arguments);
  if (kind.empty()) kind = word == "person" ? "plain" : "columns";
  Descriptions made{.identities = identities_in(dataset, table), .first = {}, .features = {}};
  std::vector<std::vector<std::string>> sentences;
  std::int64_t count = 0;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    sentences.push_back(sentence_kinds().at(kind)(table, row, word));
    made.first.push_back(sentences.back().front());
    count += static_cast<std::int64_t>(sentences.back().size());
  }
  std::set<std::int64_t> asked;
  for (const Record& record : dataset.query)
    asked.insert(record.identity);
  made.queries = asked.size();
  for (const std::int64_t identity : made.identities)
    asked.erase(identity);
  made.queries_known = made.queries - asked.size();
  log_info(kLogger,
           fmt::format("{}: {} identities, {} sentences ({}); of {} query identities, {} are among them",
                       file, table.rows.size(), count, kind, made.queries, made.queries_known));
  Progress progress("encode", "sentences", count);
  made.features = encode_descriptions(embedder, sentences, &progress);
  return made;
}

struct Results {
  Scores images;                   // image -> image
  std::optional<Scores> sentences; // sentence -> image
  LabelledFeatures sentence_features;
};

void print(const Results& results, bool as_json) {
  if (as_json) {
    nlohmann::json json{{"image_to_image", to_json(results.images, AveragePrecision::plain)},
                        {"sentence_to_image", nullptr}};
    if (results.sentences)
      json["sentence_to_image"] = text_retrieval_json(*results.sentences, results.sentence_features);
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("image -> image\n{}", table(results.images, AveragePrecision::plain));
  if (results.sentences)
    fmt::print("sentence -> image\n{}", table(*results.sentences, AveragePrecision::plain));
}

LabelledFeatures embed_images(Embedder& embedder, const Dataset& dataset) {
  Progress progress("embed", "images",
                    static_cast<std::int64_t>(dataset.query.size() + dataset.gallery.size()));
  return embed_evaluation_lists(embedder, dataset, &progress);
}

// A table of another set has the same numbers for other people, so it is used only where it has everybody who
// is asked for, or on demand.
void search_by_sentence(const ZeroShotArguments& arguments, Descriptions& texts,
                        const LabelledFeatures& images, Results& results) {
  if (!arguments.is_by_sentence && texts.queries_known < texts.queries)
    return log_info(kLogger,
                    "not searched by sentence: the table lacks identities of the queries (--by-sentence "
                    "does all the same)");
  VLREID_REQUIRE(texts.queries_known > 0, ErrorKind::data, "--by-sentence",
                 "a table without anybody of the queries", "identities of this dataset",
                 "choose another --attributes or --split");
  results.sentence_features =
      description_queries(images, texts.features, texts.identities, std::move(texts.first));
  results.sentences = score(results.sentence_features, {});
}

int run_zero_shot(const ZeroShotArguments& arguments) {
  kind_of(arguments); // refuses two kinds before anything is read
  const LoadedArguments loaded = load(arguments);
  const std::string name = one_of("--dataset and --test_dataset", arguments.dataset, arguments.test_dataset);
  const std::string root = arguments.root.empty() ? loaded.config.datasets.root : arguments.root;
  const Dataset dataset = open_dataset(name.empty() ? loaded.config.datasets.name : name, root);
  const std::string file = find_attributes(arguments, dataset, root);
  for (const std::string& line : split(banner(dataset), '\n'))
    log_info(kLogger, line);
  Embedder embedder = make_embedder(arguments, loaded.embedder);
  log_info(kLogger, embedder.summary());
  std::optional<Descriptions> texts;
  if (file.empty())
    log_info(kLogger, "no table of attributes: images alone are scored");
  else
    texts = describe_people(arguments, dataset, file, embedder);
  LabelledFeatures features = embed_images(embedder, dataset);
  Results results;
  if (texts) search_by_sentence(arguments, *texts, features, results);
  if (arguments.is_mixed) mix_with_texts(features, texts->features, embedder.shared_dims());
  if (!arguments.save_features.empty()) save_features(arguments.save_features, features);
  results.images = score(features, {});
  log_info(kLogger, "Validation Results ");
  for (const std::string& line : log_lines(results.images.plain, AveragePrecision::plain))
    log_info(kLogger, line);
  print(results, arguments.as_json);
  return 0;
}

// Multimodal-ReID's own names.
void define_reference_options(Options& options, ZeroShotArguments& arguments) {
  options.text("--clip_weights", arguments.clip_weights, "--weights, as Multimodal-ReID calls it",
               {.shows_default = false});
  options.text("--test_dataset", arguments.test_dataset, "--dataset, as Multimodal-ReID calls it",
               {.shows_default = false});
  options.number("--bs", arguments.reference_batch, "--batch, as Multimodal-ReID calls it",
                 {.minimum = 0, .maximum = 65536, .shows_default = false});
  options.number("--height", arguments.height, "height of the input (0: as the weights were trained)",
                 {.minimum = 0, .maximum = 4096});
  options.text("--ratio", arguments.ratio, "its width divided by --height (0.5)", {.shows_default = false});
  options.text("--training_mode", arguments.mode, "what the checkpoint was trained with; checked against it",
               {.choices = {"coop", "ivlp", "promptsrc", "adapter"}, .shows_default = false});
  options.flag("--augmented_template", arguments.is_augmented,
               "56 sentences an identity: --sentences augmented");
  options.flag("--mm", arguments.is_mixed, "compare (features, how well the image fits each sentence)");
}

void define_options(Options& options, ZeroShotArguments& arguments) {
  arguments.model.views = "shifted"; // as Multimodal-ReID has it
  arguments.model.define(options);
  options.text("--dataset", arguments.dataset, "dataset instead of DATASETS.NAMES", {.shows_default = false});
  options.text("--root", arguments.root, "its folder instead of DATASETS.ROOT_DIR", {.shows_default = false});
  options.text("--model", arguments.plain_clip,
               "plain CLIP whose words sentences are read with: a file or OpenAI's name (ViT-B/16); alone, "
               "it is what is scored",
               {.shows_default = false});
  options.text("--attributes", arguments.attributes,
               "table of attributes: market_attribute.mat or CSV (else the dataset's own)",
               {.shows_default = false});
  options.text("--split", arguments.split, "which identities of it: test, train or all");
  options.text("--sentences", arguments.sentences, "kind of sentence (plain; columns for vehicles)",
               {.choices = sentence_kinds().names(), .shows_default = false});
  options.flag("--by-sentence", arguments.is_by_sentence,
               "score search by sentence even if the table lacks some of the people asked for");
  options.text("--save-features", arguments.save_features,
               "keep the features and labels in this .safetensors, for eval --features",
               {.shows_default = false});
  define_reference_options(options, arguments);
  options.flag("--json", arguments.as_json, "print the scores as JSON");
}

} // namespace

Verb make_zero_shot_verb(const std::string& verb_summary) {
  return {.name = "zero-shot",
          .summary = verb_summary,
          .example = "vlreid zero-shot --weights clip_model_weight_59.pth --model ViT-B/16 --dataset "
                     "market1501 --root ../data --mm",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<ZeroShotArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_zero_shot(*arguments); };
          }};
}

} // namespace vlreid
