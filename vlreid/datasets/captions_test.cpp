#include "vlreid/datasets/captions.h"

#include "tests/support/temp_folder.h"
#include "vlreid/base/error.h"

#include <fstream>
#include <gtest/gtest.h>

namespace vlreid {
namespace {
namespace fs = std::filesystem;

class Captions : public testing::Test {
protected:
  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  CaptionSet open(const std::string& name, const std::string& text, const fs::path& root = {}) {
    return open_captions(write(name, text), root);
  }
  std::string error(const std::string& name, const std::string& text, ErrorKind kind = ErrorKind::data) {
    write("a.jpg", "");
    try {
      open(name, text);
    } catch (const Error& caught) {
      EXPECT_EQ(caught.kind(), kind) << caught.what();
      EXPECT_FALSE(caught.fault().remedy.empty());
      return caught.what();
    }
    return "no error";
  }
  void expect_error(const std::string& text, const std::string& part, const std::string& name = "c.json") {
    const std::string message = error(name, text);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  TempFolder folder_;
};

TEST_F(Captions, CuhkPedes) {
  write("imgs/cam_a/001.jpg", "");
  const CaptionSet set = open("reid_raw.json", R"([
    {"split": "train", "captions": ["A man.", "He walks."], "file_path": "cam_a/001.jpg",
     "processed_tokens": [["a", "man"], ["he", "walks"]], "id": 7},
    {"split": "test", "captions": ["A woman."], "file_path": "cam_a/002.jpg", "processed_tokens": [], "id": 3},
    {"split": "val", "captions": ["The man."], "file_path": "cam_b/003.jpg", "id": 7}])");
  ASSERT_EQ(set.images.size(), 3U);
  EXPECT_EQ(set.images_root, folder_ / "imgs");
  EXPECT_EQ(set.images[0], (CaptionedImage{.path = (folder_ / "imgs/cam_a/001.jpg").string(),
                                           .identity = 0,
                                           .split = CaptionSplit::train,
                                           .captions = {"A man.", "He walks."}}));
  EXPECT_EQ(set.images[1].identity, 1);
  EXPECT_EQ(set.images[2].identity, 0);
  EXPECT_EQ(set.images[2].split, CaptionSplit::val);
  EXPECT_EQ(set.identities, 2);
  EXPECT_EQ(select_split(set, "test").size(), 1U);
  EXPECT_EQ(select_split(set, "all").size(), 3U);
  EXPECT_THROW(select_split(set, "tset"), Error);
}

TEST_F(Captions, RstpReidAndIcfgPedes) {
  write("imgs/0000_c14_0031.jpg", "");
  const CaptionSet rstp = open("data_captions.json", R"([{"id": 0, "img_path": "0000_c14_0031.jpg",
    "captions": ["One.", "Two."], "split": "train"}])");
  EXPECT_EQ(rstp.images[0].path, folder_ / "imgs/0000_c14_0031.jpg");
  write("ICFG-PEDES/train/0001/a.jpg", "");
  const CaptionSet icfg = open("ICFG-PEDES.json", R"([{"split": "train", "captions": ["One."],
    "file_path": "train/0001/a.jpg", "processed_tokens": [["one"]], "id": 1}])");
  EXPECT_EQ(icfg.images_root, folder_ / "ICFG-PEDES");
}

TEST_F(Captions, CsvGathersRowsOfAnImage) {
  write("photos/a.jpg", "");
  const CaptionSet set = open("pairs.csv",
                              "path,caption,identity\r\na.jpg,\"red, with \"\"logo\"\"\",anna\n"
                              "b.jpg,blue,bob\na.jpg,seen from behind,anna\n",
                              folder_ / "photos");
  ASSERT_EQ(set.images.size(), 2U);
  EXPECT_EQ(set.images[0].captions, (std::vector<std::string>{"red, with \"logo\"", "seen from behind"}));
  EXPECT_EQ(set.images[1].identity, 1);
  EXPECT_EQ(set.images[1].split, CaptionSplit::none);
  for (const char* split : {"train", "test", "all"})
    EXPECT_EQ(select_split(set, split).size(), 2U) << split;
}

TEST_F(Captions, ImagesWithoutIdentityAreTheirOwn) {
  write("a.jpg", "");
  const CaptionSet set = open("pairs.csv", "path,caption\na.jpg,x\nb.jpg,y\na.jpg,z\n");
  EXPECT_EQ(set.identities, 2);
  EXPECT_EQ(set.images[1].identity, 1);
}

TEST_F(Captions, BrokenJsonSaysWhere) {
  expect_error("[{\"file_path\": \"a.jpg\",\n \"captions\": [\"x\"", "c.json:2:");
  expect_error("[{\"file_path\": \"a.jpg\" \"captions\": []}]", "c.json:1:");
  expect_error("[{\"file_path\": \"\xff\", \"captions\": [\"x\"]}]", "c.json:1:");
  expect_error("", "the end of the file");
  expect_error("{\"images\": []}", "array of objects");
  expect_error("3", "array of objects");
  expect_error("[]", "no rows");
  expect_error("[3]", "c.json[0]: no object");
  expect_error("[[1]]", "c.json[0]: no object");
}

TEST_F(Captions, WrongRowsSayWhichOne) {
  const std::string good = R"({"file_path": "a.jpg", "captions": ["x"], "id": 1, "split": "test"}, )";
  const auto second = [&](const std::string& row) { return "[" + good + row + "]"; };
  expect_error(second(R"({"captions": ["x"]})"), "c.json[1]: no path");
  expect_error(second(R"({"file_path": "b\u0000.jpg", "captions": ["x"]})"), "c.json[1]: a path with a zero");
  expect_error(second(R"({"file_path": ["b.jpg"], "captions": ["x"]})"), "c.json[1]: file_path is array");
  expect_error(second(R"({"file_path": "b.jpg"})"), "c.json[1]: no caption");
  expect_error(second(R"({"file_path": "b.jpg", "captions": "x"})"), "c.json[1]: captions is string");
  expect_error(second(R"({"file_path": "b.jpg", "captions": [1]})"), "number among the captions");
  expect_error(second(R"({"file_path": "b.jpg", "captions": [" "]})"), "c.json[1]: a blank caption");
  expect_error(second(R"({"file_path": "b.jpg", "captions": ["x"], "split": "dev"})"), "split 'dev'");
  expect_error(second(R"({"file_path": "b.jpg", "captions": ["x"], "id": 1.5})"), "c.json[1]: id is number");
  expect_error(second(R"({"file_path": "b.jpg", "captions": [")" + std::string(20000, 'x') + R"("]})"),
               "a caption of 20000 bytes");
  expect_error(second(R"({"file_path": "a.jpg", "captions": ["x"], "id": 2, "split": "test"})"),
               "'a.jpg' again");
}

TEST_F(Captions, BrokenCsvSaysWhere) {
  expect_error("path,text\na.jpg,x\n", "c.csv:1: no columns", "c.csv");
  expect_error("path,caption\na.jpg,x, y\n", "c.csv:2: 3 fields", "c.csv");
  expect_error("path,caption\na.jpg,\"x\n", "c.csv:2: a quote", "c.csv");
  expect_error("path,caption\na.jpg,x\n,y\n", "c.csv:3: no path", "c.csv");
  expect_error("", "no rows", "c.csv");
}

TEST_F(Captions, MissingFiles) {
  EXPECT_NE(error("d.csv", "path,caption\nz.jpg,x\n", ErrorKind::missing).find("z.jpg"), std::string::npos);
  EXPECT_THROW(open_captions(folder_ / "none.json"), Error);
  const CaptionSet set = open("e.csv", "path,caption,split\na.jpg,x,train\n");
  EXPECT_THROW(select_split(set, "test"), Error);
}

} // namespace
} // namespace vlreid
