#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/random.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/match.h"
#include "vlreid/weights/naming.h"
#include "vlreid/weights/save.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

template <typename Action>
std::string refusal(const Action& action, ErrorKind kind = ErrorKind::data) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

#define EXPECT_REFUSED(action, part)                                                                         \
  EXPECT_NE(refusal([&] { action; }).find(part), std::string::npos) << refusal([&] { action; })

std::filesystem::path data_path(const std::string& name) {
  return test_data("data/weights/" + name);
}

void expect_same(const StateDict& a, const StateDict& b) {
  ASSERT_EQ(a.size(), b.size());
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    EXPECT_EQ(x->name, y->name);
    EXPECT_EQ(x->tensor.scalar_type(), y->tensor.scalar_type()) << x->name;
    EXPECT_EQ(x->tensor.sizes(), y->tensor.sizes()) << x->name;
    const at::Tensor p = x->tensor.contiguous();
    const at::Tensor q = y->tensor.contiguous();
    EXPECT_EQ(std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()), 0) << x->name;
  }
}

// Without the words, of which a bare clone has those alone that tests read.
double sum_of(const StateDict& state, bool absolute) {
  double sum = 0;
  for (const auto& [name, tensor] : state) {
    if (name == "token_embedding.weight") continue;
    const at::Tensor numbers = tensor.to(at::kDouble);
    sum += (absolute ? numbers.abs() : numbers).sum().item<double>();
  }
  return sum;
}

// Tensors, sum and sum of magnitudes of each file as torch itself reads it (double precision; sums without
// token_embedding.weight).
struct GoldenSum {
  const char* file;
  std::size_t tensors;
  double sum;
  double magnitude;
  WeightsKind kind;
};

constexpr GoldenSum kGoldenSums[] = {
    {"clipreid/ckpt-mini-ted-lora-stage1.pth", 489, 3294.9032585117166, 87341.97784037623, WeightsKind::pth},
    {"clipreid/ckpt-mini-ted-lora-stage2.pth", 489, 3269.2450584456515, 87320.07872254073, WeightsKind::pth},
    {"clipreid/ckpt-mini-vit-stage1.pth", 195, 2236.353605957079, 57954.57228165804, WeightsKind::pth},
    {"clipreid/ckpt-rn-stage1.pth", 166, 21179.822100729223, 48565.21907165323, WeightsKind::pth},
    {"clipreid/ckpt-rn-stage2.pth", 166, 21253.24211403777, 48562.33222543359, WeightsKind::pth},
    {"clipreid/ckpt-vit-stage2.pth", 315, 7016.548368116391, 265383.6694564262, WeightsKind::pth},
    {"common/tiny-rn.pt", 156, 70207.37495684513, 96604.44045900361, WeightsKind::torchscript},
    {"common/tiny-vit.pt", 305, 56369.79474093235, 315473.07322412496, WeightsKind::torchscript},
    {"multimodal/ckpt-coop-prompter.pth", 3, 0.9981782184804615, 380.68442450394286, WeightsKind::pth},
    {"multimodal/ckpt-coop.pth", 316, 7033.261650994726, 264035.72020630375, WeightsKind::pth},
    {"multimodal/ckpt-ivlp-half.pth", 339, 7019.05222160951, 264113.5832103348, WeightsKind::pth},
};

class GoldenWeights : public testing::TestWithParam<GoldenSum> {};

TEST_P(GoldenWeights, AreReadAsTorchReadsThem) {
  VLREID_GOLDEN(path, GetParam().file);
  const WeightsFile file = load_weights(path);
  EXPECT_EQ(file.kind, GetParam().kind);
  EXPECT_EQ(file.state.size(), GetParam().tensors);
  EXPECT_NEAR(sum_of(file.state, false), GetParam().sum, 1e-6);
  EXPECT_NEAR(sum_of(file.state, true), GetParam().magnitude, 1e-6);
}

TEST_P(GoldenWeights, SurviveSafetensorsAndBack) {
  VLREID_GOLDEN(path, GetParam().file);
  const TempFolder folder;
  const WeightsFile original = load_weights(path);
  save_safetensors(folder / "a.safetensors", original.state, {{"format", "pt"}});
  const WeightsFile middle = load_weights(folder / "a.safetensors");
  EXPECT_EQ(middle.kind, WeightsKind::safetensors);
  EXPECT_EQ(middle.metadata.at("format"), "pt");
  expect_same(middle.state, original.state);
  save_pth(folder / "a.pth", middle.state);
  expect_same(load_weights(folder / "a.pth").state, original.state);
  save_pth(folder / "b.pth", original.state);
  EXPECT_EQ(read_bytes(folder / "a.pth"), read_bytes(folder / "b.pth"));
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenWeights, testing::ValuesIn(kGoldenSums),
                         [](const testing::TestParamInfo<GoldenSum>& golden) {
                           std::string name = golden.param.file;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; },
                               '_');
                           return name;
                         });

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

void expect_shapes(const StateDict& state, const Shapes& shapes) {
  EXPECT_EQ(state.size(), shapes.size());
  for (const auto& [name, shape] : shapes) {
    ASSERT_TRUE(state.has(name)) << name;
    EXPECT_EQ(state.at(name).sizes().vec(), shape) << name;
  }
}

TEST(GoldenNames, AgreeWithTheListsOfTheReference) {
  const std::vector<std::array<const char*, 3>> lists{
      {"clipreid/forward-vit-s16.json", "state_dict_shapes", "clipreid/ckpt-vit-stage2.pth"},
      {"clipreid/ckpt-mini-ted-lora.json", "state_dict_keys", "clipreid/ckpt-mini-ted-lora-stage2.pth"},
      {"clipreid/ckpt-mini-vit.json", "state_dict_keys", "clipreid/ckpt-mini-vit-stage1.pth"}};
  for (const auto& [json_name, key, weights_name] : lists) {
    VLREID_GOLDEN(path, weights_name);
    Shapes shapes;
    const nlohmann::json list = read_golden_json(json_name);
    for (const auto& [name, shape] : list.at(key).items())
      shapes.emplace_back(name, shape.get<std::vector<std::int64_t>>());
    expect_shapes(load_weights(path).state, shapes);
  }
}

TEST(GoldenNames, AgreeWithTheLoraKeyLists) {
  VLREID_GOLDEN(path, "clipreid/ckpt-mini-ted-lora-stage2.pth");
  const StateDict state = load_weights(path).state;
  const auto keys =
      read_golden_json("clipreid/lora.json").at("keys_training_form").get<std::vector<std::string>>();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state)
    names.push_back(name);
  EXPECT_EQ(names, keys);
}

TEST(GoldenNames, AgreeWithTheMultimodalLists) {
  for (const char* name : {"ckpt-coop.pth", "ckpt-coop-prompter.pth", "ckpt-ivlp-half.pth"}) {
    VLREID_GOLDEN(path, std::string("multimodal/") + name);
    const StateDict state = load_weights(path).state;
    const nlohmann::json list = read_golden_json("multimodal/checkpoints.json");
    if (!list.contains(name)) continue;
    EXPECT_EQ(list.at(name).size(), state.size());
    for (const auto& [key, row] : list.at(name).items())
      EXPECT_EQ(state.at(key).sizes().vec(), row.at(1).get<std::vector<std::int64_t>>()) << key;
  }
}

TEST(Load, HonoursStridesOffsetsAndTypes) {
  for (const char* name : {"flat.pth", "legacy.pth", "deflated.pth"}) {
    const StateDict state = load_weights(data_path(name)).state;
    EXPECT_EQ(state.at("b").sizes().vec(), (std::vector<std::int64_t>{3, 2}));
    EXPECT_EQ(state.at("b")[2][1].item<std::int64_t>(), 5); // arange(6).reshape(2, 3).t()
    EXPECT_EQ(state.at("b")[2][0].item<std::int64_t>(), 2);
    EXPECT_EQ(state.at("c")[1].item<float>(), -2);
    EXPECT_TRUE(state.at("d").item<bool>());
    EXPECT_EQ(state.at("e").sizes().vec(), (std::vector<std::int64_t>{4, 3}));
    EXPECT_EQ(state.at("e").sum().item<float>(), 12);
    EXPECT_EQ(state.at("f")[0].item<double>(), 2);
  }
}

TEST(Load, UnwrapsDictionariesAndDropsModule) {
  const WeightsFile file = load_weights(data_path("wrapped.pth"));
  EXPECT_EQ(file.wrapper, "state_dict");
  EXPECT_TRUE(file.had_module_prefix);
  EXPECT_EQ(file.state.at("w").sum().item<float>(), 4);
  EXPECT_EQ(file.state.at("v").numel(), 0);
}

TEST(Load, TensorsOutliveTheFileObject) {
  at::Tensor tensor;
  {
    const WeightsFile file = load_weights(data_path("flat.pth"));
    tensor = file.state.at("a");
  }
  EXPECT_EQ(tensor.sum().item<float>(), 6);
}

TEST(Load, RefusesWhatIsNoWeightsFile) {
  const TempFolder folder;
  write_file(folder / "text.pth", "These are not weights.\n");
  EXPECT_REFUSED(load_weights(folder / "text.pth"), "it begins with 'These are not weights.");
  write_file(folder / "empty.pth", "");
  EXPECT_REFUSED(load_weights(folder / "empty.pth"), "an empty file; a .pth or .pt file of torch");
  write_file(folder / "pointer.pth", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_REFUSED(load_weights(folder / "pointer.pth"), "git lfs pull");
  EXPECT_NE(refusal([&] { load_weights(folder / "none.pth"); }, ErrorKind::missing).find("none.pth"),
            std::string::npos);
  EXPECT_REFUSED(load_weights(data_path("os_system.pth")), "its pickle wants to call 'posix.system'");
  EXPECT_REFUSED(load_weights(data_path("eval.pth")), "wants to call '__builtin__.eval'");
}

// Cuts and flips of a real checkpoint: a data error, or tensors that can be read to the last element.
TEST(Load, SurvivesDamage) {
  VLREID_GOLDEN(path, "multimodal/ckpt-coop-prompter.pth");
  const TempFolder folder;
  const std::string whole = read_text(path);
  const auto load_damaged = [&](const std::string& content) {
    std::ofstream(folder / "x.pth", std::ios::binary) << content;
    try {
      for (const auto& [name, tensor] : load_weights(folder / "x.pth").state)
        tensor.to(at::kDouble).sum();
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      return false;
    }
  };
  for (std::size_t size = 0; size < whole.size(); size += 997)
    EXPECT_FALSE(load_damaged(whole.substr(0, size))) << size;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Random random({7, i});
    std::string broken = whole;
    // Half of the flips in the pickle and headers at the front, where they matter.
    const std::size_t place = random.below(i % 2 == 0 ? broken.size() : 1500);
    broken[place] = static_cast<char>(broken[place] ^ (1 << random.below(8)));
    load_damaged(broken);
  }
}

TEST(Save, WritesWhatTorchLoads) {
  const std::filesystem::path python = test_data("../build/venv/bin/python");
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "no Python with torch in build/venv";
  const TempFolder folder;
  std::vector<std::filesystem::path> files{data_path("flat.pth")};
  if (const auto golden = find_golden("multimodal/ckpt-ivlp-half.pth"); !golden.empty())
    files.push_back(golden);
  for (const std::filesystem::path& file : files) {
    save_pth(folder / "ours.pth", load_weights(file).state);
    const std::string command =
        fmt::format("'{}' '{}' '{}' '{}'", python.string(), test_data("python/same_state_dict.py").string(),
                    (folder / "ours.pth").string(), file.string());
    EXPECT_EQ(std::system(command.c_str()), 0) << file;
  }
}

TEST(Save, WritesTransposedTensorsRowMajor) {
  const TempFolder folder;
  StateDict state;
  state.add("t", at::arange(6, at::kFloat).reshape({2, 3}).t());
  save_pth(folder / "x.pth", state);
  save_safetensors(folder / "x.safetensors", state);
  expect_same(load_weights(folder / "x.pth").state, state);
  expect_same(load_weights(folder / "x.safetensors").state, state);
}

TEST(StateDict, KeepsOrderAndSuggestsNames) {
  StateDict state;
  state.add("b.weight", at::zeros({1}));
  state.add("a.weight", at::zeros({2}));
  state.set("b.weight", at::zeros({3}));
  EXPECT_EQ(state.begin()->name, "b.weight");
  EXPECT_EQ(state.at("b.weight").numel(), 3);
  EXPECT_EQ(state.below("a.").begin()->name, "weight");
  EXPECT_REFUSED(state.at("a.wieght"), "did you mean 'a.weight'?");
}

TEST(Match, ListsEverythingInOneError) {
  StateDict state;
  state.add("a", at::zeros({2, 3}));
  state.add("extra", at::zeros({1}));
  const std::vector<ExpectedTensor> expected{{"a", {3, 2}}, {"b", {1}}};
  EXPECT_REFUSED(require_tensors(state, expected, "x.pth"),
                 "x.pth: 1 missing: b | 1 misshapen: a is [2, 3], should be [3, 2] | 1 extra: extra");
  std::vector<ExpectedTensor> many{{"a", {2, 3}}, {"extra", {1}}};
  EXPECT_NO_THROW(require_tensors(state, many, "x.pth"));
  for (int i = 0; i < 25; ++i)
    many.push_back({fmt::format("m{}", i), {1}});
  EXPECT_REFUSED(require_tensors(state, many, "x.pth"), "m19, and 5 more");
}

StateDict without_integers(const StateDict& state) {
  StateDict rest;
  for (const auto& [name, tensor] : state)
    if (name != "input_resolution" && name != "context_length" && name != "vocab_size")
      rest.add(name, tensor);
  return rest;
}

TEST(Naming, OpenAiToHuggingFaceAndBack) {
  VLREID_GOLDEN(path, "common/tiny-vit.pt");
  const StateDict openai = load_weights(path).state;
  EXPECT_EQ(detect_family(openai, "x"), Family::openai);
  const StateDict hf = rename(openai, Family::openai, Family::hf, "x");
  EXPECT_EQ(detect_family(hf, "x"), Family::hf);
  EXPECT_EQ(hf.at("visual_projection.weight").sizes().vec(), (std::vector<std::int64_t>{64, 128}));
  EXPECT_TRUE(
      hf.at("vision_model.encoder.layers.11.self_attn.k_proj.weight")
          .equal(openai.at("visual.transformer.resblocks.11.attn.in_proj_weight").narrow(0, 128, 128)));
  EXPECT_TRUE(hf.has("vision_model.pre_layrnorm.weight"));
  for (const auto& [name, tensor] : hf)
    EXPECT_TRUE(name.starts_with("vision_model.") || name.starts_with("text_model.") ||
                name.ends_with("_projection.weight") || name == "logit_scale")
        << name;
  expect_same(to_openai(hf, Family::hf, "x"), without_integers(openai));
}

TEST(Naming, EveryFamilyRoundTrips) {
  const std::vector<std::pair<const char*, Family>> files{
      {"clipreid/ckpt-vit-stage2.pth", Family::clip_reid},
      {"clipreid/ckpt-mini-ted-lora-stage2.pth", Family::clip_reid},
      {"clipreid/ckpt-rn-stage2.pth", Family::clip_reid},
      {"multimodal/ckpt-coop.pth", Family::mm},
      {"multimodal/ckpt-ivlp-half.pth", Family::mm}};
  for (const auto& [name, family] : files) {
    VLREID_GOLDEN(path, name);
    const StateDict state = load_weights(path).state;
    EXPECT_EQ(detect_family(state, name), family) << name;
    const StateDict openai = to_openai(state, family, name);
    EXPECT_TRUE(openai.has("visual.positional_embedding") ||
                openai.has("visual.attnpool.positional_embedding"));
    EXPECT_TRUE(openai.has("classifier.weight") && openai.has("bottleneck_proj.running_mean"));
    EXPECT_TRUE(openai.has("ln_final.weight") && openai.has("text_projection"));
    expect_same(rename(openai, Family::openai, family, name), state);
  }
}

TEST(Naming, RefusesWhatAFamilyCannotHold) {
  StateDict trunk;
  trunk.add("visual.trunk.patch_embed.proj.weight", at::zeros({1}));
  EXPECT_REFUSED(detect_family(trunk, "x"), "timm image tower");
  StateDict resnet;
  resnet.add("visual.layer1.0.conv1.weight", at::zeros({1}));
  EXPECT_REFUSED(rename(resnet, Family::openai, Family::hf, "x"), "no names for ResNets");
  StateDict lora;
  lora.add("visual.transformer.resblocks.0.attn.q_proj.w_lora_A", at::zeros({1, 1}));
  EXPECT_REFUSED(rename(lora, Family::openai, Family::hf, "x"), "LoRA matrices");
  StateDict half;
  half.add("text_model.encoder.layers.0.self_attn.q_proj.bias", at::zeros({4}));
  EXPECT_REFUSED(rename(half, Family::hf, Family::openai, "x"), "are not three tensors of one shape");
  StateDict foreign;
  foreign.add("fc.weight", at::zeros({1}));
  EXPECT_REFUSED(detect_family(foreign, "x"), "names such as 'fc.weight'");
}

} // namespace
} // namespace vlreid
