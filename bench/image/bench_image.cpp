// Decode, resize and training augmentation on one thread; takes turns (bench/serve.h) with
// bench/peers/image_pillow.py and image_opencv.py: "run" repeats one `kind` of work for so many `seconds` of
// processor time.
//
//     bench_image FOLDER [HEIGHT WIDTH]
#include "bench/serve.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/resize.h"
#include "vlreid/transforms/noise.h"
#include "vlreid/transforms/test_transform.h"
#include "vlreid/transforms/train_transform.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

namespace vlreid {
namespace {

constexpr std::size_t kMaxFiles = 200;

std::vector<std::filesystem::path> find_jpegs(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : list_files_recursively(folder))
    if (name.ends_with(".jpg") && paths.size() < kMaxFiles) paths.push_back(folder / name);
  VLREID_REQUIRE(!paths.empty(), ErrorKind::data, folder.string(), "no .jpg files", "a folder of JPEG images",
                 "name another folder");
  return paths;
}

// Of this process: other work on the machine disturbs it less than wall time.
double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Runs whole rounds over the items until the time is over; images a second.
template <typename Items, typename Work>
double measure(double seconds, const Items& items, Work work) {
  const double start = processor_seconds();
  std::size_t images = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    for (const auto& item : items)
      work(item);
    images += items.size();
    elapsed = processor_seconds() - start;
  }
  return static_cast<double>(images) / elapsed;
}

// What is measured, from files or from images in memory. Augmentation: resize, flip, pad, crop, normalise and
// erase with the references' probabilities.
class Subject {
public:
  Subject(const std::filesystem::path& folder, const ResizeOptions& size)
      : size_(size), paths_(find_jpegs(folder)), training_({.height = size.height, .width = size.width}),
        testing_({.height = size.height, .width = size.width}), values_(training_.size()) {
    for (const std::filesystem::path& path : paths_) {
      decoded_.push_back(load_image(path));
      resized_.emplace_back();
      training_.resize(decoded_.back(), resized_.back());
    }
  }

  double rate(const std::string& kind, double seconds) {
    const auto load = [&](const std::filesystem::path& path) { load_image_into(path, {}, image_); };
    const auto resize = [&](const Image& source) { resizer_.resize(source, size_, out_); };
    const auto augment = [&](const Image& source) {
      training_.run(source, draw_augmentation(options(), random_), values_);
    };
    if (kind == "decode") return measure(seconds, paths_, load);
    if (kind == "decode_resize")
      return measure(seconds, paths_, [&](const auto& path) { load(path), resize(image_); });
    if (kind == "decode_augment")
      return measure(seconds, paths_, [&](const auto& path) { load(path), augment(image_); });
    if (kind == "resize") return measure(seconds, decoded_, resize);
    if (kind == "resize_normalise")
      return measure(seconds, decoded_, [&](const Image& source) {
        testing_.plain(source, bytes_);
        testing_.normalise(bytes_, values_);
      });
    if (kind == "augment_cached") return measure(seconds, resized_, augment);
    return measure(seconds, resized_, [&](const Image&) { fill_normal(random_.bits(), std::span(values_)); });
  }

private:
  TrainTransformOptions options() const { return {.height = size_.height, .width = size_.width}; }

  ResizeOptions size_;
  std::vector<std::filesystem::path> paths_;
  std::vector<Image> decoded_, resized_;
  TrainTransform training_;
  TestTransform testing_;
  Resizer resizer_;
  Image image_, out_;
  Random random_{{1}};
  std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(testing_.size());
  std::vector<float> values_;
};

void run(const std::filesystem::path& folder, const ResizeOptions& size) {
  Subject subject(folder, size);
  const Handler run = [&](const nlohmann::json& request) {
    return nlohmann::json{{"images_per_second", subject.rate(request.at("kind"), request.at("seconds"))}};
  };
  serve({{"run", run}}, nlohmann::json::object());
}

} // namespace
} // namespace vlreid

int main(int count, char** arguments) {
  if (count != 2 && count != 4) {
    std::fprintf(stderr, "usage: bench_image FOLDER [HEIGHT WIDTH]\n");
    return vlreid::exit_code(vlreid::ErrorKind::usage);
  }
  try {
    vlreid::ResizeOptions size;
    if (count == 4) size = {.height = std::atoi(arguments[2]), .width = std::atoi(arguments[3])};
    vlreid::run(arguments[1], size);
  } catch (const vlreid::Error& error) {
    std::fprintf(stderr, "bench_image: %s\n", error.what());
    return vlreid::exit_code(error.kind());
  }
  return 0;
}
