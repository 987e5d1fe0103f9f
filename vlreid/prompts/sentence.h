// The fixed part of a prompt: embeddings of the sentence before and after the learned words, as checkpoints
// store them.
#pragma once

#include "vlreid/encoders/text.h"

namespace vlreid {

struct Sentence {
  at::Tensor prefix; // [1, p, D], or [I, p, D] with a sentence per identity
  at::Tensor suffix; // [1, 77 - p - k, D] or [I, ...]

  std::int64_t prefix_length() const { return prefix.size(1); }
};

// The two buffers `token_prefix` and `token_suffix`, if they are there and have three dimensions; zeros of
// their shapes.
bool has_sentence(const StateDict& state);
Sentence sentence_like(const StateDict& state);

// Position of the end token in each sentence with `learned` words between: the padding behind it repeats one
// embedding, so the end token is the last row that differs from the very last. REQUIRES: at least one padding
// position.
std::vector<std::int64_t> end_positions(const Sentence& sentence, std::int64_t learned);

// The same, read from the device once, and again when somebody has changed the sentences: a training step
// must not wait for them.
class SentenceEnds {
public:
  const std::vector<std::int64_t>& of(const Sentence& sentence, std::int64_t learned);

private:
  std::vector<std::int64_t> ends_;
  std::int64_t version_ = -1; // of the suffix
};

// prefix + words [B, k, D] + suffix -> [B, T, D]; rows of per-identity sentences, and of `ends` (one for each
// sentence), are chosen by labels on the CPU (undefined: all).
TextPrompt fill_sentence(const Sentence& sentence, const at::Tensor& words, const at::Tensor& labels,
                         const std::vector<std::int64_t>& ends);

// Rows of a table per identity: all of them without labels. The labels need not be on its device.
at::Tensor rows_of(const at::Tensor& table, const at::Tensor& labels);

} // namespace vlreid
