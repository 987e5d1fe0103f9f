#include "vlreid/train/pretrain.h"

#include <ATen/ops/_unique2.h>
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/datasets/captions.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/nn/position.h"
#include "vlreid/tensor/device.h"
#include "vlreid/tensor/span.h"
#include "vlreid/text/tokenizer.h"
#include "vlreid/train/evaluation.h"
#include "vlreid/train/run_loop.h"
#include "vlreid/train/setup.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/save.h"

namespace vlreid {
namespace {

constexpr const char* kWords = "token_embedding.weight";
constexpr std::int64_t kLargestTableSide = 64;
constexpr std::size_t kMeasuredImages = 512;
constexpr const char* kResultFile = "clip.pth"; // the last epoch's weights

// Rates and decay as CLIP's training of a ViT-B has them; no erasing, which hides what sentences name.
constexpr std::string_view kDefaults = R"(
MODEL: {NAME: clip, PROMPT: none}
INPUT: {SIZE_TRAIN: [256, 128], SIZE_TEST: [256, 128], RE_PROB: 0, PADDING: 10,
        PIXEL_MEAN: [0.5, 0.5, 0.5], PIXEL_STD: [0.5, 0.5, 0.5]}
SOLVER: {OPTIMIZER_NAME: AdamW, IMS_PER_BATCH: 128, BASE_LR: 0.0005, WEIGHT_DECAY: 0.2, MAX_EPOCHS: 30,
         WARMUP_EPOCHS: 2, WARMUP_LR_INIT: 0, LR_MIN: 0, CHECKPOINT_PERIOD: 10, EVAL_PERIOD: 5, LOG_PERIOD: 10}
)";

// Rows for the loader. Without shared positives every image is an identity of its own.
std::vector<Record> records_of(const std::vector<CaptionedImage>& images, bool shares_positives) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < images.size(); ++i) {
    Record record;
    record.path = images[i].path;
    record.identity = shares_positives ? images[i].identity : static_cast<std::int64_t>(i);
    records.push_back(record);
  }
  return records;
}

TokenisedCaptions tokenise(const std::vector<CaptionedImage>& images, std::int64_t length) {
  std::vector<std::int64_t> ids, first_row = {0};
  for (const CaptionedImage& image : images) {
    for (const std::string& caption : image.captions) {
      const TokenRow row =
          clip_tokenizer().tokenize(caption, {.context_length = static_cast<int>(length), .truncate = true});
      ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    }
    first_row.push_back(first_row.back() + static_cast<std::int64_t>(image.captions.size()));
  }
  return {.tokens = tensor_of<std::int64_t>(ids, {first_row.back(), length}).clone(),
          .first_row = std::move(first_row)};
}

// Under OpenAI's names.
StateDict starting_clip(const Config& config, const std::string& weights) {
  const std::string& sizes = config.pretrain.sizes;
  if (sizes.empty()) {
    const StateDict state = load_weights(weights).state;
    return to_openai(state, detect_family(state, weights), weights);
  }
  return random_clip(clip_architecture(load_clip_sizes(sizes)),
                     static_cast<std::uint64_t>(config.solver.seed));
}

// The model learns with the words that captions use alone: the same steps with little of the largest tensor,
// its moments and its state, and words that no caption has stay as they are. Numbers of words keep their
// order, so the end token stays the largest.
class UsedWords {
public:
  UsedWords() = default;
  // Renumbers the tokens. table [V, D].
  UsedWords(TokenisedCaptions& captions, const at::Tensor& table) : table_(table.to(at::kFloat)) {
    VLREID_REQUIRE(table.size(0) >= kVocabularySize, ErrorKind::data, "token_embedding.weight",
                   fmt::format("{} words", table.size(0)), fmt::format("CLIP's {}", kVocabularySize),
                   "choose weights with CLIP's vocabulary, or VOCAB_SIZE 49408");
    std::tie(words_, captions.tokens, std::ignore) =
        at::_unique2(captions.tokens, /*sorted=*/true, /*return_inverse=*/true);
  }

  at::Tensor rows() const { return table_.index_select(0, words_); } // [U, D]
  // The whole table with these rows in their places.
  at::Tensor table_with(const at::Tensor& rows) const {
    return table_.index_copy(0, words_, rows.detach().to(at::kCPU));
  }

private:
  at::Tensor table_, words_; // [V, D], [U] ascending
};

class Pretraining {
public:
  Pretraining(const Config& config, const TrainOptions& options)
      : config_(config), options_(options), stages_({pretraining_stage(config)}),
        folder_(config, {.resumes = options.resumes, .overwrites = options.overwrites}),
        device_(parse_device(options.device)) {
    const CaptionSet set = open_captions(config.pretrain.captions, config.pretrain.images);
    images_ = select_split(set, config.pretrain.split);
    if (config.pretrain.eval_split != "none") scored_ = select_split(set, config.pretrain.eval_split);
    records_ = records_of(images_, config.pretrain.positives == "identity");
    write_run_file(folder_.path(), config_, options_, "pretrain");
  }

  void run() {
    make_model();
    if (options_.recomputes_activations) recompute_activations(*model_);
    RunLoop loop(folder_, model_, hooks(), options_.save_every_seconds);
    loop.begin(0, stages_);
    model_->to_device(device_);
    if (loop.place().stage == 0) {
      run_stage(loop, stages_.front());
      loop.next_stage();
    }
    save_pth(folder_.path() / kResultFile, result());
    folder_.write_page();
  }

private:
  // Without overlap of the patches, as a plain CLIP is read.
  ReidOptions model_options() const {
    return {.image = Grid{config_.input.train_size[0], config_.input.train_size[1]}};
  }

  StateDict whole_clip() const {
    StateDict state = plain_clip(*model_);
    state.set(kWords, words_.table_with(state.at(kWords)));
    return state;
  }

  // What is scored or saved may use words that the training does not.
  std::shared_ptr<ReidModel> whole_model() const {
    return std::make_shared<ReidModel>(whole_clip(), model_options(), "the model in training");
  }

  EvaluationOptions evaluation_options() const {
    return {.device = options_.device, .threads = options_.threads};
  }

  // Training from scratch leaves the norms of raw features to chance. Here the products of raw features
  // become the logits, as they nearly are for OpenAI's weights (norms about 10, scale 100): losses on raw
  // features, such as CLIP-ReID's (spec, section 4), need that. Cosines stay as they are.
  StateDict result() const {
    StateDict state = whole_clip();
    if (config_.pretrain.sizes.empty()) return state;
    const std::span<const CaptionedImage> some(images_.data(), std::min(images_.size(), kMeasuredImages));
    const FeatureNorms norms = feature_norms(whole_model(), some, config_, evaluation_options());
    const double wanted = std::exp(state.at("logit_scale").item<double>() / 2);
    for (const auto& [name, norm] :
         {std::pair("visual.proj", norms.images), std::pair("text_projection", norms.sentences)})
      state.set(name, state.at(name) * (wanted / norm));
    return state;
  }

  void make_model() {
    const std::string& sizes = config_.pretrain.sizes;
    const std::string place = sizes.empty() ? options_.weights : sizes;
    StateDict state = starting_clip(config_, options_.weights);
    const at::Tensor *words = state.find(kWords), *positions = state.find("positional_embedding");
    VLREID_REQUIRE(words != nullptr && words->dim() == 2 && positions != nullptr && positions->dim() == 2 &&
                       state.has("logit_scale"),
                   ErrorKind::data, place, "weights that are not a plain CLIP",
                   "both towers, token_embedding.weight and logit_scale", "start from CLIP weights");
    captions_ = tokenise(images_, positions->size(0));
    words_ = UsedWords(captions_, *words);
    state.set(kWords, words_.rows());
    model_ = std::make_shared<ReidModel>(state, model_options(), place);
    const Grid grid = model_->image_encoder().grid();
    VLREID_REQUIRE(std::lcm(grid.height, grid.width) <= kLargestTableSide, ErrorKind::config,
                   "INPUT.SIZE_TRAIN", fmt::format("a grid of {}x{} patches", grid.height, grid.width),
                   fmt::format("one that a square table of {} a side can hold", kLargestTableSide),
                   "choose sides of which one divides the other");
    log_info("vlreid", fmt::format("pretrain: from {}, {} images to train on, {} to score on", place,
                                   images_.size(), scored_.size()));
  }

  RunHooks hooks() {
    RunHooks made{.path_of = [this](std::size_t item) { return images_[item].path; },
                  .checkpoint = [this] { return whole_clip(); },
                  .dataset = config_.pretrain.eval_split + " captions"};
    if (!scored_.empty())
      made.evaluate = [this](bool) {
        return evaluate_captions(whole_model(), scored_, config_, evaluation_options());
      };
    return made;
  }

  void run_stage(RunLoop& loop, const Stage& stage) {
    const std::uint64_t seed = stage_seed(stage, config_);
    std::vector<std::int64_t> labels;
    for (const Record& record : records_)
      labels.push_back(record.identity);
    const std::unique_ptr<Sampler> sampler = samplers().at(stage.sampler)(
        labels, {.batch_size = static_cast<std::size_t>(stage.solver.batch_size), .seed = seed});
    const TrainingBatchesOptions images = image_options(config_, options_, stage, config_.input.train_size);
    const std::unique_ptr<BatchSource> source =
        make_caption_source(make_image_source(records_, *sampler, images, device_), captions_, seed);
    StageTrainer trainer(*model_, stage, stage_trainer_options(stage, config_, options_));
    loop.run_stage(stage, trainer, *source, seed);
  }

  Config config_;
  TrainOptions options_;
  std::vector<Stage> stages_;
  RunFolder folder_;
  at::Device device_;
  std::vector<CaptionedImage> images_, scored_;
  std::vector<Record> records_;
  TokenisedCaptions captions_;
  UsedWords words_;
  std::shared_ptr<ReidModel> model_;
};

} // namespace

Config pretraining_config(std::span<const std::string> key_value_pairs) {
  Config config = load_config_text(kDefaults, "defaults of pretrain", key_value_pairs);
  const PretrainOptions& pretrain = config.pretrain;
  if (pretrain.sizes.empty()) return config;
  const ClipSizes sizes = load_clip_sizes(pretrain.sizes);
  config.input.train_size = config.input.test_size = sizes.vision.image_size;
  return config;
}

Stage pretraining_stage(const Config& config) {
  Stage stage;
  stage.number = 1;
  stage.step = "captions";
  stage.trains = "everything";
  stage.losses.push_back({"clip", 1});
  stage.schedule = "warmup_cosine";
  stage.changes_rate_in_epoch = true;
  stage.spares_vectors = true;
  stage.sampler = "shuffle";
  stage.solver = config.solver.single;
  return stage;
}

void pretrain(const Config& config, const TrainOptions& options) {
  VLREID_REQUIRE(!config.output_dir.empty(), ErrorKind::config, "OUTPUT_DIR", "nothing",
                 "a folder for the run", "give --out");
  VLREID_REQUIRE(config.pretrain.sizes.empty() != options.weights.empty(), ErrorKind::usage, "pretrain",
                 options.weights.empty() ? "nothing to start from" : "weights and sizes",
                 "one of --weights and --sizes", "give one of them");
  require_usable(options);
  Pretraining(config, options).run();
}

StateDict plain_clip(ReidModel& model) {
  StateDict state = to_openai(model.state(), Family::clip_reid, "the model in training");
  const std::string table = "visual." + position_table_name(state.below("visual."));
  state.set(table, square_positions(state.at(table).detach(), model.image_encoder().grid()));
  return state;
}

} // namespace vlreid
