#include "vlreid/encoders/packed_conv.h"

#include "vlreid/base/error.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/pooled_product.h"

#include <algorithm>
#include <cstring>

namespace vlreid {

void FeatureMap::resize(std::int64_t new_batch, std::int64_t new_height, std::int64_t new_width,
                        std::int64_t new_channels) {
  batch = new_batch;
  height = new_height;
  width = new_width;
  channels = new_channels;
  memory.room_for(pixels() * channels); // twice what bfloat16 needs
}

Numbers FeatureMap::numbers() const {
  if (is_narrow) return {.narrow = reinterpret_cast<const Bf16*>(memory.data()), .stride = channels};
  return {.floats = memory.data(), .stride = channels};
}

ProductOutput FeatureMap::output() const {
  if (is_narrow) return {.stride = channels, .narrow = reinterpret_cast<Bf16*>(memory.data())};
  return {.values = memory.data(), .stride = channels};
}

PackedConv::PackedConv(const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                       ProductType type)
    : kernel_(weight.size(2)), stride_(stride), channels_(weight.size(1)) {
  const at::Tensor rows = weight.to(at::kFloat).permute({0, 2, 3, 1}).contiguous(); // [out, k, k, in]
  weight_ = pack_on_pool({rows.const_data_ptr<float>(), rows.size(0)}, rows.numel() / rows.size(0), type);
  const at::Tensor offsets = bias.to(at::kFloat).contiguous();
  bias_.assign(offsets.const_data_ptr<float>(), offsets.const_data_ptr<float>() + offsets.numel());
}

void PackedConv::forward(const FeatureMap& x, Epilogue::Kind kind, FeatureMap& out) const {
  VLREID_ASSERT(x.channels == channels_);
  const std::int64_t columns = weight_.rows();
  out.resize(x.batch, (x.height - 1) / stride_ + 1, (x.width - 1) / stride_ + 1, columns);
  const Epilogue epilogue{.kind = kind, .bias = bias_.data()};
  if (kernel_ == 1 && stride_ == 1)
    return multiply_on_pool(x.numbers(), x.pixels(), weight_, epilogue, out.output());
  const Strips strips = strips_for(out.pixels(), weight_);
  shared_pool().parallel_for(strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
    thread_local PackedRows rows;
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
      const Pixels pixels{strips.begin(i), strips.begin(i + 1) - strips.begin(i)};
      load(x, out, pixels, rows);
      multiply(rows, weight_, {0, columns}, epilogue, out.output().from(pixels.first, 0));
    }
  });
}

void PackedConv::load(const FeatureMap& x, const FeatureMap& out, Pixels pixels, PackedRows& rows) const {
  thread_local Scratch neighbourhoods;
  const std::int64_t dims = weight_.dims();
  if (!x.is_narrow) {
    float* gathered = neighbourhoods.room_for(pixels.count * dims);
    gather(x, out, pixels, gathered);
    return rows.load({gathered, pixels.count}, weight_);
  }
  rows.begin(pixels.count, weight_);
  if (channels_ % PiecedRows::kPieceUnit == 0) {
    thread_local std::vector<const Bf16*> pieces;
    find_pieces(x, out, pixels, pieces);
    return rows.load_some(PiecedRows{pieces.data(), channels_}, 0, pixels.count, weight_);
  }
  // A group of rows at a time stays in the first cache until it is packed.
  const std::int64_t group = rows_at_once(weight_);
  for (std::int64_t first = 0; first < pixels.count; first += group) {
    const Pixels some{pixels.first + first, std::min(group, pixels.count - first)};
    auto* gathered = reinterpret_cast<at::BFloat16*>(neighbourhoods.room_for(group * dims));
    gather(x, out, some, gathered);
    rows.load_some(Numbers{.narrow = reinterpret_cast<const Bf16*>(gathered), .stride = dims}, first,
                   some.count, weight_);
  }
}

PackedConv::Corner PackedConv::corner_of(std::int64_t pixel, const FeatureMap& out) const {
  const std::int64_t padding = kernel_ / 2;
  return {.image = pixel / (out.height * out.width),
          .top = pixel / out.width % out.height * stride_ - padding,
          .left = pixel % out.width * stride_ - padding};
}

void PackedConv::find_pieces(const FeatureMap& x, const FeatureMap& out, Pixels pixels,
                             std::vector<const Bf16*>& pieces) const {
  const Bf16* map = x.numbers().narrow;
  pieces.clear();
  for (std::int64_t pixel = pixels.first; pixel < pixels.first + pixels.count; ++pixel) {
    const auto [image, top, left] = corner_of(pixel, out);
    for (std::int64_t y = top; y < top + kernel_; ++y)
      for (std::int64_t column = left; column < left + kernel_; ++column) {
        const bool is_inside = y >= 0 && y < x.height && column >= 0 && column < x.width;
        pieces.push_back(is_inside ? map + ((image * x.height + y) * x.width + column) * channels_ : nullptr);
      }
  }
}

template <typename T>
void PackedConv::gather(const FeatureMap& x, const FeatureMap& out, Pixels pixels, T* rows) const {
  const std::int64_t line = kernel_ * channels_;
  for (std::int64_t pixel = pixels.first; pixel < pixels.first + pixels.count; ++pixel) {
    const auto [image, top, left] = corner_of(pixel, out);
    const std::int64_t before = std::max<std::int64_t>(0, -left); // columns outside the image
    const std::int64_t inside = std::min(kernel_, x.width - left) - before;
    const std::int64_t after = kernel_ - before - inside;
    for (std::int64_t y = top; y < top + kernel_; ++y, rows += line) {
      if (y < 0 || y >= x.height) {
        std::memset(rows, 0, line * sizeof(T));
        continue;
      }
      const T* from = x.values<T>() + ((image * x.height + y) * x.width + left + before) * channels_;
      std::memset(rows, 0, before * channels_ * sizeof(T));
      std::memcpy(rows + before * channels_, from, inside * channels_ * sizeof(T));
      std::memset(rows + (before + inside) * channels_, 0, after * channels_ * sizeof(T));
    }
  }
}

namespace {

template <typename T>
void halve_rows(const FeatureMap& x, FeatureMap& out) {
  shared_pool().parallel_for(out.batch * out.height, 4, [&](std::size_t begin, std::size_t end, int) {
    for (auto row = static_cast<std::int64_t>(begin); row < static_cast<std::int64_t>(end); ++row) {
      const std::int64_t image = row / out.height, y = row % out.height, line = x.width * x.channels;
      const T* upper = x.values<T>() + (image * x.height + 2 * y) * line;
      T* __restrict to = out.values<T>() + row * out.width * out.channels;
      for (std::int64_t column = 0; column < out.width; ++column) {
        const T *left = upper + 2 * column * x.channels, *right = left + x.channels;
        for (std::int64_t c = 0; c < x.channels; ++c) {
          const float sum = static_cast<float>(left[c]) + static_cast<float>(right[c]) +
                            static_cast<float>(left[c + line]) + static_cast<float>(right[c + line]);
          to[column * x.channels + c] = static_cast<T>(sum * 0.25F);
        }
      }
    }
  });
}

} // namespace

void halve(const FeatureMap& x, FeatureMap& out) {
  out.is_narrow = x.is_narrow;
  out.resize(x.batch, x.height / 2, x.width / 2, x.channels);
  return x.is_narrow ? halve_rows<at::BFloat16>(x, out) : halve_rows<float>(x, out);
}

void mean_of_pixels(const FeatureMap& x, float* out) {
  const std::int64_t count = x.height * x.width;
  shared_pool().parallel_for(x.batch, 1, [&](std::size_t begin, std::size_t, int) {
    const auto image = static_cast<std::int64_t>(begin);
    float* __restrict to = out + image * x.channels;
    std::fill_n(to, x.channels, 0.0F);
    x.with_values([&](const auto* values) {
      for (std::int64_t pixel = 0; pixel < count; ++pixel) {
        const auto* from = values + (image * count + pixel) * x.channels;
        for (std::int64_t c = 0; c < x.channels; ++c)
          to[c] += static_cast<float>(from[c]);
      }
    });
    for (std::int64_t c = 0; c < x.channels; ++c)
      to[c] /= static_cast<float>(count);
  });
}

void channels_last(const at::Tensor& images, FeatureMap& out) {
  const std::int64_t area = out.height * out.width;
  shared_pool().parallel_for(out.batch, 1, [&](std::size_t begin, std::size_t, int) {
    const auto image = static_cast<std::int64_t>(begin);
    const float* from = images.const_data_ptr<float>() + image * out.channels * area;
    out.with_values([&]<typename T>(T* values) {
      T* __restrict to = values + image * out.channels * area;
      for (std::int64_t pixel = 0; pixel < area; ++pixel)
        for (std::int64_t c = 0; c < out.channels; ++c)
          to[pixel * out.channels + c] = static_cast<T>(from[c * area + pixel]);
    });
  });
}

void normalise(const at::Tensor& images, const PixelStatistics& pixels, FeatureMap& out) {
  std::array<std::array<float, 256>, 3> values; // of each channel's bytes
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t byte = 0; byte < 256; ++byte)
      values[c][byte] = (static_cast<float>(byte) / 255.0F - pixels.mean[c]) / pixels.std[c];
  const std::int64_t numbers = 3 * out.height * out.width;
  shared_pool().parallel_for(out.batch, 1, [&](std::size_t begin, std::size_t, int) {
    const std::uint8_t* from = images.const_data_ptr<std::uint8_t>() + begin * numbers;
    out.with_values([&]<typename T>(T* all) {
      T* to = all + begin * numbers;
      for (std::int64_t i = 0; i < numbers; i += 3)
        for (std::size_t c = 0; c < 3; ++c)
          to[i + c] = static_cast<T>(values[c][from[i + c]]);
    });
  });
}

} // namespace vlreid
