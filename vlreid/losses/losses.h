// The losses of training as pure functions: features, logits, labels -> scalar, differentiable, no model
// (spec/reference-behaviour.md, sections 5 and 6). All features are raw (not normalised), as in the
// references. Labels are int64. Thread safe.
#pragma once

#include <ATen/Tensor.h>

#include <optional>

namespace vlreid {

// Mean over rows of -(mean over the columns with the row's label of log softmax(rows . columns^T)),
// temperature 1 (Khosla et al. 2020): rows [A, E], columns [C, E], labels [A], [C]. Each row needs a column
// with its label.
at::Tensor supervised_contrastive(const at::Tensor& rows, const at::Tensor& columns,
                                  const at::Tensor& row_labels, const at::Tensor& column_labels);

// The same from products that exist already: logits [A, C].
at::Tensor supervised_contrastive(const at::Tensor& logits, const at::Tensor& row_labels,
                                  const at::Tensor& column_labels);

// Cross-entropy of logits [B, I] with labels [B]; smoothing e: target (1 - e) at the label + e / I
// everywhere.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing = 0);

struct TripletOptions {
  std::optional<double> margin = 0.3; // none: soft margin, mean log(1 + exp(d_ap - d_an))
  double hard_factor = 0;             // d_ap * (1 + f), d_an * (1 - f)
  bool normalise = false;             // rows to length 1 first
};

struct TripletDistances {
  at::Tensor positive, negative; // [B] of the hardest, after the hard factor
};

// Hardest positive (the anchor itself counts, 1e-6 away) and hardest negative in the batch, Euclidean,
// squared distances clamped at 1e-12 (Hermans et al. 2017). features [B, D], labels [B]; every row needs a
// negative.
TripletDistances hardest_distances(const at::Tensor& features, const at::Tensor& labels,
                                   const TripletOptions& options = {});
at::Tensor triplet(const at::Tensor& features, const at::Tensor& labels, const TripletOptions& options = {});

// Rows of earlier batches beside the batch itself (cross-batch memory, Wang et al. 2020).
struct TripletMemory {
  at::Tensor features; // [M, D], without gradient
  at::Tensor labels;   // [M] int64; -1: a place that is not filled yet
  at::Tensor own;      // [B] int64: where in the memory each row of the batch lies, -1: nowhere
};

// The triplet loss with the hardest positive and negative of each row among the filled memory, the row's own
// entry left out: mean over the rows that have both; 0 when none has.
at::Tensor memory_triplet(const at::Tensor& features, const at::Tensor& labels, const TripletMemory& memory,
                          double margin = 0.3);

// Mean over all numbers of d^2 / 2 where |d| < 1, else |d| - 1/2: features, targets [B, D].
at::Tensor smooth_l1(const at::Tensor& features, const at::Tensor& targets);

// Mean over the batch of the squared distance to the own centre, clamped to 1e-12..1e12 (Wen et al. 2016):
// features [B, D], centers [I, D].
at::Tensor center_loss(const at::Tensor& features, const at::Tensor& labels, const at::Tensor& centers);

// Symmetric InfoNCE of CLIP pre-training: images, texts [B, E] normalised, scale = exp(logit_scale) []. Pairs
// of one identity with another caption of the same identity count as positives too when identities [B] are
// given.
at::Tensor clip_contrastive(const at::Tensor& images, const at::Tensor& texts, const at::Tensor& scale,
                            const at::Tensor& identities = {});

} // namespace vlreid
