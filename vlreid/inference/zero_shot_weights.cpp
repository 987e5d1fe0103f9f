#include "vlreid/inference/zero_shot_weights.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/clip.h"
#include "vlreid/encoders/image_encoder.h"
#include "vlreid/reid/geometry.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/naming.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

constexpr const char* kWords = "token_embedding.weight";
constexpr std::int64_t kResnetCell = 16; // pixels of one cell of layer4 in ReID
constexpr std::array<std::string_view, 9> kPlainNames = {
    "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px"};

StateDict load_openai_names(const std::string& path) {
  const StateDict state = load_weights(path).state;
  return to_openai(state, detect_family(state, path), path);
}

struct Tables {
  std::string name; // of the positional embedding below "visual."
  std::int64_t rows, patch;
  bool is_resnet;

  Grid grid(Grid image, std::int64_t stride) const { return patch_grid(image, patch, stride); }
};

Tables tables_of(const StateDict& visual, const std::string& place) {
  Tables tables{.name = position_table_name(visual), .rows = 0, .patch = kResnetCell, .is_resnet = false};
  VLREID_REQUIRE(!tables.name.empty(), ErrorKind::data, place, "no positional embedding of an image encoder",
                 "weights of a CLIP, or a checkpoint made from one");
  const at::Tensor& table = visual.at(tables.name);
  tables.is_resnet = tables.name != "positional_embedding";
  const at::Tensor& stem = visual.at("conv1.weight");
  VLREID_REQUIRE(table.dim() == 2 && table.size(0) > 1 && stem.dim() == 4, ErrorKind::data, place,
                 "a positional embedding or first convolution of another shape", "weights of a CLIP");
  tables.rows = table.size(0);
  if (!tables.is_resnet) tables.patch = stem.size(-1);
  return tables;
}

// The grid that the table was made for, and the geometry that is wanted.
struct Resize {
  std::optional<Grid> from; // nothing: square
  Geometry to;
};

Resize plan_resize(const StateDict& state, const StateDict& visual, const Tables& tables,
                   const ZeroShotRequest& request) {
  if (state.has(kWords) && has_square_table(visual))
    return {.from = {},
            .to = infer_geometry(visual,
                                 {.image = request.image,
                                  .stride = tables.is_resnet ? std::optional(kResnetCell) : request.stride,
                                  .is_plain = true},
                                 request.weights)};
  // Fits as it is?
  if (request.image) {
    const std::int64_t usual[] = {tables.patch, 12}; // Multimodal-ReID and CLIP-ReID overlap with stride 12
    for (const std::int64_t stride : usual)
      if (tables.grid(*request.image, stride).count() + 1 == tables.rows &&
          (!request.stride || *request.stride == stride))
        return {.from = tables.grid(*request.image, stride), .to = {*request.image, stride}};
  }
  const Geometry own = infer_geometry(visual, {}, request.weights);
  return {.from = tables.grid(own.image, own.stride),
          .to = {request.image.value_or(own.image),
                 tables.is_resnet ? kResnetCell : request.stride.value_or(own.stride)}};
}

void check_mode(const StateDict& visual, const StateDict& state, const ZeroShotRequest& request) {
  if (request.mode.empty()) return;
  const bool wants_prompts = request.mode == "ivlp" || request.mode == "promptsrc";
  VLREID_REQUIRE(wants_prompts == visual.has("VPT"), ErrorKind::usage, "--training_mode",
                 "'" + request.mode + "' with weights that have " + (wants_prompts ? "no " : "") +
                     "visual prompts (VPT)",
                 wants_prompts ? "a checkpoint of ivlp or promptsrc" : "ivlp or promptsrc",
                 "leave --training_mode out: the weights say what they are");
  VLREID_REQUIRE(request.mode != "adapter" || state.has("adapter.fc.0.weight"), ErrorKind::usage,
                 "--training_mode", "'adapter' with weights that have no adapter", "a checkpoint of adapter",
                 "leave --training_mode out: the weights say what they are");
}

// Adds what reading sentences takes and the checkpoint lacks: the words, and for a checkpoint of an image
// tower alone the text tower.
void add_words(StateDict& state, const std::string& path) {
  const StateDict clip = load_openai_names(path);
  VLREID_REQUIRE(clip.has(kWords), ErrorKind::data, path, "no token embedding", "weights of a plain CLIP",
                 "name OpenAI's file with --model");
  if (text_tower(state).empty())
    for (const auto& [name, tensor] : text_tower(clip))
      state.set(name, tensor);
  const at::Tensor& words = clip.at(kWords);
  const at::Tensor& positions = state.at("positional_embedding");
  VLREID_REQUIRE(words.dim() == 2 && positions.dim() == 2 && words.size(1) == positions.size(1),
                 ErrorKind::data, path, "words of another width than the checkpoint's text tower",
                 "the CLIP that the checkpoint was trained from", "choose another --model");
  state.set(kWords, words);
}

} // namespace

ZeroShotWeights zero_shot_weights(const ZeroShotRequest& request) {
  const StateDict whole = load_openai_names(request.weights);
  const StateDict visual = whole.below("visual.");
  check_mode(visual, whole, request);
  const Tables tables = tables_of(visual, request.weights);
  const Resize resize = plan_resize(whole, visual, tables, request);
  ZeroShotWeights weights{.state = {}, .image = resize.to.image, .stride = resize.to.stride};
  for (const auto& [name, tensor] : whole)
    if (name != "cv_embed") weights.state.add(name, tensor);
  const std::string table = "visual." + tables.name;
  weights.state.set(table, resize_positions(whole.at(table), tables.grid(weights.image, weights.stride),
                                            PositionResize::bicubic, resize.from));
  if (!whole.has(kWords) && !request.words.empty()) add_words(weights.state, request.words);
  return weights;
}

std::string find_plain_clip(const std::string& name_or_path) {
  if (name_or_path.empty() || fs::exists(name_or_path)) return name_or_path;
  const bool is_name = std::ranges::find(kPlainNames, name_or_path) != kPlainNames.end();
  VLREID_REQUIRE(is_name, ErrorKind::missing, name_or_path, "the file is not there",
                 "a file of CLIP weights, or one of OpenAI's names (RN50, ViT-B/16, ...)");
  std::string file = name_or_path + ".pt";
  std::ranges::replace(file, '/', '-');
  const char* home = std::getenv("HOME");
  const fs::path kept = fs::path(home == nullptr ? "" : home) / ".cache" / "clip" / file;
  for (const fs::path& path : {fs::path(file), kept})
    if (fs::exists(path)) return path.string();
  fail(ErrorKind::missing, {.place = "--model",
                            .found = "no " + file + " in this folder and no " + kept.string(),
                            .expected = "the weights that OpenAI publishes under that name",
                            .remedy = "put the file there, or give its path"});
}

} // namespace vlreid
