// Loops that do nothing but multiply and add in registers, with the widest instructions of the processor: the
// rate that no matrix product can exceed. Thread safe.
#pragma once

#include <cstdint>
#include <string>

namespace vlreid {

struct PeakLoop {
  std::string instructions;            // "AVX2 FMA", ...
  double operations = 0;               // multiplications and additions of one pass
  void (*run)(std::int64_t) = nullptr; // that many passes
};

// For "f32", "bf16" (products of bf16 summed in float32) and "int8" (of unsigned and signed bytes, summed in
// 32 bits). Types without instructions of their own have float32's.
PeakLoop peak_loop(const std::string& type);

} // namespace vlreid
