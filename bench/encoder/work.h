// Multiplications and additions of an image encoder, for one image.
#pragma once

#include "vlreid/encoders/image_encoder.h"

namespace vlreid {

// In units of 10^9. `full` is a complete forward; `done` what the inference form really does: where only one
// position asks, as in the last block of a ViT and in the attention pool, it makes neither keys nor values
// (vlreid/nn/one_query_attention.h).
struct EncoderWork {
  double full, done;
};

EncoderWork work_of(const ImageEncoder& encoder);

} // namespace vlreid
