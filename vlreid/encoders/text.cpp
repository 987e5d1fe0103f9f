#include "vlreid/encoders/text.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/tensor/shape.h"
#include "vlreid/tensor/span.h"
#include "vlreid/tensor/transfer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <limits>

namespace vlreid {
namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();

// Rows are positions begin..begin+rows of a sequence of `columns`; each sees itself and what stands before
// it.
at::Tensor causal_mask(std::int64_t rows, std::int64_t columns, std::int64_t begin,
                       const at::TensorOptions& options) {
  return at::triu(at::full({rows, columns}, kHidden, options), begin + 1);
}

// Part of a sequence: tokens of positions [begin, begin + x.size(1)).
struct Part {
  at::Tensor x;
  std::int64_t begin;

  void overwrite(std::int64_t position, const at::Tensor& vectors) {
    const std::int64_t from = std::max(position, begin),
                       to = std::min(position + vectors.size(-2), begin + x.size(1));
    if (from < to)
      x = with_tokens_replaced(x, from - begin, vectors.slice(-2, from - position, to - position));
  }
};

std::int64_t shared_prefix(const TextPrompt& prompt) {
  std::int64_t shared = std::min(prompt.shared_positions, std::ranges::min(prompt.end_positions));
  for (const DeepPrompt& deep : prompt.deep)
    if (deep.vectors.dim() == 3 && deep.vectors.size(0) > 1) shared = std::min(shared, deep.position);
  return shared;
}

// IVLP's words of a block replace positions 1..n, FT's deep prompts the positions that they name.
void overwrite(Part& part, const ResidualBlock& block, std::int64_t index,
               const std::vector<DeepPrompt>& deep) {
  if (block.VPT_shallow.defined()) part.overwrite(1, block.VPT_shallow);
  for (const DeepPrompt& prompt : deep)
    if (prompt.block == index) part.overwrite(prompt.position, prompt.vectors);
}

KeysValues joined(const KeysValues& prefix, const KeysValues& rest) {
  const auto join = [](const at::Tensor& a, const at::Tensor& b) {
    return at::cat({a.expand({b.size(0), a.size(1), a.size(2), a.size(3)}), b}, 2);
  };
  return {join(prefix.keys, rest.keys), join(prefix.values, rest.values)};
}

// The end token's result in the last block; sequences may end at different places.
at::Tensor read_end(ResidualBlock& block, const Part& rest, const KeysValues& context,
                    const std::vector<std::int64_t>& ends) {
  const auto [first, last] = std::ranges::minmax(ends);
  if (first == last) {
    const std::int64_t place = first - rest.begin;
    return block.attend_to(rest.x.slice(1, place, place + 1), context).select(1, 0);
  }
  const at::Tensor end = on_device(at::tensor(ends, at::kLong), rest.x.device()); // [I]
  const at::Tensor index = (end - rest.begin).view({-1, 1, 1}).expand({-1, 1, rest.x.size(2)});
  const at::Tensor x = rest.x.gather(1, index); // [I, 1, D]
  const at::Tensor positions = at::arange(context.keys.size(2), end.options());
  const at::Tensor later = positions.unsqueeze(0) > end.unsqueeze(1); // [I, N]
  const at::Tensor mask = at::zeros(later.sizes(), rest.x.options()).masked_fill(later, kHidden);
  return block.attend_to(x, context, mask.view({later.size(0), 1, 1, -1})).select(1, 0);
}

} // namespace

TextEncoder::TextEncoder(const TextShape& shape) : shape_(shape) {
  positional_embedding =
      register_parameter("positional_embedding", at::zeros({shape.context_length, shape.blocks.width}));
  text_projection = register_parameter("text_projection", at::zeros({shape.blocks.width, shape.embed}));
  transformer = register_module("transformer", std::make_shared<Transformer>(shape.blocks));
  ln_final = register_module("ln_final", std::make_shared<LayerNorm>(shape.blocks.width));
}

at::Tensor TextEncoder::forward(const TextPrompt& prompt) {
  const auto identities = static_cast<std::int64_t>(prompt.end_positions.size());
  check_shape(prompt.embeddings, {identities, "*", shape_.blocks.width}, "embeddings of a prompt");
  VLREID_ASSERT(identities > 0);
  const std::int64_t length = std::ranges::max(prompt.end_positions) + 1, shared = shared_prefix(prompt);
  VLREID_ASSERT(length <= prompt.embeddings.size(1) && length <= shape_.context_length);

  at::Tensor x = prompt.embeddings.slice(1, 0, length) + positional_embedding.slice(0, 0, length);
  Part rest{.x = x.slice(1, shared), .begin = shared}; // [I, length - shared, D]
  // Without gradients where nothing before the words learns: no backward pass through the prefix.
  if (prompt.fixed_positions >= shared && !positional_embedding.requires_grad()) x = x.detach();
  Part prefix{.x = x.slice(0, 0, 1).slice(1, 0, shared), .begin = 0}; // [1, shared, D]
  const at::Tensor prefix_mask = causal_mask(shared, shared, 0, x.options());
  const at::Tensor rest_mask = causal_mask(length - shared, length, shared, x.options());
  for (std::int64_t i = 0;; ++i) {
    ResidualBlock& block = transformer->block(i);
    overwrite(rest, block, i, prompt.deep);
    KeysValues context = block.keys_values(rest.x);
    const bool is_last = i + 1 == transformer->depth();
    if (shared > 0) {
      overwrite(prefix, block, i, prompt.deep);
      const KeysValues before = block.keys_values(prefix.x);
      context = joined(before, context);
      if (!is_last) prefix.x = block.attend_to(prefix.x, before, prefix_mask);
    }
    if (is_last)
      return at::matmul(ln_final->forward(read_end(block, rest, context, prompt.end_positions)),
                        text_projection);
    rest.x = block.attend_to(rest.x, context, rest_mask);
  }
}

std::shared_ptr<TextEncoder> make_text_encoder(const StateDict& state) {
  const at::Tensor* positions = state.find("positional_embedding");
  const at::Tensor* projection = state.find("text_projection");
  const std::int64_t layers = count_blocks(state, "transformer.resblocks.");
  if (positions == nullptr || projection == nullptr || layers == 0 || positions->dim() != 2 ||
      projection->dim() != 2)
    return nullptr;
  const std::int64_t width = positions->size(1);
  VLREID_REQUIRE(width > 0 && width % kHeadWidth == 0, ErrorKind::data,
                 "positional_embedding of the text side", "a width of " + std::to_string(width),
                 "a multiple of 64, the width of CLIP's heads");
  const at::Tensor* prompt = state.find("transformer.resblocks.1.VPT_shallow");
  return std::make_shared<TextEncoder>(
      TextShape{.blocks = {.width = width,
                           .layers = layers,
                           .heads = width / kHeadWidth,
                           .visual_prompts = prompt == nullptr ? 0 : prompt->size(0)},
                .context_length = positions->size(0),
                .embed = projection->size(1)});
}

TextPrompt prompt_of_tokens(const at::Tensor& tokens, const at::Tensor& token_embedding) {
  const at::Tensor here = tokens.to(at::kCPU), ends = here.argmax(1).contiguous();
  const auto span = span_of<std::int64_t>(ends);
  VLREID_REQUIRE(here.numel() > 0 && here.max().item<std::int64_t>() < token_embedding.size(0),
                 ErrorKind::data, "tokens",
                 "an id beyond the vocabulary of " + std::to_string(token_embedding.size(0)));
  return {.embeddings = at::embedding(token_embedding, on_device(tokens, token_embedding.device())),
          .end_positions = {span.begin(), span.end()},
          .shared_positions = 1};
}

} // namespace vlreid
