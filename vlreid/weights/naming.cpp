#include "vlreid/weights/naming.h"

#include "vlreid/base/error.h"
#include "vlreid/weights/naming_tables.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

namespace vlreid {
namespace {

using Change = NameRule::Change;

constexpr std::array<std::string_view, 3> kParts{"q", "k", "v"}; // the order inside in_proj_weight

// What the placeholders of a pattern stood for.
struct Match {
  std::string_view number;
  std::string_view part; // q, k or v
  std::string_view rest;
};

std::string_view take_while_digit(std::string_view text) {
  return text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
}

std::optional<Match> match(std::string_view pattern, std::string_view name) {
  constexpr std::string_view kNumber = "{n}";
  constexpr std::string_view kPart = "{qkv}";
  Match found;
  while (!pattern.empty()) {
    if (pattern == "*") {
      found.rest = name;
      return found;
    }
    if (pattern.starts_with(kNumber)) {
      found.number = take_while_digit(name);
      if (found.number.empty()) return std::nullopt;
      name.remove_prefix(found.number.size());
      pattern.remove_prefix(kNumber.size());
    } else if (pattern.starts_with(kPart)) {
      found.part = name.substr(0, 1);
      if (std::ranges::find(kParts, found.part) == kParts.end()) return std::nullopt;
      name.remove_prefix(1);
      pattern.remove_prefix(kPart.size());
    } else {
      if (name.empty() || name[0] != pattern[0]) return std::nullopt;
      name.remove_prefix(1);
      pattern.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(found) : std::nullopt;
}

void replace(std::string& text, std::string_view placeholder, std::string_view value) {
  if (const std::size_t at = text.find(placeholder); at != std::string::npos)
    text.replace(at, placeholder.size(), value);
}

std::string fill(std::string_view pattern, const Match& match) {
  std::string name(pattern);
  replace(name, "{n}", match.number);
  replace(name, "{qkv}", match.part);
  if (name.ends_with('*')) name.replace(name.size() - 1, 1, match.rest);
  return name;
}

std::vector<NameRule> rules_of(Family family) {
  std::vector<NameRule> rules;
  const auto append = [&rules](std::span<const NameRule> more) {
    rules.insert(rules.end(), more.begin(), more.end());
  };
  if (family == Family::hf) append(hf_names());
  if (family == Family::mm) append(mm_names());
  if (family == Family::mm || family == Family::clip_reid) append(clip_reid_names());
  return rules;
}

void add_new(StateDict& state, std::string name, at::Tensor tensor, const std::string& place) {
  VLREID_REQUIRE(!state.has(name), ErrorKind::data, place, "two tensors would both be named '" + name + "'",
                 "one of them", "the file mixes families of names");
  state.add(std::move(name), std::move(tensor));
}

// From one family to the middle form.
class Importer {
public:
  Importer(Family family, const std::string& place) : rules_(rules_of(family)), place_(place) {}

  StateDict run(const StateDict& theirs) {
    for (const auto& [name, tensor] : theirs)
      add(name, tensor);
    for (auto& [name, parts] : packed_)
      ours_.set(name, join(name, parts));
    return std::move(ours_);
  }

private:
  using Parts = std::array<at::Tensor, 3>;

  void add(const std::string& name, const at::Tensor& tensor) {
    for (const NameRule& rule : rules_) {
      const auto found = match(rule.theirs, name);
      if (!found || rule.theirs.empty()) continue;
      if (rule.change == Change::drop) return;
      if (rule.change == Change::pack) return add_part(fill(rule.ours, *found), found->part, tensor);
      return add_new(ours_, fill(rule.ours, *found), rule.change == Change::transpose ? tensor.t() : tensor,
                     place_);
    }
    add_new(ours_, name, tensor, place_);
  }

  // The first part keeps the place of the whole.
  void add_part(std::string whole, std::string_view part, const at::Tensor& tensor) {
    if (!packed_.contains(whole)) add_new(ours_, whole, tensor, place_);
    packed_[std::move(whole)][static_cast<std::size_t>(std::ranges::find(kParts, part) - kParts.begin())] =
        tensor;
  }

  at::Tensor join(const std::string& name, const Parts& parts) {
    for (const at::Tensor& part : parts)
      VLREID_REQUIRE(part.defined() && part.dim() >= 1 && part.sizes() == parts[0].sizes() &&
                         part.scalar_type() == parts[0].scalar_type(),
                     ErrorKind::data, place_,
                     "q, k and v of '" + name + "' are not three tensors of one shape", "all three",
                     "check that the file is whole");
    return at::cat({parts[0], parts[1], parts[2]}, 0);
  }

  std::vector<NameRule> rules_;
  const std::string& place_;
  StateDict ours_;
  std::map<std::string, Parts> packed_;
};

// From the middle form to a family.
StateDict export_names(const StateDict& ours, Family family, const std::string& place) {
  const std::vector<NameRule> rules = rules_of(family);
  StateDict theirs;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    for (const NameRule& rule : rules) {
      auto found = match(rule.ours, name);
      if (!found || rule.ours.empty()) continue;
      if (rule.change == Change::drop) return;
      if (rule.change != Change::pack)
        return add_new(theirs, fill(rule.theirs, *found),
                       rule.change == Change::transpose ? tensor.t() : tensor, place);
      VLREID_REQUIRE(tensor.dim() >= 1 && tensor.size(0) % 3 == 0, ErrorKind::data, place,
                     "'" + name + "' cannot be cut in three", "q, k and v under one another",
                     "check that the file is whole");
      const std::int64_t rows = tensor.size(0) / 3;
      for (std::size_t i = 0; i < kParts.size(); ++i) {
        found->part = kParts[i];
        add_new(theirs, fill(rule.theirs, *found),
                tensor.narrow(0, static_cast<std::int64_t>(i) * rows, rows), place);
      }
      return;
    }
    add_new(theirs, name, tensor, place);
  };
  for (const auto& [name, tensor] : ours)
    add(name, tensor);
  return theirs;
}

bool has_prefix(const StateDict& state, std::string_view prefix) {
  return std::any_of(state.begin(), state.end(),
                     [&](const auto& entry) { return entry.name.starts_with(prefix); });
}

// Hugging Face's CLIP is a ViT without LoRA.
void require_hf_can_hold(const StateDict& ours, const std::string& place) {
  VLREID_REQUIRE(!has_prefix(ours, "visual.layer1."), ErrorKind::data, place, "a ResNet",
                 "a ViT, as Hugging Face's CLIP has no names for ResNets", "choose another family");
  const bool has_lora = std::any_of(ours.begin(), ours.end(),
                                    [](const auto& entry) { return entry.name.ends_with(".w_lora_A"); });
  VLREID_REQUIRE(!has_lora, ErrorKind::data, place, "LoRA matrices",
                 "plain weights, as Hugging Face's CLIP has no names for LoRA",
                 "merge them first, or keep the family");
}

} // namespace

std::string_view name_of(Family family) {
  constexpr std::array<std::string_view, 4> kNames{"openai", "clip-reid", "mm", "hf"};
  return kNames.at(static_cast<std::size_t>(family));
}

std::optional<Family> parse_family(std::string_view text) {
  for (const Family family : {Family::openai, Family::clip_reid, Family::mm, Family::hf})
    if (name_of(family) == text) return family;
  if (text == "ft") return Family::clip_reid;
  if (text == "open_clip") return Family::openai;
  return std::nullopt;
}

Family detect_family(const StateDict& state, const std::string& place) {
  VLREID_REQUIRE(!has_prefix(state, "visual.trunk."), ErrorKind::data, place,
                 "an open_clip model with a timm image tower", "a CLIP ViT or ResNet",
                 "use a checkpoint of the ViT-B-16 kind, not one with visual.trunk");
  if (has_prefix(state, "vision_model.") || has_prefix(state, "text_model.")) return Family::hf;
  if (has_prefix(state, "vision_bottleneck") || has_prefix(state, "vision_classifier")) return Family::mm;
  if (state.has("token_prefix")) return Family::mm; // a prompt learner alone
  for (const char* prefix : {"image_encoder.", "text_encoder.", "prompt_learner."})
    if (has_prefix(state, prefix)) return Family::clip_reid;
  for (const char* prefix : {"visual.", "transformer.resblocks.", "token_embedding."})
    if (has_prefix(state, prefix)) return Family::openai;
  fail(ErrorKind::data,
       {.place = place,
        .found = state.empty() ? "no tensors" : "names such as '" + state.begin()->name + "'",
        .expected = "the names of OpenAI, open_clip, CLIP-ReID, FT, Multimodal-ReID or Hugging Face",
        .remedy = "check that it holds CLIP weights"});
}

StateDict rename(const StateDict& state, Family from, Family to, const std::string& place) {
  if (from == to) return state;
  const StateDict ours = Importer(from, place).run(state);
  if (to == Family::hf) require_hf_can_hold(ours, place);
  return export_names(ours, to, place);
}

} // namespace vlreid
