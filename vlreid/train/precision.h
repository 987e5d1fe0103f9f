#pragma once

namespace vlreid {

// Of the forward pass: float32, or autocast to bfloat16 (CPU, GPU) or float16 (GPU, with loss scaling).
// Weights, losses and updates are float32 always.
enum class Precision { f32, bf16, f16 };

} // namespace vlreid
