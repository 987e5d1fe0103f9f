#include "vlreid/encoders/image_encoder.h"
#include "vlreid/tensor/shape.h"

namespace vlreid {

const Registry<ImageEncoderFactory>& image_encoders() {
  static const Registry<ImageEncoderFactory> registry = [] {
    Registry<ImageEncoderFactory> made("image encoder");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name, description);
#include "vlreid/encoders/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

std::shared_ptr<ImageEncoder> make_image_encoder(const StateDict& state, const ImageEncoderOptions& options,
                                                 const std::string& place) {
  for (const auto& [name, member] : image_encoders().members())
    if (auto encoder = member.factory(state, options)) return encoder;
  fail(ErrorKind::data, {.place = place,
                         .found = "no image encoder among " + std::to_string(state.size()) + " tensors",
                         .expected = "the tensors of one of: " + join(image_encoders().names(), ", "),
                         .remedy = "run inspect on the file"});
}

Grid pixels_of(const at::Tensor& images) {
  if (are_bytes(images)) {
    check_shape(images, {"B", "H", "W", 3}, "images of bytes");
    return {images.size(1), images.size(2)};
  }
  check_shape(images, {"B", 3, "H", "W"}, "images");
  return {images.size(2), images.size(3)};
}

void ImageEncoder::accept_other_sizes() {
  fail(ErrorKind::config,
       {"INPUT.SIZE_MERGED", "another size with a ResNet, whose attention pool has one grid", "a ViT",
        "use one size, or a ViT"});
}

std::string position_table_name(const StateDict& state) {
  for (const char* name : {"positional_embedding", "attnpool.positional_embedding"})
    if (state.has(name)) return name;
  return {};
}

} // namespace vlreid
