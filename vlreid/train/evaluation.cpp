#include "vlreid/train/evaluation.h"

#include "vlreid/base/progress.h"
#include "vlreid/eval/embed_dataset.h"
#include "vlreid/eval/ranked_lists.h"
#include "vlreid/eval/text_retrieval.h"
#include "vlreid/inference/attention_maps.h"
#include "vlreid/inference/embedder.h"
#include "vlreid/tensor/span.h"

#include <cmath>
#include <numeric>

namespace vlreid {
namespace {

constexpr int kExamples = 12; // ranked lists of each kind
constexpr int kAttentionMaps = 8;

using Size = std::array<std::int64_t, 2>; // height, width

ModelSettings pixels_of(const Config& config, const Size& size) {
  ModelSettings settings;
  settings.input_size = size;
  settings.pixel_mean = config.input.pixel_mean;
  settings.pixel_std = config.input.pixel_std;
  return settings;
}

// The embedder over the model as it is now; the packed weights go with it.
class Borrowed {
public:
  Borrowed(const std::shared_ptr<ReidModel>& model, const Config& config, const EvaluationOptions& options,
           EmbedderOutput output)
      : Borrowed(model, config, config.input.test_size, options, output, Filter::bilinear) {}
  Borrowed(const std::shared_ptr<ReidModel>& model, const Config& config, const Size& size,
           const EvaluationOptions& options, EmbedderOutput output, Filter filter)
      : model_(model), embedder_(model, {.weights = "the model in training",
                                         .settings = pixels_of(config, size),
                                         .device = options.device,
                                         .batch_size = static_cast<int>(config.test.batch_size),
                                         .threads = options.threads,
                                         .output = output,
                                         .filter = filter}) {}
  ~Borrowed() { model_->release_inference(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  Embedder& operator*() { return embedder_; }

private:
  std::shared_ptr<ReidModel> model_;
  Embedder embedder_;
};

double mean_norm(const std::vector<float>& rows, std::int64_t dims) {
  double sum = 0;
  std::size_t count = 0;
  for (auto row = rows.begin(); row != rows.end(); row += dims, ++count)
    sum += std::sqrt(std::inner_product(row, row + dims, row, 0.0));
  return sum / static_cast<double>(count);
}

void add_attention(RunExamples& examples, ReidModel& model, const TestTransformOptions& transform,
                   const Dataset& dataset) {
  std::vector<std::string> paths;
  std::vector<SideInformation> side;
  const std::size_t count = std::min<std::size_t>(kAttentionMaps, dataset.query.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Record& record = dataset.query[i * dataset.query.size() / count];
    paths.push_back(record.path);
    side.push_back({.camera = record.camera, .view = record.view});
  }
  const std::vector<PatchMap> maps = attention_maps(model, transform, paths, side);
  for (std::size_t i = 0; i < maps.size(); ++i)
    examples.attention.push_back(
        {.image = paths[i], .height = maps[i].height, .width = maps[i].width, .weights = maps[i].weights});
}

} // namespace

Evaluation evaluate_model(const std::shared_ptr<ReidModel>& model, const Dataset& dataset,
                          const Config& config, const EvaluationOptions& options) {
  Borrowed embedder(model, config, options, EmbedderOutput::embedding);
  Progress progress("evaluate", "images",
                    static_cast<std::int64_t>(dataset.query.size() + dataset.gallery.size()));
  const LabelledFeatures features = embed_evaluation_lists(*embedder, dataset, &progress);
  const bool has_lists = options.wants_examples && dataset.trials.empty();
  Evaluation result;
  result.scores = score(features, {.normalise = config.test.normalise_features(),
                                   .list_length = has_lists ? kPageListLength : 0});
  if (!has_lists) return result;
  result.examples = ranked_examples(features, result.scores, dataset.name, kExamples);
  const Grid own = model->image_size();
  if (config.input.test_size == Size{own.height, own.width})
    add_attention(result.examples, *model, (*embedder).transform(), dataset);
  return result;
}

Evaluation evaluate_captions(const std::shared_ptr<ReidModel>& model, std::span<const CaptionedImage> images,
                             const Config& config, const EvaluationOptions& options) {
  Borrowed embedder(model, config, options, EmbedderOutput::embedding);
  Progress progress("evaluate", "sentences and images", -1);
  return {.scores = score(embed_captions(*embedder, images, &progress), {}), .examples = {}};
}

FeatureNorms feature_norms(const std::shared_ptr<ReidModel>& model, std::span<const CaptionedImage> images,
                           const Config& config, const EvaluationOptions& options) {
  Borrowed embedder(model, config, options, EmbedderOutput::embedding);
  const LabelledFeatures features = embed_captions(*embedder, images, nullptr);
  return {.images = mean_norm(features.gallery.values, features.dims),
          .sentences = mean_norm(features.query.values, features.dims)};
}

at::Tensor project_training_images(const std::shared_ptr<ReidModel>& model, std::span<const Record> records,
                                   const Size& size, const Config& config, const EvaluationOptions& options,
                                   Filter filter) {
  Borrowed embedder(model, config, size, options, EmbedderOutput::projection, filter);
  std::vector<std::string> paths;
  for (const Record& record : records)
    paths.push_back(record.path);
  Progress progress("features", "images", static_cast<std::int64_t>(paths.size()));
  const std::vector<float> rows = (*embedder).run_all(
      paths, {}, [&](std::size_t count) { progress.add(static_cast<std::int64_t>(count)); });
  return tensor_of<float>(rows, {static_cast<std::int64_t>(paths.size()), (*embedder).dims()}).clone();
}

} // namespace vlreid
