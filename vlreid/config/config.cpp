#include "vlreid/config/config.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/config/field.h"
#include "vlreid/config/written_value.h"
#include "vlreid/config/yaml_reader.h"

#include <algorithm>
#include <fmt/format.h>

namespace vlreid {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBases = 16; // files in a chain of _BASE_

// One Config being put together, layer by layer.
class Loader {
public:
  Loader() : table_(config_) {
    for (const Field& field : table_.fields())
      trace_.keys[field.key] = {{field.print(), "default"}};
  }

  void add_file(const fs::path& path) {
    std::error_code ignored;
    const fs::path canonical = fs::weakly_canonical(path, ignored);
    const bool is_loop = std::ranges::find(files_, canonical) != files_.end();
    if (is_loop || files_.size() >= kMaxBases)
      fail(ErrorKind::config,
           {path.string(), is_loop ? "_BASE_ leads back to this file" : "too many files in a chain of _BASE_",
            "expected a chain that ends", "remove one of them"});
    files_.push_back(canonical);
    const YamlText yaml = read_yaml(read_text(path, kMaxYamlBytes), path.string());
    if (yaml.base) add_base(*yaml.base, path);
    add_entries(yaml);
    files_.pop_back();
  }

  void add_text(std::string_view text, std::string_view place) {
    const YamlText yaml = read_yaml(text, place);
    if (yaml.base)
      fail(ErrorKind::config, {yaml.base->place, "_BASE_", "expected a text that stands alone", "remove it"});
    add_entries(yaml);
  }

  void add_pairs(std::span<const std::string> pairs) {
    if (pairs.size() % 2 != 0)
      fail(ErrorKind::usage,
           {"command line", fmt::format("no value for '{}'", pairs.back()), "expected KEY VALUE pairs",
            "give the value, or put flags in front of the pairs"});
    for (std::size_t i = 0; i < pairs.size(); i += 2)
      add_entry({.key = pairs[i], .value = {.items = {pairs[i + 1]}}, .place = "command line"});
  }

  void finish(Config& config, ConfigTrace* trace) {
    resolve_prompt();
    for (const Field& field : table_.fields())
      field.check(trace_.keys[field.key].back().place);
    config = config_;
    if (trace) *trace = std::move(trace_);
  }

private:
  void add_base(const YamlEntry& base, const fs::path& path) {
    if (base.kind != YamlEntry::Kind::value || base.value.items.size() != 1 || base.value.items[0].empty())
      fail(ErrorKind::config,
           {base.place, "_BASE_ is not a path", "expected one path relative to this file", "write it"});
    add_file(path.parent_path() / base.value.items[0]);
  }

  void add_entries(const YamlText& yaml) {
    for (const YamlEntry& entry : yaml.entries)
      add_entry(entry);
  }

  void add_entry(const YamlEntry& entry) {
    const Field* field = field_of(table_, entry);
    if (field == nullptr) return;
    field->assign(entry.value, entry.place);
    trace_.keys[field->key].push_back({field->print(), entry.place});
  }

  bool is_given(std::string_view key) const { return trace_.keys.find(key)->second.size() > 1; }

  // COMPAT: the references tell methods apart by the program that is run; here the keys of the file tell it.
  void resolve_prompt() {
    if (is_given("MODEL.PROMPT")) return;
    bool is_ft = false, is_two_stage = false, is_one_stage = false;
    for (const Field& field : table_.fields()) {
      if (!is_given(field.key)) continue;
      const std::string& key = field.key;
      is_ft |= key == "MODEL.USE_LORA" || (key != "OUTPUT_DIR" && key.find('.') == std::string::npos);
      is_two_stage |= key.starts_with("SOLVER.STAGE1.") || key.starts_with("SOLVER.STAGE2.");
      is_one_stage |= key.starts_with("SOLVER.") && key != "SOLVER.SEED" && key != "SOLVER.MARGIN";
    }
    if (is_two_stage)
      set_prompt(is_ft ? "ted" : "clipreid", is_ft ? "keys of FT are given" : "keys of two stages are given");
    else if (is_one_stage)
      set_prompt("none", "keys of one stage are given");
  }

  void set_prompt(const char* prompt, const char* reason) {
    config_.model.prompt = prompt;
    trace_.keys["MODEL.PROMPT"].push_back({print_text(prompt), reason});
  }

  Config config_;
  FieldTable table_;
  ConfigTrace trace_;
  std::vector<fs::path> files_; // from the first file to the one that is being read
};

} // namespace

Config load_config(const std::filesystem::path& path, std::span<const std::string> key_value_pairs,
                   ConfigTrace* trace) {
  Loader loader;
  if (!path.empty()) loader.add_file(path);
  loader.add_pairs(key_value_pairs);
  Config config;
  loader.finish(config, trace);
  return config;
}

Config load_config_text(std::string_view text, std::string_view place,
                        std::span<const std::string> key_value_pairs, ConfigTrace* trace) {
  Loader loader;
  loader.add_text(text, place);
  loader.add_pairs(key_value_pairs);
  Config config;
  loader.finish(config, trace);
  return config;
}

void validate(const Config& config) {
  Config copy = config;
  const FieldTable table(copy);
  for (const Field& field : table.fields())
    field.check("configuration");
}

} // namespace vlreid
