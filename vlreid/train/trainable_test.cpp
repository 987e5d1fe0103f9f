// What learns in each stage, at which rate: schedules.json, names and numbers in the reference's order.
#include "tests/support/golden.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/train/recipe.h"
#include "vlreid/train/trainable.h"
#include "vlreid/weights/load.h"

#include <gtest/gtest.h>

namespace vlreid {
namespace {

using nlohmann::json;

struct Case {
  const char* family;
  const char* name; // in the golden file
  const char* config;
  std::vector<std::string> pairs = {};
  std::int64_t sie_rows = 0;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class ParameterGroups : public testing::TestWithParam<Case> {};

std::vector<std::string> names_of_parameters(const ReidModel& model) {
  std::vector<std::string> names;
  for (const auto& item : model.named_parameters())
    names.push_back(item.key());
  return names;
}

void expect_groups(const std::vector<ParameterGroup>& groups, double rate, const json& expected) {
  ASSERT_EQ(groups.size(), expected.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(groups[i].name, expected[i][0]);
    EXPECT_NEAR(rate * groups[i].rate_factor, expected[i][1].get<double>(), 1e-9 * rate) << groups[i].name;
    EXPECT_NEAR(groups[i].weight_decay, expected[i][2].get<double>(), 1e-9) << groups[i].name;
  }
}

TEST_P(ParameterGroups, AreTheReferences) {
  const Case& c = GetParam();
  VLREID_GOLDEN(path, "clipreid/schedules.json");
  const json facts = read_golden_json("clipreid/schedules.json")[c.family]["parameter_groups"][c.name];
  const Config config = load_config(test_data("../configs/person/" + std::string(c.config)), c.pairs);
  const Recipe recipe = make_recipe(config);
  const bool is_resnet = config.model.name == "RN50";
  const auto base = find_golden(is_resnet ? "common/tiny-rn.pt" : "common/tiny-vit.pt");
  if (base.empty()) GTEST_SKIP() << "the base weights are not part of a bare clone";
  const StateDict state = training_state(load_weights(base).state,
                                         {.identities = 8,
                                          .sie_rows = c.sie_rows,
                                          .prompt = recipe.prompt,
                                          .keeps_logit_scale = recipe.keeps_logit_scale,
                                          .uses_lora = recipe.uses_lora,
                                          .lora_encoder = config.lora.encoder,
                                          .lora_position = config.lora.position,
                                          .lora_projections = config.lora.projections,
                                          .lora_rank = config.lora.rank},
                                         base.string());
  ReidModel model(state, {.sie_camera = c.sie_rows > 0, .adapter = {.alpha = config.lora.alpha}},
                  base.string());
  EXPECT_EQ(names_of_parameters(model), facts["all_parameters"].get<std::vector<std::string>>());

  for (const Stage& stage : recipe.stages) {
    const std::string key = facts.contains("single") ? "single" : "stage" + std::to_string(stage.number);
    const std::vector<ParameterGroup> groups = parameter_groups(model, stage.trains, stage.solver);
    EXPECT_EQ(stage.solver.optimizer, facts[key]["optimizer"]);
    expect_groups(groups, stage.solver.learning_rate, facts[key]["groups"]);
    if (!facts.contains("trainable_" + key)) continue;
    std::vector<std::string> learning;
    for (const auto& item : model.named_parameters())
      if (item.value().requires_grad()) learning.push_back(item.key());
    EXPECT_EQ(learning, facts["trainable_" + key].get<std::vector<std::string>>());
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ParameterGroups,
    testing::Values(
        Case{"CLIP-ReID", "clipreid-vit", "vit_clipreid.yml"},
        Case{"CLIP-ReID", "clipreid-vit-sie", "vit_clipreid.yml", {}, 6},
        Case{"CLIP-ReID", "clipreid-rn", "cnn_clipreid.yml"},
        Case{"CLIP-ReID", "baseline-vit", "vit_base.yml"}, Case{"CLIP-ReID", "baseline-rn", "cnn_base.yml"},
        Case{"FT", "ted-vit", "vit_ted.yml"}, Case{"FT", "ted-vit-lora", "vit_ted_lora.yml"},
        Case{"FT", "ted-vit-lora-mlp-sie", "vit_ted_lora.yml", {"params", "['q','k','v','o','mlp']"}, 6},
        Case{"FT", "ted-vit-lora-up", "vit_ted_lora.yml", {"position", "up", "params", "['q','v']"}},
        Case{"FT", "ted-vit-lora-both-top3", "vit_ted_lora.yml", {"encoder", "both", "position", "top3"}}));

} // namespace
} // namespace vlreid
