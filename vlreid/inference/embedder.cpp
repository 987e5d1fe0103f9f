#include "vlreid/inference/embedder.h"

#include "vlreid/base/error.h"
#include "vlreid/base/random.h"
#include "vlreid/base/stop.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/batches/image_batches.h"
#include "vlreid/inference/weights_checksum.h"
#include "vlreid/reid/model.h"
#include "vlreid/tensor/device.h"
#include "vlreid/tensor/graph_replay.h"
#include "vlreid/tensor/span.h"
#include "vlreid/tensor/transfer.h"
#include "vlreid/text/tokenizer.h"
#include "vlreid/transforms/test_transform.h"
#include "vlreid/weights/load.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <deque>
#include <fmt/format.h>
#include <optional>

namespace vlreid {
namespace {

InferenceType inference_type(const std::string& dtype) {
  VLREID_REQUIRE(dtype == "f32" || dtype == "f32x3" || dtype == "bf16" || dtype == "int8", ErrorKind::usage,
                 "--dtype", "'" + dtype + "'", "f32, f32x3, bf16 or int8", "change it");
  return {.type = dtype == "bf16" ? at::kBFloat16 : at::kFloat,
          .is_int8 = dtype == "int8",
          .is_bf16x3 = dtype == "f32x3"};
}

ReidOptions reid_options(const EmbedderOptions& options) {
  const ModelSettings& settings = options.settings;
  ReidOptions made{.inference = inference_type(options.dtype), .uses_weights_in_place = true};
  if (settings.input_size) made.image = Grid{(*settings.input_size)[0], (*settings.input_size)[1]};
  if (settings.stride) {
    VLREID_REQUIRE((*settings.stride)[0] == (*settings.stride)[1], ErrorKind::config, "MODEL.STRIDE_SIZE",
                   fmt::format("[{}, {}]", (*settings.stride)[0], (*settings.stride)[1]), "one number twice",
                   "choose equal strides, as the references do");
    made.stride = (*settings.stride)[0];
  }
  made.sie_camera = settings.sie_camera.value_or(false) && !options.ignores_side_information;
  made.sie_view = settings.sie_view.value_or(false) && !options.ignores_side_information;
  made.sie_coe = settings.sie_factor.value_or(made.sie_coe);
  made.neck = settings.uses_neck.value_or(false) ? NeckFeature::after : NeckFeature::before;
  made.adapter.alpha = settings.lora_alpha;
  return made;
}

TestTransformOptions transform_options(const EmbedderOptions& options, const ReidModel& model) {
  const PixelStatistics& usual = model.pixels();
  const Grid own = model.image_size();
  const auto [height, width] = options.settings.input_size.value_or(std::array{own.height, own.width});
  TestTransformOptions made{.height = static_cast<int>(height),
                            .width = static_cast<int>(width),
                            .filter = options.filter,
                            .mean = usual.mean,
                            .std = usual.std};
  const auto set = [](std::array<float, 3>& to, const std::optional<std::array<double, 3>>& from) {
    if (from) std::ranges::transform(*from, to.begin(), [](double x) { return static_cast<float>(x); });
  };
  set(made.mean, options.settings.pixel_mean);
  set(made.std, options.settings.pixel_std);
  return made;
}

// The file, without its table of cameras or views where that is not wanted.
StateDict load_wanted(const EmbedderOptions& options) {
  parse_device(options.device); // a wrong one is named before weights are read
  StateDict loaded = load_weights(options.weights).state;
  if (!options.ignores_side_information) return loaded;
  StateDict rest;
  for (const auto& [name, tensor] : loaded)
    if (name != "cv_embed") rest.add(name, tensor);
  return rest;
}

std::size_t view_count(TestViews views) {
  return views == TestViews::plain ? 1 : 2;
}

} // namespace

struct Embedder::State {
  EmbedderOptions options;
  std::string checksum;
  at::Device device;
  GraphReplay rows_of; // {images, class offset or undefined} -> rows, on the device
  std::shared_ptr<ReidModel> model;
  TestTransformOptions transform;
  std::size_t pixels; // bytes of one image

  explicit State(const EmbedderOptions& chosen) : State(load_wanted(chosen), chosen) {
    checksum = weights_checksum(chosen.weights);
  }

  State(const StateDict& weights, const EmbedderOptions& chosen)
      : State(std::make_shared<ReidModel>(weights, reid_options(chosen), chosen.weights), chosen) {}

  State(std::shared_ptr<ReidModel> given, const EmbedderOptions& chosen)
      : options(chosen), device(parse_device(chosen.device)), rows_of(rows_function(*given, chosen.output)),
        model(std::move(given)), transform(transform_options(chosen, *model)),
        pixels(std::size_t{3} * static_cast<std::size_t>(transform.height) *
               static_cast<std::size_t>(transform.width)) {
    model->eval();
    model->to_device(device);
    model->set_pixels({.mean = transform.mean, .std = transform.std});
    model->prepare_inference();
  }

  static GraphReplay::Function rows_function(ReidModel& model, EmbedderOutput output) {
    return [&model, output](const std::vector<at::Tensor>& inputs) {
      return output == EmbedderOutput::projection ? model.project_images(inputs[0])
                                                  : model.embed_with(inputs[0], inputs[1]);
    };
  }

  int threads() const { return options.threads > 0 ? options.threads : available_cores(); }

  // The shift depends on seed and image alone, so the rows do not depend on threads or on where a run was
  // resumed.
  void render(TestTransform& to, const Image& image, std::size_t item, std::size_t view,
              std::span<std::uint8_t> out) const {
    if (view == 0) return to.plain(image, out);
    if (options.views == TestViews::flip) return to.flipped(image, out);
    Random random({options.seed, item});
    to.second_view(image, draw_crop_offset(random), out);
  }

  at::Tensor labels(std::span<const std::size_t> items, std::span<const SideInformation> side,
                    int SideInformation::*field) const {
    if (side.empty()) return {};
    std::vector<std::int64_t> values;
    for (const std::size_t item : items)
      values.push_back(side[item].*field);
    return tensor_of<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
  }

  at::Tensor class_offset(std::span<const std::size_t> items, std::span<const SideInformation> side) const {
    if (options.output == EmbedderOutput::projection) return {};
    return model->class_offset(labels(items, side, &SideInformation::camera),
                               labels(items, side, &SideInformation::view), std::ssize(items));
  }

  // The mean over the views, [B, F] float32, on its way to the CPU.
  Download embed(const ImageBatch& batch, std::span<const SideInformation> side, CopyStreams& streams) {
    const at::Tensor offset = class_offset(batch.items, side);
    at::Tensor sum;
    for (const std::span<const std::uint8_t> bytes : batch.views) {
      // from_blob wants a mutable pointer; the model only reads.
      const at::Tensor images = at::from_blob(
          const_cast<std::uint8_t*>(bytes.data()),
          {static_cast<std::int64_t>(batch.items.size()), transform.height, transform.width, 3}, at::kByte);
      const at::Tensor rows = rows_of({streams.upload(images), offset});
      sum = sum.defined() ? sum + rows : rows;
    }
    if (batch.views.size() > 1) sum = sum / static_cast<double>(batch.views.size());
    return streams.download(sum.to(at::kFloat));
  }
};

namespace {

// What is known of a batch while the device computes it.
struct Pending {
  std::vector<std::size_t> items;
  std::vector<UnreadableImage> unreadable;
  std::size_t end_item;
  Download rows;

  void give_to(const std::function<void(const EmbeddedBatch&)>& sink) const {
    sink({.items = items,
          .rows = items.empty() ? std::span<const float>() : span_of<float>(rows.wait()),
          .unreadable = unreadable,
          .end_item = end_item});
  }
};

} // namespace

Embedder::Embedder(const EmbedderOptions& options) : state_(std::make_unique<State>(options)) {}
Embedder::Embedder(const StateDict& weights, const EmbedderOptions& options)
    : state_(std::make_unique<State>(weights, options)) {}
Embedder::Embedder(std::shared_ptr<ReidModel> model, const EmbedderOptions& options)
    : state_(std::make_unique<State>(std::move(model), options)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

std::int64_t Embedder::dims() const {
  return state_->options.output == EmbedderOutput::projection ? shared_dims()
                                                              : state_->model->embedding_width();
}
const TestTransformOptions& Embedder::transform() const {
  return state_->transform;
}
const EmbedderOptions& Embedder::options() const {
  return state_->options;
}

std::string Embedder::summary() const {
  const ReidModel& model = *state_->model;
  std::string text =
      fmt::format("{}: {} at {}x{}", state_->options.weights, model.is_resnet() ? "ResNet" : "ViT",
                  model.image_size().height, model.image_size().width);
  if (model.stride() > 0) text += fmt::format(", stride {}", model.stride());
  if (model.uses_sie()) text += fmt::format(", side information x {}", model.options().sie_coe);
  return text + fmt::format(", {} numbers {} the neck, {} on {}", dims(),
                            model.options().neck == NeckFeature::after ? "after" : "before",
                            state_->options.dtype, state_->options.device);
}

std::string Embedder::fingerprint() const {
  const TestTransformOptions& t = state_->transform;
  return fmt::format("{}; weights {}; mean {} {} {} std {} {} {}; views {} seed {}; batch {}", summary(),
                     state_->checksum, t.mean[0], t.mean[1], t.mean[2], t.std[0], t.std[1], t.std[2],
                     static_cast<int>(state_->options.views), state_->options.seed,
                     state_->options.batch_size);
}

void Embedder::run(std::span<const std::string> paths, std::span<const SideInformation> side,
                   std::size_t first, const std::function<void(const EmbeddedBatch&)>& sink) {
  State& state = *state_;
  VLREID_ASSERT(side.empty() || side.size() == paths.size());
  const at::NoGradGuard no_gradients;
  std::vector<TestTransform> transforms;
  for (int thread = 0; thread < state.threads(); ++thread)
    transforms.emplace_back(state.transform);
  ImageBatches batches(
      paths,
      [&](const Image& image, std::size_t item, std::size_t view, int thread, std::span<std::uint8_t> out) {
        state.render(transforms[static_cast<std::size_t>(thread)], image, item, view, out);
      },
      {.batch_size = static_cast<std::size_t>(state.options.batch_size),
       .threads = state.threads(),
       .first = first,
       .views = view_count(state.options.views),
       .pixels = state.pixels,
       .memory = [&](std::size_t bytes) { return host_memory(bytes, state.device); }});
  CopyStreams streams(state.device);
  // A device computes a batch while the host brings the next one and takes the rows of the one before.
  const std::size_t most_pending = state.device.is_cpu() ? 0 : 1;
  std::deque<Pending> pending;
  const auto give_oldest = [&] {
    const Pending oldest = std::move(pending.front());
    pending.pop_front();
    oldest.give_to(sink);
  };
  while (const ImageBatch* batch = batches.next()) {
    pending.push_back({batch->items, batch->unreadable, batch->end_item, {}});
    if (!batch->items.empty()) pending.back().rows = state.embed(*batch, side, streams);
    while (pending.size() > most_pending)
      give_oldest();
    streams.finish_uploads(); // the next batch is made where this one lies
  }
  while (!pending.empty())
    give_oldest();
}

std::vector<float> Embedder::run_all(std::span<const std::string> paths,
                                     std::span<const SideInformation> side,
                                     const std::function<void(std::size_t)>& on_progress) {
  std::vector<float> rows;
  rows.reserve(paths.size() * static_cast<std::size_t>(dims()));
  run(paths, side, 0, [&](const EmbeddedBatch& batch) {
    if (!batch.unreadable.empty())
      fail(ErrorKind::data, {.place = "dataset",
                             .found = fmt::format("unreadable image: {}", batch.unreadable.front().message),
                             .expected = "readable images throughout",
                             .remedy = "run vlreid check to list all of them"});
    rows.insert(rows.end(), batch.rows.begin(), batch.rows.end());
    on_progress(batch.items.size());
    throw_if_stopped();
  });
  return rows;
}

std::int64_t Embedder::shared_dims() const {
  return state_->model->image_encoder().embed_width();
}

std::vector<float> Embedder::run_sentences(std::span<const std::string> sentences,
                                           const std::function<void(std::size_t)>& on_progress) {
  constexpr std::size_t kSentences = 128; // at a time
  const at::NoGradGuard no_gradients;
  ReidModel& model = *state_->model;
  VLREID_REQUIRE(
      model.has_token_embedding(), ErrorKind::data, state_->options.weights,
      "no text tower with a token embedding", "weights of a plain CLIP, which can read sentences",
      "choose such weights, or name them with --model where the verb has it (checkpoints of two stages keep "
      "only their own prompts)");
  const int length = static_cast<int>(model.text_encoder()->shape().context_length);
  std::vector<float> rows;
  rows.reserve(sentences.size() * static_cast<std::size_t>(shared_dims()));
  for (std::size_t first = 0; first < sentences.size(); first += kSentences) {
    const auto part = sentences.subspan(first, std::min(kSentences, sentences.size() - first));
    std::vector<std::int64_t> ids;
    for (const std::string& sentence : part)
      std::ranges::copy(clip_tokenizer().tokenize(sentence, {.context_length = length, .truncate = true}).ids,
                        std::back_inserter(ids));
    const at::Tensor tokens = tensor_of<std::int64_t>(ids, {static_cast<std::int64_t>(part.size()), length});
    const at::Tensor features = model.encode_text(tokens).to(at::kCPU, at::kFloat).contiguous();
    std::ranges::copy(span_of<float>(features), std::back_inserter(rows));
    on_progress(part.size());
    throw_if_stopped();
  }
  return rows;
}

} // namespace vlreid
