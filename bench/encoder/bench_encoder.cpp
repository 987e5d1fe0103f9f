// Speed of the image encoder (ViT-B/16, 256x128, random weights) against the rate of LibTorch's own
// matrix product on the same machine, measured alternately in one run. Prints one JSON line:
//
//     bench_encoder [--batch 16] [--rounds 7] [--threads N] [--dtype f32|bf16|int8]
//
// `gflops` counts the arithmetic that is really done: the last block runs for the class token only.
// `full_gflops` counts what a complete forward would have done in that time. `peak_gflops` is the faster of
// two products: the widest of the encoder, and a square one. Rates are medians over the rounds; `share` is
// the median of gflops / peak of the same round.
#include "bench/measure.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/encoders/vit.h"

#include <ATen/Parallel.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct Settings {
  std::int64_t batch = 16;
  int rounds = 7;
  int threads = 0; // 0: as many as LibTorch takes
  std::string dtype = "f32";
  InferenceType type = {};
};

// Multiplications and additions of one image, in units of 10^9.
struct Work {
  double full, done;
};

Work work_of(const VitShape& shape) {
  const double width = static_cast<double>(shape.width), tokens = static_cast<double>(1 + shape.grid.count());
  const double patches = 2 * (tokens - 1) * width * 3 * static_cast<double>(shape.patch * shape.patch);
  const double token_products = 24 * width * width; // qkv 6, out 2, mlp 16 times D^2
  const double block = tokens * (token_products + 4 * tokens * width);
  const double last = tokens * 4 * width * width + (token_products - 4 * width * width) + 4 * tokens * width;
  const double ends = patches + 2 * width * static_cast<double>(shape.embed);
  const double layers = static_cast<double>(shape.layers);
  return {.full = (ends + layers * block) / 1e9, .done = (ends + (layers - 1) * block + last) / 1e9};
}

std::shared_ptr<ImageEncoder> random_encoder() {
  ClipArchitecture architecture = published_clip("ViT-B/16");
  architecture.text_layers = 0;
  const StateDict visual = random_clip(architecture, 1).below("visual.");
  StateDict state = visual;
  const auto encoder = make_image_encoder(visual, {.image = {256, 128}}, "random weights");
  state.set("positional_embedding",
            resize_positions(visual.at("positional_embedding"), encoder->grid(), PositionResize::bilinear));
  load_module(*encoder, state, "random weights");
  return encoder;
}

void run(const Settings& settings) {
  const c10::NoGradGuard no_grad;
  if (settings.threads > 0) at::set_num_threads(settings.threads);
  const auto encoder = random_encoder();
  const auto inference = encoder->make_inference(settings.type);
  const Work work = work_of(dynamic_cast<VisionTransformer&>(*encoder).shape());
  const at::Tensor images = at::randn({settings.batch, 3, 256, 128});
  inference->forward(images, {}); // buffers, packed weights
  std::vector<double> peaks, rates, shares;
  for (int round = 0; round < settings.rounds; ++round) {
    const double peak = peak_product_rate().by_clock;
    const double seconds = seconds_of([&] { inference->forward(images, {}); });
    rates.push_back(static_cast<double>(settings.batch) / seconds);
    peaks.push_back(peak);
    shares.push_back(rates.back() * work.done / peak);
  }
  const nlohmann::json result = {{"what", "encoder"},
                                 {"model", "ViT-B/16 256x128, random weights"},
                                 {"dtype", settings.dtype},
                                 {"batch", settings.batch},
                                 {"threads", at::get_num_threads()},
                                 {"rounds", settings.rounds},
                                 {"images_per_second", median(rates)},
                                 {"gflop_per_image_done", work.done},
                                 {"gflop_per_image_full", work.full},
                                 {"gflops", median(rates) * work.done},
                                 {"full_gflops", median(rates) * work.full},
                                 {"peak_gflops", median(peaks)},
                                 {"share", median(shares)},
                                 {"share_min", std::ranges::min(shares)},
                                 {"share_max", std::ranges::max(shares)}};
  std::cout << result.dump() << "\n";
}

Settings parse(int count, char** words) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view flag = words[i];
    if (flag == "--batch") settings.batch = std::atoll(words[i + 1]);
    if (flag == "--rounds") settings.rounds = std::atoi(words[i + 1]);
    if (flag == "--threads") settings.threads = std::atoi(words[i + 1]);
    if (flag == "--dtype") settings.dtype = words[i + 1];
  }
  settings.type = {.type = settings.dtype == "bf16" ? at::kBFloat16 : at::kFloat,
                   .is_int8 = settings.dtype == "int8"};
  return settings;
}

} // namespace
} // namespace vlreid

int main(int count, char** words) {
  vlreid::run(vlreid::parse(count, words));
  return 0;
}
