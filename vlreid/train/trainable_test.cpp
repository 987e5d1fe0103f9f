// What learns in each stage, at which rate: schedules.json, names and numbers in the reference's order.
#include "tests/support/golden.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/train/setup.h"
#include "vlreid/train/trainable.h"
#include "vlreid/weights/load.h"

#include <gtest/gtest.h>
#include <map>

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

// ---- Multimodal-ReID

struct Rates {
  double rate, decay;
  bool operator==(const Rates&) const = default;
};

// Names of the reference's programs in our model.
std::string our_name(std::string name) {
  for (const auto& [theirs, ours] :
       std::vector<std::pair<std::string, std::string>>{{"classifier1.", ""},
                                                        {"classifier2.", "second."},
                                                        {"prompter1.", "prompt_learner."},
                                                        {"prompter2.", "second.prompt_learner."},
                                                        {"text_encoder1.", "text_encoder."},
                                                        {"text_encoder2.", "second.text_encoder."},
                                                        {"vision_", ""}})
    if (const std::size_t at = name.find(theirs); at != std::string::npos)
      name.replace(at, theirs.size(), ours);
  return name;
}

// What the reference's optimiser holds, without what can have no gradient: it is frozen here (bug 16).
std::map<std::string, Rates> expected_groups(const json& groups) {
  std::map<std::string, Rates> expected;
  for (const json& group : groups)
    for (const std::string name : group["names"])
      if (!name.starts_with("ZS_") && name != "logit_scale" &&
          (!name.starts_with("text_encoder") || name.ends_with("VPT_shallow")))
        expected[our_name(name)] = {group["lr"], group["weight_decay"]};
  return expected;
}

struct Mode {
  const char* name; // in the golden file
  const char* config;
  std::vector<std::string> pairs = {};
};

void PrintTo(const Mode& mode, std::ostream* out) {
  *out << mode.name;
}

class MultimodalGroups : public testing::TestWithParam<Mode> {};

TEST_P(MultimodalGroups, AreTheReferences) {
  VLREID_GOLDEN(path, "multimodal/schedules.json");
  VLREID_GOLDEN(base, "common/tiny-vit.pt");
  const json facts = read_golden_json("multimodal/schedules.json")["optimiser"];
  std::vector<std::string> pairs = {"INPUT.SIZE_TRAIN", "[64, 32]", "INPUT.SIZE_TEST", "[64, 32]"};
  pairs.insert(pairs.end(), GetParam().pairs.begin(), GetParam().pairs.end());
  const Config config =
      load_config(test_data("../configs/multimodal/" + std::string(GetParam().config)), pairs);
  TrainingSet people{{.name = "made"}};
  for (const std::int64_t identity : {0, 1, 2, 3})
    people.train.push_back({.path = "", .identity = identity});
  people.second_begins = 2;
  people.first_identities = 2;
  const Recipe recipe = make_recipe(config);
  const auto model = make_training_model(config, recipe, people, base.string(), 0);
  for (const Stage& stage : recipe.stages) {
    const json& expected = facts["modes"][GetParam().name]["stage" + std::to_string(stage.number)];
    std::map<std::string, Rates> groups;
    for (const ParameterGroup& group : parameter_groups(*model, stage.trains, stage.solver,
                                                        {.encoder_weight_decay = stage.encoder_weight_decay}))
      if (!group.name.ends_with("logit_scale")) // it is not used, so it has no gradient
        groups[group.name] = {stage.solver.learning_rate * group.rate_factor, group.weight_decay};
    EXPECT_EQ(groups, expected_groups(expected[stage.number == 1 ? "groups" : "groups_merged"]))
        << stage.number;
    EXPECT_EQ("torch " + stage.solver.optimizer, facts["class"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(, MultimodalGroups,
                         testing::Values(Mode{"coop", "coop.yml"}, Mode{"ivlp", "ivlp.yml"},
                                         Mode{"adapter", "adapter.yml"}, Mode{"promptsrc", "promptsrc.yml"},
                                         Mode{"multitask-shared-coop",
                                              "coop.yml",
                                              {"DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"}},
                                         Mode{"multitask-hard-coop", "coop_hard_sharing.yml"},
                                         Mode{"multitask-hard-ivlp", "ivlp_hard_sharing.yml"}));

} // namespace
} // namespace vlreid
