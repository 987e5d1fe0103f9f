// Speed of an image encoder's inference form at 256x128.
//
//     bench_encoder [--model vit|resnet] [--dtype f32|bf16|int8|f32x3] [--batch 16] [--rounds 7] [--threads
//     N]
//                   [--weights FILE] [--images FILE.npy] [--serve]
//
// Prints one JSON line: medians over the rounds, beside the rate of LibTorch's own matrix product, measured
// alternately; `gflops` counts the arithmetic that is really done (bench/encoder/work.h), `share` is the
// median of gflops / peak of the same round. With --serve it takes turns with others instead (bench/serve.h):
// "run" measures `calls` forwards, "check" writes the projections of the images to `out`. Without --weights
// and --images both are random.
#include "bench/encoder/work.h"
#include "bench/measure.h"
#include "bench/npy.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/weights/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <cstdlib>

namespace vlreid {
namespace {

constexpr Grid kSize = {256, 128};

struct Settings {
  std::string model = "vit", weights, images;
  std::int64_t batch = 16;
  int rounds = 7;
  int threads = 0; // 0: as many as LibTorch takes
  std::string dtype = "f32";
  bool serves = false;

  InferenceType type() const {
    return {.type = dtype == "bf16" ? at::kBFloat16 : at::kFloat,
            .is_int8 = dtype == "int8",
            .is_bf16x3 = dtype == "f32x3"};
  }
};

StateDict random_tower(const std::string& model) {
  ClipArchitecture architecture = published_clip(model == "resnet" ? "RN50" : "ViT-B/16");
  architecture.text_layers = 0;
  return random_clip(architecture, 1).below("visual.");
}

std::shared_ptr<ImageEncoder> make_encoder(const Settings& settings) {
  const std::string place = settings.weights.empty() ? "random weights" : settings.weights;
  const StateDict visual = settings.weights.empty() ? random_tower(settings.model)
                                                    : load_weights(settings.weights).state.below("visual.");
  const auto encoder = make_image_encoder(visual, {.image = kSize}, place);
  StateDict state = visual;
  const std::string table = position_table_name(visual);
  if (visual.at(table).size(0) != 1 + encoder->grid().count())
    state.set(table, resize_positions(visual.at(table), encoder->grid(), PositionResize::bilinear));
  load_module(*encoder, state, place);
  encoder->eval();
  return encoder;
}

at::Tensor load_images(const Settings& settings) {
  if (settings.images.empty()) return at::randn({settings.batch, 3, kSize.height, kSize.width});
  std::vector<float> values = load_npy_floats(settings.images);
  const std::int64_t count = static_cast<std::int64_t>(values.size()) / (3 * kSize.count());
  VLREID_REQUIRE(count >= settings.batch, ErrorKind::data, settings.images, std::to_string(count) + " images",
                 std::to_string(settings.batch));
  return at::from_blob(values.data(), {settings.batch, 3, kSize.height, kSize.width}).clone();
}

class Subject {
public:
  explicit Subject(const Settings& settings) : images_(load_images(settings)) {
    const auto encoder = make_encoder(settings);
    work_ = work_of(*encoder);
    inference_ = encoder->make_inference(settings.type(), kVitPixels);
    for (int i = 0; i < 2; ++i)
      forward(); // buffers, packed weights
  }

  at::Tensor forward() const { return inference_->forward(images_, {}).proj; }
  const EncoderWork& work() const { return work_; }

private:
  at::Tensor images_;
  EncoderWork work_ = {};
  std::unique_ptr<ImageInference> inference_;
};

void take_turns(const Subject& subject) {
  const Handler run = [&](const nlohmann::json& request) {
    std::vector<double> seconds(request.value("calls", std::size_t{1}));
    for (double& one : seconds)
      one = seconds_of([&] { subject.forward(); });
    return nlohmann::json{{"seconds", seconds}};
  };
  const Handler check = [&](const nlohmann::json& request) {
    const at::Tensor out = subject.forward().contiguous();
    save_npy<float>(request.at("out").get<std::string>(), "<f4",
                    std::to_string(out.size(0)) + ", " + std::to_string(out.size(1)),
                    {out.const_data_ptr<float>(), static_cast<std::size_t>(out.numel())});
    return nlohmann::json::object();
  };
  serve({{"run", run}, {"check", check}}, {{"gflop", subject.work().done}});
}

void print_rounds(const Settings& settings, const Subject& subject) {
  const EncoderWork work = subject.work();
  std::vector<double> peaks, rates, shares;
  for (int round = 0; round < settings.rounds; ++round) {
    const double peak = peak_product_rate().by_clock;
    const double seconds = seconds_of([&] { subject.forward(); });
    rates.push_back(static_cast<double>(settings.batch) / seconds);
    peaks.push_back(peak);
    shares.push_back(rates.back() * work.done / peak);
  }
  const nlohmann::json result = {{"what", "encoder"},
                                 {"model", settings.model},
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
  for (int i = 1; i < count; ++i) {
    const std::string_view flag = words[i];
    if (flag == "--serve") settings.serves = true;
    if (i + 1 == count) continue;
    if (flag == "--model") settings.model = words[i + 1];
    if (flag == "--weights") settings.weights = words[i + 1];
    if (flag == "--images") settings.images = words[i + 1];
    if (flag == "--batch") settings.batch = std::atoll(words[i + 1]);
    if (flag == "--rounds") settings.rounds = std::atoi(words[i + 1]);
    if (flag == "--threads") settings.threads = std::atoi(words[i + 1]);
    if (flag == "--dtype") settings.dtype = words[i + 1];
  }
  return settings;
}

void run(const Settings& settings) {
  const c10::NoGradGuard no_grad;
  if (settings.threads > 0) at::set_num_threads(settings.threads);
  const Subject subject(settings);
  if (settings.serves)
    take_turns(subject);
  else
    print_rounds(settings, subject);
}

} // namespace
} // namespace vlreid

int main(int count, char** words) {
  try {
    vlreid::run(vlreid::parse(count, words));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_encoder: " << error.what() << "\n";
    return 1;
  }
}
