// A page of ranked lists: queries with what the system found for them, hits framed green, misses red, results
// of the query's own camera (which do not count) grey. One HTML file that holds everything; see html.h.
#pragma once

#include "vlreid/report/html.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct PageOptions {
  std::string title = "Ranked lists";
  std::vector<std::string> intro = {}; // paragraphs
  std::vector<Fact> facts = {};        // e.g. {"Weights", "ViT-B-16_60.pth"}
  Table metrics = {};                  // left out when it has no rows
  ThumbnailOptions thumbnails = {};
};

struct RankedResult {
  std::filesystem::path path;
  double distance = 0;
  bool is_match = false;
  bool is_same_camera = false; // junk: the query's identity seen by the query's camera
};

struct RankedQuery {
  std::filesystem::path image = {};
  std::string caption = {};
  std::vector<RankedResult> results = {}; // nearest first
  double ap = 0;                          // average precision, 0..1
};

// The legend and the lists alone, for other pages.
std::string ranked_lists_html(std::span<const RankedQuery> queries, const ThumbnailOptions& thumbnails);

std::string ranked_page(const PageOptions& options, std::span<const RankedQuery> queries);

// Written atomically. Pictures that cannot be read become placeholders with their name.
void write_ranked_page(const std::filesystem::path& path, const PageOptions& options,
                       const std::vector<RankedQuery>& queries);

} // namespace vlreid
