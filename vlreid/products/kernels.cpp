#include "vlreid/products/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vlreid {
namespace {

#if defined(__x86_64__)

struct Processor {
  bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  bool has_avx512_bf16 = has_avx512 && __builtin_cpu_supports("avx512bf16");
  bool has_avx512_vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
  bool has_amx_bf16 = false;
  bool has_amx_int8 = false;

  Processor() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return;
    const bool has_tiles = has_avx512_bf16 && (edx >> 24 & 1U) != 0 && may_use_tiles();
    has_amx_bf16 = has_tiles && (edx >> 22 & 1U) != 0;
    has_amx_int8 = has_tiles && (edx >> 25 & 1U) != 0;
  }

private:
  // The kernel gives the tile registers only to a process that asks for them; its threads inherit it.
  static bool may_use_tiles() {
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }
};

void add_for_x86(ProductType type, std::vector<const ProductKernel*>& kernels) {
  static const Processor processor;
  const auto add = [&](bool runs, const ProductKernel& kernel) {
    if (runs) kernels.push_back(&kernel);
  };
  switch (type) {
  case ProductType::f32:
    add(processor.has_avx512, avx512_f32_kernel());
    add(processor.has_avx2, avx2_f32_kernel());
    break;
  case ProductType::bf16:
  case ProductType::bf16x3:
    add(processor.has_amx_bf16, amx_bf16_kernel());
    add(processor.has_avx512_bf16, avx512_bf16_kernel());
    add(processor.has_avx512, avx512_bf16_in_f32_kernel());
    add(processor.has_avx2, avx2_bf16_kernel());
    break;
  case ProductType::int8:
    add(processor.has_amx_int8, amx_int8_kernel());
    add(processor.has_avx512_vnni, avx512_vnni_kernel());
    add(processor.has_avx2, avx2_int8_kernel());
    break;
  }
}

#endif

} // namespace

std::vector<const ProductKernel*> kernels_of_this_processor(ProductType type) {
  std::vector<const ProductKernel*> kernels;
#if defined(__x86_64__)
  add_for_x86(type, kernels);
#endif
  switch (type) {
  case ProductType::f32:
    kernels.push_back(&plain_f32_kernel());
    break;
  case ProductType::bf16:
  case ProductType::bf16x3:
    kernels.push_back(&plain_bf16_kernel());
    break;
  case ProductType::int8:
    kernels.push_back(&plain_int8_kernel());
    break;
  }
  return kernels;
}

} // namespace vlreid
