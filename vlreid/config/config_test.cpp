#include "vlreid/config/config.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/config/clip_sizes.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

namespace fs = std::filesystem;
using Pairs = std::vector<std::string>;

Config from_text(std::string_view text, const Pairs& pairs = {}) {
  return load_config_text(text, "a.yml", pairs);
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The message of the Error that `text` gives; its kind must be config.
std::string error_of(std::string_view text, const Pairs& pairs = {}) {
  try {
    from_text(text, pairs);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "no error";
}

fs::path shipped(const std::string& name) {
  return test_data("../configs/" + name);
}

TEST(Config, WithoutFileHasTheDefaultsOfTheReferences) {
  const Config config = load_config("");
  EXPECT_EQ(config.solver.stage2.steps, (std::vector<std::int64_t>{40, 70}));
  EXPECT_EQ(config.input.train_size, (std::array<std::int64_t, 2>{384, 128}));
  EXPECT_EQ(config.datasets.name, "market1501");
  EXPECT_EQ(config.model.prompt, "auto");
  EXPECT_TRUE(config.test.uses_neck());
  EXPECT_TRUE(config.test.normalise_features());
}

TEST(Config, ReadsFilesInTheStyleOfTheReferences) {
  const Config config = load_config(test_data("data/config/reference_style.yml"));
  EXPECT_EQ(config.model.id_loss_weight, 0.25);
  EXPECT_EQ(config.model.stride, (std::array<std::int64_t, 2>{12, 12}));
  EXPECT_EQ(config.model.device_id, "1");
  EXPECT_TRUE(config.model.sie_camera);
  EXPECT_FALSE(config.model.smooths_labels());
  EXPECT_EQ(config.solver.stage1.minimum_rate, 1e-6);
  EXPECT_EQ(config.solver.stage1.weight_decay, 1e-4);
  EXPECT_EQ(config.solver.stage2.steps, (std::vector<std::int64_t>{20, 40}));
  EXPECT_EQ(config.test.feature_norm, "no");
  EXPECT_TRUE(config.test.normalise_features());
  EXPECT_EQ(config.test.neck_feature, "after"); // an empty value overrides nothing
  EXPECT_EQ(config.datasets.name, "market1501");
  EXPECT_EQ(config.model.prompt, "clipreid");
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  for (const char* text : {"", "\n\n", "# nothing\n", "---\n", "\xef\xbb\xbf# mark\n", "MODEL:\nSOLVER:\n"})
    EXPECT_EQ(to_yaml(from_text(text)), to_yaml(Config{})) << text;
}

TEST(Config, ValuesHaveManySpellings) {
  EXPECT_EQ(from_text("DATASETS: {NAMES: ('market1501')}").datasets.name, "market1501");
  EXPECT_EQ(from_text("DATASETS:\n  NAMES: ('market1501',)").datasets.name, "market1501");
  EXPECT_EQ(from_text("DATASETS:\n  NAMES: ['market1501']").datasets.name, "market1501");
  EXPECT_EQ(from_text("DATASETS:\n  ROOT_DIR: ('')").datasets.root, "");
  EXPECT_EQ(from_text("DATASETS:\n  ROOT_DIR: /data (old)/x").datasets.root, "/data (old)/x");
  EXPECT_EQ(from_text("OUTPUT_DIR: (old)").output_dir, "(old)");
  EXPECT_EQ(from_text("", {"MODEL.DEVICE_ID", "\"('0')\""}).model.device_id, "('0')");
  EXPECT_EQ(from_text("", {"params", "['q','mlp']"}).lora.projections,
            (std::vector<std::string>{"q", "mlp"}));
  EXPECT_EQ(from_text("", {"SOLVER.STAGE2.STEPS", "[3]"}).solver.stage2.steps, std::vector<std::int64_t>{3});
  EXPECT_EQ(from_text("", {"SOLVER.STAGE2.STEPS", "()"}).solver.stage2.steps, std::vector<std::int64_t>{});
  EXPECT_EQ(from_text("", {"INPUT.SIZE_TEST", "(256,128)"}).input.test_size[1], 128);
  EXPECT_EQ(from_text("SOLVER: {BASE_LR: .5e-3}").solver.single.learning_rate, 5e-4);
  for (const char* yes : {"True", "true", "yes", "on", "'True'"})
    EXPECT_TRUE(from_text("", {"MODEL.SIE_VIEW", yes}).model.sie_view) << yes;
  for (const char* no : {"False", "NO", "off", "(False)"})
    EXPECT_FALSE(from_text("MODEL: {SIE_VIEW: True}", {"MODEL.SIE_VIEW", no}).model.sie_view) << no;
}

TEST(Config, LaterLayersWin) {
  ConfigTrace trace;
  const Pairs pairs{"SOLVER.STAGE2.STEPS", "[7, 9]", "TEST.NECK_FEAT", "before"};
  const fs::path file = test_data("data/config/child.yml");
  const Config config = load_config(file, pairs, &trace);
  EXPECT_EQ(config.solver.stage2.steps, (std::vector<std::int64_t>{7, 9}));
  EXPECT_EQ(config.datasets.name, "dukemtmc");
  EXPECT_EQ(config.output_dir, "runs/it's here");
  EXPECT_EQ(config.solver.stage2.bias_rate_factor, 2); // from the base
  EXPECT_FALSE(config.test.uses_neck());

  const std::string base = (file.parent_path() / "reference_style.yml").string();
  EXPECT_EQ(explain(trace, "SOLVER.STAGE2.STEPS"),
            fmt::format("SOLVER.STAGE2.STEPS: [7, 9]\n  from command line\n  overrides [5] from {}:4\n"
                        "  overrides [20, 40] from {}:20\n  overrides [40, 70] from default\n",
                        file.string(), base));
  EXPECT_EQ(explain(trace, "TEST.EVAL"), "TEST.EVAL: False\n  from default\n");
  EXPECT_PRED2(has, explain(trace, "MODEL.PROMPT"), "'clipreid'\n  from keys of two stages are given");
}

TEST(Config, ExplainingAnUnknownKeyNamesTheNearest) {
  ConfigTrace trace;
  load_config("", {}, &trace);
  try {
    explain(trace, "TEST.NECK");
    FAIL();
  } catch (const Error& error) {
    EXPECT_PRED2(has, error.what(), "did you mean 'MODEL.NECK'?");
  }
}

TEST(Config, TheMethodFollowsFromTheKeys) {
  EXPECT_EQ(from_text("SOLVER: {BASE_LR: 1e-3}").model.prompt, "none");
  EXPECT_EQ(from_text("SOLVER: {SEED: 1}").model.prompt, "auto");
  EXPECT_EQ(from_text("SOLVER: {STAGE1: {BASE_LR: 1e-3}}").model.prompt, "clipreid");
  EXPECT_EQ(from_text("SOLVER: {STAGE1: {BASE_LR: 1e-3}}\nr: 4").model.prompt, "ted");
  EXPECT_EQ(from_text("SOLVER: {BASE_LR: 1e-3}\nMODEL: {USE_LORA: no}").model.prompt, "none");
  EXPECT_EQ(from_text("SOLVER: {BASE_LR: 1e-3}", {"MODEL.PROMPT", "ivlp"}).model.prompt, "ivlp");
  EXPECT_EQ(from_text("SOLVER: {STAGE1: {BASE_LR: 1}}\nOUTPUT_DIR: x").model.prompt, "clipreid");
}

TEST(Config, UnknownKeysNameLineAndNeighbours) {
  const std::string message = error_of("MODEL:\n  NAME: x\n  STRIDE_SIZES: [16, 16]\n");
  EXPECT_PRED2(has, message, "a.yml:3: unknown key 'MODEL.STRIDE_SIZES'; expected one of NAME, ");
  EXPECT_PRED2(has, message, "did you mean 'MODEL.STRIDE_SIZE'?");
  EXPECT_PRED2(has, error_of("MODEL:\n  BASE_LR: 1"), "did you mean 'SOLVER");
  EXPECT_PRED2(has, error_of("\nMODELS:\n  NAME: x"), "a.yml:2: unknown key 'MODELS'");
  EXPECT_PRED2(has, error_of("SOLVER:\n  STAGE3:\n    BASE_LR: 1"), "unknown key 'SOLVER.STAGE3'");
  EXPECT_PRED2(has, error_of("MODEL:\n  NAMES:\n"), "a.yml:2: unknown key 'MODEL.NAMES'");
  EXPECT_PRED2(has, error_of("", {"solver.seed", "1"}), "command line: unknown key 'solver'");
  EXPECT_PRED2(has, error_of(std::string(200, 'x') + ": 1"), "xxx...");
}

TEST(Config, WrongTypesNameLineAndExample) {
  EXPECT_EQ(
      error_of("SOLVER:\n  MAX_EPOCHS: many"),
      "a.yml:2: SOLVER.MAX_EPOCHS is 'many'; expected a whole number; write for example MAX_EPOCHS: 100");
  EXPECT_PRED2(has, error_of("INPUT: {SIZE_TEST: [256]}"), "2 values, each a whole number");
  EXPECT_PRED2(has, error_of("INPUT: {SIZE_TEST: 256}"), "2 values");
  EXPECT_PRED2(has, error_of("INPUT: {PIXEL_STD: [1, 1, x]}"), "3 values, each a number");
  EXPECT_PRED2(has, error_of("SOLVER: {MARGIN: nan}"), "a number");
  EXPECT_PRED2(has, error_of("SOLVER: {MARGIN: [0.3]}"), "a number");
  EXPECT_PRED2(has, error_of("SOLVER: {MAX_EPOCHS: 1.5}"), "a whole number");
  EXPECT_PRED2(has, error_of("SOLVER: {SEED: 99999999999999999999}"), "a whole number");
  EXPECT_PRED2(has, error_of("MODEL: {SIE_VIEW: 2}"), "True or False");
  EXPECT_PRED2(has, error_of("MODEL: {NAME: [a, b]}"), "one text");
  EXPECT_PRED2(has, error_of("MODEL: 3"), "MODEL is a value; expected a section");
  EXPECT_PRED2(has, error_of("OUTPUT_DIR:\n  x: 3"), "OUTPUT_DIR is a section; expected a value");
  EXPECT_PRED2(has, error_of("", {"SOLVER.STEPS", "[1, two]"}), "command line: SOLVER.STEPS");
}

TEST(Config, ValuesOutOfRangeAreRefused) {
  EXPECT_EQ(error_of("INPUT:\n  PROB: 1.5"),
            "a.yml:2: INPUT.PROB is 1.5; expected 0 to 1; correct the value");
  EXPECT_PRED2(has, error_of("", {"SOLVER.SEED", "-1"}), "0 or more");
  EXPECT_PRED2(has, error_of("TEST: {NECK_FEAT: befor}"), "one of before, after; did you mean 'before'?");
  EXPECT_PRED2(has, error_of("params: [q, x]"), "params is 'x'; expected one of q, k, v, o, mlp");
  Config config;
  EXPECT_NO_THROW(validate(config));
  config.test.batch_size = 0;
  EXPECT_THROW(validate(config), Error);
}

TEST(Config, AnOddNumberOfPairsIsAUsageError) {
  try {
    from_text("", {"SOLVER.SEED"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_PRED2(has, error.what(), "no value for 'SOLVER.SEED'");
  }
}

TEST(Config, HostileYamlIsRefused) {
  EXPECT_PRED2(has, error_of("MODEL:\n\tNAME: x"), "a.yml:2: a tab in the indentation");
  EXPECT_PRED2(has, error_of("a: " + std::string(100000, '[')), "nested brackets");
  EXPECT_PRED2(has, error_of(std::string(300, '[')), "a list");
  EXPECT_PRED2(has, error_of("MODEL: " + std::string(300, '{')), "a.yml:1");
  EXPECT_PRED2(has, error_of(std::string(1000, ' ') + "a: 1"), "nested too deep");
  std::string dashes, questions, stairs;
  for (int i = 0; i < 20000; ++i)
    dashes += "- ", questions += "? ";
  for (std::size_t i = 0; i < 2000; ++i)
    stairs += std::string(i, ' ') + "a:\n";
  EXPECT_PRED2(has, error_of(dashes), "nested too deep");
  EXPECT_PRED2(has, error_of(questions), "nested too deep");
  EXPECT_PRED2(has, error_of(stairs), "a.yml:");
  EXPECT_PRED2(has, error_of("a:\n b:\n  c:\n   d:\n    e:\n     f:\n      g:\n       h:\n        i: 1"),
               "levels");
  EXPECT_PRED2(has, error_of("MODEL: &m {NAME: x}"), "an anchor");
  EXPECT_PRED2(has, error_of("MODEL:\n  NAME: *m"), "a.yml:2");
  EXPECT_PRED2(has, error_of("MODEL:\n  NAME: !!python/object x"), "the tag");
  EXPECT_PRED2(has, error_of("MODEL: [1, [2]]"), "a list");
  EXPECT_PRED2(has, error_of("MODEL:\n- NAME: x"), "a section in a list");
  EXPECT_PRED2(has, error_of("? {a: b}\n: c"), "a section in a list or as a key");
  EXPECT_PRED2(has, error_of("- a\n- b"), "a list");
  EXPECT_PRED2(has, error_of("hello"), "text; expected lines 'KEY: value'");
  EXPECT_PRED2(has, error_of("MODEL:\n---\nTEST:\n"), "a second document");
  EXPECT_PRED2(has, error_of("MODEL:\n  NAME: 'open"), "a.yml:");
  EXPECT_PRED2(has, error_of(std::string("MODEL:\0", 7)), "byte 0x00 at column 7");
  EXPECT_PRED2(has, error_of("OUTPUT_DIR: \xff"), "byte 0xff");
  EXPECT_PRED2(has, error_of(std::string(1 << 20, ' ')), "1048576 bytes");
  EXPECT_PRED2(has, error_of("_BASE_: x.yml"), "a.yml:1: _BASE_");
  std::string many;
  for (int i = 0; i < 5000; ++i)
    many += "OUTPUT_DIR: a\n";
  EXPECT_PRED2(has, error_of(many), "too many values");
}

TEST(Config, BasesThatLeadBackAreRefused) {
  try {
    load_config(test_data("data/config/loop_a.yml"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_PRED2(has, error.what(), "_BASE_ leads back to this file");
  }
}

TEST(Config, AMissingFileOrBaseIsNamed) {
  const TempFolder folder;
  write_file(folder / "a.yml", "_BASE_: gone.yml\n");
  write_file(folder / "b.yml", "_BASE_: [a, b]\n");
  for (const char* name : {"a.yml", "gone.yml"}) {
    try {
      load_config(folder / name);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::missing);
      EXPECT_PRED2(has, error.what(), "gone.yml");
    }
  }
  EXPECT_THROW(load_config(folder / "b.yml"), Error);
}

TEST(Config, PrintedOptionsLoadToTheSame) {
  Config config = from_text("");
  EXPECT_EQ(to_yaml(from_text(to_yaml(config))), to_yaml(config));
  config.output_dir = "'it''s' \"(x)\" \\ \x01 \n ä";
  config.model.name = "('x')";
  config.datasets.root = " # no comment: [";
  config.solver.stage2.steps = {};
  config.solver.margin = 1.0 / 3;
  config.lora.projections = {"q", "mlp"};
  const Config again = from_text(to_yaml(config));
  EXPECT_EQ(again.output_dir, config.output_dir);
  EXPECT_EQ(again.model.name, config.model.name);
  EXPECT_EQ(again.datasets.root, config.datasets.root);
  EXPECT_EQ(again.solver.margin, config.solver.margin);
  EXPECT_EQ(again.solver.stage2.steps, config.solver.stage2.steps);
  EXPECT_EQ(to_yaml(again), to_yaml(config));
}

TEST(Config, EveryKeyIsDocumented) {
  const std::vector<KeyDocument> keys = document();
  EXPECT_GT(keys.size(), 110u);
  bool has_ignored = false;
  for (const KeyDocument& key : keys) {
    EXPECT_FALSE(key.help.empty()) << key.key;
    EXPECT_FALSE(key.default_value.empty()) << key.key;
    has_ignored |=
        key.key == "MODEL.COS_LAYER" && key.help.ends_with("(accepted, without effect here: not in the "
                                                           "references' models)");
  }
  EXPECT_TRUE(has_ignored);
}

// ---- the shipped files ----

TEST(ShippedConfigs, AllLoadAndRoundTrip) {
  int count = 0;
  for (const std::string& name : list_files_recursively(shipped(""))) {
    if (!name.ends_with(".yml") || name.starts_with("clip/")) continue; // clip/: sizes, no options
    const Config config = load_config(shipped(name));
    EXPECT_EQ(to_yaml(load_config_text(to_yaml(config), name)), to_yaml(config)) << name;
    EXPECT_NE(config.model.prompt, "auto") << name;
    ++count;
  }
  EXPECT_GE(count, 16);
}

TEST(ShippedConfigs, VariantsDifferWhereTheySay) {
  const Config best = load_config(shipped("person/vit_clipreid_sie_olp.yml"));
  EXPECT_EQ(best.model.stride, (std::array<std::int64_t, 2>{12, 12}));
  EXPECT_TRUE(best.model.sie_camera);
  EXPECT_EQ(best.model.sie_factor, 1.0);
  EXPECT_EQ(load_config(shipped("person/vit_ted.yml")).model.prompt, "ted");
  const Config lora = load_config(shipped("person/vit_ted_lora.yml"));
  EXPECT_TRUE(lora.model.use_lora);
  EXPECT_EQ(lora.lora.rank, 16);
  EXPECT_EQ(lora.lora.projections, (std::vector<std::string>{"q", "k", "v", "o"}));
  EXPECT_EQ(load_config(shipped("VehicleID/vit_clipreid.yml")).solver.stage1.batch_size, 256);
  EXPECT_TRUE(load_config(shipped("VehicleID/vit_clipreid.yml")).model.smooths_labels());
  for (const char* name : {"VehicleID/vit_base.yml", "VehicleID/cnn_base.yml", "VehicleID/cnn_clipreid.yml"})
    EXPECT_FALSE(load_config(shipped(name)).model.smooths_labels()) << name;
  EXPECT_EQ(load_config(shipped("veri/cnn_prom.yml")).input.test_size,
            (std::array<std::int64_t, 2>{256, 256}));
}

// A golden configuration as KEY VALUE pairs.
void append_pairs(Pairs& pairs, const nlohmann::json& section, const std::string& prefix = "") {
  for (const auto& [key, value] : section.items()) {
    if (value.is_object()) {
      append_pairs(pairs, value, prefix + key + ".");
      continue;
    }
    pairs.push_back(prefix + key);
    pairs.push_back(value.is_string() ? "'" + value.get<std::string>() + "'" : value.dump());
  }
}

std::string shipped_file_of(const std::string& run) {
  if (run.starts_with("train-stage2-baseline-rn")) return "person/cnn_base.yml";
  if (run.starts_with("train-stage2-baseline-vit")) return "person/vit_base.yml";
  if (run.starts_with("train-stage2-rn")) return "person/cnn_clipreid.yml";
  return run.starts_with("train-stage2-ted") ? "person/vit_ted.yml" : "person/vit_clipreid.yml";
}

// The reference's own effective configuration must change nothing in ours, but for what the fixtures changed.
void expect_same_as_reference(const fs::path& file) {
  const nlohmann::json golden = read_golden_json("clipreid/" + file.filename().string());
  const fs::path ours = shipped(shipped_file_of(file.filename().string()));
  Pairs pairs = golden["opts"].get<Pairs>();
  const bool is_two_stage = golden["config"]["SOLVER"].contains("STAGE2");
  for (const char* text : {"INPUT.SIZE_TRAIN", "[64, 32]"})
    pairs.emplace_back(text);
  pairs.emplace_back(is_two_stage ? "SOLVER.STAGE2.IMS_PER_BATCH" : "SOLVER.IMS_PER_BATCH");
  pairs.emplace_back("16");
  // Resolved already, so that the second load, which names every key, does not change it.
  const std::string prompt = load_config(ours, pairs).model.prompt;
  pairs.insert(pairs.end(), {"MODEL.PROMPT", prompt});
  const std::string expected = to_yaml(load_config(ours, pairs));
  append_pairs(pairs, golden["config"]);
  EXPECT_EQ(to_yaml(load_config(ours, pairs)), expected) << file;
}

TEST(ShippedConfigs, EqualTheEffectiveOptionsOfTheReferences) {
  VLREID_GOLDEN(path, "clipreid/train-stage2-clipreid-vit.json");
  int count = 0;
  for (const std::string& name : list_files(path.parent_path())) {
    if (!name.starts_with("train-stage2-") || !name.ends_with(".json")) continue;
    expect_same_as_reference(name);
    ++count;
  }
  EXPECT_GE(count, 1);
}

ClipSizes sizes_from(const std::string& text) {
  const TempFolder folder;
  write_file(folder / "sizes.yml", text);
  return load_clip_sizes(folder / "sizes.yml");
}

TEST(ClipSizes, ShippedExample) {
  const ClipSizes sizes = load_clip_sizes(shipped("clip/tiny.yml"));
  EXPECT_EQ(sizes.embed, 128);
  EXPECT_EQ(sizes.vision.layers, 4);
  EXPECT_EQ(sizes.vision.image_size, (std::array<std::int64_t, 2>{128, 64}));
  EXPECT_EQ(sizes.text.context_length, 77);
}

TEST(ClipSizes, DefaultsAreThoseOfVitB16) {
  EXPECT_EQ(sizes_from("").vision.width, 768);
  EXPECT_EQ(sizes_from("TEXT: {LAYERS: 3}").text.layers, 3);
}

TEST(ClipSizes, MistakesAreErrorsWithTheLine) {
  for (const auto& [text, part] :
       {std::pair{"VISION:\n  WIDHT: 64\n", "sizes.yml:2: unknown key 'VISION.WIDHT'"},
        {"TEXT:\n  LAYERS: 0\n", "sizes.yml:2: TEXT.LAYERS is 0"},
        {"VISION: {WIDTH: 100}", "VISION.WIDTH is 100; a multiple of 64"},
        {"TEXT: {WIDTH: 128, HEADS: 4}", "TEXT.HEADS is 4; 2"},
        {"VISION: {IMAGE_SIZE: [120, 64]}", "multiples of PATCH_SIZE, 16"},
        {"VISION: {IMAGE_SIZE: 64}", "IMAGE_SIZE"},
        {"_BASE_: other.yml", "_BASE_"}}) {
    try {
      sizes_from(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_TRUE(has(error.what(), part)) << error.what();
    }
  }
}

} // namespace
} // namespace vlreid
