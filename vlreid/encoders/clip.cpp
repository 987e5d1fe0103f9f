#include "vlreid/encoders/clip.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"

#include <c10/core/GradMode.h>
#include <cmath>

namespace vlreid {
namespace {

// Pixels of one side of one cell of the table: the patch, or the 32 of a ResNet.
constexpr std::int64_t kResnetStep = 32;

std::int64_t input_size(const StateDict& visual, const std::string& place) {
  const at::Tensor& table = visual.at(position_table_name(visual));
  const auto side =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(table.size(0) - 1))));
  VLREID_REQUIRE(side * side == table.size(0) - 1, ErrorKind::data, place,
                 "a positional embedding of " + std::to_string(table.size(0)) + " rows",
                 "1 + a square, as plain CLIP has");
  return side *
         (visual.has("attnpool.positional_embedding") ? kResnetStep : visual.at("conv1.weight").size(-1));
}

} // namespace

StateDict text_tower(const StateDict& openai) {
  StateDict text;
  for (const auto& [name, tensor] : openai)
    if (name.starts_with("transformer.") || name.starts_with("ln_final.") || name == "positional_embedding" ||
        name == "text_projection")
      text.add(name, tensor);
  return text;
}

Clip::Clip(const StateDict& openai, const std::string& place) {
  const StateDict visual = openai.below("visual."), text = text_tower(openai);
  VLREID_REQUIRE(!position_table_name(visual).empty(), ErrorKind::data, place,
                 "no visual.positional_embedding", "weights of a CLIP");
  image_size_ = input_size(visual, place);
  image_ = make_image_encoder(
      visual, {.image = {image_size_, image_size_}, .keeps_resolution_in_layer4 = false}, place);
  load_module(*image_, visual, place);
  text_ = make_text_encoder(text);
  VLREID_REQUIRE(text_ != nullptr, ErrorKind::data, place, "no text tower",
                 "transformer.*, ln_final.*, text_projection");
  load_module(*text_, text, place);
  token_embedding_ = openai.at("token_embedding.weight").to(at::kFloat);
  logit_scale_ = std::exp(openai.at("logit_scale").item<double>());
  image_->eval();
}

at::Tensor Clip::encode_images(const at::Tensor& images) const {
  const c10::NoGradGuard no_grad;
  return image_->forward(images, {}).proj;
}

at::Tensor Clip::encode_text(const at::Tensor& tokens) const {
  const c10::NoGradGuard no_grad;
  return text_->forward(prompt_of_tokens(tokens, token_embedding_));
}

} // namespace vlreid
