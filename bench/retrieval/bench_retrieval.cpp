// Times the evaluation on made features of the size of a known test set, and prints one JSON line: seconds
// per phase, GFLOP/s against the best rate of at::mm in the same run, scores, peak memory.
// bench/peers/retrieval_reference.py does the same the usual way, on the files that --save writes.
//
//     bench_retrieval [--size market|msmt17|QxGxF] [--what distances|ranking|evaluate|rerank] [--repeat N]
//     [--serve]
//     bench_retrieval --size ... --save FOLDER      only writes the features
//
// With --serve it takes turns with others instead (bench/serve.h): "run" times one `kind` of the above, with
// the first `gallery` images if that is named.
//
// Made features: a direction for each identity, a smaller one for each camera, and noise; not normalised.
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <string>

#include "bench/npy.h"
#include "bench/serve.h"
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
  bool serves = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string key = values[i];
    if (key == "--serve") arguments.serves = true;
    if (i + 1 == count) continue;
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

  FeatureSet set() const { return first(static_cast<std::int64_t>(identities.size())); }
  FeatureSet first(std::int64_t count) const {
    return {std::span(values).first(count * dims), dims, std::span(identities).first(count),
            std::span(cameras).first(count)};
  }
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

void save(const Images& images, const std::filesystem::path& folder, const std::string& name) {
  std::filesystem::create_directories(folder);
  const std::string rows = std::to_string(images.identities.size());
  save_npy<float>(folder / (name + "_features.npy"), "<f4", rows + ", " + std::to_string(images.dims),
                  images.values);
  save_npy<std::int64_t>(folder / (name + "_ids.npy"), "<i8", rows + ",", images.identities);
  save_npy<std::int64_t>(folder / (name + "_cameras.npy"), "<i8", rows + ",", images.cameras);
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
    const double wall = seconds_of(call);
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

nlohmann::json report(const Metrics& metrics) {
  return {{"mAP", metrics.mean_average_precision},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"rank1", metrics.cmc[0]},
          {"queries", metrics.counted_queries}};
}

class Subject {
public:
  explicit Subject(const Size& size)
      : query_(make_images(size, size.queries, 3)), gallery_(make_images(size, size.gallery, 4)) {}

  void save_to(const std::string& folder) const {
    save(query_, folder, "query");
    save(gallery_, folder, "gallery");
  }

  // Seconds and, but for "distances", scores.
  nlohmann::json measure(const std::string& what, std::int64_t gallery, int repeat) {
    const FeatureSet query = query_.set(), images = gallery_.first(gallery);
    Metrics metrics;
    if (what == "ranking" && matrix_.empty()) keep_distances();
    const Time time = best_of(repeat, [&] {
      if (what == "distances")
        for_each_distance_row(query.values, images.values, query_.dims,
                              [](std::int64_t, std::span<float>, int) {});
      else if (what == "ranking")
        metrics = evaluate_distances(matrix_, query, images);
      else
        metrics = evaluate(query, images,
                           {.rerank = what == "rerank" ? std::optional(RerankOptions{}) : std::nullopt});
    });
    nlohmann::json result{{"seconds", time.wall}, {"processor_seconds", time.processor}};
    result["gflop"] = 2e-9 * static_cast<double>(query_.identities.size()) * static_cast<double>(gallery) *
                      static_cast<double>(query_.dims);
    if (!metrics.cmc.empty()) result.update(report(metrics));
    return result;
  }

  std::int64_t gallery_size() const { return static_cast<std::int64_t>(gallery_.identities.size()); }
  double features_mib() const {
    return static_cast<double>((query_.values.size() + gallery_.values.size()) * sizeof(float)) / (1 << 20);
  }

private:
  void keep_distances() {
    matrix_.resize(query_.identities.size() * gallery_.identities.size());
    for_each_distance_row(query_.values, gallery_.values, query_.dims,
                          [&](std::int64_t q, std::span<float> row, int) {
                            std::ranges::copy(row, matrix_.begin() + q * gallery_size());
                          });
  }

  Images query_, gallery_;
  std::vector<float> matrix_; // of all distances, for "ranking"
};

void take_turns(Subject& subject) {
  const Handler run = [&](const nlohmann::json& request) {
    return subject.measure(request.at("kind"), request.value("gallery", subject.gallery_size()), 1);
  };
  serve({{"run", run}}, {{"threads", worker_count()}});
}

void print_best(const Arguments& arguments, Subject& subject) {
  nlohmann::json result = subject.measure(arguments.what, subject.gallery_size(), arguments.repeat);
  result.update({{"size", arguments.size},
                 {"what", arguments.what},
                 {"threads", worker_count()},
                 {"features_mib", subject.features_mib()},
                 {"peak_mib", peak_mib()},
                 {"mm_peak_gflops", matrix_product_peak()}});
  if (arguments.what == "distances" || arguments.what == "evaluate")
    result["gflops"] = result["gflop"].get<double>() / result["seconds"].get<double>();
  std::cout << result.dump() << std::endl;
}

void run(const Arguments& arguments) {
  Subject subject(size_of(arguments.size));
  if (!arguments.save.empty())
    subject.save_to(arguments.save);
  else if (arguments.serves)
    take_turns(subject);
  else
    print_best(arguments, subject);
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
