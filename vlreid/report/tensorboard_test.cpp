#include "vlreid/report/tensorboard.h"

#include "vlreid/base/files.h"
#include "vlreid/report/event_frames.h"

#include "tests/support/temp_folder.h"

#include <cstring>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

struct Event {
  double wall_time = 0;
  std::uint64_t step = 0, session = 0;
  std::string version, tag;
  float value = 0;
};

template <typename Number>
Number take(std::string_view& bytes) {
  Number number{};
  EXPECT_GE(bytes.size(), sizeof(number));
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof(number)));
  bytes.remove_prefix(std::min(bytes.size(), sizeof(number)));
  return number;
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; !bytes.empty() && shift < 64; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

void parse(std::string_view bytes, Event& event, bool is_summary_value = false);

// One field; `is_summary_value`: of Summary.Value instead of Event.
void parse_field(std::string_view& bytes, Event& event, bool is_summary_value) {
  const std::uint64_t key = take_varint(bytes);
  std::string_view inner;
  if ((key & 7) == 2) {
    const std::uint64_t length = take_varint(bytes);
    ASSERT_LE(length, bytes.size());
    inner = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  if (is_summary_value) {
    if (key == (1 << 3 | 2)) event.tag = inner;
    if (key == (2 << 3 | 5)) event.value = take<float>(bytes);
    return;
  }
  if (key == (1 << 3 | 1)) event.wall_time = take<double>(bytes);
  if (key == (2 << 3 | 0)) event.step = take_varint(bytes);
  if (key == (3 << 3 | 2)) event.version = inner;
  if (key == (7 << 3 | 2)) take<std::uint8_t>(inner), event.session = take_varint(inner);
  if (key == (5 << 3 | 2)) {
    take<std::uint8_t>(inner); // Summary.value
    const std::uint64_t length = take_varint(inner);
    ASSERT_EQ(length, inner.size());
    parse(inner, event, true);
  }
}

void parse(std::string_view bytes, Event& event, bool is_summary_value) {
  while (!bytes.empty() && !testing::Test::HasFatalFailure())
    parse_field(bytes, event, is_summary_value);
}

std::vector<Event> read_events(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::string_view bytes = text;
  std::vector<Event> events;
  while (!bytes.empty()) {
    const std::string_view header = bytes.substr(0, 8);
    const auto length = take<std::uint64_t>(bytes);
    EXPECT_EQ(take<std::uint32_t>(bytes), masked_crc32c(header));
    if (length + 4 > bytes.size()) {
      ADD_FAILURE() << "a frame of " << length << " bytes";
      break;
    }
    const std::string_view message = bytes.substr(0, length);
    bytes.remove_prefix(length);
    EXPECT_EQ(take<std::uint32_t>(bytes), masked_crc32c(message));
    parse(message, events.emplace_back());
  }
  return events;
}

std::filesystem::path only_file(const std::filesystem::path& folder) {
  const auto names = list_files(folder);
  EXPECT_EQ(names.size(), 1u);
  EXPECT_TRUE(names.front().starts_with("events.out.tfevents."));
  return folder / names.front();
}

// RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32c, MeetsThePublishedValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(TensorBoard, WritesTorchreidsTags) {
  TempFolder folder;
  TensorBoardWriter writer(folder / "stage2", {.iterations_per_epoch = 100});
  writer.write({.kind = RecordKind::train,
                .at = {2, 3, 50},
                .values = {{"loss", 2.5}, {"accuracy", 0.25}, {"rate", 1e-3}, {"loss_t", 0.5}}});
  writer.write({.kind = RecordKind::timing, .at = {2, 3, 50}, .values = {{"time", 0.5}, {"data", 0.125}}});
  writer.write({.kind = RecordKind::epoch, .at = {2, 3}, .values = {{"loss", 9}}});
  writer.write({.kind = RecordKind::eval, .at = {2, 3}, .values = {{"mAP", 0.75}, {"rank1", 0.875}}});
  const auto events = read_events(only_file(folder / "stage2"));
  ASSERT_EQ(events.size(), 9u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  struct Expected {
    std::string tag;
    float value;
    std::uint64_t step;
  };
  const std::vector<Expected> expected{{"Train/loss", 2.5f, 249}, {"Train/acc", 25, 249},
                                       {"Train/lr", 1e-3f, 249},  {"Train/loss_t", 0.5f, 249},
                                       {"Train/time", 0.5f, 249}, {"Train/data", 0.125f, 249},
                                       {"Test/mAP", 0.75f, 2},    {"Test/rank1", 0.875f, 2}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(events[i + 1].tag, expected[i].tag);
    EXPECT_EQ(events[i + 1].value, expected[i].value);
    EXPECT_EQ(events[i + 1].step, expected[i].step);
    EXPECT_GT(events[i + 1].wall_time, 1.7e9);
  }
}

TEST(TensorBoard, AResumedRunDisownsWhatItRepeats) {
  TempFolder folder;
  const TensorBoardWriter first(folder.path(), {.iterations_per_epoch = 100});
  const TensorBoardWriter middle(folder.path(), {.iterations_per_epoch = 100, .resume_after = {{2, 3, 50}}});
  const TensorBoardWriter between(folder.path(), {.iterations_per_epoch = 100, .resume_after = {{2, 3}}});
  const auto after = list_files(folder.path());
  ASSERT_EQ(after.size(), 3u); // of one second and process, yet three files
  std::vector<std::uint64_t> steps;
  for (const std::string& name : after)
    for (const Event& event : read_events(folder / name))
      if (event.session == 1) steps.push_back(event.step);
  EXPECT_EQ(steps, (std::vector<std::uint64_t>{250, 300}));
}

} // namespace
} // namespace vlreid
