#include "vlreid/losses/losses.h"

#include "vlreid/tensor/shape.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/smooth_l1_loss.h>
#include <ATen/ops/softplus.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <limits>

namespace vlreid {

namespace {

constexpr double kSmallestSquare = 1e-12; // of a distance, as in the references
constexpr double kLargestSquare = 1e12;
constexpr double kShortestRow = 1e-12; // added to a length that is divided by

// Losses are computed in float32 whatever autocast is on: products in half precision would change which pair
// is the hardest.
using NoAutocast = c10::impl::ExcludeDispatchKeyGuard;

at::Tensor widened(const at::Tensor& x) {
  return at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
}

// [A, C] true where row and column have the same label.
at::Tensor same_label(const at::Tensor& rows, const at::Tensor& columns) {
  return rows.unsqueeze(1).eq(columns.unsqueeze(0));
}

// [B, B] Euclidean. x^2 + y^2 - 2xy as in the references, so the distance to itself is 1e-6 or a rounding
// error.
at::Tensor pairwise_distances(const at::Tensor& x) {
  const at::Tensor squares = x.square().sum(1, true); // [B, 1]
  return (squares + squares.t()).addmm(x, x.t(), 1, -2).clamp_min(kSmallestSquare).sqrt();
}

} // namespace

at::Tensor supervised_contrastive(const at::Tensor& rows, const at::Tensor& columns,
                                  const at::Tensor& row_labels, const at::Tensor& column_labels) {
  const NoAutocast full_precision(c10::autocast_dispatch_keyset);
  ShapeLetters letters;
  check_shape(rows, {"A", "E"}, "rows", letters);
  check_shape(columns, {"C", "E"}, "columns", letters);
  return supervised_contrastive(widened(rows).matmul(widened(columns).t()), row_labels, column_labels);
}

at::Tensor supervised_contrastive(const at::Tensor& logits, const at::Tensor& row_labels,
                                  const at::Tensor& column_labels) {
  ShapeLetters letters;
  check_shape(logits, {"A", "C"}, "logits", letters);
  check_shape(row_labels, {"A"}, "labels of the rows", letters);
  check_shape(column_labels, {"C"}, "labels of the columns", letters);
  const at::Tensor positives = same_label(row_labels, column_labels).to(at::kFloat); // [A, C]
  const at::Tensor log_probabilities = widened(logits).log_softmax(1);               // [A, C]
  return -((positives * log_probabilities).sum(1) / positives.sum(1)).mean();
}

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing) {
  ShapeLetters letters;
  check_shape(logits, {"B", "I"}, "logits", letters);
  check_shape(labels, {"B"}, "labels", letters);
  return at::cross_entropy_loss(widened(logits), labels, {}, at::Reduction::Mean, -100, smoothing);
}

TripletDistances hardest_distances(const at::Tensor& features, const at::Tensor& labels,
                                   const TripletOptions& options) {
  const NoAutocast full_precision(c10::autocast_dispatch_keyset);
  ShapeLetters letters;
  check_shape(features, {"B", "D"}, "features", letters);
  check_shape(labels, {"B"}, "labels", letters);
  at::Tensor x = widened(features);
  if (options.normalise) x = x / (x.norm(2, {1}, true) + kShortestRow);
  constexpr float kNever = std::numeric_limits<float>::infinity();
  const at::Tensor distances = pairwise_distances(x), same = same_label(labels, labels);
  const at::Tensor positive = std::get<0>(distances.masked_fill(same.logical_not(), -kNever).max(1));
  const at::Tensor negative = std::get<0>(distances.masked_fill(same, kNever).min(1));
  if (options.hard_factor == 0) return {positive, negative};
  return {positive * (1 + options.hard_factor), negative * (1 - options.hard_factor)};
}

at::Tensor triplet(const at::Tensor& features, const at::Tensor& labels, const TripletOptions& options) {
  const auto [positive, negative] = hardest_distances(features, labels, options);
  const at::Tensor gap = positive - negative; // [B]
  return options.margin ? (gap + *options.margin).relu().mean() : at::softplus(gap).mean();
}

at::Tensor memory_triplet(const at::Tensor& features, const at::Tensor& labels, const TripletMemory& memory,
                          double margin) {
  const NoAutocast full_precision(c10::autocast_dispatch_keyset);
  ShapeLetters letters;
  check_shape(features, {"B", "D"}, "features", letters);
  check_shape(labels, {"B"}, "labels", letters);
  check_shape(memory.features, {"M", "D"}, "features in memory", letters);
  check_shape(memory.labels, {"M"}, "labels in memory", letters);
  check_shape(memory.own, {"B"}, "places in memory", letters);
  const at::Tensor x = widened(features), y = widened(memory.features);
  const at::Tensor distances = (x.square().sum(1, true) + y.square().sum(1, true).t())
                                   .addmm(x, y.t(), 1, -2)
                                   .clamp_min(kSmallestSquare)
                                   .sqrt(); // [B, M]
  const at::Tensor places = at::arange(y.size(0), labels.options());
  const at::Tensor same = same_label(labels, memory.labels), filled = memory.labels.ge(0).unsqueeze(0);
  const at::Tensor positives = same.logical_and(same_label(memory.own, places).logical_not());
  const at::Tensor negatives = same.logical_not().logical_and(filled);
  const at::Tensor has_both = positives.any(1).logical_and(negatives.any(1)); // [B]
  constexpr float kNever = std::numeric_limits<float>::infinity();
  const at::Tensor positive = std::get<0>(distances.masked_fill(positives.logical_not(), -kNever).max(1));
  const at::Tensor negative = std::get<0>(distances.masked_fill(negatives.logical_not(), kNever).min(1));
  // Where one is missing the gap is minus infinity, which counts nothing.
  return (positive - negative + margin).relu().sum() / has_both.sum().clamp_min(1);
}

at::Tensor smooth_l1(const at::Tensor& features, const at::Tensor& targets) {
  ShapeLetters letters;
  check_shape(features, {"B", "D"}, "features", letters);
  check_shape(targets, {"B", "D"}, "targets", letters);
  return at::smooth_l1_loss(widened(features), widened(targets));
}

at::Tensor center_loss(const at::Tensor& features, const at::Tensor& labels, const at::Tensor& centers) {
  ShapeLetters letters;
  check_shape(features, {"B", "D"}, "features", letters);
  check_shape(labels, {"B"}, "labels", letters);
  check_shape(centers, {"I", "D"}, "centers", letters);
  const at::Tensor offsets = widened(features) - centers.index_select(0, labels); // [B, D]
  return offsets.square().sum(1).clamp(kSmallestSquare, kLargestSquare).mean();
}

at::Tensor clip_contrastive(const at::Tensor& images, const at::Tensor& texts, const at::Tensor& scale,
                            const at::Tensor& identities) {
  const NoAutocast full_precision(c10::autocast_dispatch_keyset);
  ShapeLetters letters;
  check_shape(images, {"B", "E"}, "images", letters);
  check_shape(texts, {"B", "E"}, "texts", letters);
  const at::Tensor logits = scale * widened(images).matmul(widened(texts).t()); // [B, B]
  const at::Tensor labels =
      identities.defined() ? identities : at::arange(images.size(0), images.options().dtype(at::kLong));
  return (supervised_contrastive(logits, labels, labels) +
          supervised_contrastive(logits.t(), labels, labels)) /
         2;
}

} // namespace vlreid
