#include "vlreid/prompts/sentence.h"

#include "vlreid/tensor/span.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

at::Tensor for_batch(const at::Tensor& part, const at::Tensor& labels, std::int64_t batch) {
  const at::Tensor rows = part.size(0) > 1 ? rows_of(part, labels) : part;
  return rows.expand({batch, part.size(1), part.size(2)});
}

} // namespace

bool has_sentence(const StateDict& state) {
  const at::Tensor* prefix = state.find("token_prefix");
  const at::Tensor* suffix = state.find("token_suffix");
  return prefix != nullptr && suffix != nullptr && prefix->dim() == 3 && suffix->dim() == 3;
}

Sentence sentence_like(const StateDict& state) {
  return {at::zeros(state.at("token_prefix").sizes()), at::zeros(state.at("token_suffix").sizes())};
}

std::vector<std::int64_t> end_positions(const Sentence& sentence, std::int64_t learned) {
  const at::Tensor& suffix = sentence.suffix;
  const std::int64_t length = suffix.size(1);
  const at::Tensor differs = (suffix != suffix.slice(1, length - 1)).any(2); // [1 or I, length]
  const at::Tensor positions = at::arange(length, differs.options().dtype(at::kLong));
  const at::Tensor last = at::where(differs, positions, 0).amax(1) + sentence.prefix_length() + learned;
  const at::Tensor ends = last.to(at::kCPU).contiguous();
  const auto span = span_of<std::int64_t>(ends);
  return {span.begin(), span.end()};
}

TextPrompt fill_sentence(const Sentence& sentence, const at::Tensor& words, const at::Tensor& labels) {
  const std::int64_t batch = words.size(0);
  const Sentence chosen{for_batch(sentence.prefix, labels, batch), for_batch(sentence.suffix, labels, batch)};
  std::vector<std::int64_t> ends =
      end_positions(sentence.suffix.size(0) > 1 ? chosen : sentence, words.size(1));
  ends.resize(static_cast<std::size_t>(batch), ends.front());
  const std::int64_t shared = sentence.prefix.size(0) == 1 ? sentence.prefix_length() : 0;
  return {.embeddings = at::cat({chosen.prefix, words, chosen.suffix}, 1),
          .end_positions = std::move(ends),
          .shared_positions = shared,
          .fixed_positions = shared};
}

at::Tensor rows_of(const at::Tensor& table, const at::Tensor& labels) {
  return labels.defined() ? table.index_select(0, labels) : table;
}

} // namespace vlreid
