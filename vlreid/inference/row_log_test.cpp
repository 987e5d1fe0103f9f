#include "vlreid/inference/row_log.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include "tests/support/temp_folder.h"

#include <array>
#include <fstream>
#include <gtest/gtest.h>
#include <map>

namespace vlreid {
namespace {

using Rows = std::map<std::size_t, std::vector<float>>;

Rows read(const RowLog& log) {
  Rows rows;
  log.for_each([&](std::size_t item, std::span<const float> row) { rows[item] = {row.begin(), row.end()}; });
  return rows;
}

void write_three(const std::filesystem::path& path) {
  RowLog log(path, "weights A", 2, false);
  log.append(RowLog::Status::embedded, std::array{1.0f, 2.0f});
  log.append(RowLog::Status::unreadable, {});
  log.append(RowLog::Status::embedded, std::array{5.0f, 6.0f});
  log.flush();
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(RowLog, KeepsRowsOverRuns) {
  const TempFolder folder;
  write_three(folder / "log");
  RowLog log(folder / "log", "weights A", 2, true);
  EXPECT_EQ(log.size(), 3u);
  log.append(RowLog::Status::embedded, std::array{7.0f, 8.0f});
  log.flush(true);
  EXPECT_EQ(read(log), (Rows{{0, {1, 2}}, {1, {}}, {2, {5, 6}}, {3, {7, 8}}}));
}

TEST(RowLog, DropsARecordCutOffByAKill) {
  const TempFolder folder;
  write_three(folder / "log");
  std::filesystem::resize_file(folder / "log", std::filesystem::file_size(folder / "log") - 3);
  EXPECT_EQ(RowLog(folder / "log", "weights A", 2, true).size(), 2u);
}

TEST(RowLog, DropsEverythingFromADamagedRecordOn) {
  const TempFolder folder;
  write_three(folder / "log");
  {
    std::fstream file(folder / "log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(16 + 9 + 8); // first float of the first record, behind the header and the fingerprint
    file.put('x');
  }
  EXPECT_EQ(RowLog(folder / "log", "weights A", 2, true).size(), 0u);
}

TEST(RowLog, TruncatesToTheStartOfABatch) {
  const TempFolder folder;
  write_three(folder / "log");
  RowLog log(folder / "log", "weights A", 2, true);
  log.truncate(1);
  EXPECT_EQ(read(log), (Rows{{0, {1, 2}}}));
}

TEST(RowLog, RefusesRowsOfSomethingElse) {
  const TempFolder folder;
  write_three(folder / "log");
  EXPECT_EQ(kind_of([&] { RowLog(folder / "log", "weights B", 2, true); }), ErrorKind::data);
  EXPECT_EQ(kind_of([&] { RowLog(folder / "log", "weights A", 3, true); }), ErrorKind::data);
  EXPECT_EQ(kind_of([&] { RowLog(folder / "log", "weights A", 2, false); }), ErrorKind::cannot_create);
}

TEST(RowLog, BelongsToOneProcess) {
  const TempFolder folder;
  RowLog log(folder / "log", "weights A", 2, false);
  EXPECT_EQ(kind_of([&] { RowLog(folder / "log", "weights A", 2, true); }), ErrorKind::locked);
}

TEST(RowLog, RemovesItsFile) {
  const TempFolder folder;
  RowLog log(folder / "log", "weights A", 2, false);
  log.remove();
  EXPECT_TRUE(list_files(folder.path()).empty());
}

} // namespace
} // namespace vlreid
