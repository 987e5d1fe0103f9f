#include "vlreid/text/vocabulary.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <functional>
#include <zlib.h>

namespace vlreid {
namespace {

constexpr std::size_t kMerges = 48894;          // 49152 - 256 - 2: the file holds more, CLIP uses these
constexpr std::size_t kMaxTextBytes = 1u << 20; // of the lines that are used, and of all tokens

[[noreturn]] void refuse(std::string found) {
  fail(ErrorKind::data, {.place = "CLIP vocabulary",
                         .found = std::move(found),
                         .expected = "expected the published bpe_simple_vocab_16e6.txt.gz",
                         .remedy = "build the program again"});
}

// The first part of the decompressed file: as many lines as are used, no more.
std::string decompress_lines(std::span<const std::byte> compressed, std::size_t lines) {
  z_stream stream{};
  stream.next_in =
      const_cast<Bytef*>(reinterpret_cast<const Bytef*>(compressed.data())); // zlib does not write to it
  stream.avail_in = static_cast<uInt>(compressed.size());
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) refuse("zlib does not start"); // 16: a gzip header
  std::string text(kMaxTextBytes, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  std::size_t end = 0;
  std::size_t found = 0;
  int status = Z_OK;
  while (found < lines && status == Z_OK) {
    const std::size_t done = stream.total_out;
    stream.avail_out = static_cast<uInt>(std::min<std::size_t>(64 * 1024, text.size() - done));
    if (stream.avail_out == 0) break;
    status = inflate(&stream, Z_NO_FLUSH);
    for (std::size_t i = done; i < stream.total_out && found < lines; ++i)
      if (text[i] == '\n') ++found, end = i + 1;
  }
  inflateEnd(&stream);
  if (found < lines) refuse("a vocabulary that is cut off or not gzip");
  text.resize(end);
  return text;
}

bool is_printed_as_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

// How the file writes bytes: visible ones of Latin-1 as themselves, the others, in order, as the letters from
// U+0100 on.
class ByteAlphabet {
public:
  ByteAlphabet() {
    for (int byte = 0; byte < 256; ++byte)
      if (is_printed_as_itself(byte)) add(byte, byte);
    int other = 256;
    for (int byte = 0; byte < 256; ++byte)
      if (!is_printed_as_itself(byte)) add(byte, other++);
  }

  // All bytes in the order of their ids.
  const std::vector<std::uint8_t>& order() const { return order_; }

  // Writes the bytes that `text` stands for to `bytes`.
  // REQUIRES (else Error(data)): one- and two-byte UTF-8 of letters of the alphabet.
  void read(std::string_view text, std::string& bytes) const {
    bytes.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto first = static_cast<unsigned char>(text[i]);
      unsigned letter = first;
      if (first >= 0x80) {
        if (first >= 0xe0 || ++i == text.size()) refuse("a letter that stands for no byte");
        letter = ((first & 0x1fu) << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
      }
      if (letter >= byte_of_.size() || byte_of_[letter] < 0) refuse("a letter that stands for no byte");
      bytes += static_cast<char>(byte_of_[letter]);
    }
  }

private:
  void add(int byte, int letter) {
    order_.push_back(static_cast<std::uint8_t>(byte));
    byte_of_[static_cast<std::size_t>(letter)] = byte;
  }

  std::vector<std::uint8_t> order_;
  std::vector<int> byte_of_ = std::vector<int>(512, -1);
};

// Text of a token -> its id; open addressing. Only needed while the merges are read.
class TokenIndex {
public:
  explicit TokenIndex(const Vocabulary& vocabulary) : vocabulary_(vocabulary), slots_(kSlots, -1) {
    for (std::int32_t id = 0; id < vocabulary.size(); ++id)
      add(id);
  }

  void add(std::int32_t id) { slots_[find_slot(vocabulary_.text_of(id))] = id; }

  std::int32_t at(std::string_view text) const {
    const std::int32_t id = slots_[find_slot(text)];
    if (id < 0) refuse("a merge of unknown tokens");
    return id;
  }

private:
  static constexpr std::size_t kSlots = 1u << 17; // a power of two, over twice the tokens

  // Where `text` is, or where it would be put.
  std::size_t find_slot(std::string_view text) const {
    std::size_t slot = std::hash<std::string_view>{}(text) % kSlots;
    while (slots_[slot] >= 0 && vocabulary_.text_of(slots_[slot]) != text)
      slot = (slot + 1) % kSlots;
    return slot;
  }

  const Vocabulary& vocabulary_;
  std::vector<std::int32_t> slots_;
};

} // namespace

Vocabulary::Vocabulary(std::span<const std::byte> compressed) : pairs_(kSlots) {
  texts_.reserve(kMaxTextBytes); // views into it stay valid while it grows
  const ByteAlphabet alphabet;
  for (const char* end : {"", "</w>"})
    for (const std::uint8_t byte : alphabet.order())
      add_text(std::string(1, static_cast<char>(byte)) + end);
  for (std::size_t i = 0; i < 256; ++i)
    id_of_byte_[alphabet.order()[i]] = static_cast<std::int32_t>(i);
  const std::string text = decompress_lines(compressed, kMerges + 1);
  add_merges(std::string_view(text).substr(text.find('\n') + 1));
  add_text("<|startoftext|>");
  add_text("<|endoftext|>");
}

void Vocabulary::add_text(std::string_view text) {
  if (texts_.size() + text.size() > kMaxTextBytes) refuse("tokens that are too long");
  texts_ += text;
  starts_.push_back(static_cast<std::uint32_t>(texts_.size()));
}

void Vocabulary::add_merges(std::string_view lines) {
  const ByteAlphabet alphabet;
  TokenIndex index(*this);
  std::string bytes;
  const auto id_of = [&](std::string_view written) {
    alphabet.read(written, bytes);
    return index.at(bytes);
  };
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() + 1);
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) refuse("a line that is not two tokens");
    const std::int32_t left = id_of(line.substr(0, blank));
    const std::int32_t right = id_of(line.substr(blank + 1));
    const std::int32_t id = size();
    bytes.assign(text_of(left)).append(text_of(right));
    add_text(bytes);
    index.add(id);
    add_pair(left, right, id);
  }
}

void Vocabulary::add_pair(std::int32_t left, std::int32_t right, std::int32_t merged) {
  std::size_t slot = slot_of(left, right);
  while (pairs_[slot].left != kNone)
    slot = (slot + 1) % kSlots;
  const auto narrow = [](std::int32_t id) { return static_cast<std::uint16_t>(id); };
  pairs_[slot] = {narrow(left), narrow(right), narrow(merged)};
}

std::int32_t Vocabulary::merged(std::int32_t left, std::int32_t right) const {
  for (std::size_t slot = slot_of(left, right); pairs_[slot].left != kNone; slot = (slot + 1) % kSlots)
    if (pairs_[slot].left == left && pairs_[slot].right == right) return pairs_[slot].merged;
  return -1;
}

} // namespace vlreid
