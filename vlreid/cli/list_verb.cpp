#include "vlreid/attributes/sentences.h"
#include "vlreid/batches/sampler.h"
#include "vlreid/cli/program.h"
#include "vlreid/cli/verb.h"
#include "vlreid/config/config.h"
#include "vlreid/datasets/dataset.h"

#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct Entry {
  std::string name, description;
};
using Entries = std::vector<Entry>;

template <typename Factory>
Entries members_of(const Registry<Factory>& registry) {
  Entries entries;
  for (const auto& [name, member] : registry.members())
    entries.push_back({name, member.description});
  return entries;
}

// Families whose members are listed in a builtin.def.
#define VLREID_BUILTIN(name, description) {#name, description},
const Entries kEncoders = {
#include "vlreid/encoders/builtin.def"
};
const Entries kPrompts = {
#include "vlreid/prompts/builtin.def"
};
const Entries kAdapters = {
#include "vlreid/adapters/builtin.def"
};
const Entries kMethods = {
#include "vlreid/train/builtin.def"
};
const Entries kSteps = {
#include "vlreid/train/steps.def"
};
const Entries kTrainableSets = {
#include "vlreid/train/trainable.def"
};
const Entries kLosses = {
#include "vlreid/losses/builtin.def"
};
const Entries kSchedules = {
#include "vlreid/optim/builtin.def"
};
#undef VLREID_BUILTIN

Entries verbs() {
  Entries entries;
  for (const Verb& verb : all_verbs())
    entries.push_back({verb.name, verb.summary});
  return entries;
}

Entries keys() {
  Entries entries;
  for (const KeyDocument& key : document())
    entries.push_back({key.key, fmt::format("{} (default {})", key.help, key.default_value)});
  return entries;
}

const std::vector<std::pair<std::string, Entries (*)()>>& families() {
  static const std::vector<std::pair<std::string, Entries (*)()>> all = {
      {"datasets", [] { return members_of(dataset_registry()); }},
      {"encoders", [] { return kEncoders; }},
      {"prompts", [] { return kPrompts; }},
      {"adapters", [] { return kAdapters; }},
      {"methods", [] { return kMethods; }},
      {"steps", [] { return kSteps; }},
      {"trainable-sets", [] { return kTrainableSets; }},
      {"losses", [] { return kLosses; }},
      {"schedules", [] { return kSchedules; }},
      {"sentences", [] { return members_of(sentence_kinds()); }},
      {"samplers", [] { return members_of(samplers()); }},
      {"verbs", verbs},
      {"keys", keys},
  };
  return all;
}

void print_family(const std::string& family, const Entries& entries) {
  std::size_t width = 0;
  for (const Entry& entry : entries)
    width = std::max(width, entry.name.size());
  fmt::print("{}:\n", family);
  for (const Entry& entry : entries)
    fmt::print("  {:<{}}  {}\n", entry.name, width, entry.description);
}

nlohmann::json to_json(const Entries& entries) {
  nlohmann::json json = nlohmann::json::object();
  for (const Entry& entry : entries)
    json[entry.name] = entry.description;
  return json;
}

int run_list(const std::string& wanted, bool as_json) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [family, entries] : families()) {
    if (!wanted.empty() && wanted != family) continue;
    if (as_json)
      json[family] = to_json(entries());
    else
      print_family(family, entries());
  }
  if (as_json) fmt::print("{}\n", json.dump(2));
  return 0;
}

} // namespace

Verb make_list_verb(const std::string& verb_summary) {
  return {.name = "list",
          .summary = verb_summary,
          .example = "vlreid list datasets",
          .define = [](Options& options) -> std::function<int()> {
            auto family = std::make_shared<std::string>();
            auto as_json = std::make_shared<bool>(false);
            options.text("FAMILY", *family, "only this family",
                         {.choices = names_of(families()), .shows_default = false});
            options.flag("--json", *as_json, "print it as JSON");
            return [family, as_json] { return run_list(*family, *as_json); };
          }};
}

} // namespace vlreid
