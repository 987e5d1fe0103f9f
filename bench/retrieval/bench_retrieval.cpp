// Times the evaluation on made features of the size of a known test set, and prints one JSON line: seconds
// per phase, GFLOP/s against the best rate of at::mm in the same run, scores, peak memory.
// bench/peers/retrieval_reference.py does the same the usual way, on the files that --save writes.
//
//     bench_retrieval [--size market|msmt17|QxGxF] [--what distances|ranking|evaluate|rerank] [--repeat N]
//     [--save FOLDER]
//
// Made features: a direction for each identity, a smaller one for each camera, and noise; not normalised.
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/random.h"
#include "vlreid/retrieval/evaluate.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

struct Size {
  std::int64_t queries = 0;
  std::int64_t gallery = 0;
  std::int64_t dims = 0;
  std::int64_t identities = 0;
  std::int64_t cameras = 0;
};

// Queries, gallery, identities and cameras of the published test sets.
const std::map<std::string, Size> kSizes{{"market", {3368, 15913, 1280, 751, 6}},
                                         {"msmt17", {11659, 82161, 1280, 3060, 15}}};

struct Arguments {
  std::string size = "market";
  std::string what = "evaluate";
  std::string save;
  int repeat = 3;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string key = values[i];
    if (key == "--size") arguments.size = values[i + 1];
    if (key == "--what") arguments.what = values[i + 1];
    if (key == "--save") arguments.save = values[i + 1];
    if (key == "--repeat") arguments.repeat = std::stoi(values[i + 1]);
  }
  return arguments;
}

Size size_of(const std::string& name) {
  if (const auto known = kSizes.find(name); known != kSizes.end()) return known->second;
  long queries = 0;
  long gallery = 0;
  long dims = 0;
  VLREID_REQUIRE(std::sscanf(name.c_str(), "%ldx%ldx%ld", &queries, &gallery, &dims) == 3, ErrorKind::usage,
                 "--size", name, "market, msmt17 or QxGxF");
  return {queries, gallery, dims, std::max(2L, gallery / 20), 6};
}

struct Images {
  std::vector<float> values;
  std::int64_t dims = 0;
  std::vector<std::int64_t> identities;
  std::vector<std::int64_t> cameras;

  FeatureSet set() const { return {values, dims, identities, cameras}; }
};

std::vector<float> directions(std::int64_t rows, std::int64_t dims, std::uint64_t key) {
  std::vector<float> values(rows * dims);
  for_each_block(rows, [&](std::int64_t row, int) {
    Random random({key, static_cast<std::uint64_t>(row)});
    for (std::int64_t d = 0; d < dims; ++d)
      values[row * dims + d] = static_cast<float>(random.normal());
  });
  return values;
}

// Strength of the camera's direction and of the noise against the identity's: rank-1 and mAP come out as of a
// middling model.
constexpr float kCameraStrength = 0.5F;
constexpr float kNoiseStrength = 3.0F;

Images make_images(const Size& size, std::int64_t rows, std::uint64_t key) {
  const std::vector<float> identities = directions(size.identities, size.dims, 1);
  const std::vector<float> cameras = directions(size.cameras, size.dims, 2);
  Images images{directions(rows, size.dims, key), size.dims, {}, {}};
  Random random({key});
  for (std::int64_t row = 0; row < rows; ++row) {
    images.identities.push_back(static_cast<std::int64_t>(random.below(size.identities)));
    images.cameras.push_back(static_cast<std::int64_t>(random.below(size.cameras)));
  }
  for_each_block(rows, [&](std::int64_t row, int) {
    const float* identity = identities.data() + images.identities[row] * size.dims;
    const float* camera = cameras.data() + images.cameras[row] * size.dims;
    float* value = images.values.data() + row * size.dims;
    for (std::int64_t d = 0; d < size.dims; ++d) {
      value[d] = identity[d] + kCameraStrength * camera[d] + kNoiseStrength * value[d];
    }
  });
  return images;
}

// NumPy's format, version 1: magic, header length, header padded to 64 bytes.
template <typename T>
void save_npy(const std::filesystem::path& path, const std::string& type, const std::string& shape,
              std::span<const T> values) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ') += '\n';
  AtomicFile file(path);
  file.write(std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() % 256) +
             static_cast<char>(header.size() / 256) + header);
  file.write(std::as_bytes(values));
  file.commit();
}

void save(const Images& images, const std::filesystem::path& folder, const std::string& name) {
  std::filesystem::create_directories(folder);
  const std::string rows = std::to_string(images.identities.size());
  save_npy<float>(folder / (name + "_features.npy"), "<f4", rows + ", " + std::to_string(images.dims),
                  images.values);
  save_npy<std::int64_t>(folder / (name + "_ids.npy"), "<i8", rows + ",", images.identities);
  save_npy<std::int64_t>(folder / (name + "_cameras.npy"), "<i8", rows + ",", images.cameras);
}

template <typename Call>
double seconds(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Time {
  double wall = 0;
  double processor = 0; // of all threads: tells more than wall time when other programs run
};

// The run with the least wall time.
template <typename Call>
Time best_of(int repeat, const Call& call) {
  Time best{.wall = std::numeric_limits<double>::infinity()};
  for (int i = 0; i < repeat; ++i) {
    const std::clock_t start = std::clock();
    const double wall = seconds(call);
    const double processor = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (wall < best.wall) best = {wall, processor};
  }
  return best;
}

// GFLOP/s of at::mm on matrices of a comfortable shape, all threads.
double matrix_product_peak() {
  constexpr std::int64_t kSide = 2048;
  const at::Tensor a = at::rand({kSide, kSide});
  const at::Tensor b = at::rand({kSide, kSide});
  at::Tensor out = at::rand({kSide, kSide});
  const double best = best_of(5, [&] { at::mm_out(out, a, b); }).wall;
  return 2e-9 * kSide * kSide * kSide / best;
}

// VmHWM of this process, in MiB.
double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

nlohmann::json report(const Metrics& metrics) {
  return {{"mAP", metrics.mean_average_precision},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"rank1", metrics.cmc[0]},
          {"queries", metrics.counted_queries}};
}

void run(const Arguments& arguments) {
  const Size size = size_of(arguments.size);
  const Images query = make_images(size, size.queries, 3);
  const Images gallery = make_images(size, size.gallery, 4);
  if (!arguments.save.empty()) {
    save(query, arguments.save, "query");
    save(gallery, arguments.save, "gallery");
  }
  nlohmann::json result{{"size", arguments.size}, {"what", arguments.what}, {"threads", worker_count()}};
  result["features_mib"] = static_cast<double>(query.values.size() + gallery.values.size()) * 4 / (1 << 20);
  const double flops = 2e-9 * static_cast<double>(size.queries) * static_cast<double>(size.gallery) *
                       static_cast<double>(size.dims);
  const bool multiplies_once = arguments.what == "distances" || arguments.what == "evaluate";
  Metrics metrics;
  Time time;
  if (arguments.what == "distances") {
    time = best_of(arguments.repeat, [&] {
      for_each_distance_row(query.values, gallery.values, size.dims,
                            [](std::int64_t, std::span<float>, int) {});
    });
  } else if (arguments.what == "ranking") {
    std::vector<float> matrix(size.queries * size.gallery);
    for_each_distance_row(query.values, gallery.values, size.dims,
                          [&](std::int64_t q, std::span<float> row, int) {
                            std::copy(row.begin(), row.end(), matrix.begin() + q * size.gallery);
                          });
    time =
        best_of(arguments.repeat, [&] { metrics = evaluate_distances(matrix, query.set(), gallery.set()); });
  } else if (arguments.what == "evaluate") {
    time = best_of(arguments.repeat, [&] { metrics = evaluate(query.set(), gallery.set()); });
  } else {
    time = best_of(arguments.repeat,
                   [&] { metrics = evaluate(query.set(), gallery.set(), {.rerank = RerankOptions{}}); });
  }
  result["seconds"] = time.wall;
  result["processor_seconds"] = time.processor;
  if (multiplies_once) result["gflops"] = flops / time.wall;
  if (!metrics.cmc.empty()) result["scores"] = report(metrics);
  result["peak_mib"] = peak_memory_mib();
  result["mm_peak_gflops"] = matrix_product_peak();
  std::cout << result.dump() << std::endl;
}

} // namespace
} // namespace vlreid

int main(int count, char** values) {
  try {
    vlreid::run(vlreid::parse(count, values));
  } catch (const vlreid::Error& error) {
    std::cerr << "bench_retrieval: " << error.what() << '\n';
    return vlreid::exit_code(error.kind());
  }
  return 0;
}
