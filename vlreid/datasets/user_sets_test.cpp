// Users' own data: lists with every oddity that spreadsheets make, folders, names of sets, recognition of
// layouts.
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "vlreid/datasets/dataset.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace vlreid {
namespace {
namespace fs = std::filesystem;

class Lists : public testing::Test {
protected:
  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  Dataset open(const std::string& text, const std::string& name = "list.csv") {
    return open_dataset("list", write(name, text));
  }
  std::string error(const std::string& text, const std::string& name = "list.csv") {
    try {
      open(text, name);
    } catch (const Error& caught) {
      EXPECT_EQ(caught.kind(), ErrorKind::data);
      EXPECT_FALSE(caught.fault().remedy.empty());
      return caught.what();
    }
    return "no error";
  }
  void expect_error(const std::string& text, const std::string& part, const std::string& name = "list.csv") {
    const std::string message = error(text, name);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  TempFolder folder_;
};

TEST_F(Lists, PlainListWithSplit) {
  const Dataset set =
      open("path,identity,camera,view,split\n"
           "a/1.jpg,7,2,1,train\n/"
           "b.jpg,5,0,,train\nc.jpg,5,1,0,query\nd.jpg,5,3,0,gallery\ne.jpg,-1,3,0,gallery\n");
  ASSERT_EQ(set.train.size(), 2U);
  EXPECT_EQ(set.train[0],
            (Record{.path = (folder_ / "a/1.jpg").string(), .identity = 1, .camera = 2, .view = 1}));
  EXPECT_EQ(set.train[1], (Record{.path = "/b.jpg", .identity = 0, .camera = 0, .view = 0}));
  EXPECT_EQ(set.query[0].identity, 5);
  EXPECT_EQ(set.gallery.size(), 1U);
  EXPECT_EQ(set.dropped_junk, 1);
  EXPECT_TRUE(set.has_cameras);
  EXPECT_EQ(set.train_numbers, (std::vector<std::int64_t>{5, 7}));
}

TEST_F(Lists, QuotesCrlfByteOrderMarkBlankLinesAndColumnOrder) {
  const Dataset set = open(
      "\xEF\xBB\xBF\"Identity\",Camera,extra,PATH\r\n\r\n1,0,x,\"a, \"\"b\"\"\n.jpg\"\r\n 2 , 4 ,,c.jpg");
  ASSERT_EQ(set.query.size(), 2U);
  EXPECT_EQ(set.query[0].path, (folder_ / "a, \"b\"\n.jpg").string());
  EXPECT_EQ(set.query[1].identity, 2);
  EXPECT_EQ(set.query[1].camera, 4);
  EXPECT_EQ(set.train.size(), 2U) << "no split: everything is everything";
  EXPECT_EQ(set.warnings.size(), 1U);
}

TEST_F(Lists, IdentitiesMayBeNames) {
  const Dataset set = open("path,identity,split\na,zoe,train\nb,Adam,train\nc,10,query\nd,Adam,gallery\n");
  EXPECT_EQ(set.identity_names, (std::vector<std::string>{"10", "Adam", "zoe"}));
  EXPECT_EQ(set.train[0].identity, 1);
  EXPECT_EQ(set.train_numbers, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(set.query[0].identity, 0);
  EXPECT_EQ(set.gallery[0].identity, 1);
}

TEST_F(Lists, WithoutCameras) {
  EXPECT_FALSE(open("path,identity\na,1\n").has_cameras);
  EXPECT_FALSE(open("path,identity,camera\na,1,none\nb,1,None\n").has_cameras);
  expect_error("path,identity,camera\na,1,0\nb,1,none\n", "list.csv:3: no camera");
}

TEST_F(Lists, FaultsNameFileAndLine) {
  expect_error("", "an empty file");
  expect_error("path,identity\n", "no rows");
  expect_error("path,camera\na,1\n", "list.csv:1: no column 'identity'");
  expect_error("path;identity\na;1\n", "separate the fields with commas");
  expect_error("path,path,identity\n", "column 'path' twice");
  expect_error("path,identity\na,1\nb\n", "list.csv:3: 1 fields; 2 as in the header");
  expect_error("path,identity\na,1\n\"b,2\n", "list.csv:3: a quote that is not closed");
  expect_error("path,identity\n\"a\"x,1\n", "text after a closing quote");
  expect_error("path,identity\na,\n", "list.csv:2: no identity");
  expect_error("path,identity\n,1\n", "no path");
  expect_error("path,identity,camera\na,1,c1\n", "camera 'c1'; a number from 0 to 65535, or none");
  expect_error("path,identity,camera\na,1,-1\n", "camera '-1'");
  expect_error("path,identity,view\na,1,99999999999\n", "view '99999999999'");
  expect_error("path,identity,split\na,1,test\n", "split 'test'; train, query or gallery");
}

TEST_F(Lists, KeepGoingCollectsEveryRow) {
  const fs::path list = write("l.csv", "path,identity,camera\na,1,x\nb,1\nc,,0\nd,4,0\n");
  const Dataset set = open_dataset("csv", list, {.keep_going = true});
  EXPECT_EQ(set.problems.size(), 3U);
  EXPECT_EQ(set.query.size(), 1U);
}

TEST_F(Lists, Json) {
  const Dataset set =
      open(R"([{"path":"a.jpg","identity":3,"camera":1,"split":"train","extra":{"deep":[1,{"path":"no"}]}},
                               {"identity":"3","path":"b.jpg","camera":2,"view":null,"split":"query"},
                               {"path":"c.jpg","identity":3,"camera":0,"split":"gallery"}])",
           "list.json");
  EXPECT_EQ(set.train[0],
            (Record{.path = (folder_ / "a.jpg").string(), .identity = 0, .camera = 1, .view = 0}));
  EXPECT_EQ(set.query[0].identity, 3);
  EXPECT_EQ(set.gallery[0].camera, 0);
}

TEST_F(Lists, JsonFaultsHavePositions) {
  expect_error("[{\"path\":\"a\",\n\"identity\" 1}]", "list.json:2:12:", "list.json");
  expect_error("[{\"path\":\"a\"", "the end of the file", "list.json");
  expect_error("", "list.json:1:1", "list.json");
  expect_error("{}", "an array of objects", "list.json");
  expect_error("[1]", "list.json[0]: a number", "list.json");
  expect_error("[[]]", "list.json[0]: an array", "list.json");
  expect_error(R"([{"path":"a","identity":1},{"path":"b","identity":1.5}])",
               "list.json[1]: identity is the number 1.5", "list.json");
  expect_error(R"([{"path":["a"],"identity":1}])", "path is an array", "list.json");
  expect_error(R"([{"path":"a"}])", "list.json[0]: no identity", "list.json");
  expect_error("[]", "no rows", "list.json");
  expect_error(std::string(100000, '['), "list.json[0]: an array", "list.json");
}

TEST_F(Lists, AMillionLinesAreReadInSeconds) {
  std::string text = "path,identity,camera,split\n";
  for (int i = 0; i < 1'000'000; ++i)
    text += "folder/image" + std::to_string(i) + ".jpg," + std::to_string(i / 10) + "," +
            std::to_string(i % 10) + ",gallery\n";
  const fs::path list = write("big.csv", text);
  const std::clock_t start = std::clock(); // processor time: other programs do not count
  const Dataset set = open_dataset("list", list);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_EQ(set.gallery.size(), 1'000'000U);
  EXPECT_EQ(set.gallery.back().identity, 99999);
  EXPECT_LT(seconds, 10) << "usually below one";
}

TEST_F(Lists, OneFolderPerIdentity) {
  write("plain/anna/1.JPG", "");
  write("plain/anna/.hidden.jpg", "");
  write("plain/bert/2.png", "");
  write("plain/bert/notes.txt", "");
  const Dataset plain = open_dataset("auto", folder_ / "plain");
  EXPECT_EQ(plain.name, "folders");
  EXPECT_EQ(plain.query.size(), 2U);
  EXPECT_EQ(plain.query, plain.gallery);
  EXPECT_FALSE(plain.has_cameras);
  EXPECT_EQ(plain.identity_names, (std::vector<std::string>{"anna", "bert"}));

  write("split/train/0003/1.jpg", "");
  write("split/query/0007/2.jpg", "");
  write("split/gallery/0007/3.webp", "");
  const Dataset split = open_dataset("auto", folder_ / "split");
  EXPECT_EQ(split.train.size() + split.query.size() + split.gallery.size(), 3U);
  EXPECT_EQ(split.train[0].identity, 0);
  EXPECT_EQ(split.gallery[0].identity, 7);
}

std::string name_of(const fs::path& root) {
  return open_dataset("auto", root).name;
}

TEST_F(Lists, AutoRecognisesLayouts) {
  const auto market = [&](const std::string& root, const std::string& name) {
    for (const char* part : {"bounding_box_train/", "query/", "bounding_box_test/"})
      write(root + part + name, "");
    return folder_ / root;
  };
  EXPECT_EQ(name_of(market("a/", "0002_c1s1_000451_03.jpg")), "market1501");
  EXPECT_EQ(name_of(market("b/", "0002_c19s1_000451_03.jpg")), "market_folders");
  EXPECT_EQ(name_of(market("DukeMTMC-reID/", "0002_c8_f000451.jpg")), "dukemtmc");
  market("c/Market-1501-v15.09.15/", "0002_c1s1_000451_03.jpg");
  EXPECT_EQ(name_of(folder_ / "c"), "market1501");
  EXPECT_EQ(name_of(write("x.csv", "path,identity\na,1\n")), "list");
  write("c/VeRi/image_query/x", "");
  EXPECT_THROW(open_dataset("auto", folder_ / "c"), Error) << "two sets";
  EXPECT_THROW(open_dataset("auto", folder_ / "nowhere"), Error);
  fs::create_directories(folder_ / "empty");
  EXPECT_THROW(open_dataset("auto", folder_ / "empty"), Error);
}

TEST(Names, SpellingsAndUnknownOnes) {
  for (const char* name : {"market1501", "Market-1501", "MARKET1501", "market"})
    EXPECT_EQ(canonical_dataset_name(name), "market1501");
  EXPECT_EQ(canonical_dataset_name("VehicleID"), "vehicleid");
  EXPECT_EQ(canonical_dataset_name("Occluded-Duke"), "occ_duke");
  EXPECT_EQ(canonical_dataset_name("VeRi-776"), "veri");
  EXPECT_EQ(canonical_dataset_name("MSMT17_V1"), "msmt17_v1");
  try {
    canonical_dataset_name("markt1501");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("did you mean 'market1501'"), std::string::npos);
  }
}

TEST(Names, TwoDigitCamerasStopByDefault) {
  const TempFolder folder;
  for (const char* part : {"bounding_box_train", "query", "bounding_box_test"})
    fs::create_directories(folder / part);
  std::ofstream(folder / "query/0003_c12s1_000.jpg");
  EXPECT_THROW(open_dataset("market1501", folder.path()), Error);
  EXPECT_EQ(open_dataset("market1501", folder.path(), {.system = ReferenceSystem::cr}).query[0].camera, 0);
}

TEST(Banner, LooksLikeTheReferences) {
  const Dataset set{
      .name = "market1501", .root = "/d", .train = {{.path = "a", .identity = 0, .camera = 3, .view = 0}}};
  EXPECT_EQ(banner(set), "market1501 (/d)\nDataset statistics:\n"
                         "  ----------------------------------------\n"
                         "  subset   | # ids | # images | # cameras\n"
                         "  ----------------------------------------\n"
                         "  train    |     1 |        1 |         1\n"
                         "  query    |     0 |        0 |         0\n"
                         "  gallery  |     0 |        0 |         0\n"
                         "  ----------------------------------------\n");
  EXPECT_EQ(table_sizes(set.train).cameras, 4);
}

} // namespace
} // namespace vlreid
