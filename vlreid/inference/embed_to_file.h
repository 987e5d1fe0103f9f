// The job behind `embed`: a list of images -> a file of rows, in constant memory, resumable after a kill.
// While it runs, finished rows stand in OUT.partial (row_log.h); at the end OUT is written whole and
// OUT.partial goes away.
#pragma once

#include "vlreid/inference/embedder.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vlreid {

class Progress;

struct EmbedReport {
  std::int64_t embedded = 0, resumed = 0; // resumed: rows of an earlier run among them
  std::vector<UnreadableImage> unreadable;
};

struct EmbedToFileOptions {
  std::filesystem::path out;
  bool may_resume = false;
  bool normalise = false; // rows of length 1
  Progress* progress = nullptr;
};

EmbedReport embed_to_file(Embedder& embedder, const std::vector<std::string>& paths,
                          const EmbedToFileOptions& options);

} // namespace vlreid
