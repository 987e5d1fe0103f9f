#include "vlreid/retrieval/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "vlreid/base/error.h"

namespace vlreid {
namespace {

TEST(NormaliseRows, DividesByTheLength) {
  std::vector<float> values{3, 4, 0, 0, -2, 0};
  std::vector<float> out(6);
  normalise_rows(values, 2, out);
  EXPECT_EQ(out, (std::vector<float>{0.6F, 0.8F, 0, 0, -1, 0}));
  normalise_rows(values, 2);
  EXPECT_EQ(values, out);
}

TEST(NormaliseRows, TinyRowsAreDividedByEpsilon) {
  std::vector<float> values{1e-13F, 0};
  normalise_rows(values, 2);
  EXPECT_NEAR(values[0], 0.1F, 1e-6);
}

TEST(NormaliseRows, LongRowsHaveUnitLength) {
  std::vector<float> values(1000 * 77);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i % 13) - 6;
  normalise_rows(values, 77);
  for (const float norm : squared_norms(values, 77, "features"))
    EXPECT_NEAR(norm, 1, 1e-5);
}

TEST(NormaliseRows, NothingIsFine) {
  normalise_rows(std::span<float>{}, 0);
  EXPECT_TRUE(squared_norms({}, 0, "features").empty());
}

TEST(SquaredNorms, NamesTheFirstBadRow) {
  std::vector<float> values{1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 1e38F, 1e38F};
  try {
    squared_norms(values, 2, "gallery features");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(error.fault().place, "gallery features");
    EXPECT_NE(error.fault().found.find("row 1 "), std::string::npos);
  }
}

} // namespace
} // namespace vlreid
