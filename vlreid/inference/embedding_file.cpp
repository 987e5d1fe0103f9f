#include "vlreid/inference/embedding_file.h"

#include "vlreid/archive/writers.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <fmt/format.h>
#include <vector>

namespace vlreid {
namespace fs = std::filesystem;
namespace {

// NAME.paths.txt: one path a line.
class PathList {
public:
  explicit PathList(const fs::path& target) : file_(target.string() + ".paths.txt") {}
  void add(std::string_view path) {
    text_ += path;
    text_ += '\n';
    if (text_.size() > kBuffer) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

private:
  static constexpr std::size_t kBuffer = 1 << 20;
  void flush() {
    file_.write(text_);
    text_.clear();
  }
  AtomicFile file_;
  std::string text_;
};

class SafetensorsRows : public EmbeddingFile {
public:
  SafetensorsRows(const fs::path& path, const EmbeddingFileOptions& options)
      : writer_(path, {{.name = "features", .dtype = Dtype::float32, .shape = {options.rows, options.dims}}},
                options.metadata),
        paths_(path) {}
  void add(std::string_view path, std::span<const float> row) override {
    writer_.append(std::as_bytes(row));
    paths_.add(path);
  }
  void commit() override {
    paths_.commit();
    writer_.commit();
  }

private:
  SafetensorsWriter writer_;
  PathList paths_;
};

// numpy's format 1.0: magic, version, length, a Python dictionary padded to a multiple of 64 bytes, then the
// rows.
class NpyRows : public EmbeddingFile {
public:
  NpyRows(const fs::path& path, const EmbeddingFileOptions& options) : file_(path), paths_(path) {
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                                     options.rows, options.dims);
    constexpr std::size_t kPrefix = 10;
    header.append((64 - (kPrefix + header.size() + 1) % 64) % 64, ' ');
    header += '\n';
    const auto length = static_cast<std::uint16_t>(header.size());
    const char prefix[] = {'\x93',
                           'N',
                           'U',
                           'M',
                           'P',
                           'Y',
                           1,
                           0,
                           static_cast<char>(length & 0xff),
                           static_cast<char>(length >> 8)};
    file_.write(std::string_view(prefix, sizeof prefix));
    file_.write(header);
  }
  void add(std::string_view path, std::span<const float> row) override {
    file_.write(std::as_bytes(row));
    paths_.add(path);
  }
  void commit() override {
    paths_.commit();
    file_.commit();
  }

private:
  AtomicFile file_;
  PathList paths_;
};

class CsvRows : public EmbeddingFile {
public:
  CsvRows(const fs::path& path, const EmbeddingFileOptions& options) : file_(path) {
    std::string header = "path";
    for (std::int64_t i = 0; i < options.dims; ++i)
      header += fmt::format(",f{}", i);
    file_.write(header + '\n');
  }
  void add(std::string_view path, std::span<const float> row) override {
    std::string line = quote(path);
    for (const float value : row)
      fmt::format_to(std::back_inserter(line), ",{}", value);
    file_.write(line + '\n');
  }
  void commit() override { file_.commit(); }

private:
  static std::string quote(std::string_view text) {
    if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text)
      out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
  }
  AtomicFile file_;
};

} // namespace

void check_embedding_file_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  VLREID_REQUIRE(extension == ".safetensors" || extension == ".npy" || extension == ".csv", ErrorKind::usage,
                 path.string(), "unknown form '" + extension + "'",
                 "a name that ends in .safetensors, .npy or .csv", "change --out");
}

std::unique_ptr<EmbeddingFile> make_embedding_file(const fs::path& path,
                                                   const EmbeddingFileOptions& options) {
  check_embedding_file_name(path);
  if (path.extension() == ".npy") return std::make_unique<NpyRows>(path, options);
  if (path.extension() == ".csv") return std::make_unique<CsvRows>(path, options);
  return std::make_unique<SafetensorsRows>(path, options);
}

} // namespace vlreid
