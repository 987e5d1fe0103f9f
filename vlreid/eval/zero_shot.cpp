#include "vlreid/eval/zero_shot.h"

#include "vlreid/base/error.h"
#include "vlreid/base/progress.h"
#include "vlreid/eval/text_retrieval.h"
#include "vlreid/tensor/span.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <algorithm>
#include <set>

namespace vlreid {
namespace {

constexpr std::size_t kSentencesAtOnce = 4096; // their features stand in memory together

// [N, width] over the given numbers, which outlive it.
at::Tensor rows_of(std::span<const float> values, std::int64_t width) {
  return at::from_blob(const_cast<float*>(values.data()), // only read
                       {static_cast<std::int64_t>(values.size()) / width, width}, at::kFloat);
}

at::Tensor normalised(const at::Tensor& rows) {
  return rows / at::linalg_vector_norm(rows, 2, {1}, true);
}

} // namespace

std::vector<float> encode_descriptions(Embedder& embedder,
                                       std::span<const std::vector<std::string>> descriptions,
                                       Progress* progress) {
  const std::int64_t dims = embedder.shared_dims();
  std::vector<float> texts;
  for (std::size_t next = 0; next < descriptions.size();) {
    std::vector<std::string> sentences;
    const std::size_t first = next;
    for (; next < descriptions.size() && (next == first || sentences.size() < kSentencesAtOnce); ++next)
      sentences.insert(sentences.end(), descriptions[next].begin(), descriptions[next].end());
    const std::vector<float> values = embedder.run_sentences(sentences, [&](std::size_t count) {
      if (progress != nullptr) progress->add(static_cast<std::int64_t>(count));
    });
    const at::Tensor rows = normalised(rows_of(values, dims));
    std::int64_t row = 0;
    for (std::size_t i = first; i < next; ++i) {
      const auto count = static_cast<std::int64_t>(descriptions[i].size());
      VLREID_ASSERT(count > 0);
      const at::Tensor mean = normalised(rows.slice(0, row, row + count).mean(0, true)).contiguous();
      std::ranges::copy(span_of<float>(mean), std::back_inserter(texts));
      row += count;
    }
  }
  return texts;
}

std::vector<float> mix_with_texts(std::span<const float> rows, std::int64_t dims,
                                  std::span<const float> texts, std::int64_t shared_dims) {
  const at::Tensor all = rows_of(rows, dims);
  const at::Tensor proj = normalised(all.slice(1, dims - shared_dims));
  const at::Tensor fit = at::softmax(at::matmul(proj, rows_of(texts, shared_dims).t()) / kMixTemperature, 1);
  const at::Tensor mixed = at::cat({all.slice(1, 0, dims - shared_dims), fit}, 1);
  const auto span = span_of<float>(mixed);
  return {span.begin(), span.end()};
}

void mix_with_texts(LabelledFeatures& features, std::span<const float> texts, std::int64_t shared_dims) {
  for (LabelledSet* set : {&features.query, &features.gallery})
    set->values = mix_with_texts(set->values, features.dims, texts, shared_dims);
  features.dims += static_cast<std::int64_t>(texts.size()) / shared_dims - shared_dims;
}

std::vector<std::int64_t> identities_in(const Dataset& dataset, const AttributeTable& table) {
  std::set<std::int64_t> known;
  for (const Subset* subset : {&dataset.query, &dataset.gallery})
    for (const Record& record : *subset)
      known.insert(record.identity);
  std::vector<std::int64_t> numbers;
  for (const AttributeRow& row : table.rows) {
    std::int64_t number = identity_number(row).value_or(-1);
    if (!dataset.identity_names.empty()) {
      const auto found = std::ranges::find(dataset.identity_names, row.identity);
      number = found == dataset.identity_names.end() ? -1 : found - dataset.identity_names.begin();
    }
    numbers.push_back(known.contains(number) ? number : -1);
  }
  return numbers;
}

LabelledFeatures description_queries(const LabelledFeatures& images, std::span<const float> texts,
                                     std::span<const std::int64_t> identities,
                                     std::vector<std::string> sentences) {
  const auto shared = static_cast<std::int64_t>(texts.size() / identities.size());
  LabelledFeatures features{.dims = shared, .query = {}, .gallery = {}, .trials = {}};
  for (std::size_t i = 0; i < identities.size(); ++i) {
    if (identities[i] < 0) continue; // nobody of this set
    const auto text = texts.subspan(i * static_cast<std::size_t>(shared), static_cast<std::size_t>(shared));
    features.query.values.insert(features.query.values.end(), text.begin(), text.end());
    features.query.identities.push_back(identities[i]);
    features.query.paths.push_back(std::move(sentences[i]));
  }
  features.gallery = {.values = row_ends(images.gallery.values, static_cast<std::size_t>(images.dims),
                                         static_cast<std::size_t>(shared)),
                      .identities = images.gallery.identities,
                      .cameras = {},
                      .items = {},
                      .paths = images.gallery.paths};
  return features;
}

} // namespace vlreid
