#include <gtest/gtest.h>

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "vlreid/attributes/mat_file.h"
#include "vlreid/attributes/sentences.h"
#include "vlreid/base/files.h"
#include "vlreid/base/random.h"
#include "vlreid/base/strings.h"

#include <cstdlib>
#include <cstring>
#include <zlib.h>

namespace vlreid {
namespace {

constexpr const char* kMarket = "market1501-attribute/market_attribute.mat";

AttributeTable table_of_csv(const std::string& text) {
  const TempFolder folder;
  write_file(folder / "a.csv", text);
  return open_attributes(folder / "a.csv");
}

std::string message_of(const std::string& csv) {
  try {
    table_of_csv(csv);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "no error";
}

// A table of one person with every code of Market-1501's attributes.
AttributeTable table_of_codes(const nlohmann::json& codes, std::size_t position) {
  AttributeTable table{.place = "golden", .names = {}, .rows = {}};
  AttributeRow row{.identity = "0", .split = "", .values = {}};
  for (const auto& [name, code] : codes.items()) {
    table.names.push_back(name);
    row.values.push_back(code.dump());
  }
  table.rows.assign(position + 1, row);
  return table;
}

std::vector<std::string> sentences(const std::string& kind, const AttributeTable& table, std::size_t row,
                                   std::string_view word = "person") {
  return sentence_kinds().at(kind)(table, row, word);
}

// ---- Sentences

TEST(Sentences, GoldenPlainAndAugmented) {
  VLREID_GOLDEN(path, "multimodal/zero-shot-sentences.json");
  const nlohmann::json golden = read_golden_json("multimodal/zero-shot-sentences.json");
  for (const nlohmann::json& one : golden["identities"]) {
    const auto position = one["position"].get<std::size_t>();
    const AttributeTable table = table_of_codes(one["attributes"], position);
    EXPECT_EQ(sentences("plain", table, position), std::vector<std::string>{one["plain"]});
    EXPECT_EQ(sentences("augmented", table, position), one["augmented"].get<std::vector<std::string>>());
  }
}

// Bug 13 of spec/multimodal.md.
TEST(Sentences, TidyHasNoLooseCommas) {
  const std::string header = "identity,age,gender,hair,up,down,clothes,hat,backpack,bag,handbag,"
                             "upblack,upwhite,upred,uppurple,upyellow,upgray,upblue,upgreen,"
                             "downblack,downwhite,downpink,downpurple,downyellow,downgray,downblue,"
                             "downgreen,downbrown\n";
  const std::string colours = ",1,1,1,1,1,1,2,1,2,1,1,1,1,1,1,1,1\n";
  const AttributeTable table =
      table_of_csv(header + "7,4,1,1,1,1,2,1,1,1,1" + colours + "8,adult,female,2,1,1,2,yes,2,2,2" + colours);
  EXPECT_EQ(sentences("plain", table, 0)[0],
            "a old male person no.0 with short hair, blue long sleeve, black long pants, .");
  EXPECT_EQ(sentences("tidy", table, 0)[0],
            "a old male person no.0 with short hair, blue long sleeve, black long pants.");
  EXPECT_EQ(sentences("tidy", table, 1)[0],
            "a adult female person no.1 with long hair, blue long sleeve, black long pants, wearing a hat, "
            "carrying a backpack, a bag, a handbag.");
  EXPECT_EQ(sentences("augmented", table, 1)[0],
            "itap of a adult female person no.1 on my left or right side with long hair, blue long sleeve, "
            "black long pants, wearing a hat, carrying a backpack, a bag and a handbag");
}

TEST(Sentences, ColumnsOfAnyTable) {
  const AttributeTable table = table_of_csv("identity,split,type,colour,roof_rack,sunroof\n"
                                            "12,test,suv,dark green,2,1\n");
  EXPECT_EQ(sentences("columns", table, 0, "vehicle")[0],
            "a photo of a vehicle, type suv, colour dark green, roof rack.");
  try {
    sentences("plain", table, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no column 'hat'"), std::string::npos) << error.what();
  }
}

TEST(Sentences, UnknownKind) {
  EXPECT_THROW(sentence_kinds().at("plane"), Error);
}

// ---- Market-1501's file

TEST(Attributes, MarketFileHasTheGoldenCodesByName) {
  const auto file = find_shared_data(kMarket);
  if (file.empty()) GTEST_SKIP() << "market_attribute.mat is not here";
  VLREID_GOLDEN(path, "multimodal/zero-shot-sentences.json");
  const nlohmann::json golden = read_golden_json("multimodal/zero-shot-sentences.json");
  const AttributeTable all = open_attributes(file), test = select_split(all, "test");
  ASSERT_EQ(test.rows.size(), 750U);
  EXPECT_EQ(select_split(all, "train").rows.size(), golden["n_train"].get<std::size_t>());
  for (std::size_t i = 0; i < test.rows.size(); ++i)
    EXPECT_EQ(test.rows[i].identity, golden["identity_list"][i]);
  for (const nlohmann::json& one : golden["identities"]) {
    const auto position = one["position"].get<std::size_t>();
    for (const auto& [name, code] : one["attributes"].items())
      EXPECT_EQ(test.rows[position].values[*test.find(name)], code.dump()) << name;
    EXPECT_EQ(sentences("plain", test, position), std::vector<std::string>{one["plain"]});
  }
  std::map<std::string, std::map<std::string, int>> counts;
  for (const AttributeRow& row : test.rows)
    for (std::size_t c = 0; c < test.names.size(); ++c)
      ++counts[test.names[c]][row.values[c]];
  EXPECT_EQ(nlohmann::json(counts), golden["value_counts"]);
}

// Of the lines "a\nb\nc", without a newline at the end.
std::string sha256_of(const std::vector<std::string>& lines) {
  const TempFolder folder;
  write_file(folder / "lines", join(lines, "\n"));
  const std::string command = "sha256sum " + (folder / "lines").string() + " > " + (folder / "sum").string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  return read_text(folder / "sum").substr(0, 64);
}

TEST(Attributes, MarketFileGivesAllGoldenSentences) {
  const auto file = find_shared_data(kMarket);
  if (file.empty()) GTEST_SKIP() << "market_attribute.mat is not here";
  VLREID_GOLDEN(path, "multimodal/zero-shot-sentences.json");
  const nlohmann::json golden = read_golden_json("multimodal/zero-shot-sentences.json");
  const AttributeTable test = select_split(open_attributes(file), "test");
  for (const auto& [kind, sum] :
       {std::pair{"plain", "plain_all_750_sha256"}, std::pair{"augmented", "augmented_all_750x56_sha256"}}) {
    std::vector<std::string> all;
    for (std::size_t row = 0; row < test.rows.size(); ++row)
      std::ranges::copy(sentences(kind, test, row), std::back_inserter(all));
    EXPECT_EQ(sha256_of(all), golden[sum]) << kind;
  }
}

// The two structs have their fields in different orders.
TEST(Attributes, MarketTrainIsReadByName) {
  const auto file = find_shared_data(kMarket);
  if (file.empty()) GTEST_SKIP() << "market_attribute.mat is not here";
  const AttributeTable train = select_split(open_attributes(file), "train");
  EXPECT_EQ(train.rows.front().identity, "0002");
  const std::size_t gender = *train.find("gender"), black = *train.find("downblack");
  int women = 0, dark = 0;
  for (const AttributeRow& row : train.rows) {
    women += row.values[gender] == "2";
    dark += row.values[black] == "2";
    EXPECT_NE(row.values[*train.find("age")], "0");
  }
  // Counted in the file by an independent reader.
  EXPECT_EQ(women, 320);
  EXPECT_EQ(dark, 293);
}

// Made people in the layout of Market-1501's file: other types of numbers, another order in `train`.
TEST(Attributes, MatFileOfMadePeople) {
  for (const char* name : {"data/attributes/people.mat", "data/attributes/people-plain.mat"}) {
    const AttributeTable all = open_attributes(test_data(name));
    EXPECT_EQ(all.rows.size(), 5U);
    EXPECT_EQ(all.names.size(), 27U);
    const AttributeTable test = select_split(all, "test"), train = select_split(all, "train");
    EXPECT_EQ(test.rows[1].identity, "0004");
    EXPECT_EQ(sentences("plain", test, 0)[0],
              "a adult male person no.0 with short hair, red short sleeve, blue long pants, carrying a bag.");
    EXPECT_EQ(
        sentences("plain", test, 1)[0],
        "a teenager female person no.1 with long hair, other long sleeve, black short dress, wearing a hat.");
    EXPECT_EQ(sentences("plain", test, 2)[0],
              "a old male person no.2 with short hair, gray long sleeve, gray long pants, wearing a hat, "
              "carrying a backpack, a handbag.");
    EXPECT_EQ(sentences("plain", train, 1)[0],
              "a teenager female person no.1 with long hair, green short sleeve, pink short dress, carrying "
              "a handbag.");
  }
}

// ---- Broken MATLAB files

class HostileMat : public testing::Test {
protected:
  void SetUp() override {
    packed_ = read_bytes(test_data("data/attributes/people.mat"));
    // Without compression damage reaches the parser, and not only zlib's checksum.
    plain_ = read_bytes(test_data("data/attributes/people-plain.mat"));
  }

  // Reads it, or fails with a data error; anything else is a failure of the test.
  static bool is_read(std::span<const std::byte> bytes) {
    try {
      read_mat(bytes, "x.mat");
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      return false;
    }
  }

  static void append_compressed(std::vector<std::byte>& file, const std::vector<std::byte>& element) {
    uLongf size = compressBound(element.size());
    std::vector<std::byte> small(size);
    ASSERT_EQ(compress(reinterpret_cast<Bytef*>(small.data()), &size,
                       reinterpret_cast<const Bytef*>(element.data()), element.size()),
              Z_OK);
    const std::uint32_t tag[2] = {15, static_cast<std::uint32_t>(size)};
    const auto head = std::as_bytes(std::span(tag));
    file.insert(file.end(), head.begin(), head.end());
    file.insert(file.end(), small.begin(), small.begin() + static_cast<std::ptrdiff_t>(size));
  }

  std::vector<std::byte> packed_, plain_;
};

TEST_F(HostileMat, WholeFilesAreRead) {
  EXPECT_TRUE(is_read(packed_));
  EXPECT_TRUE(is_read(plain_));
}

TEST_F(HostileMat, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < packed_.size(); ++size)
    EXPECT_EQ(is_read(std::span(packed_).first(size)), size == 128) << size; // 128: no variables
  for (std::size_t size = 129; size < plain_.size() - 8; size += 7)
    EXPECT_FALSE(is_read(std::span(plain_).first(size))) << size;
}

TEST_F(HostileMat, FlippedBitsNeverDoWorse) {
  Random random({5, 0});
  for (int round = 0; round < 2000; ++round) {
    for (auto* file : {&packed_, &plain_}) {
      std::vector<std::byte> broken = *file;
      for (int flips = 0; flips < 3; ++flips)
        broken[random.below(broken.size())] ^= static_cast<std::byte>(1u << random.below(8));
      is_read(broken);
    }
  }
}

TEST_F(HostileMat, FlippedBitsOfTheStructure) {
  for (std::size_t at = 124; at < plain_.size(); ++at)
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> broken = plain_;
      broken[at] ^= static_cast<std::byte>(1u << bit);
      is_read(broken);
    }
}

TEST_F(HostileMat, SizesOfAllOnes) {
  for (std::size_t at = 128; at + 4 <= plain_.size(); at += 4) {
    std::vector<std::byte> broken = plain_;
    std::memset(broken.data() + at, 0xff, 4);
    is_read(broken);
  }
}

TEST_F(HostileMat, DecompressionHasALimit) {
  std::vector<std::byte> bomb(packed_.begin(), packed_.begin() + 128);
  append_compressed(bomb, std::vector<std::byte>(64u << 20));
  EXPECT_FALSE(is_read(bomb));
}

TEST_F(HostileMat, DecompressionHasALimitForTheFile) {
  std::vector<std::byte> part(3u << 20);
  const std::uint32_t tag[2] = {1, static_cast<std::uint32_t>(part.size() - 8)}; // no array: passed over
  std::memcpy(part.data(), tag, sizeof tag);
  std::vector<std::byte> file(packed_.begin(), packed_.begin() + 128);
  for (const bool expected : {true, true, false}) {
    append_compressed(file, part);
    EXPECT_EQ(is_read(file), expected);
  }
}

TEST_F(HostileMat, FieldsHaveALimit) {
  constexpr std::uint32_t kFields = 2000, kStructBytes = 56 + kFields; // 56: up to the names
  std::vector<std::uint32_t> words = {14, kStructBytes, 6, 8, 2, 0, 5, 8, 1, 1, 1, 0, 0x40005, 1, 1, kFields};
  words.resize(words.size() + kFields / 4, 0x61616161); // "aaaa"
  std::vector<std::byte> file(packed_.begin(), packed_.begin() + 128);
  std::ranges::copy(std::as_bytes(std::span(words)), std::back_inserter(file));
  try {
    read_mat(file, "x.mat");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("at most 1024 fields"), std::string::npos) << error.what();
  }
}

TEST(MatFile, Version73IsNamed) {
  std::string text = "MATLAB 7.3 MAT-file";
  text.resize(512, ' ');
  try {
    read_mat(std::as_bytes(std::span(text)), "x.mat");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("HDF5"), std::string::npos);
  }
}

// ---- CSV

TEST(Attributes, CsvWithoutSplitsBelongsToEverySplit) {
  const AttributeTable table = table_of_csv("ID, Colour\r\n0001, red\r\n0002,\"blue, dark\"\r\n");
  EXPECT_EQ(table.names, std::vector<std::string>{"colour"});
  const AttributeTable test = select_split(table, "test");
  ASSERT_EQ(test.rows.size(), 2U);
  EXPECT_EQ(test.rows[1].values[0], "blue, dark");
  EXPECT_EQ(identity_number(test.rows[1]), 2);
}

TEST(Attributes, BrokenCsv) {
  EXPECT_NE(message_of("").find("no identity"), std::string::npos);
  EXPECT_NE(message_of("a,b\n1,2\n").find("a.csv:1: no column 'identity'"), std::string::npos);
  EXPECT_NE(message_of("identity,a,a\n1,2,3\n").find("'a' twice"), std::string::npos);
  EXPECT_NE(message_of("identity,a\n1\n").find("a.csv:2: 1 fields; 2 as in the header"), std::string::npos);
  EXPECT_NE(message_of("identity,a\n1,2\n1,3\n").find("identity '1' twice"), std::string::npos);
  EXPECT_NE(message_of("identity,a\n,2\n").find("no identity"), std::string::npos);
  EXPECT_NE(message_of("identity\n1\n").find("no attribute"), std::string::npos);
  try {
    select_split(table_of_csv("identity,split,a\n1,train,2\n"), "test");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("train or all"), std::string::npos) << error.what();
  }
}

} // namespace
} // namespace vlreid
