// CLIP's tokenizer: text -> ids of the byte-level BPE vocabulary that is compiled into the program (section 1
// of reference-behaviour). Text is HTML-unescaped twice, stripped, its white space collapsed, lower-cased,
// cut into words, and each word merged pair by pair. Broken UTF-8 becomes U+FFFD; nothing in a text can make
// it fail. COMPAT: the references run ftfy first where it is installed; here it is never run (golden:
// ids_without_ftfy).
//
//     const TokenRow row = clip_tokenizer().tokenize("A photo of a person.");   // row.ids: [77], row.end: 6
//
// Thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

constexpr std::int32_t kVocabularySize = 49408;
constexpr std::int32_t kStartToken = 49406;
constexpr std::int32_t kEndToken = 49407; // the largest id: features are read at the arg-max of a row
constexpr int kContextLength = 77;

struct TokenizeOptions {
  int context_length = kContextLength; // REQUIRES: at least 2
  bool truncate = false;
};

struct TokenRow {
  std::vector<std::int32_t> ids; // [context_length]: start, words, end, zeros
  int end = 0;                   // position of the end token
  bool is_truncated = false;
};

class Tokenizer {
public:
  // `vocabulary` is the gzip-compressed merges file. REQUIRES (else Error(data)): CLIP's layout.
  explicit Tokenizer(std::span<const std::byte> vocabulary);
  ~Tokenizer();

  // Ids without start, end and padding.
  std::vector<std::int32_t> encode(std::string_view text) const;
  // An over-long text is Error(data) unless `truncate`, which puts the end token in the last position.
  TokenRow tokenize(std::string_view text, const TokenizeOptions& options = {}) const;
  // The text of ids, a blank after each word; start and end tokens are spelled out. REQUIRES (else
  // Error(data)): known ids.
  std::string decode(std::span<const std::int32_t> ids) const;

private:
  void append_word(std::string word, std::vector<std::int32_t>& ids) const;

  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// The tokenizer of the compiled-in vocabulary, made on first use.
const Tokenizer& clip_tokenizer();

} // namespace vlreid
