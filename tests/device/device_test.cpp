// What runs on a GPU, on one that is made of CPU memory: the same numbers as on the CPU, nobody waits within
// a step, graphs are replayed for full batches.
#include "tests/device/fake_cuda.h"
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"
#include "vlreid/base/files.h"
#include "vlreid/batches/image_batches.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/image/encode.h"
#include "vlreid/image/image.h"
#include "vlreid/inference/embedder.h"
#include "vlreid/tensor/graph_replay.h"
#include "vlreid/tensor/span.h"
#include "vlreid/tensor/transfer.h"
#include "vlreid/train/batch_source.h"
#include "vlreid/train/setup.h"
#include "vlreid/train/stage_trainer.h"
#include "vlreid/weights/save.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/smooth_l1_loss.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <limits>

namespace vlreid {
namespace {

using Words = std::vector<std::string>;

const at::Device kCuda(at::kCUDA, 0);

// ---- The device itself ----

TEST(MadeDevice, ViewsBeginWhereTheyDoOnTheCpu) {
  const at::Tensor x = at::arange(12), there = x.to(kCuda);
  EXPECT_TRUE(at::equal(there.slice(0, 4).as_strided({2, 2}, {3, 1}, 5).cpu(),
                        x.slice(0, 4).as_strided({2, 2}, {3, 1}, 5)));
}

// smooth_l1_loss makes its result as large as its inputs for a while.
TEST(MadeDevice, ResultsThatGrowAndShrinkAreSeen) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({8, 64}), y = at::randn({8, 64});
  struct : c10::WarningHandler {
    void process(const c10::Warning&) override {}
  } quiet;
  const c10::WarningUtils::WarningHandlerGuard guard(&quiet); // of results that are resized
  for (const std::int64_t room : {1, 8 * 64}) {
    at::Tensor result = at::zeros({room}, kCuda);
    result.resize_({});
    at::smooth_l1_loss_out(result, x.to(kCuda), y.to(kCuda));
    EXPECT_TRUE(at::allclose(result.cpu(), at::smooth_l1_loss(x, y))) << room;
  }
}

// ---- Copies ----

TEST(Transfer, WaitsForNothingButItsOwnEvents) {
  at::Tensor host = host_buffer({3, 4}, at::kFloat, kCuda).normal_();
  CopyStreams streams(kCuda);
  fake_cuda::forget_waits();
  const at::Tensor there = streams.upload(host);
  const at::Tensor small = on_device(at::arange(4, at::kLong), kCuda);
  const Download doubled = streams.download(there * 2 + small);
  EXPECT_EQ(fake_cuda::waits(), Words());
  streams.finish_uploads();
  EXPECT_TRUE(at::equal(doubled.wait(), host * 2 + at::arange(4)));
  EXPECT_EQ(fake_cuda::waits(), (Words{"event", "event"}));
}

TEST(Transfer, OnACpuTensorsAreHandedThrough) {
  const at::Tensor x = at::randn({3, 4});
  CopyStreams streams(at::kCPU);
  EXPECT_TRUE(streams.upload(x).is_same(x));
  EXPECT_TRUE(on_device(x, at::kCPU).is_same(x));
  EXPECT_TRUE(streams.download(x).wait().is_same(x));
  EXPECT_FALSE(host_buffer({1}, at::kFloat, at::kCPU).is_pinned());
}

// ---- Graphs ----

TEST(GraphReplay, EqualsThePlainCall) {
  at::manual_seed(1);
  const at::Tensor weight = at::randn({6, 5});
  const at::Tensor there = weight.to(kCuda);
  GraphReplay replay([&](const std::vector<at::Tensor>& inputs) {
    at::Tensor y = at::mm(inputs[0], there).sigmoid();
    return inputs[1].defined() ? y.add_(inputs[1]) : y;
  });
  const auto before = fake_cuda::graphs();
  for (const std::int64_t rows : {4, 4, 4, 2, 4, 3, 3, 3, 4}) {
    const at::Tensor x = at::randn({rows, 6}), offset = rows == 3 ? at::Tensor() : at::randn({rows, 5});
    const at::Tensor given = offset.defined() ? offset.to(kCuda) : offset;
    at::Tensor expected = at::mm(x, weight).sigmoid();
    if (offset.defined()) expected.add_(offset);
    EXPECT_TRUE(at::allclose(replay({x.to(kCuda), given}).cpu(), expected)) << rows;
  }
  EXPECT_EQ(replay.captures(), 2u); // of 4 rows and of 3; 2 rows came once
  EXPECT_EQ(fake_cuda::graphs().captured - before.captured, 2);
  EXPECT_EQ(fake_cuda::graphs().replayed - before.replayed, 4 + 2); // the first after a capture is its check
}

TEST(GraphReplay, WhatCannotBeCapturedStaysPlain) {
  int calls = 0;
  GraphReplay replay([&](const std::vector<at::Tensor>& inputs) {
    ++calls;
    return inputs[0] * inputs[0].sum().item<double>(); // the host has to know
  });
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(at::equal(replay({at::full({2}, 3.0).to(kCuda)}).cpu(), at::full({2}, 18.0)));
  EXPECT_EQ(replay.captures(), 0u);
  EXPECT_EQ(calls, 5); // one of them was the attempt
}

TEST(GraphReplay, ACaptureWithOtherNumbersIsNotUsed) {
  int calls = 0;
  GraphReplay replay([&](const std::vector<at::Tensor>& inputs) { return inputs[0] * ++calls; });
  for (int i = 1; i <= 2; ++i)
    EXPECT_TRUE(at::equal(replay({at::full({2}, 1.0).to(kCuda)}).cpu(), at::full({2}, 1.0 * i)));
  EXPECT_EQ(replay.captures(), 0u);
}

TEST(GraphReplay, OnACpuTheFunctionIsCalled) {
  int calls = 0;
  GraphReplay replay([&](const std::vector<at::Tensor>& inputs) { return inputs[0] + ++calls; });
  for (const std::int64_t rows : {3, 3, 3, 1}) {
    const at::Tensor result = replay({at::full({rows}, 1.0)});
    EXPECT_TRUE(at::equal(result, at::full({rows}, 1.0 + calls)));
  }
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(replay.captures(), 0u);
}

// ---- Training steps ----

constexpr std::int64_t kPeople = 4, kImages = 8;

struct Method {
  const char* name;
  const char* config; // of configs
  Words pairs = {};
  const char* weights = "vit"; // or "rn"
};

void PrintTo(const Method& method, std::ostream* out) {
  *out << method.name;
}

// Random weights of a kind, in a file of their own for the whole program.
std::string weights_file(const std::string& kind) {
  static const TempFolder folder;
  const auto path = folder / (kind + ".safetensors");
  if (std::filesystem::exists(path)) return path.string();
  ClipArchitecture tiny{.embed = 32, .image_size = 64, .text_width = 64, .text_layers = 2};
  tiny.vision_width = kind == "rn" ? 8 : 64;
  tiny.vision_layers = 2;
  if (kind == "rn") tiny.resnet_layers = {1, 1, 1, 1};
  save_safetensors(path, random_clip(tiny, 1));
  return path.string();
}

// Without what is drawn on the device.
Config config_of(const Method& method) {
  Words pairs = {"INPUT.SIZE_TRAIN", "[64, 32]", "INPUT.SIZE_TEST", "[64, 32]", "dropout_rate", "0"};
  pairs.insert(pairs.end(), method.pairs.begin(), method.pairs.end());
  return load_config(test_data("../configs/" + std::string(method.config)), pairs);
}

TrainingSet people(bool has_second) {
  TrainingSet set{{.name = "made", .train = {}}};
  for (std::int64_t i = 0; i < kImages; ++i)
    set.train.push_back(
        {.path = "", .identity = static_cast<int>(i % kPeople), .camera = static_cast<int>(i / kPeople)});
  if (!has_second) return set;
  set.second_begins = kImages / 2;
  set.first_identities = kPeople;
  for (std::size_t i = *set.second_begins; i < set.train.size(); ++i)
    set.train[i].identity += kPeople;
  return set;
}

Batch batch_of(const Config& config, const Stage& stage, std::int64_t embed_width) {
  Batch made;
  for (std::size_t i = 0; i < kImages; ++i)
    made.items.push_back(i);
  made.identities = made.host_identities = at::arange(kImages, at::kLong).remainder(kPeople);
  made.cameras = at::arange(kImages, at::kLong).floor_divide(kPeople);
  made.views = at::zeros_like(made.cameras);
  made.images = at::randn({kImages, 3, config.input.train_size[0], config.input.train_size[1]});
  if (stage.step == "prompts") made.features = at::randn({kImages, embed_width});
  return made;
}

// As a batch source would bring it.
Batch moved(Batch batch, at::Device device) {
  batch.identities = on_device(batch.identities, device);
  batch.images = on_device(batch.images, device);
  if (batch.features.defined()) batch.features = on_device(batch.features, device);
  return batch;
}

struct Trained {
  std::vector<StepReport> reports;
  StateDict model;
  Words waits; // within the steps
};

constexpr std::int64_t kSteps = 3;

Trained train_on(const Method& method, at::Device device, Precision precision) {
  at::manual_seed(2);
  const Config config = config_of(method);
  const Recipe recipe = make_recipe(config);
  const auto model = make_training_model(config, recipe, people(config.datasets.alternates),
                                         weights_file(method.weights), 0);
  model->to_device(device);
  Trained result;
  for (const Stage& stage : recipe.stages) {
    at::manual_seed(3);
    StageTrainer trainer(*model, stage, {.precision = precision, .accumulate = 2});
    const Batch batch = batch_of(config, stage, model->image_encoder().embed_width());
    std::vector<UnreadReport> unread;
    for (std::int64_t i = 0; i < 2 * kSteps; ++i) {
      const Batch there = moved(batch, device);
      fake_cuda::forget_waits();
      unread.push_back(trainer.enqueue(there, 10 + 8 * i)); // of several rates
      if (i == 0) continue;                                 // reads once where the sentences end
      for (const std::string& wait : fake_cuda::waits())
        result.waits.push_back(stage.step + ": " + wait);
    }
    for (const UnreadReport& report : unread)
      result.reports.push_back(report.read());
  }
  for (const auto& [name, tensor] : model->state())
    result.model.add(name, tensor.detach().cpu());
  return result;
}

class Methods : public testing::TestWithParam<Method> {
protected:
  void SetUp() override { at::set_num_threads(1); }
};

TEST_P(Methods, StepsOnADeviceAreThoseOfTheCpuAndWaitForNothing) {
  const Trained expected = train_on(GetParam(), at::kCPU, Precision::f32),
                actual = train_on(GetParam(), kCuda, Precision::f32);
  EXPECT_EQ(actual.waits, Words());
  ASSERT_EQ(actual.reports.size(), expected.reports.size());
  for (std::size_t i = 0; i < expected.reports.size(); ++i) {
    EXPECT_NEAR(actual.reports[i].loss, expected.reports[i].loss, 2e-3 * expected.reports[i].loss) << i;
    EXPECT_EQ(actual.reports[i].terms.size(), expected.reports[i].terms.size());
    EXPECT_EQ(actual.reports[i].accuracy.has_value(), expected.reports[i].accuracy.has_value());
  }
}

INSTANTIATE_TEST_SUITE_P(, Methods,
                         testing::Values(Method{"baseline", "person/vit_base.yml"},
                                         Method{"baseline of a ResNet", "person/cnn_base.yml", {}, "rn"},
                                         Method{"clipreid", "person/vit_clipreid.yml"},
                                         Method{"clipreid of a ResNet", "person/cnn_clipreid.yml", {}, "rn"},
                                         Method{"clipreid with SIE", "person/vit_clipreid_sie_olp.yml"},
                                         Method{"ted", "person/vit_ted.yml"},
                                         Method{"ted with LoRA", "person/vit_ted_lora.yml"},
                                         Method{"adapter", "multimodal/adapter.yml"},
                                         Method{"clip_adapter", "multimodal/clip_adapter.yml"},
                                         Method{"coop", "multimodal/coop.yml"},
                                         Method{"coop_augmented", "multimodal/coop_augmented.yml"},
                                         Method{"ivlp", "multimodal/ivlp.yml"},
                                         Method{"promptsrc", "multimodal/promptsrc.yml"},
                                         Method{"visual_prompts", "multimodal/visual_prompts.yml"}));

// ---- Loss scaling, broken losses ----

TEST(Precisions, HalfPrecisionWaitsForNothing) {
  at::set_num_threads(1);
  for (const Precision precision : {Precision::bf16, Precision::f16}) {
    const Trained trained = train_on({"clipreid", "person/vit_clipreid.yml"}, kCuda, precision);
    EXPECT_EQ(trained.waits, Words());
    for (const StepReport& report : trained.reports)
      EXPECT_TRUE(std::isfinite(report.loss));
  }
}

TEST(Divergence, ALossThatIsNotFiniteChangesNothing) {
  at::set_num_threads(1);
  const Method method{"baseline", "person/vit_base.yml"};
  const Config config = config_of(method);
  const Recipe recipe = make_recipe(config);
  for (const at::Device device : {at::Device(at::kCPU), kCuda}) {
    const auto model = make_training_model(config, recipe, people(false), weights_file("vit"), 0);
    model->to_device(device);
    const Stage& stage = recipe.stages.front();
    StageTrainer trainer(*model, stage);
    Batch batch = batch_of(config, stage, 0);
    trainer.step(moved(batch, device), 10);
    const at::Tensor before = model->head().classifier->weight.detach().clone();
    const at::Tensor moment = trainer.state().at("optimizer.classifier.weight.exp_avg").clone();
    batch.images.fill_(std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE(std::isfinite(trainer.step(moved(batch, device), 10).loss));
    EXPECT_EQ(trainer.broken_parameter(), "");
    EXPECT_TRUE(at::equal(model->head().classifier->weight.detach().cpu(), before.cpu()));
    EXPECT_TRUE(at::equal(trainer.state().at("optimizer.classifier.weight.exp_avg").cpu(), moment.cpu()));
    EXPECT_EQ(trainer.state().at("optimizer.classifier.weight.step").item<float>(), 1);
  }
}

// ---- Files -> features, files -> batches ----

// Images of random colours; the numbers of their files are those in the list.
std::vector<std::string> write_images(const TempFolder& folder, std::int64_t count) {
  at::manual_seed(3);
  std::vector<std::string> paths;
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor pixels = at::randint(256, {48, 24, 3}, at::kLong).to(at::kByte).contiguous();
    const auto values = span_of<std::uint8_t>(pixels);
    const std::vector<std::byte> png =
        encode_png({.height = 48, .width = 24, .pixels = {values.begin(), values.end()}});
    paths.push_back((folder / (std::to_string(i) + ".png")).string());
    write_file(paths.back(), {reinterpret_cast<const char*>(png.data()), png.size()});
  }
  return paths;
}

struct Embedded {
  std::vector<float> rows;
  std::vector<std::size_t> unreadable;
};

Embedded embed_on(const std::string& device, const std::string& dtype, TestViews views,
                  std::span<const std::string> paths) {
  ModelSettings settings;
  settings.input_size = std::array<std::int64_t, 2>{64, 32};
  Embedder embedder({.weights = weights_file("vit"),
                     .settings = settings,
                     .device = device,
                     .dtype = dtype,
                     .batch_size = 4,
                     .threads = 2,
                     .views = views});
  Embedded result;
  std::size_t next = 0;
  embedder.run(paths, {}, 0, [&](const EmbeddedBatch& batch) {
    EXPECT_EQ(batch.rows.size(), batch.items.size() * static_cast<std::size_t>(embedder.dims()));
    EXPECT_GT(batch.end_item, next);
    next = batch.end_item;
    result.rows.insert(result.rows.end(), batch.rows.begin(), batch.rows.end());
    for (const UnreadableImage& image : batch.unreadable)
      result.unreadable.push_back(image.item);
  });
  EXPECT_EQ(next, paths.size());
  return result;
}

at::Tensor rows_of(const Embedded& embedded) {
  constexpr std::int64_t kNumbers = 64 + 32; // of the feature and its projection
  return tensor_of<float>(embedded.rows, {std::ssize(embedded.rows) / kNumbers, kNumbers});
}

// 18 images in batches of 4: 4, 4, 4, 3 since one cannot be read, 2. Each view of a batch is a call.
TEST(EmbedderOnADevice, RowsAreThoseOfTheCpu) {
  at::set_num_threads(1);
  const TempFolder folder;
  std::vector<std::string> paths = write_images(folder, 18);
  paths[13] = (folder / "missing.png").string();
  for (const TestViews views : {TestViews::plain, TestViews::flip})
    for (const std::string dtype : {"f32", "bf16"}) {
      const auto before = fake_cuda::graphs();
      const Embedded expected = embed_on("cpu", dtype, views, paths),
                     actual = embed_on("cuda", dtype, views, paths);
      EXPECT_EQ(actual.unreadable, (std::vector<std::size_t>{13}));
      EXPECT_EQ(expected.unreadable, actual.unreadable);
      expect_close(rows_of(actual), rows_of(expected), {.abs = dtype == "f32" ? 1e-5 : 3e-2}, dtype);
      EXPECT_EQ(fake_cuda::graphs().captured - before.captured, views == TestViews::plain ? 1 : 3) << dtype;
      EXPECT_EQ(fake_cuda::graphs().replayed - before.replayed, views == TestViews::plain ? 2 : 7) << dtype;
    }
}

// Batches of images: the ring's memory is filled again while earlier batches are in use.
TEST(ImageSourceOnADevice, BatchesAreThoseOfTheCpu) {
  const TempFolder folder;
  const std::vector<std::string> paths = write_images(folder, 12);
  TrainingSet set{{.name = "made", .train = {}}};
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    set.train.push_back({.path = paths[i], .identity = static_cast<int>(i / 4), .camera = 1});
    labels.push_back(static_cast<std::int64_t>(i / 4));
  }
  const auto sampler = samplers().at("shuffle")(labels, {.batch_size = 2, .seed = 1});
  const TrainingBatchesOptions options{
      .transform = {.height = 32, .width = 16}, .seed = 5, .threads = 2, .ahead = 2};
  const auto expected = make_image_source(set.train, *sampler, options, at::kCPU),
             actual = make_image_source(set.train, *sampler, options, kCuda);
  std::vector<Batch> kept;
  for (std::int64_t epoch = 1; epoch <= 2; ++epoch) {
    expected->start_epoch(epoch, epoch - 1);
    actual->start_epoch(epoch, epoch - 1);
    while (const std::optional<Batch> batch = expected->next()) {
      kept.push_back(*actual->next());
      EXPECT_EQ(kept.back().items, batch->items);
      EXPECT_TRUE(kept.back().images.is_cuda() && kept.back().cameras.is_cpu());
      kept.back().features = batch->images.clone();
      EXPECT_TRUE(at::equal(kept.back().identities.cpu(), batch->identities));
      EXPECT_TRUE(at::equal(kept.back().host_identities, batch->identities));
    }
  }
  EXPECT_EQ(kept.size(), 6u + 5u);
  for (const Batch& batch : kept)
    EXPECT_TRUE(at::equal(batch.images.cpu(), batch.features));
}

} // namespace
} // namespace vlreid
