// The formulas and properties of golden/datasets/samplers.json; the orders are our own.
#include "vlreid/batches/sampler.h"

#include "vlreid/base/error.h"

#include "tests/support/golden.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

namespace vlreid {
namespace {
using Json = nlohmann::json;
using Labels = std::vector<std::int64_t>;

std::unique_ptr<Sampler> make(const char* name, const Labels& labels, const SamplerOptions& options) {
  return samplers().at(name)(labels, options);
}

std::size_t total(const BatchList& batches) {
  std::size_t count = 0;
  for (const auto& batch : batches)
    count += batch.size();
  return count;
}

SamplerOptions options_of(const Json& item) {
  return {.batch_size = item.at("batch_size"), .images_per_identity = item.at("K"), .seed = 3};
}

std::map<std::int64_t, std::size_t> count_labels(const Labels& labels) {
  std::map<std::int64_t, std::size_t> counts;
  for (const std::int64_t label : labels)
    ++counts[label];
  return counts;
}

// P different identities with K neighbouring places each; of an identity with at least K images none twice in
// an epoch, and never more than max(1, n / K) groups.
void check_properties(const BatchList& batches, const Labels& labels, std::size_t p, std::size_t k) {
  const auto counts = count_labels(labels);
  std::map<std::int64_t, std::size_t> groups;
  std::set<std::size_t> seen;
  for (const auto& batch : batches) {
    ASSERT_EQ(batch.size(), p * k);
    std::set<std::int64_t> identities;
    for (std::size_t begin = 0; begin < batch.size(); begin += k) {
      const std::int64_t label = labels.at(batch[begin]);
      identities.insert(label);
      ++groups[label];
      for (std::size_t i = begin; i < begin + k; ++i) {
        ASSERT_EQ(labels.at(batch[i]), label);
        const bool is_new = seen.insert(batch[i]).second;
        ASSERT_TRUE(is_new || counts.at(label) < k);
      }
    }
    ASSERT_EQ(identities.size(), p);
  }
  for (const auto& [label, number] : groups)
    EXPECT_LE(number, std::max<std::size_t>(1, counts.at(label) / k));
  std::size_t unfinished = 0; // the epoch ends when fewer than P identities have groups left
  for (const auto& [label, images] : counts)
    unfinished += groups[label] < std::max<std::size_t>(1, images / k);
  EXPECT_LT(unfinished, p);
}

// Mini batch m of the list that one process makes with that batch size goes to rank m mod world.
void check_dealt(const std::vector<BatchList>& ranks, const Labels& labels, SamplerOptions options,
                 std::uint64_t epoch) {
  const std::size_t world = ranks.size();
  options.batch_size /= world;
  const BatchList whole = make("identity", labels, options)->batches(epoch);
  check_properties(whole, labels, options.batch_size / options.images_per_identity,
                   options.images_per_identity);
  for (std::size_t rank = 0; rank < world; ++rank) {
    ASSERT_EQ(ranks[rank].size(), whole.size() / world);
    for (std::size_t i = 0; i < ranks[rank].size(); ++i)
      EXPECT_EQ(ranks[rank][i], whole[i * world + rank]);
  }
}

void expect_error(ErrorKind kind, const Labels& labels, const SamplerOptions& options) {
  try {
    make("identity", labels, options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_FALSE(error.fault().remedy.empty());
  }
}

class GoldenSamplers : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "datasets/samplers.json");
    json_ = read_golden_json("datasets/samplers.json");
    for (const Json& item : json_.at("single_process"))
      labels_[item.at("name")] = item.at("labels").get<Labels>();
    labels_["twenty-three-equal"] = json_.at("twenty-three-equal labels").get<Labels>();
  }

  Json json_;
  std::map<std::string, Labels> labels_;
};

TEST_F(GoldenSamplers, SingleProcess) {
  int seen = 0;
  for (const Json& item : json_.at("single_process")) {
    const std::string name = item.at("name");
    SCOPED_TRACE(name);
    const Labels& labels = labels_.at(name);
    if (name == "fewer-identities-than-P") {
      expect_error(ErrorKind::data, labels, options_of(item));
      continue;
    }
    if (name == "batch-not-a-multiple-of-K") {
      expect_error(ErrorKind::config, labels, options_of(item));
      continue;
    }
    const auto sampler = make("identity", labels, options_of(item));
    EXPECT_EQ(sampler->announced_length(), item.at("len_sampler"));
    std::set<std::string> lengths;
    for (std::uint64_t epoch = 0; epoch < 200; ++epoch) {
      const BatchList batches = sampler->batches(epoch);
      check_properties(batches, labels, item.at("P"), item.at("K"));
      EXPECT_LE(total(batches), sampler->announced_length());
      lengths.insert(std::to_string(total(batches)));
    }
    for (const auto& [length, runs] : item.at("yielded_in_200_runs").items())
      EXPECT_TRUE(runs.get<int>() < 10 || lengths.contains(length)) << length; // the rare ones may be missed
    ++seen;
  }
  EXPECT_EQ(seen, 4);
}

TEST_F(GoldenSamplers, Distributed) {
  int seen = 0;
  for (const Json& item : json_.at("distributed")) {
    const Labels& labels = labels_.at(item.at("labels_of"));
    SCOPED_TRACE(item.at("labels_of").get<std::string>() + " on " + item.at("world").dump());
    const std::size_t world = item.at("world");
    std::set<std::size_t> lengths;
    for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
      std::vector<BatchList> ranks;
      for (std::size_t rank = 0; rank < world; ++rank) {
        SamplerOptions options = options_of(item);
        options.world = world;
        options.rank = rank;
        const auto sampler = make("identity", labels, options);
        EXPECT_EQ(sampler->announced_length(), item.at("len_before_first_epoch"));
        ranks.push_back(sampler->batches(epoch));
      }
      check_dealt(ranks, labels, options_of(item), epoch);
      lengths.insert(total(ranks.front()));
    }
    // The rank that came away with less shows what all get here.
    std::set<std::size_t> expected;
    for (const Json& run : item.at("yielded_in_150_runs")) {
      const Json& each = run.at("per_rank");
      const std::size_t length =
          each.is_array() ? each.get<std::vector<std::size_t>>().back() : each.get<std::size_t>();
      expected.insert(length);
      EXPECT_TRUE(run.at("runs").get<int>() < 15 || lengths.contains(length)) << length;
    }
    EXPECT_TRUE(std::ranges::includes(expected, lengths));
    ++seen;
  }
  EXPECT_EQ(seen, 8);
}

TEST_F(GoldenSamplers, Errors) {
  const Labels& equal = labels_.at("equal-counts");
  expect_error(ErrorKind::config, equal, {.batch_size = 3});
  expect_error(ErrorKind::config, equal, {.batch_size = 1});
  expect_error(ErrorKind::config, equal, {.batch_size = 8, .world = 4});
  expect_error(ErrorKind::config, equal, {.batch_size = 8, .world = 3});
  expect_error(ErrorKind::config, equal, {.batch_size = 8, .world = 2, .rank = 2});
  expect_error(ErrorKind::config, equal, {.batch_size = 8, .images_per_identity = 0});
  expect_error(ErrorKind::data, labels_.at("fewer-identities-than-P"), {.batch_size = 64, .world = 2});
}

Labels uneven_labels() {
  Labels labels;
  for (std::int64_t label = 0; label < 20; ++label)
    labels.insert(labels.end(), static_cast<std::size_t>(1 + label), label);
  return labels;
}

TEST(Sampler, EpochsAreRepeatableAndDiffer) {
  for (const std::string& name : samplers().names()) {
    const SamplerOptions options{.batch_size = 16, .seed = 5};
    const auto one = make(name.c_str(), uneven_labels(), options);
    const auto two = make(name.c_str(), uneven_labels(), options);
    const auto other_seed = make(name.c_str(), uneven_labels(), {.batch_size = 16, .seed = 6});
    EXPECT_EQ(one->batches(7), two->batches(7));
    EXPECT_NE(one->batches(7), one->batches(8));
    EXPECT_NE(one->batches(7), other_seed->batches(7));
  }
}

// An identity with n >= K images leaves out n mod K of them, others each epoch: all come in time.
TEST(IdentitySampler, EveryImageComesInTime) {
  const Labels labels = uneven_labels();
  const auto sampler = make("identity", labels, {.batch_size = 16});
  std::set<std::size_t> seen;
  for (std::uint64_t epoch = 0; epoch < 100; ++epoch)
    for (const auto& batch : sampler->batches(epoch))
      seen.insert(batch.begin(), batch.end());
  EXPECT_EQ(seen.size(), labels.size());
}

// Identities are chosen uniformly: with one group each, the first place is anyone's alike.
TEST(IdentitySampler, ChoosesIdentitiesUniformly) {
  Labels labels(40);
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<std::int64_t>(i / 4);
  const auto sampler = make("identity", labels, {.batch_size = 12});
  std::vector<int> first(10);
  for (std::uint64_t epoch = 0; epoch < 5000; ++epoch)
    ++first[static_cast<std::size_t>(labels[sampler->batches(epoch)[0][0]])];
  for (const int count : first)
    EXPECT_NEAR(count, 500, 4 * 21.2);
}

TEST(ShuffleSampler, GivesEveryItemOnce) {
  const Labels labels(70, 0);
  const auto sampler = make("shuffle", labels, {.batch_size = 16});
  EXPECT_EQ(sampler->announced_length(), 70u);
  const BatchList batches = sampler->batches(1);
  ASSERT_EQ(batches.size(), 5u);
  EXPECT_EQ(batches.back().size(), 6u);
  std::set<std::size_t> seen;
  for (const auto& batch : batches)
    seen.insert(batch.begin(), batch.end());
  EXPECT_EQ(seen.size(), 70u);
}

TEST(ShuffleSampler, RanksShareTheOrder) {
  const Labels labels(70, 0);
  const BatchList whole = make("shuffle", labels, {.batch_size = 8})->batches(1);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    const BatchList share = make("shuffle", labels, {.batch_size = 16, .world = 2, .rank = rank})->batches(1);
    ASSERT_EQ(share.size(), 4u);
    for (std::size_t i = 0; i < share.size(); ++i)
      EXPECT_EQ(share[i], whole[2 * i + rank]);
  }
}

TEST(ShuffleSampler, EpochWithoutABatchIsAnError) {
  EXPECT_THROW(make("shuffle", {}, {.batch_size = 8})->batches(1), Error);
  EXPECT_THROW(make("shuffle", Labels(8, 0), {.batch_size = 16, .world = 2})->batches(1), Error);
}

TEST(ListedSampler, GivesWhatItWasGiven) {
  const std::vector<BatchList> epochs = {{{3, 1}, {2}}, {{0}}};
  const auto sampler = make_listed_sampler(epochs);
  EXPECT_EQ(sampler->batches(1), epochs[0]);
  EXPECT_EQ(sampler->batches(2), epochs[1]);
  EXPECT_EQ(sampler->announced_length(), 3u);
  EXPECT_THROW(sampler->batches(0), Error);
  EXPECT_THROW(sampler->batches(3), Error);
}

TEST(Sampler, NamesFollowTheConfiguration) {
  EXPECT_EQ(sampler_name("softmax"), "shuffle");
  EXPECT_EQ(sampler_name("softmax_triplet"), "identity");
  EXPECT_EQ(sampler_name("triplet"), "identity");
}

} // namespace
} // namespace vlreid
