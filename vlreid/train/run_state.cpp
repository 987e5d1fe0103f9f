#include "vlreid/train/run_state.h"

#include <nlohmann/json.hpp>

#include "vlreid/base/error.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/save.h"

namespace vlreid {
namespace {

constexpr const char* kPlaceKey = "vlreid_run";

} // namespace

void save_run_state(const std::filesystem::path& path, const RunState& state) {
  StateDict tensors;
  for (const auto& [name, tensor] : state.model)
    tensors.add("model." + name, tensor.detach());
  for (const auto& [name, tensor] : state.trainer)
    tensors.add("trainer." + name, tensor.detach());
  const nlohmann::json place = {
      {"stage", state.place.stage}, {"epoch", state.place.epoch},       {"batch", state.place.batch},
      {"loss", state.means.loss},   {"accuracy", state.means.accuracy}, {"batches", state.means.batches},
      {"best_map", state.best_map}, {"log_bytes", state.log_bytes},     {"config", state.config}};
  save_safetensors(path, tensors, {{kPlaceKey, place.dump()}});
}

std::optional<RunState> load_run_state(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const WeightsFile file = load_weights(path);
  const auto found = file.metadata.find(kPlaceKey);
  const auto damaged = [&](const std::string& what) {
    fail(ErrorKind::data,
         {path.string(), what, "the state of a training run", "start the run again without --resume"});
  };
  if (found == file.metadata.end()) damaged("no place in a run");
  RunState state;
  try {
    const nlohmann::json place = nlohmann::json::parse(found->second);
    state.place = {place.at("stage"), place.at("epoch"), place.at("batch")};
    state.means = {place.at("loss"), place.at("accuracy"), place.at("batches")};
    state.best_map = place.at("best_map");
    state.log_bytes = place.at("log_bytes");
    state.config = place.at("config");
  } catch (const nlohmann::json::exception&) {
    damaged("a broken place in a run");
  }
  state.model = file.state.below("model.");
  state.trainer = file.state.below("trainer.");
  return state;
}

} // namespace vlreid
