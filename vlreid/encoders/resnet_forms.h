// What the inference forms of a ResNet share: the CPU's (resnet_inference.cpp) and that of other devices
// (resnet_aten.cpp). Internal to encoders.
#pragma once

#include "vlreid/encoders/resnet.h"

namespace vlreid {

// A convolution that does what it and its BatchNorm did.
struct FoldedWeights {
  at::Tensor weight, bias; // float64
};
FoldedWeights fold_batch_norm(const Conv& conv, const BatchNorm& norm);

std::unique_ptr<ImageInference> aten_resnet(ModifiedResnet& net, InferenceType type,
                                            const PixelStatistics& pixels);

} // namespace vlreid
