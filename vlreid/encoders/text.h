// The text side: a prompt (embedded words, some of them learned) -> one feature per identity, read at the end
// token. Causal, so what stands after the end token is cut off, what all prompts share at the start is
// computed once, and the last block runs for the end token alone; all three change no number (decisions.md,
// "exact savings"). Differentiable.
#pragma once

#include "vlreid/nn/transformer.h"
#include "vlreid/weights/state_dict.h"

#include <vector>

namespace vlreid {

// Vectors that overwrite positions [position, position + n) at the entry of a block (FT's deep prompts).
struct DeepPrompt {
  std::int64_t block;
  std::int64_t position;
  at::Tensor vectors; // [1, n, D] shared or [I, n, D] per identity
};

struct TextPrompt {
  at::Tensor embeddings; // [I, T, D] before the positional embedding; T at most the context length
  std::vector<std::int64_t> end_positions; // [I] of the end token
  std::int64_t shared_positions = 0;       // the first so many positions are the same for all identities
  std::int64_t fixed_positions = 0;        // and so many of them learn nothing
  std::vector<DeepPrompt> deep = {};
};

struct TextShape {
  TransformerShape blocks;
  std::int64_t context_length = 77;
  std::int64_t embed = 512; // E
};

class TextEncoder : public torch::nn::Module {
public:
  explicit TextEncoder(const TextShape& shape);

  // -> [I, E] raw
  at::Tensor forward(const TextPrompt& prompt);

  const TextShape& shape() const { return shape_; }
  Transformer& blocks() { return *transformer; }

  at::Tensor positional_embedding; // [T, D]
  at::Tensor text_projection;      // [D, E]
  std::shared_ptr<Transformer> transformer;
  std::shared_ptr<LayerNorm> ln_final;

private:
  TextShape shape_;
};

// From the names below the text tower ("transformer.resblocks.0...", "positional_embedding"); nullptr when
// they are not there.
std::shared_ptr<TextEncoder> make_text_encoder(const StateDict& state);

// tokens [L, 77] int64, best on the CPU -> the prompt of whole sentences; the end token is the largest id.
// REQUIRES: ids below the vocabulary's size.
TextPrompt prompt_of_tokens(const at::Tensor& tokens, const at::Tensor& token_embedding);

} // namespace vlreid
