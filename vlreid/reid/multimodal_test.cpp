// Prompts of Multimodal-ReID on both sides of the model, with values and gradients
// (golden/multimodal/prompts-*).
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/reid/model.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/text/templates.h"
#include "vlreid/text/tokenizer.h"
#include "vlreid/weights/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/embedding.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr Grid kSize{64, 32};
constexpr const char* kBlocks = "transformer.resblocks.";

struct Case {
  const char* name; // of the file
  const char* prompt;
  std::int64_t deep_prompts = 0;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

std::string learned_name(const std::string& golden) {
  if (golden.starts_with("text.")) return "text_encoder." + (kBlocks + golden.substr(5));
  if (golden == "visual.VPT") return "image_encoder.VPT";
  if (golden.starts_with("visual.")) return "image_encoder." + (kBlocks + golden.substr(7));
  return golden.starts_with("adapter.") ? golden : "prompt_learner." + golden;
}

TrainingStateOptions plan_of(const Case& c) {
  return {.identities = 5,
          .prompt = c.prompt,
          .words = std::vector<std::string>(std::string(c.prompt) == "coop_veri" ? 5 : 1, "person"),
          .image = kSize,
          .stride = 12,
          .resize = PositionResize::bicubic,
          .keeps_logit_scale = true,
          .names = Family::mm,
          .deep_prompts = c.deep_prompts,
          .adapts_feature = std::string(c.prompt) == "adapter",
          .keeps_frozen_encoder = true};
}

at::Tensor grad_of(ReidModel& model, const std::string& name) {
  return model.named_parameters()[name].grad();
}

Tolerance share_of_largest(const at::Tensor& expected, double share) {
  return {.abs = share * expected.abs().max().item<double>()};
}

class MultimodalPrompts : public testing::TestWithParam<Case> {
protected:
  void SetUp() override { at::set_num_threads(1); }

  // The state of a new training with the tensors of the file in it.
  static StateDict state_with(const SafetensorsFile& golden, const StateDict& base, const Case& c) {
    StateDict state = training_state(base, plan_of(c), c.name);
    const at::Tensor words = base.at("token_embedding.weight").to(at::kFloat),
                     tokens = golden_tensor(golden, "tokens");
    const bool has_own = std::string(c.prompt) == "coop_veri"; // the car types are the reference's words
    const std::string several = std::string(c.prompt) == "coop_augmented" ? "es" : "";
    for (const char* part : {"prefix", "suffix"}) {
      const std::string name = std::string("prompt_learner.token_") + part + several;
      const at::Tensor made = state.at(name), all = at::embedding(words, tokens);
      const at::Tensor expected =
          std::string(part) == "prefix" ? all.slice(1, 0, made.size(1)) : all.slice(1, 77 - made.size(1));
      if (has_own) state.set(name, expected);
      if (!has_own) expect_close(made, expected, {}, name);
    }
    for (const auto& entry : golden.entries())
      if (const std::string name = learned_name(entry.name); state.has(name))
        state.set(name, golden_tensor(golden, entry.name));
    return state;
  }

  static void expect_gradients(const SafetensorsFile& golden, ReidModel& model, const std::string& side) {
    for (const auto& entry : golden.entries()) {
      if (!entry.name.starts_with("grad." + side)) continue;
      const at::Tensor expected = golden_tensor(golden, entry.name);
      expect_close(grad_of(model, learned_name(entry.name.substr(5))), expected,
                   share_of_largest(expected, 2e-4), entry.name);
    }
  }
};

// Of sum(values * weights), where each value may be off by 2e-5 of the largest, one way or the other.
Tolerance of_weighted_sum(const at::Tensor& values, const at::Tensor& weights) {
  return {.abs = 2e-5 * values.abs().max().item<double>() * weights.norm().item<double>()};
}

TEST_P(MultimodalPrompts, ValuesAndGradientsAreTheReferences) {
  const Case& c = GetParam();
  VLREID_GOLDEN(path, "multimodal/prompts-" + std::string(c.name) + ".safetensors");
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  const SafetensorsFile golden(path);
  ReidModel model(state_with(golden, load_weights(base).state, c), {.image = kSize, .stride = 12}, c.name);
  const auto expected = [&](const std::string& name) { return golden_tensor(golden, name); };

  const at::Tensor features = model.encode_identities(expected("labels"));
  expect_close(features, expected("text_features"), share_of_largest(expected("text_features"), 2e-5),
               "text features");
  const at::Tensor sum = (features * expected("R_text")).sum();
  expect_close(sum.view({1}), expected("scalar"), of_weighted_sum(features, expected("R_text")), "scalar");
  sum.backward();
  expect_gradients(golden, model, c.deep_prompts > 0 ? "ctx" : "cls_ctx");
  expect_gradients(golden, model, "text.");
  if (!golden.has("images")) return;

  const ImageFeatures image = model.image_encoder().forward(expected("images"), {});
  at::Tensor image_sum;
  for (const auto& [name, tensor] :
       {std::pair{"last", image.last}, {"feature", image.feature}, {"proj", image.proj}}) {
    const at::Tensor value = expected(std::string("image.") + name);
    expect_close(tensor, value, share_of_largest(value, 2e-5), name);
    if (c.deep_prompts == 0) continue;
    const at::Tensor part = (tensor * expected(std::string("R_image.") + name)).sum();
    image_sum = image_sum.defined() ? image_sum + part : part;
  }
  expect_close(model.state().at("image_encoder.positional_embedding"),
               expected("visual.positional_embedding"), {.abs = 1e-6}, "positions");
  if (c.deep_prompts == 0) return;
  expect_close(image_sum.view({1}), expected("image.scalar"), {.rel = 2e-5}, "image scalar");
  image_sum.backward();
  expect_gradients(golden, model, "visual.");
}

INSTANTIATE_TEST_SUITE_P(, MultimodalPrompts,
                         testing::Values(Case{"coop", "coop"}, Case{"adapter", "adapter"},
                                         Case{"coop_aug", "coop_augmented"}, Case{"coop_veri", "coop_veri"},
                                         Case{"ivlp2", "ivlp", 2}, Case{"ivlp4", "ivlp", 4},
                                         Case{"promptsrc2", "promptsrc", 2},
                                         Case{"promptsrc4", "promptsrc", 4}));

// prompts.json: where the learned words stand, and how many rows are fixed before and behind them.
TEST_P(MultimodalPrompts, WordsStandWhereTheReferencesDo) {
  const Case& c = GetParam();
  VLREID_GOLDEN(path, "multimodal/prompts.json");
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  const nlohmann::json facts = read_golden_json("multimodal/prompts.json")["cases"][c.name];
  EXPECT_EQ(facts["vpt_ctx"], c.deep_prompts);
  const TrainingStateOptions plan = plan_of(c);
  const bool has_types = facts.contains("car_types"); // whose texts are our own, not the reference's
  const StateDict state = training_state(load_weights(base).state, plan, c.name).below("prompt_learner.");
  EXPECT_EQ(state.at(facts["learned_name"].get<std::string>()).sizes(),
            facts["learned_shape"].get<std::vector<std::int64_t>>());
  const std::string several = std::string(c.prompt) == "coop_augmented" ? "es" : "";
  EXPECT_EQ(state.at("token_prefix" + several).size(1), facts["prefix_tokens"]);
  EXPECT_EQ(state.at("token_suffix" + several).size(1), facts["suffix_tokens"]);

  const SentenceTemplate& sentence = sentence_template(c.prompt);
  std::vector<std::int64_t> ends;
  for (const std::string& word : plan.words)
    for (const std::string& filled : fill(sentence, word))
      ends.push_back(clip_tokenizer().tokenize(filled).end);
  if (!has_types) {
    EXPECT_EQ(ends, facts["eot_position"].get<std::vector<std::int64_t>>());
  }
}

TEST_F(MultimodalPrompts, AdapterOnTheFeature) {
  VLREID_GOLDEN(path, "multimodal/prompts-adapter.safetensors");
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  const SafetensorsFile golden(path);
  const Case c{"adapter", "adapter"};
  ReidModel model(state_with(golden, load_weights(base).state, c), {.image = kSize, .stride = 12}, c.name);
  const at::Tensor input = golden_tensor(golden, "adapter.input").requires_grad_(true);
  const at::Tensor mixed = model.mixed(input), expected = golden_tensor(golden, "adapter.mixed");
  expect_close(mixed, expected, share_of_largest(expected, 2e-5), "mixed");
  (mixed * golden_tensor(golden, "adapter.R")).sum().backward();
  expect_gradients(golden, model, "adapter.fc.");
  const at::Tensor grad = golden_tensor(golden, "grad.adapter.input");
  expect_close(input.grad(), grad, share_of_largest(grad, 2e-4), "grad of the input");
}

TEST_F(MultimodalPrompts, FrozenEncoderIsThePlainOne) {
  VLREID_GOLDEN(path, "multimodal/prompts-zeroshot-encoder.safetensors");
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  const SafetensorsFile golden(path);
  const StateDict state = training_state(load_weights(base).state, plan_of({"", "promptsrc", 2}), "frozen");
  ReidModel model(state, {.image = kSize, .stride = 12, .keeps_frozen_encoder = true}, "frozen");
  expect_close(model.state().at("ZS_image_encoder.positional_embedding"),
               golden_tensor(golden, "positional_embedding"), {.abs = 1e-6}, "positions");
  const ImageFeatures features = model.frozen_features(golden_tensor(golden, "images"));
  for (const auto& [name, tensor] :
       {std::pair{"last", features.last}, {"feature", features.feature}, {"proj", features.proj}}) {
    const at::Tensor expected = golden_tensor(golden, name);
    expect_close(tensor, expected, share_of_largest(expected, 2e-5), name);
    EXPECT_FALSE(tensor.requires_grad());
  }
  EXPECT_FALSE(ReidModel(state, {.image = kSize, .stride = 12}, "eval").has_frozen_encoder());
}

// As the reference's own modules write them (section 3 of spec/multimodal.md).
TEST(MultimodalState, HasTheNamesOfTheReferencesCheckpoints) {
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  for (const auto& [file, c] : {std::pair{"multimodal/ckpt-coop.pth", Case{"coop", "coop"}},
                                {"multimodal/ckpt-ivlp-half.pth", {"ivlp", "ivlp", 2}}}) {
    VLREID_GOLDEN(path, file);
    TrainingStateOptions plan = plan_of(c);
    plan.keeps_frozen_encoder = false;
    const ReidModel model(training_state(load_weights(base).state, plan, file),
                          {.image = kSize, .stride = 12}, file);
    std::map<std::string, std::vector<std::int64_t>> ours, theirs;
    for (const auto& [name, tensor] : model.state())
      ours[name] = tensor.sizes().vec();
    for (const auto& [name, tensor] : load_weights(path).state)
      theirs[name] = tensor.sizes().vec();
    EXPECT_EQ(ours, theirs) << file;
  }
}

} // namespace
} // namespace vlreid
