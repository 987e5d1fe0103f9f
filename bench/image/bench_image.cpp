// Decode, resize and training augmentation on one thread; bench/peers/image_pillow.py does the same with
// Pillow and PyTorch and prints the same JSON lines.
//
//     bench_image FOLDER SECONDS [HEIGHT WIDTH]
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

constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxDecoded = 200; // images held in memory for the resize alone

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

// Runs whole rounds over the items until the time is over.
template <typename Items, typename Work>
void measure(const char* name, double seconds, const Items& items, Work work) {
  const double start = processor_seconds();
  std::size_t images = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    for (const auto& item : items)
      work(item);
    images += items.size();
    elapsed = processor_seconds() - start;
  }
  std::printf("{\"what\": \"%s\", \"by\": \"vlreid\", \"images\": %zu, \"seconds\": %.4f, "
              "\"images_per_second\": %.1f}\n",
              name, images, elapsed, static_cast<double>(images) / elapsed);
  std::fflush(stdout);
}

// Resize, flip, pad, crop, normalise and erase with the references' probabilities: from files, and from
// resized images in memory.
void measure_augmentation(double seconds, const std::vector<std::filesystem::path>& paths,
                          const std::vector<Image>& decoded, const ResizeOptions& size) {
  const TrainTransformOptions options{.height = size.height, .width = size.width};
  TrainTransform transform(options);
  Random random({1});
  std::vector<float> values(transform.size());
  Image image;
  measure("decode_augment", seconds, paths, [&](const std::filesystem::path& path) {
    load_image_into(path, {}, image);
    transform.run(image, draw_augmentation(options, random), values);
  });
  std::vector<Image> resized(decoded.size());
  for (std::size_t i = 0; i < decoded.size(); ++i)
    transform.resize(decoded[i], resized[i]);
  measure("augment_cached", seconds, resized,
          [&](const Image& source) { transform.run(source, draw_augmentation(options, random), values); });
  measure("noise_of_an_image", seconds, resized,
          [&](const Image&) { fill_normal(random.bits(), std::span(values)); });
}

void run(const std::filesystem::path& folder, double seconds, const ResizeOptions& size) {
  const std::vector<std::filesystem::path> paths = find_jpegs(folder);
  std::vector<Image> decoded;
  for (std::size_t i = 0; i < paths.size() && i < kMaxDecoded; ++i)
    decoded.push_back(load_image(paths[i]));
  Resizer resizer;
  Image image, out;
  measure("decode_resize", seconds, paths, [&](const std::filesystem::path& path) {
    load_image_into(path, {}, image);
    resizer.resize(image, size, out);
  });
  measure("decode", seconds, paths,
          [&](const std::filesystem::path& path) { load_image_into(path, {}, image); });
  measure("resize", seconds, decoded, [&](const Image& source) { resizer.resize(source, size, out); });
  TestTransform transform({.height = size.height, .width = size.width});
  std::vector<float> values(transform.size());
  measure("resize_normalise", seconds, decoded,
          [&](const Image& source) { transform.plain(source, values); });
  measure_augmentation(seconds, paths, decoded, size);
}

} // namespace
} // namespace vlreid

int main(int count, char** arguments) {
  if (count != 3 && count != 5) {
    std::fprintf(stderr, "usage: bench_image FOLDER SECONDS [HEIGHT WIDTH]\n");
    return vlreid::exit_code(vlreid::ErrorKind::usage);
  }
  try {
    vlreid::ResizeOptions size;
    if (count == 5) size = {.height = std::atoi(arguments[3]), .width = std::atoi(arguments[4])};
    vlreid::run(arguments[1], std::atof(arguments[2]), size);
  } catch (const vlreid::Error& error) {
    std::fprintf(stderr, "bench_image: %s\n", error.what());
    return vlreid::exit_code(error.kind());
  }
  return 0;
}
