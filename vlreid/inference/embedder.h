// Image files -> embeddings [F]: decoding threads fill batches ahead of the model, so that neither waits for
// the other. The only code that runs a model for features. One embedding run at a time per object.
#pragma once

#include "vlreid/inference/model_settings.h"
#include "vlreid/transforms/test_transform.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

class ReidModel;
class StateDict;

// Whose embeddings are averaged: the image alone; the image and its mirror image; the image and MM's second
// view (mirrored, shifted at random by up to 10 x 5 pixels; spec/datasets section 6).
enum class TestViews { plain, flip, shifted };

// The embedding that is compared; or the projection alone, without side information: the image in the space
// that it shares with text, as stage 1 caches it.
enum class EmbedderOutput { embedding, projection };

struct EmbedderOptions {
  std::string weights;         // file
  ModelSettings settings = {}; // what is not set is read from the weights
  std::string device = "cpu";  // or "cuda", "cuda:1"
  std::string dtype = "f32";   // "f32x3", "bf16" or "int8"
  int batch_size = 32;
  int threads = 0; // that decode; 0: as many as cores
  TestViews views = TestViews::plain;
  std::uint64_t seed = 0; // of the shifts
  EmbedderOutput output = EmbedderOutput::embedding;
  Filter filter = Filter::bilinear;      // of resizing; Multimodal-ReID's stage 1 has the one of training
  bool ignores_side_information = false; // of a file trained with SIE, for another data set
};

// Camera and view of an image, for models with side information (SIE); ignored by others.
struct SideInformation {
  int camera = 0;
  int view = 0;
};

struct EmbeddedBatch {
  std::span<const std::size_t> items; // which images, ascending
  std::span<const float> rows;        // [items.size(), F] raw
  std::span<const struct UnreadableImage> unreadable;
  std::size_t end_item = 0; // everything before this image is done
};

class Embedder {
public:
  explicit Embedder(const EmbedderOptions& options);
  // Of weights in memory; options.weights is their name in messages.
  Embedder(const StateDict& weights, const EmbedderOptions& options);
  // Of a model that is there already, as it is now; options.weights is its name in messages, and only pixel
  // statistics are taken from the settings. The model is left in evaluation mode with its inference form
  // made.
  Embedder(std::shared_ptr<ReidModel> model, const EmbedderOptions& options);
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  std::int64_t dims() const; // F; E of projections
  const TestTransformOptions& transform() const;
  const EmbedderOptions& options() const;
  // One line for people: architecture, input size, stride, what the embedding is made of.
  std::string summary() const;
  // Everything that decides the numbers, weights included (by checksum): equal text, equal rows.
  std::string fingerprint() const;

  // Batches in list order, beginning with image `first`. `side` is empty or has one entry per path. `sink`
  // runs on the calling thread.
  void run(std::span<const std::string> paths, std::span<const SideInformation> side, std::size_t first,
           const std::function<void(const EmbeddedBatch&)>& sink);

  // The same for a list that must be readable throughout (an evaluation): [N, F]. An unreadable image is a
  // data error.
  std::vector<float> run_all(std::span<const std::string> paths, std::span<const SideInformation> side,
                             const std::function<void(std::size_t count)>& on_progress);

  // The end of a row made before the neck and without side information: the image in the space that it shares
  // with text.
  std::int64_t shared_dims() const; // E
  // Sentences in that space, [N, E] raw; what a sentence has beyond the model's context is cut. Throws
  // Error(data) for weights that cannot read sentences.
  std::vector<float> run_sentences(std::span<const std::string> sentences,
                                   const std::function<void(std::size_t count)>& on_progress);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace vlreid
