// The kernels of instruction sets that the machine at hand may lack, compiled with plain definitions of the
// few instructions that they use (Intel's intrinsics guide): what the tests then check is everything but the
// processor.
// The names that kernel.h declares too.
#define avx512_bf16_kernel emulated_avx512_bf16_kernel
#define avx512_vnni_kernel emulated_avx512_vnni_kernel
#define amx_bf16_kernel emulated_amx_bf16_kernel
#define amx_int8_kernel emulated_amx_int8_kernel
#include "vlreid/products/emulated_kernels_test.h"

#include <cstring>

#define VLREID_EMULATED_INTRINSICS
#pragma GCC diagnostic ignored "-Wpsabi"

using __m512 [[gnu::vector_size(64)]] = float;
using __m512i [[gnu::vector_size(64)]] = long long;
using __m512bh [[gnu::vector_size(64)]] = short;

namespace {

using Bytes = unsigned char;

float wide(std::uint16_t x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x) << 16);
}

__m512i _mm512_set1_epi32(int x) {
  int lanes[16];
  for (int& lane : lanes)
    lane = x;
  return __builtin_bit_cast(__m512i, lanes);
}

__m512 _mm512_dpbf16_ps(__m512 sums, __m512bh a, __m512bh b) {
  for (int i = 0; i < 16; ++i)
    for (int pair = 0; pair < 2; ++pair)
      sums[i] += wide(static_cast<std::uint16_t>(a[2 * i + pair])) *
                 wide(static_cast<std::uint16_t>(b[2 * i + pair]));
  return sums;
}

__m512i _mm512_dpbusd_epi32(__m512i sums, __m512i a, __m512i b) {
  Bytes unsigned_bytes[64];
  signed char signed_bytes[64];
  int lanes[16];
  std::memcpy(unsigned_bytes, &a, 64);
  std::memcpy(signed_bytes, &b, 64);
  std::memcpy(lanes, &sums, 64);
  for (int i = 0; i < 64; ++i)
    lanes[i / 4] += unsigned_bytes[i] * signed_bytes[i];
  return __builtin_bit_cast(__m512i, lanes);
}

// 16 rows of 64 bytes.
struct TileRegister {
  Bytes rows[16][64];
};
thread_local TileRegister registers[8];
thread_local bool is_configured = false;

void _tile_loadconfig(const void* configuration) {
  const Bytes* bytes = static_cast<const Bytes*>(configuration);
  is_configured = bytes[0] == 1 && bytes[16] == 64 && bytes[48] == 16; // palette, bytes of a row, rows
}

void _tile_release() {
  is_configured = false;
}

void _tile_zero(int number) {
  registers[number] = {};
}

void _tile_loadd(int number, const void* from, std::int64_t stride) {
  if (!is_configured) std::abort();
  for (int r = 0; r < 16; ++r)
    std::memcpy(registers[number].rows[r], static_cast<const Bytes*>(from) + r * stride, 64);
}

void _tile_stream_loadd(int number, const void* from, std::int64_t stride) {
  _tile_loadd(number, from, stride);
}

void _tile_stored(int number, void* to, std::int64_t stride) {
  for (int r = 0; r < 16; ++r)
    std::memcpy(static_cast<Bytes*>(to) + r * stride, registers[number].rows[r], 64);
}

// sums[r][c] += the products of the four bytes a[r][k] and b[k][c].
template <typename Number, typename Product>
void multiply_tiles(int sums, int a, int b, const Product& product) {
  for (int r = 0; r < 16; ++r) {
    Number row[16];
    std::memcpy(row, registers[sums].rows[r], 64);
    for (int c = 0; c < 16; ++c)
      for (int k = 0; k < 16; ++k)
        row[c] += product(registers[a].rows[r] + 4 * k, registers[b].rows[k] + 4 * c);
    std::memcpy(registers[sums].rows[r], row, 64);
  }
}

void _tile_dpbf16ps(int sums, int a, int b) {
  multiply_tiles<float>(sums, a, b, [](const Bytes* x, const Bytes* y) {
    std::uint16_t left[2], right[2];
    std::memcpy(left, x, 4);
    std::memcpy(right, y, 4);
    return wide(left[0]) * wide(right[0]) + wide(left[1]) * wide(right[1]);
  });
}

void _tile_dpbssd(int sums, int a, int b) {
  multiply_tiles<int>(sums, a, b, [](const Bytes* x, const Bytes* y) {
    int sum = 0;
    for (int i = 0; i < 4; ++i)
      sum += static_cast<signed char>(x[i]) * static_cast<signed char>(y[i]);
    return sum;
  });
}

} // namespace

#define kRows kRowsOfAvx512Bf16
#define kPanels kPanelsOfAvx512Bf16
#include "vlreid/products/kernel_avx512_bf16.cpp"
#undef kRows
#undef kPanels
#define kRows kRowsOfAvx512Vnni
#define kPanels kPanelsOfAvx512Vnni
#include "vlreid/products/kernel_avx512_vnni.cpp"
#undef kRows
#undef kPanels
#include "vlreid/products/kernel_amx.cpp"

namespace vlreid {

std::vector<const ProductKernel*> emulated_kernels(ProductType type) {
  if (type == ProductType::int8) return {&emulated_avx512_vnni_kernel(), &emulated_amx_int8_kernel()};
  if (type == ProductType::bf16) return {&emulated_avx512_bf16_kernel(), &emulated_amx_bf16_kernel()};
  return {};
}

} // namespace vlreid
