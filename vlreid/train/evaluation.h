// Scores of the model in training on the dataset's query and gallery lists, and the examples for its page.
#pragma once

#include "vlreid/config/config.h"
#include "vlreid/datasets/captions.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/eval/scores.h"
#include "vlreid/image/resize.h"
#include "vlreid/reid/model.h"
#include "vlreid/report/run_examples.h"

#include <memory>
#include <span>

namespace vlreid {

struct EvaluationOptions {
  std::string device = "cpu";
  int threads = 0;             // that decode; 0: all cores
  bool wants_examples = false; // ranked lists, hardest queries, attention maps
};

struct Evaluation {
  Scores scores;
  RunExamples examples;
};

// Leaves the model in evaluation mode, without its inference form.
Evaluation evaluate_model(const std::shared_ptr<ReidModel>& model, const Dataset& dataset,
                          const Config& config, const EvaluationOptions& options);

// Text -> image retrieval among captioned images. The rest as above.
Evaluation evaluate_captions(const std::shared_ptr<ReidModel>& model, std::span<const CaptionedImage> images,
                             const Config& config, const EvaluationOptions& options);

// Mean norms of raw features in the space that images share with text.
struct FeatureNorms {
  double images = 0, sentences = 0;
};
FeatureNorms feature_norms(const std::shared_ptr<ReidModel>& model, std::span<const CaptionedImage> images,
                           const Config& config, const EvaluationOptions& options);

// What stage 1 compares with text: [N, E] raw of training images, test transform to a size with this filter,
// without side information.
at::Tensor project_training_images(const std::shared_ptr<ReidModel>& model, std::span<const Record> records,
                                   const std::array<std::int64_t, 2>& size, const Config& config,
                                   const EvaluationOptions& options, Filter filter);

} // namespace vlreid
