// Cross-domain evaluation: every model on every dataset, as one table of scores. What was trained where is
// marked; a model's side information (SIE) is about the cameras of its own training set and is left out
// elsewhere. Results come as text, JSON and a page that needs nothing else.
#pragma once

#include "vlreid/eval/scores.h"
#include "vlreid/inference/embedder.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

class Progress;

// A dataset by what it is and where: equal for two ways of naming the same one.
struct DatasetPlace {
  std::string name;           // of the registry
  std::filesystem::path root; // canonical
  bool operator==(const DatasetPlace&) const = default;
};
DatasetPlace place_of(const Dataset& dataset);

struct CrossModel {
  std::string name;
  EmbedderOptions embedder;
  bool normalise = true;                     // rows, before they are compared
  std::vector<DatasetPlace> trained_on = {}; // empty: not known
};

struct CrossDataset {
  std::string name;
  Dataset dataset;
};

struct CrossCell {
  Scores scores;
  bool is_same_domain = false; // the model was trained on this dataset's training part
};

struct CrossTable {
  struct Name {
    std::string name, place; // place: weights file; folder
  };
  std::vector<Name> models, datasets;
  std::vector<CrossCell> cells; // [models, datasets], row by row

  const CrossCell& at(std::size_t model, std::size_t dataset) const {
    return cells[model * datasets.size() + dataset];
  }
};

// Images of all cells together, for a Progress. Throws Error(data) for a dataset without queries or gallery.
std::int64_t count_cross_images(std::span<const CrossModel> models, std::span<const CrossDataset> datasets);

// `progress` may be null.
CrossTable evaluate_cross_domain(std::span<const CrossModel> models, std::span<const CrossDataset> datasets,
                                 Progress* progress);

std::string to_text(const CrossTable& table);
nlohmann::json to_json(const CrossTable& table);
std::string to_page(const CrossTable& table);

} // namespace vlreid
