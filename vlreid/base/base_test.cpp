#include "vlreid/base/bounded_queue.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/memory.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/random.h"
#include "vlreid/base/registry.h"
#include "vlreid/base/strings.h"
#include "vlreid/base/thread_pool.h"

#include "tests/support/temp_folder.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

namespace vlreid {
namespace {

TEST(Error, IsOneLineWithItsThreeParts) {
  const Error error(ErrorKind::data, {"a\nb.jpg", "0 bytes", "an image", "remove it"});
  EXPECT_STREQ(error.what(), "a\\x0ab.jpg: 0 bytes; an image; remove it");
  EXPECT_EQ(exit_code(error.kind()), 65);
}

TEST(Error, LeavesOutEmptyParts) {
  EXPECT_STREQ(Error(ErrorKind::usage, {.place = "x", .found = "y"}).what(), "x: y");
}

TEST(Strings, ParseWholeNumbersOnly) {
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("12x"), std::nullopt);
  EXPECT_EQ(parse_integer(""), std::nullopt);
  EXPECT_EQ(parse_integer("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_real("1e-6"), 1e-6);
}

TEST(Strings, NearestIsTheSmallestEdit) {
  const std::vector<std::string> names{"market1501", "msmt17", "veri"};
  EXPECT_EQ(nearest("Market", names), "market1501");
  EXPECT_EQ(nearest("mstm17", names), "msmt17");
}

TEST(Strings, NumbersForPeople) {
  EXPECT_EQ(group_digits(1234567), "1 234 567");
  EXPECT_EQ(group_digits(-123), "-123");
  EXPECT_EQ(format_duration(61), "1:01");
  EXPECT_EQ(format_duration(5400), "1:30:00");
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const TempFolder folder;
  {
    AtomicFile file(folder / "x");
    file.write("half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(AtomicFile, ReplacesOnCommit) {
  const TempFolder folder;
  write_file(folder / "x", "old");
  AtomicFile file(folder / "x");
  file.write("newer");
  EXPECT_EQ(read_text(folder / "x"), "old");
  file.write_at(0, std::as_bytes(std::span("N", 1)));
  file.commit();
  EXPECT_EQ(read_text(folder / "x"), "Newer");
  EXPECT_EQ(list_files(folder.path()), std::vector<std::string>{"x"});
}

TEST(AtomicFile, MissingFolderCannotBeCreated) {
  const TempFolder folder;
  try {
    AtomicFile file(folder / "no" / "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::cannot_create);
  }
}

TEST(Files, MissingAndFolderAreToldApart) {
  const TempFolder folder;
  try {
    MappedFile file(folder / "none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::missing);
  }
  EXPECT_THROW(read_text(folder.path()), Error);
}

TEST(Files, ListsInByteOrderWithoutHiddenOnes) {
  const TempFolder folder;
  for (const char* name : {"b", "a", "B", ".hidden", "d/x", "d/.h/y"}) {
    std::filesystem::create_directories((folder / name).parent_path());
    write_file(folder / name, "");
  }
  EXPECT_EQ(list_files(folder.path()), (std::vector<std::string>{"B", "a", "b"}));
  EXPECT_EQ(list_files_recursively(folder.path()), (std::vector<std::string>{"B", "a", "b", "d/x"}));
}

TEST(ThreadPool, CoversEveryItemOnce) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> hits(1001);
  for (int repeat = 0; repeat < 20; ++repeat)
    pool.parallel_for(hits.size(), 7, [&](std::size_t begin, std::size_t end, int) {
      for (std::size_t i = begin; i < end; ++i)
        ++hits[i];
    });
  for (const auto& hit : hits)
    EXPECT_EQ(hit, 20);
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  ThreadPool pool(2);
  const auto broken = [](std::size_t, std::size_t, int) {
    fail(ErrorKind::data, {.place = "x", .found = "y"});
  };
  EXPECT_THROW(pool.parallel_for(10, 1, broken), Error);
  std::atomic<int> done = 0;
  pool.parallel_for(10, 1, [&](std::size_t, std::size_t, int) { ++done; });
  EXPECT_EQ(done, 10);
}

TEST(BoundedQueue, DrainsAfterClose) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i)
      queue.push(i);
    queue.close();
  });
  int expected = 0;
  while (const auto item = queue.pop())
    EXPECT_EQ(*item, expected++);
  producer.join();
  EXPECT_EQ(expected, 100);
  EXPECT_FALSE(queue.push(1));
}

TEST(Random, DependsOnTheKeyAlone) {
  Random a({1, 2, 3}), b({1, 2, 3}), c({1, 2, 4}), d({1, 3, 2});
  const double first = a.uniform();
  EXPECT_EQ(first, b.uniform());
  EXPECT_NE(first, c.uniform());
  EXPECT_NE(first, d.uniform());
}

TEST(Random, HasTheRightMoments) {
  Random random({7});
  double sum = 0, square = 0, uniform = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    square += x * x;
    uniform += random.uniform();
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.01);
  EXPECT_NEAR(square / kDraws, 1, 0.02);
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.005);
}

TEST(Registry, UnknownNameListsTheKnownOnes) {
  Registry<std::function<int()>> registry("dataset");
  registry.add("market1501", [] { return 1; }, "");
  registry.add("veri", [] { return 2; }, "");
  EXPECT_EQ(registry.at("veri")(), 2);
  try {
    registry.at("market");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "dataset: unknown name 'market'; one of market1501, veri; did you mean 'market1501'?");
  }
}

TEST(Progress, ShowsRateAndTimeLeft) {
  Progress progress("embed", "images", 200, true);
  progress.add_resumed(100);
  progress.add(100);
  EXPECT_NE(progress.line().find("100% 200/200 images"), std::string::npos);
  EXPECT_NE(progress.line().find("0:00 left"), std::string::npos);
}

TEST(HugePages, LeaveWhatTheMemoryHolds) {
  std::vector<int> numbers(3 << 20, 7);
  prefer_huge_pages(numbers.data(), numbers.size() * sizeof(int));
  prefer_huge_pages(numbers.data() + 5, 3);
  prefer_huge_pages(nullptr, 0);
  EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 7), 3 << 20);
}

TEST(FilePages, ComeBackWhenSomebodyLooks) {
  const TempFolder folder;
  const std::string text(300'000, 'x');
  AtomicFile file(folder.path() / "pages");
  file.write(text);
  file.commit();
  const MappedFile mapped(folder.path() / "pages");
  forget_file_pages(mapped.bytes().data() + 5000, 100'000);
  forget_file_pages(mapped.bytes().data(), mapped.bytes().size());
  EXPECT_TRUE(std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(mapped.bytes().data())));
}

TEST(FilePages, OfOtherMemoryStay) {
  const std::vector<int> numbers(1 << 20, 7);
  forget_file_pages(numbers.data(), numbers.size() * sizeof(int));
  EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 7), 1 << 20);
}

} // namespace
} // namespace vlreid
