#include "vlreid/datasets/dataset.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

namespace vlreid {

SubsetCounts counts(const Subset& subset) {
  std::unordered_set<std::int64_t> identities, cameras, views;
  for (const Record& record : subset) {
    identities.insert(record.identity);
    cameras.insert(record.camera);
    views.insert(record.view);
  }
  const auto number = [](const auto& values) { return static_cast<std::int64_t>(values.size()); };
  return {.identities = number(identities),
          .images = number(subset),
          .cameras = number(cameras),
          .views = number(views)};
}

TableSizes table_sizes(const Subset& train) {
  TableSizes sizes;
  for (const Record& record : train) {
    sizes.identities = std::max(sizes.identities, record.identity + 1);
    sizes.cameras = std::max<std::int64_t>(sizes.cameras, record.camera + 1);
    sizes.views = std::max<std::int64_t>(sizes.views, record.view + 1);
  }
  return sizes;
}

std::string banner(const Dataset& dataset) {
  constexpr const char* kRule = "  ----------------------------------------\n";
  const std::array<std::pair<const char*, const Subset*>, 3> subsets = {
      {{"train", &dataset.train}, {"query", &dataset.query}, {"gallery", &dataset.gallery}}};
  std::string text = dataset.name + " (" + dataset.root.string() + ")\nDataset statistics:\n";
  text += std::string(kRule) + "  subset   | # ids | # images | # cameras\n" + kRule;
  for (const auto& [name, subset] : subsets) {
    const SubsetCounts count = counts(*subset);
    const std::string cameras = dataset.has_cameras ? std::to_string(count.cameras) : "none";
    text += fmt::format("  {:<8} | {:5} | {:8} | {:>9}\n", name, count.identities, count.images, cameras);
  }
  return text + kRule;
}

} // namespace vlreid
