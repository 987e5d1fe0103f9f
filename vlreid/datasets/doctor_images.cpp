#include "vlreid/datasets/doctor_images.h"

#include "vlreid/base/files.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/image/decode.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace vlreid {

namespace {

// Two running 64-bit sums with different odd multipliers, mixed at the end: equal files give equal values,
// and for different ones to meet by chance takes about 2^64 images. Not meant against an adversary.
std::array<std::uint64_t, 2> content_hash(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15, kSecond = 0xC2B2AE3D27D4EB4F; // odd, bits well spread
  std::uint64_t a = bytes.size(), b = ~a;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
    a = (a ^ word) * kFirst;
    a ^= a >> 32;
    b = (b + word) * kSecond;
    b ^= b >> 29;
  }
  return {a, b};
}

bool can_decode(std::span<const std::byte> bytes, const std::string& path, bool accept_truncated,
                ImageFact& fact) {
  try {
    const Image image = decode_image(bytes, path, {.accept_truncated = accept_truncated});
    fact.height = image.height;
    fact.width = image.width;
    return true;
  } catch (const Error& error) {
    if (!accept_truncated) fact.fault = error.what();
    return false;
  }
}

void examine(ImageFact& fact) {
  const std::string& path = fact.record->path;
  try {
    const MappedFile file(path);
    fact.hash = content_hash(file.bytes());
    if (can_decode(file.bytes(), path, false, fact)) return;
    fact.is_truncated = can_decode(file.bytes(), path, true, fact);
  } catch (const Error& error) {
    fact.fault = error.what();
  }
}

std::vector<ImageFact> choose(const Dataset& dataset, std::int64_t sample) {
  std::vector<ImageFact> all;
  int number = 0;
  for (const Subset* subset : {&dataset.train, &dataset.query, &dataset.gallery}) {
    for (const Record& record : *subset)
      all.push_back({.record = &record, .subset = number});
    ++number;
  }
  const auto wanted = static_cast<std::size_t>(sample);
  if (sample <= 0 || wanted >= all.size()) return all;
  std::vector<ImageFact> chosen;
  for (std::size_t i = 0; i < wanted; ++i)
    chosen.push_back(all[i * all.size() / wanted]);
  return chosen;
}

} // namespace

std::vector<ImageFact> examine_images(const Dataset& dataset, std::int64_t sample, bool show_progress) {
  std::vector<ImageFact> facts = choose(dataset, sample);
  Progress progress("checking images", "images", static_cast<std::int64_t>(facts.size()), !show_progress);
  constexpr std::size_t kGrain = 16;
  shared_pool().parallel_for(facts.size(), kGrain, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i)
      examine(facts[i]);
    progress.add(static_cast<std::int64_t>(end - begin));
  });
  return facts;
}

} // namespace vlreid
