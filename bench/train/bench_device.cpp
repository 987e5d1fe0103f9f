// Speed on a GPU of what is written for one: graphs, copies beside the computation, steps that nobody waits
// for (ViT-B/16, 256x128, random weights). Runs on a CPU as well, where nothing of that makes a difference.
//
//     bench_device [--device cuda] [--dtype f32|bf16] [--batch 64] [--steps 20] [--rounds 7]
//
// Prints one JSON line; images per second are medians over the rounds, in which all take turns:
//
//     encoder_plain     kernels launched one by one, images on the device
//     encoder_replayed  the same as one launch
//     encoder_fed       replayed, each batch brought from pinned memory and its rows taken back meanwhile
//     step_read         fine tuning with classifiers and triplets, losses read after every step
//     step_unread       the same, losses read after the last step
//
// `product_tflops` is the rate of LibTorch's product of 8192 x 8192 matrices in that type (1024 on a CPU).
#include "bench/measure.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/tensor/device.h"
#include "vlreid/tensor/graph_replay.h"
#include "vlreid/tensor/transfer.h"
#include "vlreid/train/stage_trainer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

constexpr std::int64_t kIdentities = 751; // of Market-1501
constexpr Grid kSize = {256, 128};

struct Settings {
  std::string device = "cuda", dtype = "f32";
  std::int64_t batch = 64;
  int steps = 20, rounds = 7;
};

// Waits for everything that was put on the device.
void finish(at::Device device) {
  if (!device.is_cpu())
    c10::impl::VirtualGuardImpl(device.type())
        .synchronizeDevice(std::max<at::DeviceIndex>(device.index(), 0));
}

class Bench {
public:
  explicit Bench(const Settings& settings)
      : settings_(settings), device_(parse_device(settings.device)),
        config_(load_config_text("MODEL:\n  PROMPT: none\n", "bench_device")), recipe_(make_recipe(config_)),
        model_(training_state(random_clip(published_clip("ViT-B/16"), 1),
                              {.identities = kIdentities, .image = kSize}, "random weights"),
               {.image = kSize, .stride = 16, .inference = {.type = type()}}, "random weights"),
        images_(host_buffer({settings.batch, 3, kSize.height, kSize.width}, at::kFloat, device_).normal_()),
        there_(on_device(images_, device_)) {
    model_.to_device(device_);
  }

  nlohmann::json run() {
    encode();
    train();
    nlohmann::json result = {{"what", "device"},
                             {"device", settings_.device},
                             {"dtype", settings_.dtype},
                             {"batch", settings_.batch},
                             {"steps", settings_.steps},
                             {"rounds", settings_.rounds},
                             {"graphs_captured", captured_}};
    for (const auto& [name, rates] : rates_)
      result[name] = median(rates);
    return result;
  }

private:
  at::ScalarType type() const { return settings_.dtype == "bf16" ? at::kBFloat16 : at::kFloat; }

  // Rate of `steps` calls and of what they have put on the device, in batches of `each`.
  void measure(const std::string& name, double each, const std::function<void()>& work) {
    finish(device_);
    const double seconds = seconds_of([&] {
      for (int i = 0; i < settings_.steps; ++i)
        work();
      finish(device_);
    });
    rates_[name].push_back(each * settings_.steps / seconds);
  }

  void encode() {
    const c10::NoGradGuard no_gradients;
    model_.eval();
    model_.prepare_inference();
    const auto rows_of = [&](const std::vector<at::Tensor>& inputs) {
      return model_.embed_with(inputs[0], {});
    };
    GraphReplay replay(rows_of);
    CopyStreams streams(device_);
    const std::int64_t side = device_.is_cpu() ? 1024 : 8192;
    const at::Tensor square = at::randn({side, side}, at::TensorOptions().device(device_)).to(type());
    const double teraflop = 2.0 * static_cast<double>(side * side * side) / 1e12;
    const double images = static_cast<double>(settings_.batch);
    for (int i = 0; i < 3; ++i)
      replay({there_}); // plain, captured, replayed
    for (int round = 0; round < settings_.rounds; ++round) {
      measure("product_tflops", teraflop, [&] { at::mm(square, square); });
      measure("encoder_plain", images, [&] { rows_of({there_}); });
      measure("encoder_replayed", images, [&] { replay({there_}); });
      Download rows;
      measure("encoder_fed", images, [&] {
        const Download next = streams.download(replay({streams.upload(images_)}));
        rows.wait();
        rows = next;
        streams.finish_uploads();
      });
    }
    captured_ = replay.captures();
    model_.release_inference();
  }

  void train() {
    const at::Tensor people = at::arange(settings_.batch, at::kLong).floor_divide(4);
    Batch batch;
    batch.items.resize(static_cast<std::size_t>(settings_.batch));
    batch.identities = on_device(people, device_);
    batch.cameras = batch.views = at::zeros({settings_.batch}, at::kLong);
    batch.images = there_;
    batch.host_identities = people;
    StageTrainer trainer(model_, recipe_.stages.back(),
                         {.precision = settings_.dtype == "bf16" ? Precision::bf16 : Precision::f32});
    trainer.step(batch, 1); // makes moments and buffers
    const double images = static_cast<double>(settings_.batch);
    for (int round = 0; round < settings_.rounds; ++round) {
      measure("step_read", images, [&] { trainer.step(batch, 1); });
      measure("step_unread", images, [&] { trainer.enqueue(batch, 1); });
    }
  }

  Settings settings_;
  at::Device device_;
  Config config_;
  Recipe recipe_;
  ReidModel model_;
  at::Tensor images_, there_; // in pinned memory, on the device
  std::map<std::string, std::vector<double>> rates_;
  std::size_t captured_ = 0;
};

Settings parse(int count, char** words) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view flag = words[i];
    if (flag == "--device") settings.device = words[i + 1];
    if (flag == "--dtype") settings.dtype = words[i + 1];
    if (flag == "--batch") settings.batch = std::atoll(words[i + 1]);
    if (flag == "--steps") settings.steps = std::atoi(words[i + 1]);
    if (flag == "--rounds") settings.rounds = std::atoi(words[i + 1]);
  }
  return settings;
}

} // namespace
} // namespace vlreid

int main(int count, char** words) {
  try {
    std::cout << vlreid::Bench(vlreid::parse(count, words)).run().dump() << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_device: " << error.what() << "\n";
    return 1;
  }
}
