#include "vlreid/eval/ranked_lists.h"

#include "vlreid/base/error.h"
#include "vlreid/report/ranked_page.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace vlreid {
namespace {

// Places in the list of queries that have a match.
std::vector<std::size_t> scored_queries(const std::vector<QueryResult>& results) {
  std::vector<std::size_t> scored;
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].matches > 0) scored.push_back(i);
  return scored;
}

// The lowest average precisions, the lowest first.
std::vector<std::size_t> hardest_queries(const std::vector<QueryResult>& results, std::size_t wanted) {
  std::vector<std::size_t> hardest = scored_queries(results);
  std::ranges::stable_sort(hardest, {}, [&](std::size_t i) { return results[i].average_precision; });
  hardest.resize(std::min(wanted, hardest.size()));
  return hardest;
}

// Evenly over the list, without those of `but`.
std::vector<std::size_t> spread_queries(const std::vector<QueryResult>& results, std::size_t wanted,
                                        const std::vector<std::size_t>& but) {
  const std::vector<std::size_t> scored = scored_queries(results);
  wanted = std::min(wanted, scored.size());
  std::set<std::size_t> seen(but.begin(), but.end());
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < wanted; ++i) {
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

void require_lists(const std::string& place, const LabelledFeatures& features, const Scores& scores) {
  VLREID_REQUIRE(!features.query.paths.empty() && !features.gallery.paths.empty(), ErrorKind::data, place,
                 "the features come without paths", "paths of the images in their metadata",
                 "make the features with eval --save-features");
  VLREID_REQUIRE(scores.trials == 0, ErrorKind::usage, place, "the scores are a mean over trials",
                 "one query list", "leave out --page for this dataset");
}

std::vector<RankedQuery> describe_all(const std::vector<std::size_t>& queries,
                                      const LabelledFeatures& features, const Scores& scores) {
  std::vector<RankedQuery> described;
  for (const std::size_t query : queries)
    described.push_back(describe(scores.plain.per_query[query], features));
  return described;
}

} // namespace

void write_ranked_lists(const std::filesystem::path& path, const LabelledFeatures& features,
                        const Scores& scores, const RankedListsOptions& options) {
  require_lists(path.string(), features, scores);
  const auto wanted = static_cast<std::size_t>(options.queries);
  const std::vector<QueryResult>& results = scores.plain.per_query;
  std::vector<std::size_t> chosen = hardest_queries(results, wanted / 2);
  for (const std::size_t query : spread_queries(results, wanted - chosen.size(), chosen))
    chosen.push_back(query);
  const std::vector<RankedQuery> queries = describe_all(chosen, features, scores);
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

RunExamples ranked_examples(const LabelledFeatures& features, const Scores& scores,
                            const std::string& dataset, int queries) {
  require_lists(dataset, features, scores);
  const auto wanted = static_cast<std::size_t>(queries);
  const std::vector<QueryResult>& results = scores.plain.per_query;
  const std::vector<std::size_t> hardest = hardest_queries(results, wanted);
  return {.dataset = dataset,
          .queries = describe_all(spread_queries(results, wanted, hardest), features, scores),
          .hardest = describe_all(hardest, features, scores)};
}

} // namespace vlreid
