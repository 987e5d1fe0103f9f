#include "vlreid/train/recipe.h"

#include <algorithm>

#include "vlreid/batches/sampler.h"

namespace vlreid {
namespace {

constexpr double kLabelSmoothing = 0.1; // of IF_LABELSMOOTH

LossOptions loss_options(const Config& config) {
  LossOptions options{.label_smoothing = config.model.smooths_labels() ? kLabelSmoothing : 0};
  options.margin = config.solver.margin;
  if (config.model.soft_margin) options.margin.reset();
  return options;
}

} // namespace

const Registry<RecipeFactory>& recipes() {
  static const Registry<RecipeFactory> registry = [] {
    Registry<RecipeFactory> made("method");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name##_recipe, description);
#include "vlreid/train/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

Recipe make_recipe(const Config& config) {
  const std::string& prompt = config.model.prompt;
  VLREID_REQUIRE(
      prompt != "auto", ErrorKind::config, "MODEL.PROMPT", "auto, and no key of SOLVER tells the method",
      "one of none, " +
          [] {
            std::string names;
            for (const std::string& name : recipes().names())
              names += (names.empty() ? "" : ", ") + name;
            return names;
          }(),
      "give a configuration file, or MODEL.PROMPT");
  Recipe recipe = recipes().at(prompt == "none" ? "baseline" : prompt)(config);
  recipe.name = prompt == "none" ? "baseline" : prompt;
  recipe.uses_lora = config.model.use_lora;
  if (recipe.uses_lora && recipe.stages.back().trains == "image") recipe.stages.back().trains = "lora";
  require_combinable(config, recipe);
  return recipe;
}

Stage prompt_stage(const Config& config) {
  Stage stage;
  stage.number = 1;
  stage.step = "prompts";
  stage.trains = "prompts";
  stage.losses.push_back({"prompt_contrast", 1});
  stage.schedule = "warmup_cosine";
  stage.sampler = "shuffle";
  stage.file_suffix = "_stage1";
  stage.is_evaluated = false;
  static_cast<StageOptions&>(stage.solver) = config.solver.stage1;
  stage.solver.bias_weight_decay = stage.solver.weight_decay;
  return stage;
}

Stage image_stage(const Config& config, const TuningOptions& solver) {
  const ModelOptions& model = config.model;
  Stage stage;
  stage.number = 2;
  stage.step = "images";
  stage.trains = "image";
  stage.loss_options = loss_options(config);
  stage.schedule = "warmup_multistep";
  stage.sampler = sampler_name(config.dataloader.sampler);
  stage.images_per_identity = config.dataloader.images_per_identity;
  stage.solver = solver;
  stage.losses.push_back({"identity", model.id_loss_weight});
  if (model.metric_loss != "center") stage.losses.push_back({"triplet", model.triplet_loss_weight});
  if (model.uses_center_loss() || model.metric_loss != "triplet")
    stage.losses.push_back({"center", solver.center_loss_weight});
  return stage;
}

bool has_loss(const Stage& stage, std::string_view loss) {
  return std::ranges::find(stage.losses, loss, &LossTerm::loss) != stage.losses.end();
}

} // namespace vlreid
