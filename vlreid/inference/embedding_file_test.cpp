#include "vlreid/inference/embedding_file.h"

#include "vlreid/archive/safetensors.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include "tests/support/temp_folder.h"

#include <array>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

void write_two_rows(const std::filesystem::path& path) {
  const auto file = make_embedding_file(path, {.rows = 2, .dims = 3, .metadata = {{"weights", "w.pth"}}});
  file->add("a,\"b\".jpg", std::array{1.0f, 0.5f, -2.0f});
  file->add("c.jpg", std::array{1e-7f, 3.0f, 0.1f});
  file->commit();
}

TEST(EmbeddingFile, Safetensors) {
  const TempFolder folder;
  write_two_rows(folder / "e.safetensors");
  const SafetensorsFile file(folder / "e.safetensors");
  EXPECT_EQ(file.at("features").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(values<float>(file.at("features"))[2], -2.0f);
  EXPECT_EQ(file.metadata().at("weights"), "w.pth");
  EXPECT_EQ(read_text(folder / "e.safetensors.paths.txt"), "a,\"b\".jpg\nc.jpg\n");
}

TEST(EmbeddingFile, Csv) {
  const TempFolder folder;
  write_two_rows(folder / "e.csv");
  EXPECT_EQ(read_text(folder / "e.csv"), "path,f0,f1,f2\n\"a,\"\"b\"\".jpg\",1,0.5,-2\nc.jpg,1e-07,3,0.1\n");
}

TEST(EmbeddingFile, NpyHeaderIsAlignedAndRowsFollow) {
  const TempFolder folder;
  write_two_rows(folder / "e.npy");
  const std::string text = read_text(folder / "e.npy");
  ASSERT_EQ(text.substr(0, 6), "\x93NUMPY");
  const std::size_t data =
      10 + static_cast<unsigned char>(text[8]) + 256u * static_cast<unsigned char>(text[9]);
  EXPECT_EQ(data % 64, 0u);
  EXPECT_NE(text.find("'shape': (2, 3)"), std::string::npos);
  EXPECT_EQ(text.size(), data + 6 * sizeof(float));
}

TEST(EmbeddingFile, NothingStaysWithoutCommit) {
  const TempFolder folder;
  make_embedding_file(folder / "e.npy", {.rows = 2, .dims = 3})->add("a", std::array{1.0f, 2.0f, 3.0f});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(EmbeddingFile, UnknownFormIsAUsageError) {
  try {
    check_embedding_file_name("e.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
  }
}

} // namespace
} // namespace vlreid
