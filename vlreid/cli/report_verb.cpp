#include "vlreid/cli/verb.h"
#include "vlreid/report/run_page.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out;
  bool as_json = false;
};

nlohmann::json to_json(const RunRecord& record) {
  nlohmann::json json{{"epoch", record.at.epoch}};
  for (const auto& [name, value] : record.values)
    json[name] = value;
  return json;
}

nlohmann::json to_json(const std::vector<RunScores>& all) {
  nlohmann::json json = nlohmann::json::array();
  for (const RunScores& scores : all)
    json.push_back({{"run", scores.run},
                    {"dataset", scores.final.dataset},
                    {"stage", scores.final.at.stage},
                    {"final", to_json(scores.final)},
                    {"best", to_json(scores.best)}});
  return json;
}

std::filesystem::path page_path(const ReportArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  return arguments.runs.size() == 1 ? std::filesystem::path(arguments.runs.front()) / kRunPageFile
                                    : std::filesystem::path(kRunPageFile);
}

int run_report(const ReportArguments& arguments) {
  const std::vector<RunSummary> runs = load_runs(arguments.runs);
  const std::filesystem::path path = page_path(arguments);
  write_run_page(path, runs);
  if (arguments.as_json)
    fmt::print("{}\n",
               to_json(scores_of(runs)).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    fmt::print("{}{}\n", table_text(scores_table(runs)), path.string());
  return 0;
}

} // namespace

Verb make_report_verb(const std::string& verb_summary) {
  return {.name = "report",
          .summary = verb_summary,
          .example = "vlreid report runs/baseline runs/clip-reid --out report.html",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<ReportArguments>();
            options.words("RUN", arguments->runs, "folders of training runs (their OUTPUT_DIR)",
                          {.is_required = true});
            options.text("--out", arguments->out,
                         "the page (of one run: report.html in its folder, else report.html here)",
                         {.shows_default = false});
            options.flag("--json", arguments->as_json, "print the scores as JSON");
            return [arguments] { return run_report(*arguments); };
          }};
}

} // namespace vlreid
