#include "vlreid/report/event_frames.h"

#include <array>
#include <bit>

namespace vlreid {
namespace {

constexpr std::uint32_t kCastagnoli = 0x82f63b78; // the polynomial, bits reversed

constexpr std::array<std::uint32_t, 256> kCrcOfByte = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCastagnoli : 0);
    table[byte] = crc;
  }
  return table;
}();

enum WireType { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

void append_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 128; value >>= 7)
    bytes += static_cast<char>(value | 128);
  bytes += static_cast<char>(value);
}

void append_key(std::string& message, int field, WireType type) {
  append_varint(message, static_cast<std::uint64_t>(field) << 3 | type);
}

template <typename Unsigned>
void append_little_endian(std::string& bytes, Unsigned value) {
  for (std::size_t i = 0; i < sizeof(value); ++i)
    bytes += static_cast<char>(value >> (8 * i) & 255);
}

} // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = crc >> 8 ^ kCrcOfByte[(crc ^ static_cast<unsigned char>(byte)) & 255];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8; // the constant of TFRecord
}

std::string frame(std::string_view bytes) {
  std::string framed;
  append_little_endian(framed, static_cast<std::uint64_t>(bytes.size()));
  append_little_endian(framed, masked_crc32c(framed));
  framed += bytes;
  append_little_endian(framed, masked_crc32c(bytes));
  return framed;
}

void append_number(std::string& message, int field, std::uint64_t value) {
  append_key(message, field, kVarint);
  append_varint(message, value);
}

void append_text(std::string& message, int field, std::string_view value) {
  append_key(message, field, kLengthDelimited);
  append_varint(message, value.size());
  message += value;
}

void append_float(std::string& message, int field, float value) {
  append_key(message, field, kFixed32);
  append_little_endian(message, std::bit_cast<std::uint32_t>(value));
}

void append_double(std::string& message, int field, double value) {
  append_key(message, field, kFixed64);
  append_little_endian(message, std::bit_cast<std::uint64_t>(value));
}

} // namespace vlreid
