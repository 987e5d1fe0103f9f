#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/encoders/clip.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/prompts/prompt_learner.h"
#include "vlreid/prompts/sentence.h"
#include "vlreid/weights/load.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

struct PromptCase {
  const char* file;
  const char* name;
  const char* archive;
  std::int64_t learned; // words between prefix and suffix
};

class Prompt : public testing::TestWithParam<PromptCase> {};

// What a checkpoint would hold: the learned tensors of the case, prefix and suffix from its tokens.
StateDict checkpoint_of(const SafetensorsFile& golden, const std::string& name,
                        const at::Tensor& token_embedding, std::int64_t learned) {
  StateDict state;
  const std::string prefix = name + "/learned/";
  for (const auto& entry : golden.entries())
    if (entry.name.starts_with(prefix))
      state.add(entry.name.substr(prefix.size()), golden_tensor(golden, entry.name));
  const at::Tensor sentence = at::embedding(token_embedding, golden_tensor(golden, name + "/tokenized"));
  const std::int64_t begin = golden_tensor(golden, name + "/token_prefix").size(1);
  state.add("token_prefix", sentence.slice(1, 0, begin));
  state.add("token_suffix", sentence.slice(1, begin + learned));
  return state;
}

TEST_P(Prompt, FeaturesAndGradientsEqualTheReference) {
  const PromptCase& c = GetParam();
  const std::string name = c.name;
  VLREID_GOLDEN(path, std::string("clipreid/") + c.file);
  VLREID_GOLDEN(base, std::string("common/") + c.archive);
  const SafetensorsFile golden(path);
  const StateDict weights = load_weights(base).state;
  const auto text = make_text_encoder(text_tower(weights));
  load_module(*text, text_tower(weights), c.archive);
  const auto learner = make_prompt_learner(
      checkpoint_of(golden, name, weights.at("token_embedding.weight").to(at::kFloat), c.learned), name);

  const Tolerance close{.abs = 1e-4};
  const StateDict state = state_of(*learner);
  expect_close(state.at("token_prefix"), golden_tensor(golden, name + "/token_prefix"), {}, "prefix");
  expect_close(state.at("token_suffix").slice(1, 0, 8), golden_tensor(golden, name + "/token_suffix_first8"),
               {}, "suffix");
  expect_close(text->forward(learner->forward({})), golden_tensor(golden, name + "/text_features_all"), close,
               "all");
  const at::Tensor features = text->forward(learner->forward(golden_tensor(golden, name + "/labels")));
  expect_close(features, golden_tensor(golden, name + "/text_features_labels"), close, "labels");
  (features * golden_tensor(golden, name + "/weights")).sum().backward();
  for (const auto& item : learner->named_parameters()) {
    const at::Tensor expected = golden_tensor(golden, name + "/grad/" + item.key());
    expect_close(item.value().grad(), expected,
                 {.abs = 1e-4 * std::max(1.0, expected.abs().max().item<double>())}, item.key());
  }
}
INSTANTIATE_TEST_SUITE_P(
    Golden, Prompt,
    testing::Values(PromptCase{"prompts.safetensors", "clipreid-person", "tiny-vit.pt", 4},
                    PromptCase{"prompts.safetensors", "clipreid-vehicle", "tiny-vit.pt", 4},
                    PromptCase{"prompts.safetensors", "clipreid-rn-person", "tiny-rn.pt", 4},
                    PromptCase{"prompts-ted.safetensors", "ted-person", "tiny-vit.pt", 3}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

StateDict words_of(std::int64_t sentences) {
  StateDict state;
  state.add("cls_ctx", at::randn({3, 2, 8}));
  state.add("token_prefix", at::randn({sentences, 4, 8}));
  state.add("token_suffix", at::cat({at::randn({sentences, 5, 8}), at::ones({sentences, 6, 8})}, 1));
  return state;
}

TEST(Sentence, EndIsWhereThePaddingBegins) {
  const auto learner = make_prompt_learner(words_of(1), "file");
  const TextPrompt prompt = learner->forward({});
  EXPECT_EQ(prompt.end_positions, (std::vector<std::int64_t>(3, 4 + 2 + 4)));
  EXPECT_EQ(prompt.shared_positions, 4);
  EXPECT_EQ(prompt.embeddings.sizes(), (std::vector<std::int64_t>{3, 17, 8}));
}

TEST(Sentence, EveryIdentityMayHaveItsOwn) {
  StateDict state = words_of(3);
  at::Tensor suffix = state.at("token_suffix").clone();
  suffix[1].slice(0, 3).fill_(1.0);
  state.set("token_suffix", suffix);
  const auto learner = make_prompt_learner(state, "file");
  const TextPrompt prompt = learner->forward(at::tensor({1, 2, 1}, at::kLong));
  EXPECT_EQ(prompt.end_positions, (std::vector<std::int64_t>{8, 10, 8}));
  EXPECT_EQ(prompt.shared_positions, 0);
}

TEST(PromptLearners, UnknownNamesAreAnError) {
  StateDict state;
  state.add("something", at::zeros({1}));
  EXPECT_THROW(make_prompt_learner(state, "file"), Error);
  EXPECT_EQ(prompt_learners().names(),
            (std::vector<std::string>{"clip_reid", "coop_augmented", "ivlp", "ted"}));
}

} // namespace
} // namespace vlreid
