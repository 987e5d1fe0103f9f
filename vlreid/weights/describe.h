// What a weights file is, from names and shapes alone: family, method, architecture, identities, input size.
// Behind the verb `inspect`, and compare() behind `inspect A B`. Nothing here runs a model.
#pragma once

#include "vlreid/weights/load.h"
#include "vlreid/weights/naming.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vlreid {

// The image side. A ResNet has layers {3, 4, 6, 3}; a ViT one number.
struct VisionArchitecture {
  bool is_resnet = false;
  std::int64_t width = 0; // D; of a ResNet: of the stem (64 for RN50)
  std::vector<std::int64_t> layers;
  std::int64_t heads = 0;
  std::int64_t patch = 0;     // ViT
  std::int64_t embed = 0;     // E, 0 when the file has no projection
  std::int64_t positions = 0; // class token included
};

struct TextArchitecture {
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t context_length = 0;
  std::int64_t vocabulary = 0; // 0 when the file has no token embedding
  std::int64_t embed = 0;
};

// One way to get the position count: the grid, the stride, and the input it belongs to.
struct GridGuess {
  std::int64_t height = 0; // of the input in pixels
  std::int64_t width = 0;
  std::int64_t stride = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

struct LoraDescription {
  std::int64_t rank = 0;
  std::vector<std::string> projections; // "q", "k", "v", "o", "mlp"
  std::vector<std::int64_t> blocks;     // of the vision side
  bool on_text = false;
};

struct TensorLine {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
};

struct Description {
  std::string path;
  std::string kind; // name_of(WeightsKind)
  std::string wrapper;
  std::string family; // "openai", "clip-reid", "ft", "mm", "open_clip", "hf", "prompt learner", "unknown"
  std::string method; // "clip", "baseline", "clip-reid", "ted", "coop", "ivlp", "promptsrc", "adapter"
  std::optional<VisionArchitecture> vision;
  std::optional<TextArchitecture> text;
  std::optional<LoraDescription> lora;
  std::optional<std::int64_t> identities;
  std::optional<std::int64_t> sie_rows;       // rows of cv_embed: cameras, views or cameras times views
  std::optional<std::int64_t> visual_prompts; // n of IVLP
  std::vector<GridGuess> grids;               // likeliest first; more than one: the file does not say
  std::int64_t parameters = 0;
  std::vector<TensorLine> tensors;
};

Description describe(const WeightsFile& file);
// The published sizes that give this many positions (class token included), likeliest first; see GridGuess.
std::vector<GridGuess> guess_grids(std::int64_t positions, std::int64_t patch);

struct TensorDifference {
  std::string name;
  TensorLine a, b;
  std::optional<double> largest; // absolute; nothing when shapes differ; infinite for NaN against a number
};

struct Comparison {
  std::string path_a, path_b;
  std::vector<std::string> only_in_a, only_in_b;
  std::vector<TensorDifference> misshapen; // shape or type differs
  std::vector<TensorDifference> different; // same shape, values differ; largest first
  std::int64_t equal = 0;                  // bit-equal tensors
};

Comparison compare(const WeightsFile& a, const WeightsFile& b);

std::string to_text(const Description& description, bool with_tensors = true);
std::string to_text(const Comparison& comparison);
nlohmann::json to_json(const Description& description);
nlohmann::json to_json(const Comparison& comparison);

} // namespace vlreid
