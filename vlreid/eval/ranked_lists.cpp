#include "vlreid/eval/ranked_lists.h"

#include "vlreid/base/error.h"
#include "vlreid/report/ranked_page.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace vlreid {
namespace {

// Half of the queries are the hardest ones (lowest average precision), the others are spread evenly over the
// list.
std::vector<std::size_t> choose_queries(const std::vector<QueryResult>& results, std::size_t wanted) {
  std::vector<std::size_t> scored;
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].matches > 0) scored.push_back(i);
  wanted = std::min(wanted, scored.size());
  std::vector<std::size_t> hardest = scored;
  std::ranges::stable_sort(hardest, {}, [&](std::size_t i) { return results[i].average_precision; });
  std::set<std::size_t> seen(hardest.begin(), hardest.begin() + static_cast<std::ptrdiff_t>(wanted / 2));
  std::vector<std::size_t> chosen(hardest.begin(), hardest.begin() + static_cast<std::ptrdiff_t>(wanted / 2));
  for (std::size_t i = 0; i < wanted && chosen.size() < wanted; ++i) {
    const std::size_t candidate = scored[i * scored.size() / wanted];
    if (seen.insert(candidate).second) chosen.push_back(candidate);
  }
  return chosen;
}

RankedQuery describe(const QueryResult& result, const LabelledFeatures& features) {
  const auto row = static_cast<std::size_t>(result.query);
  RankedQuery query{.image = features.query.paths[row],
                    .caption =
                        fmt::format("identity {}, {} matches, first at rank {}",
                                    features.query.identities[row], result.matches, result.first_hit_rank),
                    .results = {},
                    .ap = result.average_precision};
  for (const RankedImage& image : result.list)
    query.results.push_back({.path = features.gallery.paths[static_cast<std::size_t>(image.index)],
                             .distance = image.distance,
                             .is_match = image.is_match,
                             .is_same_camera = image.is_junk});
  return query;
}

std::vector<std::string> metrics_row(const std::string& name, const Metrics& metrics,
                                     AveragePrecision convention) {
  std::vector<std::string> cells{name, fmt::format("{:.2f}", 100 * average_precision(metrics, convention)),
                                 fmt::format("{:.2f}", 100 * metrics.mean_inverse_negative_penalty)};
  for (const std::size_t rank : {1u, 5u, 10u})
    cells.push_back(fmt::format(
        "{:.2f}",
        metrics.cmc.empty() ? 0 : 100 * metrics.cmc[std::min<std::size_t>(rank, metrics.cmc.size()) - 1]));
  return cells;
}

Table metrics_table(const Scores& scores, AveragePrecision convention) {
  Table table{.header = {"", "mAP", "mINP", "Rank-1", "Rank-5", "Rank-10"}, .rows = {}};
  table.rows.push_back(metrics_row("plain", scores.plain, convention));
  if (scores.reranked) table.rows.push_back(metrics_row("re-ranked", *scores.reranked, convention));
  return table;
}

} // namespace

void write_ranked_lists(const std::filesystem::path& path, const LabelledFeatures& features,
                        const Scores& scores, const RankedListsOptions& options) {
  VLREID_REQUIRE(!features.query.paths.empty() && !features.gallery.paths.empty(), ErrorKind::data,
                 path.string(), "the features come without paths", "paths of the images in their metadata",
                 "make the features with eval --save-features");
  VLREID_REQUIRE(scores.trials == 0, ErrorKind::usage, path.string(), "the scores are a mean over trials",
                 "one query list", "leave out --page for this dataset");
  std::vector<RankedQuery> queries;
  for (const std::size_t query :
       choose_queries(scores.plain.per_query, static_cast<std::size_t>(options.queries)))
    queries.push_back(describe(scores.plain.per_query[query], features));
  PageOptions page{
      .title = "Ranked lists: " + options.title,
      .intro = {},
      .facts = {{"Queries", fmt::format("{} counted, {} without a match", scores.plain.counted_queries,
                                        scores.plain.skipped_queries)},
                {"Gallery", fmt::format("{} images", features.gallery.size())}},
      .metrics = metrics_table(scores, options.convention)};
  if (!options.note.empty()) page.intro.push_back(options.note);
  page.intro.push_back("The first half are the hardest queries, the others a cross-section. Nearest first; "
                       "the plain ranking, without re-ranking.");
  write_ranked_page(path, page, queries);
}

} // namespace vlreid
