// The machine's peak in GFLOP/s by type, on one thread and on all, and the rate of LibTorch's own matrix
// product; takes turns with others (bench/serve.h).
#include "bench/measure.h"
#include "bench/products/multiply_add.h"
#include "bench/serve.h"

#include <ATen/Parallel.h>
#include <thread>

namespace vlreid {
namespace {

constexpr double kSeconds = 0.05; // of one repetition
constexpr int kRepetitions = 3;   // the best counts

void run_on(int threads, const PeakLoop& loop, std::int64_t passes) {
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back([&] { loop.run(passes); });
  loop.run(passes);
}

double rate_of(const PeakLoop& loop, int threads, std::int64_t passes) {
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double seconds = seconds_of([&] { run_on(threads, loop, passes); });
    best = std::max(best, static_cast<double>(passes * threads) * loop.operations / seconds / 1e9);
  }
  return best;
}

struct Measured {
  std::string type;
  PeakLoop loop;
  std::int64_t passes = 0; // kSeconds long
};

std::vector<Measured> prepare() {
  std::vector<Measured> all;
  for (const char* type : {"f32", "bf16", "int8"}) {
    constexpr std::int64_t kTrial = 1'000'000;
    Measured one{.type = type, .loop = peak_loop(type)};
    const double seconds = seconds_of([&] { one.loop.run(kTrial); });
    one.passes = std::max<std::int64_t>(1, static_cast<std::int64_t>(kTrial * kSeconds / seconds));
    all.push_back(one);
  }
  return all;
}

nlohmann::json run(const std::vector<Measured>& all, const nlohmann::json& request) {
  nlohmann::json answer;
  for (const Measured& one : all) {
    answer["peak"][one.type] = rate_of(one.loop, at::get_num_threads(), one.passes);
    answer["peak_one_thread"][one.type] = rate_of(one.loop, 1, one.passes);
  }
  if (request.contains("torch")) answer["torch_mm"] = peak_product_rate().by_clock;
  return answer;
}

void take_turns() {
  const std::vector<Measured> all = prepare();
  nlohmann::json instructions;
  for (const Measured& one : all)
    instructions[one.type] = one.loop.instructions;
  serve({{"run", [&](const nlohmann::json& request) { return run(all, request); }}},
        {{"instructions", instructions}, {"threads", at::get_num_threads()}});
}

} // namespace
} // namespace vlreid

int main() {
  vlreid::take_turns();
  return 0;
}
