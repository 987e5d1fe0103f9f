// Rows of embeddings -> a file in the form that its name asks for: .safetensors (tensor "features" [N, F]),
// .npy ([N, F], float32, C order) or .csv (path, then F numbers). Beside the first two stands NAME.paths.txt,
// one path a line, in row order. Rows are streamed; the files appear complete or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vlreid {

class EmbeddingFile {
public:
  virtual ~EmbeddingFile() = default;
  // REQUIRES: as many calls as rows announced, F values each.
  virtual void add(std::string_view path, std::span<const float> row) = 0;
  virtual void commit() = 0;
};

// A usage error unless the name ends in .safetensors, .npy or .csv.
void check_embedding_file_name(const std::filesystem::path& path);

struct EmbeddingFileOptions {
  std::int64_t rows = 0;
  std::int64_t dims = 0;
  std::map<std::string, std::string> metadata = {}; // kept in safetensors
};
std::unique_ptr<EmbeddingFile> make_embedding_file(const std::filesystem::path& path,
                                                   const EmbeddingFileOptions& options);

} // namespace vlreid
