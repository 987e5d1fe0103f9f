#include "bench/products/multiply_add.h"

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vlreid {
namespace {

#if defined(__x86_64__)

// `passes` times the lines for each register of a list; `setup` comes before. Every register is a chain of
// its own, and there are more of them than instructions in flight.
#define VLREID_VECTORS "0,1,2,3,4,5,6,7,8,9,10,11"
#define VLREID_WIDE_VECTORS VLREID_VECTORS ",12,13,16,17,18,19,20,21,22,23"
#define VLREID_TILES "0,1,2,3"
#define VLREID_LOOP(setup, registers, lines, end)                                                            \
  asm volatile(setup "\n1:\n.irp r," registers "\n" lines "\n.endr\ndec %[passes]\njnz 1b\n" end             \
               : [passes] "+r"(passes)                                                                       \
               : [tiles] "r"(&kTiles)                                                                        \
               : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",     \
                 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#define VLREID_CLEAR(registers, instruction, kind)                                                           \
  ".irp r," registers ",14,15\n" instruction " %%" kind "\\r,%%" kind "\\r,%%" kind "\\r\n.endr"
#define VLREID_CLEAR_YMM VLREID_CLEAR(VLREID_VECTORS, "vxorps", "ymm")
#define VLREID_CLEAR_ZMM VLREID_CLEAR(VLREID_WIDE_VECTORS, "vpxord", "zmm")

constexpr int kChains = 12, kWideChains = 22, kTileChains = 4;

// Eight tiles of 16 rows of 64 bytes, as ldtilecfg reads it.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileShapes kTiles;

void run_avx2(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_YMM, VLREID_VECTORS, "vfmadd231ps %%ymm14,%%ymm15,%%ymm\\r", "vzeroupper");
}
void run_avx512(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_ZMM, VLREID_WIDE_VECTORS, "vfmadd231ps %%zmm14,%%zmm15,%%zmm\\r", "vzeroupper");
}
void run_avx512_bf16(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_ZMM, VLREID_WIDE_VECTORS, "vdpbf16ps %%zmm14,%%zmm15,%%zmm\\r", "vzeroupper");
}
void run_avx512_vnni(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_ZMM, VLREID_WIDE_VECTORS, "vpdpbusd %%zmm14,%%zmm15,%%zmm\\r", "vzeroupper");
}
void run_avx_vnni(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_YMM, VLREID_VECTORS, "%{vex%} vpdpbusd %%ymm14,%%ymm15,%%ymm\\r", "vzeroupper");
}
// Without VNNI: pairs of products in 16 bits, summed there as long as they fit.
void run_avx2_int8(std::int64_t passes) {
  VLREID_LOOP(VLREID_CLEAR_YMM, VLREID_VECTORS,
              "vpmaddubsw %%ymm14,%%ymm15,%%ymm13\nvpaddw %%ymm13,%%ymm\\r,%%ymm\\r", "vzeroupper");
}
void run_amx_bf16(std::int64_t passes) {
  VLREID_LOOP("ldtilecfg (%[tiles])", VLREID_TILES, "tdpbf16ps %%tmm6,%%tmm7,%%tmm\\r", "tilerelease");
}
void run_amx_int8(std::int64_t passes) {
  VLREID_LOOP("ldtilecfg (%[tiles])", VLREID_TILES, "tdpbusd %%tmm6,%%tmm7,%%tmm\\r", "tilerelease");
}

// The kernel saves tiles only for processes that have asked.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

PeakLoop float_loop() {
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512 FMA", 32.0 * kWideChains, run_avx512};
  return {"AVX2 FMA", 16.0 * kChains, run_avx2};
}

PeakLoop loop_of(const std::string& type) {
  constexpr double kBf16Tile = 2.0 * 16 * 16 * 32, kInt8Tile = 2.0 * 16 * 16 * 64;
  if (type == "bf16") {
    if (__builtin_cpu_supports("amx-bf16") && may_use_tiles())
      return {"AMX", kBf16Tile * kTileChains, run_amx_bf16};
    if (__builtin_cpu_supports("avx512bf16")) return {"AVX-512 BF16", 64.0 * kWideChains, run_avx512_bf16};
  }
  if (type == "int8") {
    if (__builtin_cpu_supports("amx-int8") && may_use_tiles())
      return {"AMX", kInt8Tile * kTileChains, run_amx_int8};
    if (__builtin_cpu_supports("avx512vnni")) return {"AVX-512 VNNI", 128.0 * kWideChains, run_avx512_vnni};
    if (__builtin_cpu_supports("avxvnni")) return {"AVX VNNI", 64.0 * kChains, run_avx_vnni};
    return {"AVX2 vpmaddubsw", 64.0 * kChains, run_avx2_int8};
  }
  return float_loop();
}

#else

constexpr int kLanes = 32;

void run_plain(std::int64_t passes) {
  float sums[kLanes] = {};
  for (std::int64_t i = 0; i < passes; ++i) {
    for (float& sum : sums)
      sum = sum * 0.5F + 1.0F;
    asm volatile("" : : "r"(sums) : "memory");
  }
}

PeakLoop loop_of(const std::string&) {
  return {"as compiled", 2.0 * kLanes, run_plain};
}

#endif

} // namespace

PeakLoop peak_loop(const std::string& type) {
  return loop_of(type);
}

} // namespace vlreid
