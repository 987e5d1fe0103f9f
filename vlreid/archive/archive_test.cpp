#include "vlreid/archive/pickle.h"
#include "vlreid/archive/safetensors.h"
#include "vlreid/archive/torch_file.h"
#include "vlreid/archive/writers.h"
#include "vlreid/archive/zip.h"
#include "vlreid/base/error.h"
#include "vlreid/base/random.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

namespace vlreid {
namespace {

using Content = std::vector<std::byte>;

Content bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Content data_file(const std::string& name) {
  return read_bytes(test_data("data/weights/" + name));
}

// The message of the data error that `action` must throw.
template <typename Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

#define EXPECT_REFUSED(action, part)                                                                         \
  EXPECT_NE(refusal([&] { action; }).find(part), std::string::npos) << refusal([&] { action; })

std::string safetensors_bytes(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(length.data(), &size, sizeof(size));
  return length + header + data;
}

void parse(const std::string& file) {
  parse_safetensors(std::as_bytes(std::span(file)), "x.safetensors");
}

std::string one_tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"w":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets);
}

TEST(Safetensors, ReadsEveryGoldenFile) {
  VLREID_GOLDEN(path, "clipreid/losses.safetensors");
  const std::filesystem::path root = path.parent_path().parent_path();
  int files = 0;
  for (const std::string& name : list_files_recursively(root)) {
    if (!name.ends_with(".safetensors")) continue;
    const SafetensorsFile file(root / name);
    EXPECT_FALSE(file.entries().empty()) << name;
    ++files;
  }
  EXPECT_GT(files, 5);
}

TEST(Safetensors, GivesValuesAndRefusesOtherTypes) {
  const std::string file =
      safetensors_bytes(one_tensor("F32", "[2]", "[0,8]"), std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  std::vector<double> storage(file.size() / 8 + 1); // aligned
  std::memcpy(storage.data(), file.data(), file.size());
  const auto content = parse_safetensors(std::as_bytes(std::span(storage)).first(file.size()), "x");
  ASSERT_EQ(content.entries.size(), 1u);
  EXPECT_EQ(content.entries[0].shape, std::vector<std::int64_t>{2});
  EXPECT_REFUSED(values<std::int64_t>(content.entries[0]), "holds float32");
}

TEST(Safetensors, RefusesBrokenHeaders) {
  EXPECT_REFUSED(parse(""), "0 bytes; a safetensors header");
  EXPECT_REFUSED(parse(std::string("\0\0\0\0\0\0\0\x80{}", 10)), "a header of 9223372036854775808 bytes");
  EXPECT_REFUSED(parse("just some text in a file\n"), "a header of");
  EXPECT_REFUSED(parse(safetensors_bytes("{", "")), "broken JSON");
  EXPECT_REFUSED(parse(safetensors_bytes("[]", "")), "a list where none belongs");
  EXPECT_REFUSED(parse(safetensors_bytes("3", "")), "a number where none belongs");
  EXPECT_REFUSED(parse(safetensors_bytes(R"({"w":3})", "")), "a number where none belongs");
  EXPECT_REFUSED(parse(safetensors_bytes(R"({"w":{"a":1}})", "")), "unknown key 'a'");
  EXPECT_REFUSED(parse(safetensors_bytes(R"({"w":{"dtype":"F32"}})", "")), "dtype or shape missing");
  EXPECT_REFUSED(parse(safetensors_bytes(R"({"__metadata__":{"a":{}}})", "")),
                 "an object where none belongs");
  EXPECT_REFUSED(parse(safetensors_bytes(one_tensor("F31", "[1]", "[0,4]"), "1234")), "element type 'F31'");
  EXPECT_REFUSED(parse(safetensors_bytes(one_tensor("F32", "[[1]]", "[0,4]"), "1234")),
                 "a list where none belongs");
}

TEST(Safetensors, RefusesImpossibleTensors) {
  const auto file = [](const std::string& shape, const std::string& offsets) {
    return safetensors_bytes(one_tensor("F32", shape, offsets), "1234");
  };
  EXPECT_NO_THROW(parse(file("[1]", "[0,4]")));
  EXPECT_REFUSED(parse(file("[-1]", "[0,4]")), "the number -1");
  EXPECT_REFUSED(parse(file("[1.5]", "[0,4]")), "the number 1.5");
  EXPECT_REFUSED(parse(file("[2]", "[0,4]")), "as many bytes as its shape says");
  EXPECT_REFUSED(parse(file("[4611686018427387904,4611686018427387904]", "[0,4]")),
                 "as many bytes as its shape says");
  EXPECT_REFUSED(parse(file("[18446744073709551615]", "[0,4]")), "the number 18446744073709551615");
  EXPECT_REFUSED(parse(file("[2]", "[0,8]")), "offsets inside the file");
  EXPECT_REFUSED(parse(file("[1]", "[4,0]")), "offsets inside the file");
  EXPECT_REFUSED(parse(file("[0]", "[4,4]")), "begins at byte 4");
  EXPECT_REFUSED(parse(file("[0]", "[0,0]")), "4 bytes after the last tensor");
  EXPECT_REFUSED(parse(file("[1]", "[0]")), "data_offsets without two numbers");
}

TEST(Safetensors, RefusesOverlapsAndDuplicates) {
  const std::string a = R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]})";
  const std::string b = R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]})";
  EXPECT_REFUSED(parse(safetensors_bytes("{" + a + "," + b + "}", "1234")), "'b' begins at byte 2");
  EXPECT_REFUSED(parse(safetensors_bytes("{" + a + "," + a + "}", "123")), "'a' twice");
}

TEST(Safetensors, AnUnknownNameSuggestsTheNearest) {
  const TempFolder folder;
  SafetensorsWriter writer(folder / "x.safetensors", {{"weight", Dtype::uint8, {0}}});
  writer.commit();
  const SafetensorsFile file(folder / "x.safetensors");
  EXPECT_REFUSED(file.at("weigth"), "did you mean 'weight'?");
}

TEST(SafetensorsWriter, StreamsRowsAndMayEndEarly) {
  const TempFolder folder;
  SafetensorsWriter writer(
      folder / "x.safetensors",
      {{"features", Dtype::float32, {1000, 2}}, {"none", Dtype::int64, {0}}, {"ids", Dtype::int64, {3}}},
      {{"note", "a \"quoted\" text"}});
  const std::vector<float> row{1, 2};
  for (int i = 0; i < 3; ++i)
    writer.append<float>(row);
  writer.end_tensor();
  writer.append<std::int64_t>(std::vector<std::int64_t>{7, 8, 9});
  writer.commit();
  const SafetensorsFile file(folder / "x.safetensors");
  EXPECT_EQ(file.metadata().at("note"), "a \"quoted\" text");
  EXPECT_EQ(file.at("features").shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(values<float>(file.at("features"))[5], 2);
  EXPECT_EQ(values<std::int64_t>(file.at("ids"))[2], 9);
  EXPECT_TRUE(file.at("none").bytes.empty());
}

TEST(Zip, ReadsBackWhatItWritesAligned) {
  const TempFolder folder;
  AtomicFile out(folder / "x.zip");
  ZipWriter writer(out);
  for (int i = 0; i < 5; ++i)
    writer.add("a/" + std::string(static_cast<std::size_t>(i), 'n'), std::string(100, 'x'));
  writer.finish();
  out.commit();
  const MappedFile file(folder / "x.zip");
  const ZipReader zip(file.bytes(), "x.zip");
  ASSERT_EQ(zip.entries().size(), 5u);
  for (const ZipEntry& entry : zip.entries()) {
    EXPECT_EQ((entry.packed.data() - file.bytes().data()) % 64, 0);
    EXPECT_EQ(zip.read(entry).view.size(), 100u);
    EXPECT_EQ(zip.read(entry).owner, nullptr);
  }
}

// Where the central directory of a file without comments begins.
std::size_t find_directory(const Content& file) {
  const Content signature = bytes_of("PK\x01\x02");
  const auto found = std::search(file.begin(), file.end(), signature.begin(), signature.end());
  return static_cast<std::size_t>(found - file.begin());
}

TEST(Zip, RefusesBombsBeforeUnpacking) {
  Content file = data_file("deflated.pth");
  const std::size_t size_field = find_directory(file) + 24;
  for (std::size_t i = 0; i < 4; ++i)
    file[size_field + i] = std::byte{0xf0}; // 4 GB
  EXPECT_REFUSED(ZipReader(file, "x"), "a zip bomb");
}

TEST(Zip, RefusesAWrongUnpackedSize) {
  Content file = data_file("deflated.pth");
  file[find_directory(file) + 24] ^= std::byte{1};
  EXPECT_REFUSED(read_torch_file(file, "x"), "does not unpack");
}

TEST(Zip, RefusesAWrongChecksum) {
  Content file = data_file("flat.pth");
  const ZipReader zip(file, "x");
  const std::size_t place = static_cast<std::size_t>(zip.find("flat/data/0")->packed.data() - file.data());
  file[place] ^= std::byte{1};
  EXPECT_REFUSED(read_torch_file(file, "x.pth"), "'flat/data/0' has checksum");
}

TEST(Zip, RefusesDuplicatesAndOverlaps) {
  const TempFolder folder;
  const auto write = [&](std::string_view first, std::string_view second) {
    AtomicFile out(folder / "x.zip");
    ZipWriter writer(out);
    writer.add(std::string(first), "1");
    writer.add(std::string(second), "2");
    writer.finish();
    out.commit();
    return read_bytes(folder / "x.zip");
  };
  EXPECT_REFUSED(ZipReader(write("a", "a"), "x"), "'a' twice");
  Content file = write("a", "b");
  const std::size_t offset_field = find_directory(file) + 42;
  file[offset_field] = std::byte{65}; // the first record now points to the second entry
  EXPECT_REFUSED(ZipReader(file, "x"), "another name than 'a'");
}

Pickle unpickle(std::string_view text) {
  return parse_pickle(std::as_bytes(std::span(text)), "x.pkl");
}

TEST(PickleReader, ReadsTheValuesOfEveryProtocol) {
  for (const int protocol : {2, 3, 4, 5}) {
    const Content file = read_bytes(test_data(fmt::format("../fuzz/corpus/archive/pickle{}.pkl", protocol)));
    const Pickle pickle = parse_pickle(file, "x");
    const PickleNode* a = find_key(pickle.root(), "a");
    ASSERT_NE(a, nullptr);
    ASSERT_EQ(a->items.size(), 9u);
    EXPECT_EQ(a->items[1]->integer, -2);
    EXPECT_EQ(a->items[2]->integer, std::int64_t{1} << 40);
    EXPECT_TRUE(a->items[3]->is(PickleNode::Kind::bytes)); // 2^70
    EXPECT_EQ(a->items[4]->real, 1.5);
    EXPECT_TRUE(a->items[5]->is(PickleNode::Kind::none));
    EXPECT_EQ(find_key(pickle.root(), "d")->text.size(), 300u);
    EXPECT_EQ(pickle.size(), file.size());
  }
}

TEST(PickleReader, RefusesCallsByName) {
  for (const char* name : {"os_system", "eval"})
    EXPECT_REFUSED(read_torch_file(data_file(std::string(name) + ".pth"), "x"),
                   "a pickle that calls other things can run any program");
  EXPECT_REFUSED(read_torch_file(data_file("os_system.pth"), "x"), "wants to call 'posix.system'");
  EXPECT_REFUSED(read_torch_file(data_file("eval.pth"), "x"), "wants to call '__builtin__.eval'");
}

TEST(PickleReader, RefusesBrokenPrograms) {
  EXPECT_REFUSED(unpickle(""), "too early");
  EXPECT_REFUSED(unpickle("hello"), "no protocol number");
  EXPECT_REFUSED(unpickle("\x80\x09."), "protocol 9");
  EXPECT_REFUSED(unpickle("\x80\x02."), "an empty stack");
  EXPECT_REFUSED(unpickle("\x80\x02N"), "too early");
  EXPECT_REFUSED(unpickle("\x80\x02h\x05."), "no memo 5");
  EXPECT_REFUSED(unpickle("\x80\x02u."), "no mark");
  EXPECT_REFUSED(unpickle("\x80\x02}(Nu."), "a key without a value");
  EXPECT_REFUSED(unpickle("\x80\x02NNs."), "an empty stack");
  EXPECT_REFUSED(unpickle("\x80\x02N(NNu."), "items for something else");
  EXPECT_REFUSED(unpickle("\x80\x02NNR."), "a call of a value");
  EXPECT_REFUSED(unpickle("\x80\x02I1\n."), "opcode 0x49");
  EXPECT_REFUSED(unpickle("\x80\x02X\xff\xff\xff\xff."), "too early");
  EXPECT_REFUSED(unpickle("\x80\x02" + std::string(2000, '(')), "nested marks");
  EXPECT_REFUSED(unpickle("\x80\x02" + std::string(3'000'000, 'N')), "more than 2000000 values");
}

// A tuple of 10 000 values handed to 10 000 calls by reference would be 100 million items.
TEST(PickleReader, LimitsItemsThatAreShared) {
  std::string program = "\x80\x02(" + std::string(10'000, 'N') + "tq";
  program.push_back('\0');
  for (int i = 0; i < 10'000; ++i)
    program += std::string("ctorch\nSize\nh\0R", 15);
  EXPECT_REFUSED(unpickle(program), "more than 16000000 items");
}

TEST(TorchFile, ReadsFlatWrappedLegacyAndDeflated) {
  for (const char* name : {"flat.pth", "legacy.pth", "deflated.pth"}) {
    const Content content = data_file(name);
    const TorchFile file = read_torch_file(content, name);
    ASSERT_EQ(file.tensors.size(), 6u) << name;
    EXPECT_EQ(file.is_legacy, std::string(name) == "legacy.pth");
    EXPECT_EQ(file.tensors[0].name, "a");
    EXPECT_EQ(file.tensors[1].shape, (std::vector<std::int64_t>{3, 2}));
    EXPECT_EQ(file.tensors[1].strides, (std::vector<std::int64_t>{1, 3}));
    EXPECT_EQ(file.tensors[2].dtype, Dtype::float16);
    EXPECT_TRUE(file.tensors[3].shape.empty());
    EXPECT_EQ(file.tensors[4].strides, (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(file.tensors[5].offset, 2);
    EXPECT_EQ(file.tensors[5].storage.view.size(), 80u);
  }
  const Content content = data_file("wrapped.pth");
  const TorchFile wrapped = read_torch_file(content, "wrapped.pth");
  EXPECT_EQ(wrapped.wrapper, "state_dict");
  ASSERT_EQ(wrapped.tensors.size(), 2u);
  EXPECT_EQ(wrapped.tensors[1].shape, (std::vector<std::int64_t>{0, 3}));
}

TEST(TorchFile, ReadsScriptModulesAsData) {
  const Content content = data_file("script.pt");
  const TorchFile file = read_torch_file(content, "script.pt");
  EXPECT_TRUE(file.is_torchscript);
  ASSERT_EQ(file.tensors.size(), 3u);
  EXPECT_EQ(file.tensors[0].name, "resolution");
  EXPECT_EQ(file.tensors[1].name, "linear.weight");
  EXPECT_EQ(file.tensors[2].name, "linear.bias");
}

TEST(TorchFile, RefusesOtherArchives) {
  const TempFolder folder;
  AtomicFile out(folder / "x.zip");
  ZipWriter writer(out);
  writer.add("readme.txt", "hello");
  writer.finish();
  out.commit();
  EXPECT_REFUSED(read_torch_file(read_bytes(folder / "x.zip"), "x.zip"), "a zip archive without data.pkl");
  EXPECT_REFUSED(read_torch_file(bytes_of("hello"), "x.pth"),
                 "neither a zip archive nor a legacy torch file");
}

// A tensor record with everything in the text: name, count of the storage, offset, sides, strides.
Content with_tensor(const TempFolder& folder, int count, const std::string& offset_sides_strides) {
  const std::string pickle = "\x80\x02}X\x01" + std::string(3, '\0') +
                             "wctorch._utils\n_rebuild_tensor_v2\n((X\x07" + std::string(3, '\0') +
                             "storagectorch\nByteStorage\nX\x01" + std::string(3, '\0') + "0X\x03" +
                             std::string(3, '\0') + "cpuK" + std::string(1, static_cast<char>(count)) + "tQ" +
                             offset_sides_strides + "\x89}tRs.";
  AtomicFile out(folder / "x.pth");
  ZipWriter writer(out);
  writer.add("x/data.pkl", pickle);
  writer.add("x/data/0", std::string(8, 'x'));
  writer.finish();
  out.commit();
  return read_bytes(folder / "x.pth");
}

TEST(TorchFile, RefusesTensorsOutsideTheirStorage) {
  const TempFolder folder;
  const auto read = [&](int count, const std::string& numbers) {
    read_torch_file(with_tensor(folder, count, numbers), "x");
  };
  const std::string minus_one = "J\xff\xff\xff\xff";
  const std::string huge = "\x8a\x08" + std::string(7, '\xff') + "\x7f"; // 2^63 - 1
  EXPECT_NO_THROW(read(8, "K\x02(K\x02K\x02t(K\x03K\x02t"));             // last element: 2 + 3 + 2 = 7
  EXPECT_REFUSED(read(8, "K\x03(K\x02K\x02t(K\x03K\x02t"), "a part of its storage of 8 elements");
  EXPECT_REFUSED(read(7, "K\x02(K\x02t(K\x01t"), "7 bytes for 7 elements");
  EXPECT_REFUSED(read(8, minus_one + "(K\x02t(K\x01t"), "a part of its storage");
  EXPECT_REFUSED(read(8, "K\x02(" + minus_one + "t(K\x01t"), "numbers that are not negative");
  EXPECT_REFUSED(read(8, "K\x02(K\x02t(" + minus_one + "t"), "numbers that are not negative");
  EXPECT_REFUSED(read(8, "K\x02(" + huge + huge + "t(K\x01K\x01t"), "a part of its storage");
  EXPECT_REFUSED(read(8, "K\x02(K\x02t(" + huge + "t"), "a part of its storage");
  EXPECT_REFUSED(read(8, "K\x02(K\x02t)"), "a part of its storage");
  // Stride 0 repeats elements; 2^31 - 1 of them would be two gigabytes from eight bytes.
  EXPECT_REFUSED(read(8, std::string("K\0(J\xff\xff\xff\x7ft(K\0t", 13)), "a part of its storage");
}

// Either the file still loads, or it is a data error; never a crash (sanitiser builds look closer).
void expect_clean(const Content& file) {
  try {
    read_torch_file(file, "x");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
  }
}

TEST(TorchFile, SurvivesTruncationAtEveryLength) {
  for (const char* name : {"flat.pth", "legacy.pth", "script.pt"}) {
    const Content whole = data_file(name);
    for (std::size_t size = 0; size < whole.size(); size += 7)
      refusal([&] { read_torch_file(std::span(whole).first(size), name); });
  }
}

TEST(TorchFile, SurvivesFlippedBits) {
  for (const char* name : {"flat.pth", "wrapped.pth", "legacy.pth", "deflated.pth", "script.pt"}) {
    const Content whole = data_file(name);
    for (std::uint64_t i = 0; i < 400; ++i) {
      Content broken = whole;
      Random random({1, i});
      broken[random.below(broken.size())] ^= static_cast<std::byte>(1u << random.below(8));
      expect_clean(broken);
    }
  }
}

TEST(TorchFileWriter, WritesTheSameBytesForTheSameContent) {
  const TempFolder folder;
  const auto write = [&](const std::string& name) {
    TorchFileWriter writer(folder / name, {{"w", Dtype::float32, {2, 3}}, {"n", Dtype::int64, {}}});
    writer.add(bytes_of(std::string(24, 'x')));
    writer.add(bytes_of(std::string(8, 'y')));
    writer.commit();
    return read_bytes(folder / name);
  };
  const Content content = write("a.pth");
  EXPECT_EQ(content, write("b.pth"));
  const TorchFile file = read_torch_file(content, "a.pth");
  ASSERT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors[0].strides, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(file.tensors[1].dtype, Dtype::int64);
}

} // namespace
} // namespace vlreid
