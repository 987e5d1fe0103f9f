#include "vlreid/base/error.h"
#include "vlreid/tensor/device.h"
#include "vlreid/tensor/dtype.h"
#include "vlreid/tensor/kept_memory.h"
#include "vlreid/tensor/shape.h"
#include "vlreid/tensor/span.h"
#include "vlreid/tensor/untouched_zeros.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

template <typename Action>
std::string message_of(const Action& action, ErrorKind kind) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Device, ReadsItsNames) {
  EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(message_of([] { parse_device("gpu"); }, ErrorKind::usage),
            "--device: 'gpu'; cpu, cuda or cuda:N");
  for (const char* text : {"", "cuda:", "cuda:x", "cuda:-1", "cpu:0"})
    EXPECT_NE(message_of([&] { parse_device(text); }, ErrorKind::usage).find("cpu, cuda or cuda:N"),
              std::string::npos)
        << text;
}

TEST(Device, RefusesCudaWhereThereIsNone) {
  if (at::hasCUDA()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_NE(message_of([] { parse_device("cuda"); }, ErrorKind::usage).find("no CUDA device"),
            std::string::npos);
}

TEST(Dtype, NamesRoundTrip) {
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kBool})
    EXPECT_EQ(parse_scalar_type(name_of(type)), type);
  EXPECT_EQ(parse_scalar_type("bf16"), at::kBFloat16);
  EXPECT_EQ(parse_scalar_type("float8"), std::nullopt);
}

TEST(Shape, BindsLettersAcrossTensors) {
  ShapeLetters letters;
  check_shape(at::zeros({4, 3, 8, 2}), {"B", 3, "H", "W"}, "images", letters);
  EXPECT_EQ(letters.at("H"), 8);
  EXPECT_NO_THROW(check_shape(at::zeros({4}), {"B"}, "labels", letters));
  EXPECT_NO_THROW(check_shape(at::zeros({4, 7}), {"B", "*"}, "rows", letters));
  EXPECT_EQ(message_of([&] { check_shape(at::zeros({5}), {"B"}, "labels", letters); }, ErrorKind::internal),
            "labels: shape [5]; [B=4]; this is a bug of vlreid; please report it");
  EXPECT_EQ(message_of([&] { check_shape(at::zeros({4, 2}), {"B", 3, "N"}, "tokens"); }, ErrorKind::internal),
            "tokens: shape [4, 2]; [B, 3, N]; this is a bug of vlreid; please report it");
}

TEST(Span, CopiesThereAndBack) {
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const at::Tensor tensor = tensor_of<float>(numbers, {2, 3});
  EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(span_of<float>(tensor)[4], 5);
  EXPECT_THROW(span_of<float>(tensor.t()), Error);
  EXPECT_THROW(tensor_of<float>(numbers, {2, 2}), Error);
}

TEST(UntouchedZeros, AreZerosThatCanBeWritten) {
  for (const std::int64_t width : {1, 30, 700}) {
    at::Tensor zeros = untouched_zeros({3, width, 500});
    EXPECT_TRUE(zeros.equal(at::zeros({3, width, 500})));
    zeros.fill_(2);
    EXPECT_EQ(zeros.sum().item<double>(), 3000.0 * static_cast<double>(width));
  }
}

// One test, since the memory is the process's.
TEST(KeptMemory, GivesFreedBlocksToTensorsOfTheirSizeAndIsBounded) {
  constexpr std::int64_t kMiB = 1 << 20;
  const auto bytes = [](std::int64_t count) { return at::empty({count}, at::kByte); };
  at::Tensor older = bytes(4 * kMiB);
  keep_tensor_memory();
  older.reset(); // is freed as it was made
  EXPECT_EQ(tensor_memory().most_in_use, 0U);

  const at::Tensor small = bytes(kMiB - 1);
  EXPECT_EQ(tensor_memory().in_use, 0U);
  at::Tensor large = bytes(8 * kMiB);
  EXPECT_EQ(tensor_memory().in_use, 8U * kMiB);
  const void* place = large.data_ptr();
  large.reset();
  EXPECT_EQ(tensor_memory().in_use, 0U);
  EXPECT_EQ(tensor_memory().kept, 8U * kMiB);
  large = bytes(8 * kMiB - 100);
  EXPECT_EQ(large.data_ptr(), place);
  EXPECT_EQ(tensor_memory().kept, 0U);
  EXPECT_TRUE(at::zeros({2 * kMiB}, at::kFloat).eq(0).all().item<bool>()); // pages of `large` or not
  large.resize_({16 * kMiB});
  EXPECT_EQ(large.nbytes(), 16U * kMiB);
  large.reset();

  const TensorMemory before = tensor_memory();
  for (std::int64_t size = 1; size <= 12; ++size) // each of a size of its own
    bytes(size * kMiB);
  const TensorMemory after = tensor_memory();
  EXPECT_EQ(after.in_use, 0U);
  EXPECT_LE(static_cast<double>(after.kept), (1 + kMostKept) * static_cast<double>(before.most_in_use));
}

} // namespace
} // namespace vlreid
