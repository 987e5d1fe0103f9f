#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/image/decode.h"
#include "vlreid/synth/attributes.h"
#include "vlreid/synth/camera.h"
#include "vlreid/synth/captions.h"
#include "vlreid/synth/options.h"
#include "vlreid/synth/plan.h"

#include "tests/support/temp_folder.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace vlreid {
namespace {

SynthOptions small_options() {
  return {.seed = 5,
          .train_identities = 10,
          .test_identities = 4,
          .cameras = 3,
          .images_per_camera = 2,
          .distractors = 6,
          .junk = 4};
}

int identity_of(const std::string& name) {
  return std::stoi(name);
}
char camera_of(const std::string& name) {
  return name[name.find("_c") + 2];
}

std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const std::string& name : list_files_recursively(folder))
    files[name] = read_text(folder / name);
  return files;
}

// Rows of attributes.csv by identity, cells by column name.
std::map<int, std::map<std::string, std::string>> read_table(const std::filesystem::path& path) {
  std::map<int, std::map<std::string, std::string>> rows;
  const auto lines = split(trim(read_text(path)), '\n');
  const auto header = split(lines.at(0), ',');
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto cells = split(lines[i], ',');
    EXPECT_EQ(cells.size(), header.size());
    for (std::size_t c = 0; c < header.size(); ++c)
      rows[std::stoi(cells[0])][header[c]] = cells[c];
  }
  return rows;
}

TEST(MadePersons, HaveMarketsLayoutAndCounts) {
  TempFolder temp;
  const SynthOptions options = small_options();
  const SynthSummary summary = make_dataset(temp / "set", options, nullptr);
  const auto train = list_files(temp / "set/bounding_box_train"), query = list_files(temp / "set/query"),
             gallery = list_files(temp / "set/bounding_box_test");
  EXPECT_EQ(train.size(), summary.train_images);
  EXPECT_EQ(query.size(), summary.query_images);
  EXPECT_EQ(gallery.size(), summary.gallery_images + summary.junk_images);
  EXPECT_EQ(count_images(options), static_cast<std::int64_t>(train.size() + query.size() + gallery.size()));
  EXPECT_EQ(std::count_if(gallery.begin(), gallery.end(), [](const auto& n) { return identity_of(n) == 0; }),
            6);
  EXPECT_EQ(
      std::count_if(gallery.begin(), gallery.end(), [](const auto& n) { return n.starts_with("-1_c"); }), 4);

  std::set<int> train_identities, test_identities;
  for (const auto& name : train)
    train_identities.insert(identity_of(name));
  for (const auto& name : query)
    test_identities.insert(identity_of(name));
  EXPECT_EQ(train_identities.size(), 10u);
  EXPECT_EQ(test_identities.size(), 4u);
  for (const int identity : test_identities)
    EXPECT_FALSE(train_identities.contains(identity));
  for (const auto& name : query) {
    const bool has_match = std::any_of(gallery.begin(), gallery.end(), [&](const auto& other) {
      return identity_of(other) == identity_of(name) && camera_of(other) != camera_of(name);
    });
    EXPECT_TRUE(has_match) << name;
  }
  const Image image = load_image(temp.path() / "set/query" / query[0]);
  EXPECT_EQ(image.height, 128);
  EXPECT_EQ(image.width, 64);
}

TEST(MadePersons, AreTheSameBytesForAnyNumberOfThreads) {
  TempFolder temp;
  SynthOptions options = small_options();
  options.domain = SynthDomain::b;
  options.threads = 1;
  make_dataset(temp / "one", options, nullptr);
  options.threads = 3;
  make_dataset(temp / "three", options, nullptr);
  EXPECT_EQ(contents(temp / "one"), contents(temp / "three"));
  options.seed = 6;
  make_dataset(temp / "other", options, nullptr);
  EXPECT_NE(contents(temp / "one"), contents(temp / "other"));
}

// With one seed too: other people, who wear more when it is winter, and cameras that mostly look down steeply
// into halls.
TEST(MadePersons, OfTheTwoDomainsAreOthersUnderOtherCameras) {
  constexpr int kPeople = 120, kCameras = 6;
  const auto a = make_people(5, SynthDomain::a, 0, kPeople), b = make_people(5, SynthDomain::b, 0, kPeople);
  const auto long_sleeved = [](const std::vector<PersonLook>& people) {
    return std::ranges::count_if(people, [](const PersonLook& person) { return person.has_long_sleeves; });
  };
  EXPECT_GT(long_sleeved(b), long_sleeved(a) + kPeople / 5);
  float pitch[2] = {0, 0};
  std::set<std::uint64_t> scenes;
  for (int camera = 0; camera < kCameras; ++camera)
    for (const SynthDomain domain : {SynthDomain::a, SynthDomain::b}) {
      const CameraLook look = make_camera(5, domain, camera);
      pitch[domain == SynthDomain::b] += look.pitch;
      scenes.insert(look.scene);
    }
  EXPECT_GT(pitch[1], pitch[0]);
  EXPECT_EQ(scenes.size(), 2u * kCameras);
}

TEST(MadePersons, CaptionsAgreeWithTheTable) {
  TempFolder temp;
  const SynthSummary summary = make_dataset(temp / "set", small_options(), nullptr);
  auto table = read_table(temp / "set/attributes.csv");
  EXPECT_EQ(table.size(), 14u);
  EXPECT_EQ(table.begin()->second.size(), 2u + 27u);
  const auto captions = nlohmann::json::parse(read_text(temp / "set/captions.json"));
  EXPECT_EQ(captions.size() * kCaptionsPerImage, summary.captions);
  std::map<std::string, int> splits;
  for (const auto& entry : captions) {
    const std::string path = entry.at("file_path"), part = entry.at("split");
    EXPECT_TRUE(std::filesystem::exists(temp / "set" / path));
    ++splits[part];
    auto& row = table.at(entry.at("id"));
    EXPECT_EQ(row.at("split"), part == "test" ? "test" : "train");
    EXPECT_EQ(part == "test", !path.starts_with("bounding_box_train"));
    for (const std::string sentence : entry.at("captions")) {
      const auto says = [&](std::string_view word) { return sentence.find(word) != std::string::npos; };
      EXPECT_EQ(says("backpack") || says("rucksack"), row.at("backpack") == "2") << sentence;
      EXPECT_EQ(says("handbag"), row.at("handbag") == "2") << sentence;
      EXPECT_EQ(says("shoulder bag"), row.at("bag") == "2") << sentence;
      EXPECT_EQ(says("dress ") || says("skirt"), row.at("clothes") == "1") << sentence;
      EXPECT_EQ(says(" jeans") || says("trousers") || says("pants"), row.at("down") == "1") << sentence;
      EXPECT_EQ(says(" cap") || says(" hat"), row.at("hat") == "2") << sentence;
      EXPECT_EQ(says("woman") || says("lady") || says("girl"), row.at("gender") == "2") << sentence;
      for (const auto& [name, code] : row)
        if (name.starts_with("up") && name.size() > 2 && code == "2") {
          EXPECT_TRUE(says(name.substr(2))) << name << ": " << sentence;
        }
    }
    EXPECT_EQ(entry.at("processed_tokens").size(), entry.at("captions").size());
  }
  EXPECT_GT(splits["train"], 0);
  EXPECT_GT(splits["val"], 0);
  EXPECT_GT(splits["test"], 0);
}

TEST(MadePersons, OfOneGroupDifferInNamedAttributes) {
  for (const SynthDomain domain : {SynthDomain::a, SynthDomain::b}) {
    const auto people = make_people(3, domain, 0, 80);
    for (std::size_t i = 0; i < people.size(); ++i)
      for (std::size_t k = i + 1; k < people.size() && k / kPeopleOfAKind == i / kPeopleOfAKind; ++k)
        EXPECT_GE(count_differences(people[i], people[k]), 3) << i << " " << k;
  }
}

TEST(MadeVehicles, HaveVerisLayoutAndLists) {
  TempFolder temp;
  SynthOptions options = small_options();
  options.kind = SynthKind::vehicle;
  options.cameras = 12;
  const SynthSummary summary = make_dataset(temp / "set", options, nullptr);
  const auto train = list_files(temp / "set/image_train"), query = list_files(temp / "set/image_query"),
             gallery = list_files(temp / "set/image_test");
  EXPECT_EQ(train.size(), summary.train_images);
  EXPECT_EQ(query.size() + gallery.size(),
            static_cast<std::size_t>(summary.query_images + summary.gallery_images));
  EXPECT_EQ(train[0].size(), std::string("0001_c001_00016450_0.jpg").size());
  const auto lines = split(trim(read_text(temp / "set/keypoint_test.txt")), '\n');
  EXPECT_EQ(lines.size(), query.size() + gallery.size());
  for (const std::string& line : lines) {
    const auto fields = split(line, ' ');
    ASSERT_EQ(fields.size(), 42u);
    EXPECT_TRUE(std::filesystem::exists(temp / "set" / fields[0]));
    const auto view = parse_integer(fields[41]);
    EXPECT_TRUE(view && *view >= 0 && *view <= 7) << line;
  }
  for (const char* name :
       {"keypoint_train.txt", "name_train.txt", "name_query.txt", "name_test.txt", "train_label.xml",
        "test_label.xml", "list_type.txt", "list_color.txt", "captions.json", "attributes.csv"})
    EXPECT_TRUE(std::filesystem::exists(temp / "set" / name)) << name;
}

TEST(Viewpoints, FollowVeri) {
  EXPECT_EQ(viewpoint_of(0), 0);
  EXPECT_EQ(viewpoint_of(kPi), 1);
  EXPECT_EQ(viewpoint_of(-kPi / 2), 2);
  EXPECT_EQ(viewpoint_of(-kPi / 4), 3);
  EXPECT_EQ(viewpoint_of(-3 * kPi / 4), 4);
  EXPECT_EQ(viewpoint_of(kPi / 2), 5);
  EXPECT_EQ(viewpoint_of(kPi / 4), 6);
  EXPECT_EQ(viewpoint_of(3 * kPi / 4 + 2 * kPi), 7);
}

ErrorKind kind_of_failure(const std::filesystem::path& folder, const SynthOptions& options) {
  try {
    make_dataset(folder, options, nullptr);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(MadeFolder, IsOnlyReplacedWhenAskedAndOurs) {
  TempFolder temp;
  const SynthOptions options = small_options();
  make_dataset(temp / "set/", options, nullptr);
  EXPECT_FALSE(std::filesystem::exists(temp / "set.partial"));
  EXPECT_EQ(kind_of_failure(temp / "set", options), ErrorKind::cannot_create);
  SynthOptions forced = options;
  forced.force = true;
  forced.distractors = 0;
  EXPECT_EQ(make_dataset(temp / "set", forced, nullptr).distractor_images, 0);
  write_file(temp / "file", "x");
  EXPECT_EQ(kind_of_failure(temp / "file", forced), ErrorKind::cannot_create);
  std::filesystem::create_directory(temp / "mine");
  write_file(temp / "mine/notes.txt", "x");
  EXPECT_EQ(kind_of_failure(temp / "mine", forced), ErrorKind::cannot_create);
  EXPECT_EQ(read_text(temp / "mine/notes.txt"), "x");
}

TEST(MadeFolder, RefusesOptionsOutOfRange) {
  TempFolder temp;
  SynthOptions options = small_options();
  options.cameras = 7;
  EXPECT_EQ(kind_of_failure(temp / "set", options), ErrorKind::usage);
  options = small_options();
  options.images_per_camera = 1;
  EXPECT_EQ(kind_of_failure(temp / "set", options), ErrorKind::usage);
  options = small_options();
  options.train_identities = kMaxPersonIdentities;
  EXPECT_EQ(kind_of_failure(temp / "set", options), ErrorKind::usage);
  EXPECT_FALSE(std::filesystem::exists(temp / "set"));
}

TEST(CaptionTokens, AreLowerCaseWords) {
  EXPECT_EQ(caption_tokens("A man, in a T-shirt."),
            (std::vector<std::string>{"a", "man", "in", "a", "t-shirt"}));
  EXPECT_TRUE(caption_tokens("...").empty());
}

} // namespace
} // namespace vlreid
