#include "bench/encoder/work.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/resnet.h"
#include "vlreid/encoders/vit.h"

namespace vlreid {
namespace {

constexpr double kGiga = 1e9;

// One position's question to all: query, keys' and values' matrices once each, and for each head scores and
// sums of the inputs themselves.
double one_query(double positions, double width, double inner) {
  const double heads = inner / static_cast<double>(kHeadWidth);
  return 3 * 2 * width * inner + 4 * heads * positions * width;
}

EncoderWork work_of_vit(const VitShape& shape) {
  const double width = static_cast<double>(shape.width), tokens = static_cast<double>(1 + shape.grid.count());
  const double patches = 2 * (tokens - 1) * width * 3 * static_cast<double>(shape.patch * shape.patch);
  const double token_products = 24 * width * width; // qkv 6, out 2, mlp 16 times D^2
  const double block = tokens * (token_products + 4 * tokens * width);
  const double last = 18 * width * width + one_query(tokens, width, width); // out 2, mlp 16
  const double ends = patches + 2 * width * static_cast<double>(shape.embed);
  const double layers = static_cast<double>(shape.layers);
  return {.full = (ends + layers * block) / kGiga, .done = (ends + (layers - 1) * block + last) / kGiga};
}

double convolution(double pixels, std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return 2 * pixels * static_cast<double>(in * out * kernel * kernel);
}

// Strides are average pools after the 3x3 convolution.
double work_of_layer(double pixels, std::int64_t in, std::int64_t planes, std::int64_t blocks, bool halves) {
  const double after = halves ? pixels / 4 : pixels;
  double work = convolution(after, in, 4 * planes, 1); // downsample
  for (std::int64_t i = 0; i < blocks; ++i) {
    const double before = i == 0 ? pixels : after;
    work += convolution(before, i == 0 ? in : 4 * planes, planes, 1) +
            convolution(before, planes, planes, 3) + convolution(after, planes, 4 * planes, 1);
  }
  return work;
}

EncoderWork work_of_resnet(const ResnetShape& shape) {
  const std::int64_t width = shape.width;
  const double last = static_cast<double>(shape.grid.count()),
               first = 64 * last; // pixels after the stem's stride
  double work = convolution(first, 3, width / 2, 3) + convolution(first, width / 2, width / 2, 3) +
                convolution(first, width / 2, width, 3);
  double pixels = first / 4; // the stem's pool
  std::int64_t in = width;
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const bool halves = i == 1 || i == 2 || (i == 3 && shape.layer4_stride == 2);
    const std::int64_t planes = width << i;
    work += work_of_layer(pixels, in, planes, shape.layers[i], halves);
    if (halves) pixels /= 4;
    in = 4 * planes;
  }
  const double features = static_cast<double>(in), answer = 2 * features * static_cast<double>(shape.embed);
  const double all_keys_and_values = 4 * (last + 1) * features * features + 2 * features * features + answer;
  const double asked = one_query(last + 1, features, features) + answer;
  return {.full = (work + all_keys_and_values) / kGiga, .done = (work + asked) / kGiga};
}

} // namespace

EncoderWork work_of(const ImageEncoder& encoder) {
  if (const auto* vit = dynamic_cast<const VisionTransformer*>(&encoder)) return work_of_vit(vit->shape());
  const auto* resnet = dynamic_cast<const ModifiedResnet*>(&encoder);
  VLREID_REQUIRE(resnet != nullptr, ErrorKind::data, "bench_encoder", "an encoder of another family",
                 "a ViT or a ModifiedResNet");
  return work_of_resnet(resnet->shape());
}

} // namespace vlreid
