#include "vlreid/eval/cross_domain.h"

#include "vlreid/base/log.h"
#include "vlreid/eval/embed_dataset.h"
#include "vlreid/eval/run_record.h"
#include "vlreid/report/html.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace vlreid {
namespace {

constexpr const char *kSameMark = "*", *kSameMeans = "* trained on this dataset";

// A score of every cell, in the order in which they are shown.
struct ShownScore {
  const char *name, *title;
};
constexpr ShownScore kShown[] = {{"mAP", "mAP"}, {"rank1", "Rank-1"}, {"mINP", "mINP"}};

// One model, loaded again only where its side information comes or goes.
class CrossRow {
public:
  explicit CrossRow(const CrossModel& model) : model_(model) {}

  CrossCell evaluate(const CrossDataset& set, Progress* progress) {
    const bool is_same =
        std::ranges::find(model_.trained_on, place_of(set.dataset)) != model_.trained_on.end();
    Embedder& embedder = embedder_with(is_same || model_.trained_on.empty());
    CrossCell cell{.scores = score(embed_evaluation_lists(embedder, set.dataset, progress),
                                   {.normalise = model_.normalise}),
                   .is_same_domain = is_same};
    cell.scores.plain.per_query.clear();
    return cell;
  }

private:
  Embedder& embedder_with(bool side_information) {
    EmbedderOptions options = model_.embedder;
    const bool has_any =
        options.settings.sie_camera.value_or(false) || options.settings.sie_view.value_or(false);
    options.ignores_side_information = has_any && !side_information;
    if (embedder_ && embedder_->options().ignores_side_information == options.ignores_side_information)
      return *embedder_;
    embedder_.reset(); // one model in memory at a time
    embedder_.emplace(options);
    log_info("vlreid.cross", embedder_->summary());
    return *embedder_;
  }

  const CrossModel& model_;
  std::optional<Embedder> embedder_;
};

std::string cell_text(const CrossCell& cell, const char* wanted) {
  double value = 0;
  for (const auto& [name, found] : score_values(cell.scores.plain))
    if (name == wanted) value = found;
  return fmt::format("{:.2f}{}", 100 * value, cell.is_same_domain ? kSameMark : " ");
}

Table table_of(const CrossTable& cross, const ShownScore& shown) {
  Table table{.header = {shown.title}, .rows = {}};
  for (const CrossTable::Name& dataset : cross.datasets)
    table.header.push_back(dataset.name + " ");
  for (std::size_t model = 0; model < cross.models.size(); ++model) {
    std::vector<std::string> row{cross.models[model].name};
    for (std::size_t dataset = 0; dataset < cross.datasets.size(); ++dataset)
      row.push_back(cell_text(cross.at(model, dataset), shown.name));
    table.rows.push_back(std::move(row));
  }
  return table;
}

bool has_same_domain(const CrossTable& table) {
  return std::ranges::any_of(table.cells, &CrossCell::is_same_domain);
}

Table table_of_places(const char* title, const char* place, const std::vector<CrossTable::Name>& names) {
  Table table{.header = {title, place}, .rows = {}};
  for (const CrossTable::Name& one : names)
    table.rows.push_back({one.name, one.place});
  return table;
}

} // namespace

DatasetPlace place_of(const Dataset& dataset) {
  return {.name = dataset.name, .root = std::filesystem::weakly_canonical(dataset.root)};
}

std::int64_t count_cross_images(std::span<const CrossModel> models, std::span<const CrossDataset> datasets) {
  std::size_t images = 0;
  for (const CrossDataset& set : datasets) {
    require_evaluation_lists(set.dataset);
    images += set.dataset.query.size() + set.dataset.gallery.size();
  }
  return static_cast<std::int64_t>(images * models.size());
}

CrossTable evaluate_cross_domain(std::span<const CrossModel> models, std::span<const CrossDataset> datasets,
                                 Progress* progress) {
  CrossTable table;
  for (const CrossDataset& set : datasets)
    table.datasets.push_back({set.name, set.dataset.root.string()});
  for (const CrossModel& model : models) {
    table.models.push_back({model.name, model.embedder.weights});
    CrossRow row(model);
    for (const CrossDataset& set : datasets)
      table.cells.push_back(row.evaluate(set, progress));
  }
  return table;
}

std::string to_text(const CrossTable& table) {
  std::string text;
  for (const ShownScore& shown : kShown)
    text += table_text(table_of(table, shown)) + "\n";
  return has_same_domain(table) ? text + kSameMeans + "\n" : text.substr(0, text.size() - 1);
}

nlohmann::json to_json(const CrossTable& table) {
  nlohmann::json cells = nlohmann::json::array();
  for (std::size_t model = 0; model < table.models.size(); ++model)
    for (std::size_t dataset = 0; dataset < table.datasets.size(); ++dataset) {
      const CrossCell& cell = table.at(model, dataset);
      nlohmann::json json = to_json(cell.scores, AveragePrecision::plain);
      json["weights"] = table.models[model].name;
      json["file"] = table.models[model].place;
      json["dataset"] = table.datasets[dataset].name;
      json["root"] = table.datasets[dataset].place;
      json["same_domain"] = cell.is_same_domain;
      cells.push_back(std::move(json));
    }
  return {{"cells", std::move(cells)}};
}

std::string to_page(const CrossTable& table) {
  std::string html = open_page({.title = "Scores across domains",
                                .intro = {"Every model on every dataset, in percent."},
                                .facts = {{"Models", std::to_string(table.models.size())},
                                          {"Datasets", std::to_string(table.datasets.size())}}});
  for (const ShownScore& shown : kShown)
    html += table_html(table_of(table, shown));
  if (has_same_domain(table)) html += fmt::format("<p>{}.</p>\n", kSameMeans);
  html += table_html(table_of_places("model", "weights", table.models));
  html += table_html(table_of_places("dataset", "folder", table.datasets));
  return html + close_page();
}

} // namespace vlreid
