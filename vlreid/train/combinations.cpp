#include "vlreid/base/error.h"
#include "vlreid/train/recipe.h"

namespace vlreid {
namespace {

struct Refusal {
  bool applies;
  const char *key, *found, *expected, *remedy;
};

bool learns_encoder(const Recipe& recipe) {
  const std::string& trains = recipe.stages.back().trains;
  return trains == "image" || trains == "lora";
}

bool is_resnet(const Config& config) {
  return config.model.name.starts_with("RN"); // not the default, which nobody chose
}

// What a ResNet has no place for.
std::vector<Refusal> refusals_of_resnet(const Config& config, const Recipe& recipe) {
  const ModelOptions& model = config.model;
  const bool is_rn = is_resnet(config);
  return {{is_rn && recipe.deep_prompts > 0, "MODEL.PROMPT",
           "learned tokens in every block with a ResNet, which has no blocks of tokens", "a ViT",
           "choose coop or adapter, or a ViT in MODEL.NAME"},
          {is_rn && model.use_lora, "MODEL.USE_LORA", "LoRA with a ResNet, which has no transformer blocks",
           "a ViT", "switch it off, or choose a ViT in MODEL.NAME"},
          {is_rn && (model.sie_camera || model.sie_view), "MODEL.SIE_CAMERA",
           "side information with a ResNet, which has no class token to add it to", "a ViT",
           "switch it and MODEL.SIE_VIEW off"},
          {is_rn && config.input.second_size() != config.input.train_size, "INPUT.SIZE_MERGED",
           "another size with a ResNet, whose attention pool has one grid", "INPUT.SIZE_TRAIN",
           "use one size, or a ViT"}};
}

// What cannot be had once for two sets.
std::vector<Refusal> refusals_of_sharing(const Config& config, const Recipe& recipe) {
  const ModelOptions& model = config.model;
  const bool shares = recipe.shares_encoder;
  return {{shares && !config.datasets.alternates, "DATASETS.ALTERNATE", "off with a method for two datasets",
           "on", "set it, and the second one in DATASETS.MERGED"},
          {shares && (model.sie_camera || model.sie_view), "MODEL.SIE_CAMERA",
           "side information with a method for two datasets", "none",
           "its table would be one for each set: switch it and MODEL.SIE_VIEW off"},
          {shares && has_loss(recipe.stages.back(), "center"), "MODEL.IF_WITH_CENTER",
           "centres of identities with a method for two datasets, whose identities are counted apart", "none",
           "set it to no and METRIC_LOSS_TYPE to triplet"},
          {shares && model.soft_margin, "MODEL.NO_MARGIN",
           "a soft margin with the triplet over earlier batches, which has none", "a margin",
           "switch it off"}};
}

std::vector<Refusal> refusals(const Config& config, const Recipe& recipe) {
  const ModelOptions& model = config.model;
  const InputOptions& input = config.input;
  const DatasetSelection& datasets = config.datasets;
  return {{datasets.alternates && datasets.merged.empty(), "DATASETS.ALTERNATE", "one dataset",
           "two, whose batches take turns", "name the second one in DATASETS.MERGED"},
          {input.second_size() != input.train_size && !datasets.alternates, "INPUT.SIZE_MERGED",
           "a size of its own for the second of two sets that are mixed in one batch", "INPUT.SIZE_TRAIN",
           "let the sets take turns with DATASETS.ALTERNATE True"},
          {input.test_size != input.train_size && input.test_size != input.second_size(), "INPUT.SIZE_TEST",
           "another size than INPUT.SIZE_TRAIN", "the same: the positional table is made for one size",
           "change one of them"},
          {model.stride[0] != model.stride[1], "MODEL.STRIDE_SIZE", "two different numbers",
           "one number twice", "choose equal strides, as the references do"},
          {model.use_lora && !learns_encoder(recipe), "MODEL.USE_LORA",
           "LoRA with a method whose image encoder does not learn", "a method that tunes it",
           "switch it off, or choose another MODEL.PROMPT"},
          {!model.deep_prompts_path.empty() && recipe.deep_prompts == 0, "MODEL.VPT_PATH",
           "learned tokens to start from with a method that has none", "ivlp or promptsrc", "leave it empty"},
          {!model.frozen_path.empty() && !recipe.keeps_frozen_encoder, "MODEL.FROZEN_PATH",
           "a frozen encoder with a method that does not use one", "promptsrc", "leave it empty"}};
}

} // namespace

void require_combinable(const Config& config, const Recipe& recipe) {
  for (const auto& list :
       {refusals(config, recipe), refusals_of_sharing(config, recipe), refusals_of_resnet(config, recipe)})
    for (const Refusal& refusal : list)
      VLREID_REQUIRE(!refusal.applies, ErrorKind::config, refusal.key, refusal.found, refusal.expected,
                     refusal.remedy);
}

} // namespace vlreid
