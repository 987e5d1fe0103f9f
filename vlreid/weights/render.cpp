#include "vlreid/base/strings.h"
#include "vlreid/weights/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

constexpr std::size_t kMaxListedDifferences = 50;

std::string shape_of(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// "label        value"
void put(std::string& out, std::string_view label, const std::string& value) {
  if (!value.empty()) out += fmt::format("{:<14}{}\n", label, value);
}

std::string number_text(const std::optional<std::int64_t>& number) {
  return number ? group_digits(*number) : "";
}

std::string vision_text(const VisionArchitecture& vision) {
  if (vision.is_resnet)
    return fmt::format("ResNet, width {}, layers {}, attention pool of {} heads, embed {}, {} positions",
                       vision.width, fmt::join(vision.layers, "-"), vision.heads, vision.embed,
                       vision.positions);
  return fmt::format("ViT, width {}, {} layers, {} heads, patch {}, embed {}, {} positions", vision.width,
                     vision.layers.at(0), vision.heads, vision.patch, vision.embed, vision.positions);
}

std::string text_text(const TextArchitecture& text) {
  return fmt::format("width {}, {} layers, {} heads, context {}, vocabulary {}, embed {}", text.width,
                     text.layers, text.heads, text.context_length,
                     text.vocabulary == 0 ? "not stored" : group_digits(text.vocabulary), text.embed);
}

std::string lora_text(const LoraDescription& lora) {
  return fmt::format("rank {}, {}, blocks {}{}", lora.rank, fmt::join(lora.projections, " "),
                     fmt::join(lora.blocks, " "), lora.on_text ? ", also in the text encoder" : "");
}

std::string grids_text(const std::vector<GridGuess>& grids) {
  std::vector<std::string> parts;
  for (const GridGuess& grid : grids)
    parts.push_back(fmt::format("{}x{} at stride {} ({}x{} grid)", grid.height, grid.width, grid.stride,
                                grid.rows, grid.columns));
  return join(parts, ", or ") + (parts.size() > 1 ? "; the file does not say which" : "");
}

nlohmann::json json_of(const TensorLine& line) {
  return {{"name", line.name}, {"dtype", line.dtype}, {"shape", line.shape}};
}

nlohmann::json json_of(const VisionArchitecture& vision) {
  return {{"type", vision.is_resnet ? "resnet" : "vit"},
          {"width", vision.width},
          {"layers", vision.layers},
          {"heads", vision.heads},
          {"patch", vision.patch},
          {"embed", vision.embed},
          {"positions", vision.positions}};
}

nlohmann::json json_of(const TextArchitecture& text) {
  return {{"width", text.width},           {"layers", text.layers},
          {"heads", text.heads},           {"context_length", text.context_length},
          {"vocabulary", text.vocabulary}, {"embed", text.embed}};
}

nlohmann::json json_of(const LoraDescription& lora) {
  return {{"rank", lora.rank},
          {"projections", lora.projections},
          {"blocks", lora.blocks},
          {"on_text", lora.on_text}};
}

nlohmann::json json_of(const GridGuess& grid) {
  return {{"height", grid.height},
          {"width", grid.width},
          {"stride", grid.stride},
          {"rows", grid.rows},
          {"columns", grid.columns}};
}

nlohmann::json json_of(const TensorDifference& row) {
  return {{"name", row.name},
          {"a", json_of(row.a)},
          {"b", json_of(row.b)},
          {"largest", row.largest ? nlohmann::json(*row.largest) : nlohmann::json()}};
}

template <typename Row>
nlohmann::json json_list(const std::vector<Row>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows)
    list.push_back(json_of(row));
  return list;
}

template <typename Value>
nlohmann::json json_or_null(const std::optional<Value>& value) {
  if (!value) return {};
  if constexpr (std::is_same_v<Value, std::int64_t>)
    return *value;
  else
    return json_of(*value);
}

void put_names(std::string& out, const std::string& title, const std::vector<std::string>& names) {
  if (!names.empty()) out += fmt::format("{} ({}):\n", title, names.size());
  for (const std::string& name : names)
    out += "  " + name + "\n";
}

void put_differences(std::string& out, const std::string& title, const std::vector<TensorDifference>& rows) {
  if (!rows.empty()) out += fmt::format("{} ({}):\n", title, rows.size());
  for (std::size_t i = 0; i < std::min(rows.size(), kMaxListedDifferences); ++i) {
    const TensorDifference& row = rows[i];
    out += "  " + row.name;
    if (row.a.shape != row.b.shape || row.a.dtype != row.b.dtype)
      out += fmt::format("  {} {} / {} {}", row.a.dtype, shape_of(row.a.shape), row.b.dtype,
                         shape_of(row.b.shape));
    if (row.largest) out += fmt::format("  largest {:.3g}", *row.largest);
    out += "\n";
  }
  if (rows.size() > kMaxListedDifferences)
    out += fmt::format("  and {} more\n", rows.size() - kMaxListedDifferences);
}

} // namespace

std::string to_text(const Description& description, bool with_tensors) {
  std::string out = description.path + "\n";
  put(out, "file",
      description.kind + (description.wrapper.empty() ? "" : ", under '" + description.wrapper + "'"));
  put(out, "family", description.family);
  put(out, "method", description.method);
  if (description.vision) put(out, "image encoder", vision_text(*description.vision));
  if (description.text) put(out, "text encoder", text_text(*description.text));
  put(out, "input", grids_text(description.grids));
  if (description.lora) put(out, "LoRA", lora_text(*description.lora));
  put(out, "identities", number_text(description.identities));
  if (description.sie_rows)
    put(out, "SIE rows", number_text(description.sie_rows) + " (cameras, views, or cameras x views)");
  put(out, "visual prompts", number_text(description.visual_prompts));
  put(out, "numbers",
      fmt::format("{} in {} tensors", group_digits(description.parameters), description.tensors.size()));
  if (!with_tensors) return out;
  for (const TensorLine& line : description.tensors)
    out += fmt::format("  {:<9} {:<20} {}\n", line.dtype, shape_of(line.shape), line.name);
  return out;
}

std::string to_text(const Comparison& comparison) {
  std::string out = fmt::format("A {}\nB {}\n", comparison.path_a, comparison.path_b);
  put_names(out, "only in A", comparison.only_in_a);
  put_names(out, "only in B", comparison.only_in_b);
  put_differences(out, "other shape or type", comparison.misshapen);
  put_differences(out, "other values", comparison.different);
  return out + fmt::format("equal to the bit: {} tensors\n", comparison.equal);
}

nlohmann::json to_json(const Description& description) {
  return {{"path", description.path},
          {"kind", description.kind},
          {"wrapper", description.wrapper},
          {"family", description.family},
          {"method", description.method},
          {"vision", json_or_null(description.vision)},
          {"text", json_or_null(description.text)},
          {"lora", json_or_null(description.lora)},
          {"identities", json_or_null(description.identities)},
          {"sie_rows", json_or_null(description.sie_rows)},
          {"visual_prompts", json_or_null(description.visual_prompts)},
          {"inputs", json_list(description.grids)},
          {"parameters", description.parameters},
          {"tensors", json_list(description.tensors)}};
}

nlohmann::json to_json(const Comparison& comparison) {
  return {{"a", comparison.path_a},
          {"b", comparison.path_b},
          {"only_in_a", comparison.only_in_a},
          {"only_in_b", comparison.only_in_b},
          {"misshapen", json_list(comparison.misshapen)},
          {"different", json_list(comparison.different)},
          {"equal", comparison.equal}};
}

} // namespace vlreid
