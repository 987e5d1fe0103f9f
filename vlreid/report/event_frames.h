// The bytes of TensorBoard's event files: protobuf fields, and TFRecord frames with their masked crc32c. Pure
// functions. Internal to the folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vlreid {

// CRC-32C (Castagnoli, as in iSCSI).
std::uint32_t crc32c(std::string_view bytes);
// TFRecord's disguise of it, so that files that hold their own crc do not confuse checkers.
std::uint32_t masked_crc32c(std::string_view bytes);

// length, its crc, bytes, their crc.
std::string frame(std::string_view bytes);

// A field of a message in protobuf's wire format.
void append_number(std::string& message, int field, std::uint64_t value);  // varint
void append_text(std::string& message, int field, std::string_view value); // strings and inner messages
void append_float(std::string& message, int field, float value);           // 32 bits
void append_double(std::string& message, int field, double value);         // 64 bits

} // namespace vlreid
