#include "vlreid/weights/describe.h"

#include "vlreid/base/error.h"
#include "vlreid/tensor/dims.h"
#include "vlreid/tensor/dtype.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

namespace vlreid {
namespace {

// Shapes without values: renaming then copies nothing.
StateDict shapes_of(const StateDict& state) {
  StateDict shapes;
  for (const auto& [name, tensor] : state)
    shapes.add(name, at::empty(tensor.sizes(), tensor.options().device(at::kMeta)));
  return shapes;
}

std::optional<std::int64_t> size_of_side(const StateDict& state, std::string_view name, std::int64_t side) {
  const at::Tensor* tensor = state.find(name);
  if (tensor == nullptr || tensor->dim() <= side) return std::nullopt;
  return tensor->size(side);
}

std::int64_t side_or_zero(const StateDict& state, std::string_view name, std::int64_t side) {
  return size_of_side(state, name, side).value_or(0);
}

// The numbers n for which a name "<prefix>n.<...><suffix>" is there.
std::set<std::int64_t> numbers_after(const StateDict& state, std::string_view prefix,
                                     std::string_view suffix = "") {
  std::set<std::int64_t> numbers;
  for (const auto& [name, tensor] : state) {
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    std::int64_t number = 0;
    const char* begin = name.data() + prefix.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), number);
    if (error == std::errc() && end != begin) numbers.insert(number);
  }
  return numbers;
}

std::int64_t count_after(const StateDict& state, std::string_view prefix) {
  return static_cast<std::int64_t>(numbers_after(state, prefix).size());
}

bool has_name_with(const StateDict& state, std::string_view part) {
  return std::any_of(state.begin(), state.end(),
                     [&](const auto& entry) { return entry.name.find(part) != std::string::npos; });
}

std::optional<VisionArchitecture> describe_vision(const StateDict& clip) {
  VisionArchitecture vision;
  if (clip.has("visual.layer1.0.conv1.weight")) {
    vision.is_resnet = true;
    vision.width = side_or_zero(clip, "visual.layer1.0.conv1.weight", 0);
    for (const char* layer : {"visual.layer1.", "visual.layer2.", "visual.layer3.", "visual.layer4."})
      vision.layers.push_back(count_after(clip, layer));
    vision.heads =
        vision.width * 32 / kHeadWidth; // of the attention pool, whose width is 32 times the stem's
    vision.embed = side_or_zero(clip, "visual.attnpool.c_proj.weight", 0);
    vision.positions = side_or_zero(clip, "visual.attnpool.positional_embedding", 0);
    return vision;
  }
  if (!clip.has("visual.class_embedding")) return std::nullopt;
  vision.width = side_or_zero(clip, "visual.class_embedding", 0);
  vision.layers = {count_after(clip, "visual.transformer.resblocks.")};
  vision.heads = vision.width / kHeadWidth;
  vision.patch = side_or_zero(clip, "visual.conv1.weight", 2);
  vision.embed = side_or_zero(clip, "visual.proj", 1);
  vision.positions = side_or_zero(clip, "visual.positional_embedding", 0);
  return vision;
}

std::optional<TextArchitecture> describe_text(const StateDict& clip) {
  if (!clip.has("ln_final.weight")) return std::nullopt;
  TextArchitecture text;
  text.width = side_or_zero(clip, "ln_final.weight", 0);
  text.layers = count_after(clip, "transformer.resblocks.");
  text.heads = text.width / kHeadWidth;
  text.context_length = side_or_zero(clip, "positional_embedding", 0);
  text.vocabulary = side_or_zero(clip, "token_embedding.weight", 0);
  text.embed = side_or_zero(clip, "text_projection", 1);
  return text;
}

std::optional<LoraDescription> describe_lora(const StateDict& clip) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kProjections{
      {{"q", ".q_proj.w_lora_A"},
       {"k", ".k_proj.w_lora_A"},
       {"v", ".v_proj.w_lora_A"},
       {"o", ".attn.proj.w_lora_A"},
       {"mlp", ".c_fc.w_lora_A"}}};
  LoraDescription lora;
  for (const auto& [name, tensor] : clip) {
    if (!name.ends_with(".w_lora_A") || tensor.dim() != 2) continue;
    lora.rank = tensor.size(0);
    lora.on_text = lora.on_text || name.starts_with("transformer.");
  }
  if (lora.rank == 0) return std::nullopt;
  for (const auto& [projection, suffix] : kProjections)
    if (has_name_with(clip, suffix)) lora.projections.emplace_back(projection);
  const std::set<std::int64_t> blocks = numbers_after(clip, "visual.transformer.resblocks.", ".w_lora_A");
  lora.blocks.assign(blocks.begin(), blocks.end());
  return lora;
}

// The prompt learner's tensors, whether in a model or in a file of their own.
StateDict prompts_of(const StateDict& clip) {
  StateDict prompts = clip.below("prompt_learner.");
  return prompts.empty() && clip.has("token_prefix") ? clip : prompts;
}

std::string method_of(const StateDict& clip, Family family) {
  const StateDict prompts = prompts_of(clip);
  if (prompts.has("cls_ctx_per_id")) return "ted";
  if (has_name_with(clip, "ZS_image_encoder.")) return "promptsrc";
  if (prompts.has("ctx") || has_name_with(clip, "VPT")) return "ivlp";
  if (clip.has("adapter.fc.0.weight")) return "adapter";
  if (prompts.has("cls_ctx")) return family == Family::mm ? "coop" : "clip-reid";
  if (clip.has("classifier.weight") || clip.has("bottleneck.weight")) return "baseline";
  return "clip";
}

std::string family_of(const WeightsFile& file, const StateDict& clip, Family family) {
  const bool has_encoder = has_name_with(clip, "visual.") || has_name_with(clip, "transformer.");
  if (!has_encoder && !prompts_of(clip).empty()) return "prompt learner";
  if (family == Family::openai && file.kind != WeightsKind::torchscript &&
      !file.state.has("input_resolution"))
    return "open_clip";
  const bool is_ft = prompts_of(clip).has("cls_ctx_per_id") || has_name_with(clip, ".w_lora_A");
  return family == Family::clip_reid && is_ft ? "ft" : std::string(name_of(family));
}

std::optional<std::int64_t> identities_of(const StateDict& clip) {
  if (const auto rows = size_of_side(clip, "classifier.weight", 0)) return rows;
  const StateDict prompts = prompts_of(clip);
  for (const char* name : {"cls_ctx", "ctx", "cls_ctx_per_id"})
    if (const auto rows = size_of_side(prompts, name, 0)) return rows;
  return std::nullopt;
}

void describe_model(const WeightsFile& file, Description& description) {
  const Family family = detect_family(file.state, file.path);
  const StateDict clip = to_openai(shapes_of(file.state), family, file.path);
  description.family = family_of(file, clip, family);
  description.method = method_of(clip, family);
  description.vision = describe_vision(clip);
  description.text = describe_text(clip);
  description.lora = describe_lora(clip);
  description.identities = identities_of(clip);
  description.sie_rows = size_of_side(clip, "cv_embed", 0);
  description.visual_prompts = size_of_side(clip, "visual.VPT", 0);
  if (description.vision)
    description.grids = guess_grids(description.vision->positions, description.vision->patch);
}

bool is_of_known_family(const WeightsFile& file) {
  try {
    detect_family(file.state, file.path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Heights and widths of inputs in use, likeliest first: people, vehicles, CLIP's own, other person sizes, the
// tests'.
constexpr std::array<std::array<std::int64_t, 2>, 9> kInputs{{{256, 128},
                                                              {256, 256},
                                                              {224, 224},
                                                              {384, 128},
                                                              {384, 192},
                                                              {336, 336},
                                                              {288, 288},
                                                              {448, 448},
                                                              {64, 32}}};

} // namespace

std::vector<GridGuess> guess_grids(std::int64_t positions, std::int64_t patch) {
  const bool is_resnet = patch == 0;
  // A ViT has overlapping patches at stride 12; a ResNet's map is 1/32 of the input, 1/16 with the last
  // stride taken out.
  const std::array<std::int64_t, 2> strides =
      is_resnet ? std::array<std::int64_t, 2>{16, 32} : std::array<std::int64_t, 2>{patch, 12};
  std::vector<GridGuess> guesses;
  for (const auto& [height, width] : kInputs) {
    for (const std::int64_t stride : strides) {
      const std::int64_t window = is_resnet ? stride : patch;
      if (height < window || width < window) continue;
      const GridGuess guess{.height = height,
                            .width = width,
                            .stride = stride,
                            .rows = (height - window) / stride + 1,
                            .columns = (width - window) / stride + 1};
      if (guess.rows * guess.columns + 1 == positions) guesses.push_back(guess);
      if (strides[0] == strides[1]) break;
    }
  }
  return guesses;
}

Description describe(const WeightsFile& file) {
  Description description;
  description.path = file.path;
  description.kind = name_of(file.kind);
  description.wrapper = file.wrapper;
  description.family = "unknown";
  description.method = "unknown";
  if (is_of_known_family(file)) describe_model(file, description);
  for (const auto& [name, tensor] : file.state) {
    if (tensor.is_floating_point()) description.parameters += tensor.numel();
    description.tensors.push_back(
        {.name = name, .dtype = std::string(name_of(tensor.scalar_type())), .shape = tensor.sizes().vec()});
  }
  return description;
}

} // namespace vlreid
