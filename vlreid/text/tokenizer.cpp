#include "vlreid/text/tokenizer.h"

#include "vlreid/base/error.h"
#include "vlreid/text/clean.h"
#include "vlreid/text/vocabulary.h"

#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <unordered_map>

namespace vlreid {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::size_t kMaxCachedWords = 1u << 16;
constexpr std::size_t kLongestCachedWord = 48; // bytes

// ---- cutting a cleaned text into words ----

// COMPAT: the reference's pattern ignores case, and the long s is an s then.
char32_t fold(char32_t c) {
  return c == 0x17f ? U's' : c;
}

bool starts_with(std::u32string_view text, std::u32string_view start) {
  return text.size() >= start.size() && std::ranges::equal(text.substr(0, start.size()), start, {}, fold);
}

// COMPAT: U+0345 is a letter to the pattern's "no letter" and none to its "letters", since its capital is
// one: it falls out.
CharacterClass class_in_word(char32_t c) {
  return c == 0x345 ? CharacterClass::space : class_of(c);
}

// The length of the first word of a text: a special token, a contraction, letters, one digit, or other signs;
// 0 for a blank.
std::size_t word_length(std::u32string_view text) {
  for (const std::u32string_view fixed :
       {std::u32string_view(U"<|startoftext|>"), std::u32string_view(U"<|endoftext|>"),
        std::u32string_view(U"'s"), std::u32string_view(U"'t"), std::u32string_view(U"'re"),
        std::u32string_view(U"'ve"), std::u32string_view(U"'m"), std::u32string_view(U"'ll"),
        std::u32string_view(U"'d")})
    if (text[0] == fixed[0] && starts_with(text, fixed)) return fixed.size();
  const CharacterClass first = class_in_word(text[0]);
  if (first == CharacterClass::space) return 0;
  if (first == CharacterClass::number) return 1;
  const auto is_same = [first](char32_t c) { return class_in_word(c) == first; };
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_same) - text.begin());
}

// ---- merging the bytes of one word ----

struct Piece {
  std::int32_t id;
  std::int32_t previous; // index of the neighbours, -1 at the ends
  std::int32_t next;
};

struct Candidate {
  std::int32_t merged; // smaller: merges earlier
  std::int32_t position;
  std::int32_t left, right; // ids at the time; when they have changed since, the candidate is void

  bool operator>(const Candidate& other) const {
    return std::pair(merged, position) > std::pair(other.merged, other.position);
  }
};

// The earliest merge first, from left to right, until none applies. A queue keeps words of any length below
// quadratic time.
class WordMerger {
public:
  WordMerger(const Vocabulary& vocabulary, std::string_view word) : vocabulary_(vocabulary) {
    const auto size = static_cast<std::int32_t>(word.size());
    for (std::int32_t i = 0; i < size; ++i) {
      const auto byte = static_cast<std::uint8_t>(word[static_cast<std::size_t>(i)]);
      const bool is_last = i + 1 == size;
      pieces_.push_back({vocabulary.id_of_byte(byte, is_last), i - 1, is_last ? -1 : i + 1});
    }
    for (std::int32_t i = 0; i + 1 < size; ++i)
      propose(i);
  }

  void append_to(Ids& ids) {
    while (!candidates_.empty()) {
      const Candidate candidate = candidates_.top();
      candidates_.pop();
      merge(candidate);
    }
    for (std::int32_t i = 0; i >= 0; i = at(i).next)
      ids.push_back(at(i).id);
  }

private:
  Piece& at(std::int32_t i) { return pieces_[static_cast<std::size_t>(i)]; }

  void propose(std::int32_t position) {
    if (position < 0 || at(position).next < 0) return;
    const std::int32_t left = at(position).id;
    const std::int32_t right = at(at(position).next).id;
    const std::int32_t merged = vocabulary_.merged(left, right);
    if (merged >= 0) candidates_.push({merged, position, left, right});
  }

  void merge(const Candidate& candidate) {
    Piece& left = at(candidate.position);
    if (left.id != candidate.left || left.next < 0 || at(left.next).id != candidate.right) return;
    Piece& right = at(left.next);
    left.id = candidate.merged;
    left.next = right.next;
    right.id = -1; // gone
    if (left.next >= 0) at(left.next).previous = candidate.position;
    propose(left.previous);
    propose(candidate.position);
  }

  const Vocabulary& vocabulary_;
  std::vector<Piece> pieces_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
};

// ---- the ids of words that were met before ----

class WordCache {
public:
  bool append(const std::string& word, Ids& ids) const {
    const std::shared_lock lock(mutex_);
    const auto found = words_.find(word);
    if (found == words_.end()) return false;
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return true;
  }

  void add(std::string word, std::span<const std::int32_t> ids) {
    const std::unique_lock lock(mutex_);
    if (words_.size() < kMaxCachedWords) words_.emplace(std::move(word), Ids(ids.begin(), ids.end()));
  }

private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Ids> words_;
};

} // namespace

struct Tokenizer::Tables {
  Vocabulary vocabulary;
  WordCache cache;
};

Tokenizer::Tokenizer(std::span<const std::byte> vocabulary)
    : tables_(new Tables{.vocabulary = Vocabulary(vocabulary), .cache = {}}) {
  VLREID_ASSERT(tables_->vocabulary.size() == kVocabularySize);
}

Tokenizer::~Tokenizer() = default;

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  const std::u32string cleaned = clean(text);
  Ids ids;
  for (std::u32string_view rest = cleaned; !rest.empty();) {
    const std::size_t length = word_length(rest);
    if (length > 0) append_word(to_utf8(rest.substr(0, length)), ids);
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return ids;
}

void Tokenizer::append_word(std::string word, std::vector<std::int32_t>& ids) const {
  if (word == "<|startoftext|>") return ids.push_back(kStartToken);
  if (word == "<|endoftext|>") return ids.push_back(kEndToken);
  const bool is_cached = word.size() <= kLongestCachedWord;
  if (is_cached && tables_->cache.append(word, ids)) return;
  const std::size_t start = ids.size();
  WordMerger(tables_->vocabulary, word).append_to(ids);
  if (is_cached) tables_->cache.add(std::move(word), std::span(ids).subspan(start));
}

TokenRow Tokenizer::tokenize(std::string_view text, const TokenizeOptions& options) const {
  VLREID_ASSERT(options.context_length >= 2);
  const auto length = static_cast<std::size_t>(options.context_length);
  TokenRow row;
  row.ids = encode(text);
  row.ids.insert(row.ids.begin(), kStartToken);
  row.ids.push_back(kEndToken);
  row.is_truncated = row.ids.size() > length;
  if (row.is_truncated && !options.truncate)
    fail(ErrorKind::data, {.place = fmt::format("'{}{}'", text.substr(0, 40), text.size() > 40 ? "..." : ""),
                           .found = fmt::format("{} tokens", row.ids.size()),
                           .expected = fmt::format("expected at most {}", length),
                           .remedy = "shorten the sentence, or ask for truncation"});
  row.ids.resize(length, 0);
  if (row.is_truncated) row.ids.back() = kEndToken;
  row.end = static_cast<int>(std::ranges::find(row.ids, kEndToken) - row.ids.begin());
  return row;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    VLREID_REQUIRE(id >= 0 && id < kVocabularySize, ErrorKind::data, "token ids", fmt::format("id {}", id),
                   fmt::format("expected 0 to {}", kVocabularySize - 1), "use the ids of CLIP's vocabulary");
    bytes += tables_->vocabulary.text_of(id);
  }
  std::string text = to_utf8(from_utf8(bytes));
  constexpr std::string_view kEndOfWord = "</w>";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool is_end = std::string_view(text).substr(i).starts_with(kEndOfWord);
    out += is_end ? ' ' : text[i];
    i += is_end ? kEndOfWord.size() : 1;
  }
  return out;
}

const Tokenizer& clip_tokenizer() {
  static const Tokenizer tokenizer(embedded_vocabulary());
  return tokenizer;
}

} // namespace vlreid
