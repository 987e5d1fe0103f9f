#include "vlreid/prompts/sentence.h"

#include "vlreid/tensor/span.h"
#include "vlreid/tensor/transfer.h"

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

// Of each of the batch's sentences.
std::vector<std::int64_t> ends_of(const std::vector<std::int64_t>& all, const at::Tensor& labels,
                                  std::int64_t batch) {
  if (all.size() == 1) return std::vector(static_cast<std::size_t>(batch), all.front());
  if (!labels.defined()) return all;
  const at::Tensor here = labels.to(at::kCPU).contiguous();
  std::vector<std::int64_t> chosen;
  for (const std::int64_t label : span_of<std::int64_t>(here))
    chosen.push_back(all.at(static_cast<std::size_t>(label)));
  return chosen;
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

const std::vector<std::int64_t>& SentenceEnds::of(const Sentence& sentence, std::int64_t learned) {
  const auto version = static_cast<std::int64_t>(sentence.suffix._version());
  if (version != version_) ends_ = end_positions(sentence, learned);
  version_ = version;
  return ends_;
}

TextPrompt fill_sentence(const Sentence& sentence, const at::Tensor& words, const at::Tensor& labels,
                         const std::vector<std::int64_t>& ends) {
  const std::int64_t batch = words.size(0);
  const Sentence chosen{for_batch(sentence.prefix, labels, batch), for_batch(sentence.suffix, labels, batch)};
  const std::int64_t shared = sentence.prefix.size(0) == 1 ? sentence.prefix_length() : 0;
  return {.embeddings = at::cat({chosen.prefix, words, chosen.suffix}, 1),
          .end_positions = ends_of(ends, labels, batch),
          .shared_positions = shared,
          .fixed_positions = shared};
}

at::Tensor rows_of(const at::Tensor& table, const at::Tensor& labels) {
  return labels.defined() ? table.index_select(0, on_device(labels, table.device())) : table;
}

} // namespace vlreid
