#include "vlreid/report/run_log.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include "tests/support/temp_folder.h"

#include <cmath>
#include <csignal>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>

namespace vlreid {
namespace {

RunRecord train_record(int stage, int epoch, int iteration) {
  return {.kind = RecordKind::train,
          .at = {stage, epoch, iteration},
          .values = {{"loss", 1.0 / (stage * 100 + epoch * 10 + iteration)}, {"rate", 3.5e-4}}};
}

// Two stages of three epochs of four iterations, an evaluation after every epoch of the second.
std::vector<RunRecord> whole_run() {
  std::vector<RunRecord> records;
  for (int stage = 1; stage <= 2; ++stage)
    for (int epoch = 1; epoch <= 3; ++epoch) {
      for (int iteration = 1; iteration <= 4; ++iteration)
        records.push_back(train_record(stage, epoch, iteration));
      records.push_back({.kind = RecordKind::epoch, .at = {stage, epoch}, .values = {{"loss", 0.5}}});
      if (stage == 2)
        records.push_back({.kind = RecordKind::eval,
                           .at = {stage, epoch},
                           .dataset = "market1501",
                           .values = {{"mAP", 0.1 * epoch}, {"rank1", 0.2 * epoch}}});
    }
  return records;
}

void write_all(RunLog& log, const std::vector<RunRecord>& records, std::size_t first = 0) {
  for (std::size_t i = first; i < records.size(); ++i)
    log.write(records[i]);
}

TEST(RunLog, PrintsOneObjectALine) {
  EXPECT_EQ(
      to_line({.kind = RecordKind::train,
               .at = {1, 3, 50},
               .values = {{"loss", 2.3125}, {"accuracy", 0.5}, {"rate", 3.5e-4}}}),
      R"({"kind":"train","stage":1,"epoch":3,"iteration":50,"loss":2.3125,"accuracy":0.5,"rate":0.00035})");
  EXPECT_EQ(to_line({.kind = RecordKind::eval, .at = {2, 60}, .dataset = "a\"b", .values = {{"mAP", 0.875}}}),
            R"({"kind":"eval","stage":2,"epoch":60,"dataset":"a\"b","mAP":0.875})");
}

TEST(RunLog, ReadsBackWhatWasWritten) {
  TempFolder folder;
  const std::vector<RunRecord> records = whole_run();
  {
    RunLog log(folder / kMetricsFile, {});
    write_all(log, records);
    log.sync();
  }
  EXPECT_EQ(read_run_log(folder / kMetricsFile), records);
}

TEST(RunLog, KeepsEveryBitOfANumber) {
  TempFolder folder;
  std::mt19937_64 random(7);
  RunLog log(folder / "log", {});
  std::vector<double> numbers{0.1, 1e-300, 1e300, -0.0, 1.0 / 3};
  for (int i = 0; i < 200; ++i)
    numbers.push_back(std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 150));
  for (const double number : numbers)
    log.write({.at = {1, 1, 1}, .values = {{"x", number}}});
  const auto records = read_run_log(folder / "log");
  ASSERT_EQ(records.size(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    EXPECT_EQ(records[i].value("x"), numbers[i]);
}

TEST(RunLog, NumbersThatAreNotFiniteBecomeNull) {
  TempFolder folder;
  RunLog(folder / "log", {}).write({.at = {1, 1, 1}, .values = {{"loss", std::nan("")}}});
  EXPECT_NE(read_text(folder / "log").find("\"loss\":null"), std::string::npos);
  EXPECT_TRUE(std::isnan(read_run_log(folder / "log").front().value("loss").value()));
}

// The state that was saved at a position, and whatever the file held when the program died behind it, give
// the undisturbed file again.
TEST(RunLog, ResumedFileEqualsTheUndisturbedOneByteForByte) {
  TempFolder folder;
  const std::vector<RunRecord> records = whole_run();
  {
    RunLog log(folder / "whole", {});
    write_all(log, records);
  }
  const std::string whole = read_text(folder / "whole");
  std::size_t saved_bytes = 0;
  for (std::size_t saved = 0; saved < records.size(); ++saved) {
    saved_bytes += to_line(records[saved]).size() + 1;
    // Training saves before or behind the records of one position, not between them.
    if (saved + 1 < records.size() && records[saved + 1].at == records[saved].at) continue;
    for (const std::size_t more : {std::size_t{0}, std::size_t{1}, std::size_t{70}, whole.size()}) {
      write_file(folder / "torn", whole.substr(0, saved_bytes + more));
      RunLog log(folder / "torn", records[saved].at);
      write_all(log, records, saved + 1);
      ASSERT_EQ(read_text(folder / "torn"), whole) << saved << " " << more;
    }
  }
}

TEST(RunLog, NewRunBeginsAnEmptyFile) {
  TempFolder folder;
  write_file(folder / "log", "of another run\n");
  RunLog log(folder / "log", {});
  EXPECT_EQ(read_text(folder / "log"), "");
  RunLog resumed(folder / "never written", RunPosition{1, 1, 1});
  EXPECT_TRUE(read_run_log(folder / "never written").empty());
}

TEST(RunLog, LeavesOutATornLastLine) {
  TempFolder folder;
  write_file(folder / "log", to_line(train_record(1, 1, 1)) + "\n{\"kind\":\"tra");
  EXPECT_EQ(read_run_log(folder / "log").size(), 1u);
}

TEST(RunLog, RefusesBrokenLinesByNumber) {
  TempFolder folder;
  std::string many = R"({"kind":"train")";
  for (int i = 0; i < 65; ++i)
    many += fmt::format(",\"v{}\":1", i);
  for (const std::string& line :
       {std::string("nonsense"), std::string("{}"), std::string(R"({"kind":"dance"})"), many + "}",
        std::string(R"({"kind":"train","stage":-1})"), std::string(R"({"kind":"train","epoch":1.5})"),
        std::string(R"({"kind":"train","iteration":99999999999})"), std::string(100000, '['),
        std::string(R"({"kind":"train","loss":"low"})"), std::string(R"({"kind":"eval","dataset":3})"),
        std::string("{\"kind\":\"train\",\"\xff\":1}")}) {
    write_file(folder / "log", to_line(train_record(1, 1, 1)) + "\n" + line + "\n");
    try {
      read_run_log(folder / "log");
      FAIL() << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find("log:2: "), std::string::npos) << error.what();
    }
    EXPECT_THROW(RunLog(folder / "log", RunPosition{9, 9, 9}), Error);
    EXPECT_NO_THROW(RunLog(folder / "log", RunPosition{1, 0, 0})); // the broken line lies behind
  }
}

// A limit on the file's size stands for a full disk.
TEST(RunLog, AFailedWriteLeavesWholeLines) {
  TempFolder folder;
  RunLog log(folder / "log", {});
  const std::size_t line = to_line(train_record(1, 1, 1)).size() + 1;
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 3 * line + line / 2;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  int written = 0;
  try {
    for (; written < 5; ++written)
      log.write(train_record(1, 1, 1));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(written, 3);
  EXPECT_EQ(read_text(folder / "log").size(), 3 * line);
}

} // namespace
} // namespace vlreid
