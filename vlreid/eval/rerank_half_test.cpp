// Why re-ranked distances differ from Multimodal-ReID's by up to 6e-3: it keeps the k-reciprocal encoding and
// its overlaps in half precision. The same definition, written down plainly, gives the reference's numbers in
// half precision and ours in single precision.
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/archive/safetensors.h"
#include "vlreid/retrieval/rerank.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace vlreid {
namespace {

using Numbers = std::vector<std::size_t>;

constexpr double kRounding = 1e-3; // two of half precision near 1; the file's own tolerance is 2e-3

// Zhong et al. 2017 over queries followed by the gallery, with the encoding in `Real`.
template <typename Real>
class PlainRerank {
public:
  PlainRerank(const at::Tensor& rows, std::size_t k1, std::size_t k2)
      : count_(static_cast<std::size_t>(rows.size(0))), distance_(count_ * count_), order_(count_) {
    const at::Tensor squares = rows.square().sum(1, true);
    at::Tensor d = squares + squares.t() - 2 * at::mm(rows, rows.t());
    d = (d / d.amax(0)).t().contiguous();
    std::copy_n(d.const_data_ptr<float>(), distance_.size(), distance_.begin());
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::size_t j = 0; j < count_; ++j)
        order_[i].push_back(j);
      std::ranges::stable_sort(order_[i], {}, [&](std::size_t j) { return distance_[i * count_ + j]; });
    }
    encode(k1);
    expand(k2);
  }

  // One row of final distances to the gallery, which begins at `queries`.
  std::vector<float> row(std::size_t query, std::size_t queries, double lambda) const {
    std::vector<Real> overlap(count_, Real(0));
    for (std::size_t j = 0; j < count_; ++j)
      for (std::size_t i = 0; code(query, j) != Real(0) && i < count_; ++i)
        overlap[i] = Real(float(overlap[i]) + std::min(float(code(query, j)), float(code(i, j))));
    std::vector<float> made;
    for (std::size_t i = queries; i < count_; ++i) {
      const Real share = Real(float(overlap[i]) / float(Real(2 - float(overlap[i]))));
      const Real jaccard = Real(1 - float(share));
      made.push_back(float(Real(float(jaccard) * float(Real(float(1 - lambda))))) +
                     distance_[query * count_ + i] * static_cast<float>(lambda));
    }
    return made;
  }

private:
  Real& code(std::size_t i, std::size_t j) { return codes_[i * count_ + j]; }
  Real code(std::size_t i, std::size_t j) const { return codes_[i * count_ + j]; }

  Numbers reciprocal(std::size_t i, std::size_t k) const {
    Numbers made;
    for (std::size_t n = 0; n <= k && n < count_; ++n) {
      const Numbers& back = order_[order_[i][n]];
      const auto end = back.begin() + static_cast<std::ptrdiff_t>(std::min(k + 1, count_));
      if (std::find(back.begin(), end, i) != end) made.push_back(order_[i][n]);
    }
    return made;
  }

  void encode(std::size_t k1) {
    codes_.assign(count_ * count_, Real(0));
    const auto half = static_cast<std::size_t>(std::nearbyint(static_cast<double>(k1) / 2));
    for (std::size_t i = 0; i < count_; ++i) {
      const Numbers near = reciprocal(i, k1);
      std::set<std::size_t> all(near.begin(), near.end());
      for (const std::size_t candidate : near) {
        const Numbers more = reciprocal(candidate, half);
        const auto shared = std::ranges::count_if(
            more, [&](std::size_t j) { return std::ranges::find(near, j) != near.end(); });
        if (3 * static_cast<std::size_t>(shared) > 2 * more.size()) all.insert(more.begin(), more.end());
      }
      float sum = 0;
      for (const std::size_t j : all)
        sum += std::exp(-distance_[i * count_ + j]);
      for (const std::size_t j : all)
        code(i, j) = Real(std::exp(-distance_[i * count_ + j]) / sum);
    }
  }

  void expand(std::size_t k2) {
    std::vector<Real> means(codes_.size());
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t j = 0; j < count_; ++j) {
        float sum = 0;
        for (std::size_t n = 0; n < k2; ++n)
          sum += float(code(order_[i][n], j));
        means[i * count_ + j] = Real(sum / static_cast<float>(k2));
      }
    codes_ = std::move(means);
  }

  std::size_t count_;
  std::vector<float> distance_; // [N, N]
  std::vector<Numbers> order_;
  std::vector<Real> codes_; // [N, N]
};

at::Tensor normalised(const at::Tensor& rows) {
  return rows / rows.norm(2, 1, true);
}

template <typename Real>
double largest_difference(const SafetensorsFile& file, const std::string& name, std::size_t k1,
                          std::size_t k2, const at::Tensor& expected) {
  const at::Tensor queries = golden_tensor(file, name + ".query"),
                   gallery = golden_tensor(file, name + ".gallery");
  const PlainRerank<Real> rerank(at::cat({normalised(queries), normalised(gallery)}), k1, k2);
  double largest = 0;
  const auto count = static_cast<std::size_t>(queries.size(0));
  for (std::size_t query = 0; query < count; ++query) {
    const std::vector<float> row = rerank.row(query, count, 0.3);
    for (std::size_t i = 0; i < row.size(); ++i)
      largest = std::max(
          largest,
          std::abs(double(row[i]) -
                   expected[static_cast<std::int64_t>(query)][static_cast<std::int64_t>(i)].item<double>()));
  }
  return largest;
}

// Ours, as one matrix.
at::Tensor our_distances(const SafetensorsFile& file, const std::string& name, int k1, int k2) {
  const at::Tensor queries = normalised(golden_tensor(file, name + ".query")),
                   gallery = normalised(golden_tensor(file, name + ".gallery"));
  at::Tensor made = at::empty({queries.size(0), gallery.size(0)});
  const auto span_of_rows = [](const at::Tensor& rows) {
    return std::span(rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel()));
  };
  for_each_reranked_row(span_of_rows(queries), span_of_rows(gallery), queries.size(1), {k1, k2, 0.3},
                        [&](std::int64_t query, std::span<float> row, int) {
                          std::ranges::copy(row, made[query].mutable_data_ptr<float>());
                        });
  return made;
}

TEST(RerankInHalfPrecision, IsTheReferences) {
  VLREID_GOLDEN(path, "multimodal/evaluation.safetensors");
  const SafetensorsFile file(path);
  for (const std::string name : {"small", "large"})
    for (const auto& [k1, k2] : {std::pair{50, 15}, {20, 6}}) {
      const auto wide1 = static_cast<std::size_t>(k1), wide2 = static_cast<std::size_t>(k2);
      const at::Tensor theirs =
          golden_tensor(file, name + ".rerank_" + std::to_string(k1) + "_" + std::to_string(k2));
      EXPECT_LT(largest_difference<at::Half>(file, name, wide1, wide2, theirs), kRounding) << name << k1;
      EXPECT_LT(largest_difference<float>(file, name, wide1, wide2, our_distances(file, name, k1, k2)), 1e-5)
          << name << k1;
    }
}

} // namespace
} // namespace vlreid
