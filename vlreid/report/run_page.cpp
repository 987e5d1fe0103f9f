#include "vlreid/report/run_page.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/image/decode.h"
#include "vlreid/report/attention_overlay.h"
#include "vlreid/report/run_curves.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace vlreid {
namespace {

std::string heading(std::string_view text) {
  return fmt::format("<h2>{}</h2>\n", escape_html(text));
}

std::string paragraph(std::string_view text) {
  return fmt::format("<p>{}</p>\n", escape_html(text));
}

std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.2f}", 100 * *share) : "–";
}

// "rank1" as people write it.
std::string title_of(const std::string& score) {
  return score.starts_with("rank") ? "Rank-" + score.substr(4) : score;
}

std::vector<std::string> score_names(const std::vector<RunScores>& all) {
  std::vector<std::string> names;
  for (const RunScores& scores : all)
    for (const auto& [name, value] : scores.final.values)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return names;
}

bool are_alike(const std::vector<RunScores>& all) {
  return std::ranges::all_of(all, [&](const RunScores& scores) {
    return scores.final.dataset == all.front().final.dataset &&
           scores.final.at.stage == all.front().final.at.stage;
  });
}

std::string row_name(const RunScores& scores, bool needs_place) {
  if (!needs_place) return scores.run;
  return fmt::format("{}, {}{}stage {}", scores.run, scores.final.dataset,
                     scores.final.dataset.empty() ? "" : ", ", scores.final.at.stage);
}

Table speed_table(std::span<const RunSummary> runs) {
  Table table{.header = {"run", "stage", "seconds a batch", "waiting for data"}, .rows = {}};
  for (const RunSpeed& speed : speeds_of(runs))
    table.rows.push_back({speed.run, std::to_string(speed.stage),
                          fmt::format("{:.3f}", speed.seconds_per_batch),
                          fmt::format("{:.1f}%", 100 * speed.data_share)});
  return table;
}

Table option_table(std::span<const RunSummary> runs) {
  Table table{.header = {"option"}, .rows = {}};
  if (runs.size() == 1) table.header.push_back("default");
  for (const RunSummary& run : runs)
    table.header.push_back(run.name);
  for (const OptionDifference& difference : option_differences(runs)) {
    std::vector<std::string> row{difference.key};
    if (runs.size() == 1) row.push_back(difference.default_value);
    row.insert(row.end(), difference.values.begin(), difference.values.end());
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string charts_html(const std::vector<Chart>& charts) {
  std::string html;
  for (const Chart& chart : charts)
    html += chart_html(chart);
  return html.empty() ? html : "<div class=\"charts\">\n" + html + "</div>\n";
}

std::string picture_html(const Image& image, const std::string& name) {
  return fmt::format("<img src=\"{}\" alt=\"{}\" loading=\"lazy\">", thumbnail_uri(image), name);
}

// The crop beside itself under the map.
std::string attention_html(const AttentionMap& map) {
  const std::string name = escape_html(map.image.filename().string());
  std::string pictures;
  try {
    const Image crop = shrunk_to_fit(load_image(map.image), {});
    pictures = picture_html(crop, name) + picture_html(attention_overlay(crop, map), name);
  } catch (const Error&) {
    pictures = fmt::format("<span class=\"lost\">{}</span>", name);
  }
  return fmt::format(
      "<figure class=\"pair\" title=\"{}\"><span class=\"frame\">{}</span><figcaption>{}</figcaption>"
      "</figure>\n",
      name, pictures, escape_html(map.caption));
}

std::string examples_html(const RunSummary& run, const std::string& suffix) {
  const RunExamples& examples = run.examples;
  std::string html;
  if (!examples.hardest.empty())
    html += heading("Hardest queries" + suffix) + paragraph("Lowest average precision first.") +
            ranked_lists_html(examples.hardest, {});
  if (!examples.queries.empty())
    html += heading("Ranked lists" + suffix) + paragraph("A cross-section of the queries, nearest first.") +
            ranked_lists_html(examples.queries, {});
  if (examples.attention.empty()) return html;
  html +=
      heading("Attention of the class token" + suffix) +
      paragraph("Where the class token of the last block looks, mean over its heads, from dark to bright.") +
      "<div class=\"pairs\">\n";
  for (const AttentionMap& map : examples.attention)
    html += attention_html(map);
  return html + "</div>\n";
}

std::vector<Fact> facts_of(const RunSummary& run) {
  std::vector<Fact> facts;
  const auto records = std::span(run.records);
  const std::vector<RunScores> scores = scores_of({&run, 1});
  if (!scores.empty()) {
    const RunRecord& final = scores.back().final;
    if (!final.dataset.empty()) facts.push_back({"Dataset", final.dataset});
    for (const char* name : {"mAP", "rank1"})
      if (final.value(name)) facts.push_back({title_of(name), percent(final.value(name)) + "%"});
  }
  if (!records.empty())
    facts.push_back(
        {"Trained to", fmt::format("stage {}, epoch {}", records.back().at.stage, records.back().at.epoch)});
  return facts;
}

PageHead head_of(std::span<const RunSummary> runs) {
  if (runs.size() == 1)
    return {.title = "Training run: " + runs.front().name, .facts = facts_of(runs.front())};
  std::string names;
  for (const RunSummary& run : runs)
    names += (names.empty() ? "" : ", ") + run.name;
  return {.title = fmt::format("{} training runs", runs.size()), .intro = {names}};
}

std::string options_html(std::span<const RunSummary> runs) {
  const bool is_one = runs.size() == 1;
  const Table table = option_table(runs);
  if (table.rows.empty())
    return is_one ? "" : heading("Options") + paragraph("All options of the runs are the same.");
  return heading(is_one ? "Options other than the defaults" : "Options in which the runs differ") +
         table_html(table);
}

} // namespace

Table scores_table(std::span<const RunSummary> runs) {
  const std::vector<RunScores> all = scores_of(runs);
  const std::vector<std::string> names = score_names(all);
  Table table{.header = {"run", "epoch"}, .rows = {}};
  for (const std::string& name : names)
    table.header.push_back(title_of(name));
  table.header.insert(table.header.end(), {"best mAP", "at epoch"});
  const bool needs_place = !are_alike(all);
  for (const RunScores& scores : all) {
    std::vector<std::string> row{row_name(scores, needs_place), std::to_string(scores.final.at.epoch)};
    for (const std::string& name : names)
      row.push_back(percent(scores.final.value(name)));
    row.insert(row.end(), {percent(scores.best.value("mAP")), std::to_string(scores.best.at.epoch)});
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string run_page(std::span<const RunSummary> runs) {
  std::string html = open_page(head_of(runs));
  html += heading("Scores") + table_html(scores_table(runs)) + charts_html(score_charts(runs));
  html += heading("Training") + charts_html(training_charts(runs)) + table_html(speed_table(runs));
  html += options_html(runs);
  for (const RunSummary& run : runs)
    html += examples_html(run, runs.size() == 1 ? "" : ": " + run.name);
  return html + close_page();
}

void write_run_page(const std::filesystem::path& path, std::span<const RunSummary> runs) {
  write_file(path, run_page(runs));
}

} // namespace vlreid
