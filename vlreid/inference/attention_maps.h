// Where the class token of a vision transformer's last block looks: its attention over the patches, mean over
// the heads. What a ReID embedding is made of, as far as one block can tell; shown on a run's page. Runs the
// training form without gradients; not thread safe beside training.
#pragma once

#include "vlreid/inference/embedder.h"
#include "vlreid/reid/model.h"
#include "vlreid/transforms/test_transform.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

// images [B, 3, H, W] as ReidModel::embed takes them -> [B, gh, gw] float32 on the CPU. Each map sums to 1
// less the class token's look at itself (and at IVLP's prompts). Nothing for a ResNet, which has no class
// token.
std::optional<at::Tensor> class_attention(ReidModel& model, const at::Tensor& images,
                                          const at::Tensor& cameras = {}, const at::Tensor& views = {});

struct PatchMap {
  int height = 0, width = 0;       // gh, gw
  std::vector<float> weights = {}; // [gh, gw]
};

// The same for image files; `side` is empty or has one entry per path. Empty for a ResNet; an unreadable file
// is a data error. For a few images: they are one batch.
std::vector<PatchMap> attention_maps(ReidModel& model, const TestTransformOptions& transform,
                                     std::span<const std::string> paths,
                                     std::span<const SideInformation> side = {});

} // namespace vlreid
