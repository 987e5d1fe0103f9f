#include "vlreid/tensor/untouched_zeros.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/accumulate.h>
#include <new>
#include <sys/mman.h>

namespace vlreid {
namespace {

// Below it, clearing the memory costs no more than fetching pages.
constexpr std::size_t kSmallestMapping = std::size_t{1} << 20;

} // namespace

at::Tensor untouched_zeros(at::IntArrayRef sizes) {
  const std::size_t bytes = static_cast<std::size_t>(c10::multiply_integers(sizes)) * sizeof(float);
  if (bytes < kSmallestMapping) return at::zeros(sizes);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return at::from_blob(memory, sizes, [bytes](void* mapped) { ::munmap(mapped, bytes); }, at::kFloat);
}

} // namespace vlreid
