#include "vlreid/inference/embed_to_file.h"

#include "vlreid/base/error.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/stop.h"
#include "vlreid/batches/image_batches.h"
#include "vlreid/image/decode.h"
#include "vlreid/inference/embedding_file.h"
#include "vlreid/inference/row_log.h"

#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <zlib.h> // crc32

namespace vlreid {
namespace {

std::uint32_t checksum(const std::vector<std::string>& paths) {
  uLong crc = 0;
  for (const std::string& path : paths)
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(path.c_str()), static_cast<uInt>(path.size() + 1));
  return static_cast<std::uint32_t>(crc);
}

std::string fingerprint(const Embedder& embedder, const std::vector<std::string>& paths) {
  return fmt::format("{}; images {} {:08x}", embedder.fingerprint(), paths.size(), checksum(paths));
}

std::size_t whole_batches(std::size_t rows, std::size_t batch, std::size_t total) {
  return rows >= total ? total : rows / batch * batch;
}

void append(RowLog& log, const EmbeddedBatch& batch, std::size_t dims) {
  std::size_t row = 0;
  for (std::size_t item = log.size(); item < batch.end_item; ++item) {
    const bool is_embedded = row < batch.items.size() && batch.items[row] == item;
    if (is_embedded)
      log.append(RowLog::Status::embedded, batch.rows.subspan(row++ * dims, dims));
    else
      log.append(RowLog::Status::unreadable, {});
  }
  log.flush();
}

// The reason, for images that an earlier run could not read.
std::string why_unreadable(const std::string& path) {
  try {
    load_image(path);
    return path + ": could not be read by the run that was resumed; it can now";
  } catch (const Error& error) {
    return error.what();
  }
}

EmbedReport summarise(const RowLog& log, const std::vector<std::string>& paths,
                      std::vector<UnreadableImage> seen) {
  EmbedReport report;
  log.for_each([&](std::size_t item, std::span<const float> row) {
    if (!row.empty()) {
      ++report.embedded;
      return;
    }
    const auto known = std::ranges::find(seen, item, &UnreadableImage::item);
    report.unreadable.push_back({item, known != seen.end() ? known->message : why_unreadable(paths[item])});
  });
  return report;
}

std::vector<float> unit_length(std::span<const float> row) {
  const double length = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
  std::vector<float> out(row.begin(), row.end());
  if (length > 0)
    for (float& value : out)
      value = static_cast<float>(value / length);
  return out;
}

void write_rows(const RowLog& log, const Embedder& embedder, const std::vector<std::string>& paths,
                std::int64_t rows, const EmbedToFileOptions& options) {
  const auto file =
      make_embedding_file(options.out, {.rows = rows,
                                        .dims = embedder.dims(),
                                        .metadata = {{"model", embedder.summary()},
                                                     {"weights", embedder.options().weights},
                                                     {"normalised", options.normalise ? "yes" : "no"}}});
  log.for_each([&](std::size_t item, std::span<const float> row) {
    if (row.empty()) return;
    if (options.normalise)
      file->add(paths[item], unit_length(row));
    else
      file->add(paths[item], row);
  });
  file->commit();
}

} // namespace

EmbedReport embed_to_file(Embedder& embedder, const std::vector<std::string>& paths,
                          const EmbedToFileOptions& options) {
  check_embedding_file_name(options.out);
  RowLog log(options.out.string() + ".partial", fingerprint(embedder, paths), embedder.dims(),
             options.may_resume);
  const auto batch_size = static_cast<std::size_t>(embedder.options().batch_size);
  log.truncate(whole_batches(log.size(), batch_size, paths.size()));
  const std::size_t resumed = log.size();
  if (options.progress != nullptr) options.progress->add_resumed(static_cast<std::int64_t>(resumed));

  std::vector<UnreadableImage> unreadable;
  embedder.run(paths, {}, resumed, [&](const EmbeddedBatch& batch) {
    const std::size_t before = log.size();
    append(log, batch, static_cast<std::size_t>(embedder.dims()));
    unreadable.insert(unreadable.end(), batch.unreadable.begin(), batch.unreadable.end());
    if (options.progress != nullptr) options.progress->add(static_cast<std::int64_t>(log.size() - before));
    throw_if_stopped();
  });
  log.flush(true);

  EmbedReport report = summarise(log, paths, std::move(unreadable));
  report.resumed = static_cast<std::int64_t>(resumed);
  write_rows(log, embedder, paths, report.embedded, options);
  log.remove();
  return report;
}

} // namespace vlreid
