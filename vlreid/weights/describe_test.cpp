#include "vlreid/weights/describe.h"

#include "tests/support/golden.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

Description describe_golden(const std::filesystem::path& path) {
  return describe(load_weights(path));
}

TEST(Describe, OpenAiArchives) {
  VLREID_GOLDEN(path, "common/tiny-vit.pt");
  const Description vit = describe_golden(path);
  EXPECT_EQ(vit.kind, "TorchScript archive");
  EXPECT_EQ(vit.family, "openai");
  EXPECT_EQ(vit.method, "clip");
  ASSERT_TRUE(vit.vision && vit.text);
  EXPECT_EQ(vit.vision->width, 128);
  EXPECT_EQ(vit.vision->layers, std::vector<std::int64_t>{12});
  EXPECT_EQ(vit.vision->heads, 2);
  EXPECT_EQ(vit.vision->patch, 16);
  EXPECT_EQ(vit.vision->embed, 64);
  EXPECT_EQ(vit.text->vocabulary, 49408);
  EXPECT_EQ(vit.text->context_length, 77);
  ASSERT_EQ(vit.grids.size(), 1u);
  EXPECT_EQ(vit.grids[0].height, 224);
}

TEST(Describe, ResNets) {
  VLREID_GOLDEN(path, "clipreid/ckpt-rn-stage2.pth");
  const Description resnet = describe_golden(path);
  ASSERT_TRUE(resnet.vision && resnet.vision->is_resnet);
  EXPECT_EQ(resnet.vision->width, 8);
  EXPECT_EQ(resnet.vision->layers, (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(resnet.vision->heads, 4);
  EXPECT_EQ(resnet.vision->embed, 32);
  EXPECT_EQ(resnet.grids.at(0).width, 128);
  EXPECT_EQ(resnet.method, "clip-reid");
  EXPECT_EQ(resnet.identities, 8);
}

TEST(Describe, ClipReid) {
  VLREID_GOLDEN(path, "clipreid/ckpt-vit-stage2.pth");
  WeightsFile file = load_weights(path);
  file.state.add("cv_embed", at::zeros({12, 128}));
  const Description vit = describe(file);
  EXPECT_EQ(vit.family, "clip-reid");
  EXPECT_EQ(vit.method, "clip-reid");
  EXPECT_EQ(vit.identities, 8);
  EXPECT_EQ(vit.sie_rows, 12);
  EXPECT_EQ(vit.text->vocabulary, 0);
  ASSERT_EQ(vit.grids.size(), 1u);
  EXPECT_EQ(vit.grids[0].stride, 16);
  const std::string text = to_text(vit);
  EXPECT_NE(text.find("ViT, width 128, 12 layers, 2 heads, patch 16, embed 64, 129 positions"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("256x128 at stride 16 (16x8 grid)"), std::string::npos) << text;
  EXPECT_EQ(to_json(vit).at("inputs").at(0).at("rows"), 16);
}

TEST(Describe, FineTunedWithLora) {
  VLREID_GOLDEN(path, "clipreid/ckpt-mini-ted-lora-stage2.pth");
  const Description ft = describe_golden(path);
  EXPECT_EQ(ft.family, "ft");
  EXPECT_EQ(ft.method, "ted");
  ASSERT_TRUE(ft.lora.has_value());
  EXPECT_EQ(ft.lora->rank, 4);
  EXPECT_EQ(ft.lora->projections, (std::vector<std::string>{"q", "k", "v", "o", "mlp"}));
  EXPECT_EQ(ft.lora->blocks.size(), 12u);
  EXPECT_FALSE(ft.lora->on_text);
  EXPECT_EQ(ft.text->layers, 9);
  EXPECT_EQ(ft.grids.at(0).height, 64);
  EXPECT_NE(to_text(ft, false).find("rank 4, q k v o mlp, blocks 0 1 2"), std::string::npos);
}

TEST(Describe, Multimodal) {
  VLREID_GOLDEN(path, "multimodal/ckpt-ivlp-half.pth");
  const Description ivlp = describe_golden(path);
  EXPECT_EQ(ivlp.family, "mm");
  EXPECT_EQ(ivlp.method, "ivlp");
  EXPECT_EQ(ivlp.visual_prompts, 2);
  EXPECT_EQ(ivlp.identities, 5);
  EXPECT_EQ(ivlp.grids.at(0).stride, 12);
  const Description coop = describe_golden(path.parent_path() / "ckpt-coop.pth");
  EXPECT_EQ(coop.method, "coop");
  const Description prompter = describe_golden(path.parent_path() / "ckpt-coop-prompter.pth");
  EXPECT_EQ(prompter.family, "prompt learner");
  EXPECT_EQ(prompter.method, "coop");
  EXPECT_EQ(prompter.identities, 5);
}

TEST(Describe, BaselinesAndUnknownFiles) {
  WeightsFile file{.path = "x.pth", .kind = WeightsKind::pth, .wrapper = "", .state = {}, .metadata = {}};
  file.state.add("image_encoder.class_embedding", at::zeros({64}));
  file.state.add("classifier.weight", at::zeros({5, 64}));
  EXPECT_EQ(describe(file).method, "baseline");
  WeightsFile other{.path = "y.pth", .kind = WeightsKind::pth, .wrapper = "", .state = {}, .metadata = {}};
  other.state.add("fc.weight", at::zeros({5, 64}));
  EXPECT_EQ(describe(other).family, "unknown");
  EXPECT_EQ(describe(other).parameters, 320);
}

TEST(Describe, GridsFromPositionCounts) {
  const auto first = [](std::int64_t positions, std::int64_t patch) {
    return guess_grids(positions, patch).at(0);
  };
  EXPECT_EQ(first(129, 16).rows, 16);
  EXPECT_EQ(first(211, 16).rows, 21);
  EXPECT_EQ(first(211, 16).columns, 10);
  EXPECT_EQ(first(211, 16).stride, 12);
  EXPECT_EQ(first(577, 14).height, 336);
  EXPECT_EQ(first(50, 32).height, 224);
  EXPECT_EQ(first(50, 0).stride, 32);
  EXPECT_TRUE(guess_grids(7, 16).empty());
  // 256x256 at stride 16 is 16x16; a ResNet may also have seen 448x448 at stride 32 (14x14).
  EXPECT_EQ(guess_grids(197, 0).size(), 2u);
}

WeightsFile file_with(const std::string& path, double value, at::ScalarType type = at::kFloat) {
  WeightsFile file{.path = path, .kind = WeightsKind::pth, .wrapper = "", .state = {}, .metadata = {}};
  file.state.add("same", at::full({3}, 1.0));
  file.state.add("value", at::full({2, 2}, value));
  file.state.add("typed", at::full({2}, 1.0, type));
  file.state.add("only in " + path, at::zeros({1}));
  return file;
}

TEST(Compare, FindsWhatDiffers) {
  const Comparison comparison = compare(file_with("a", 1.0), file_with("b", 1.25, at::kHalf));
  EXPECT_EQ(comparison.only_in_a, std::vector<std::string>{"only in a"});
  EXPECT_EQ(comparison.only_in_b, std::vector<std::string>{"only in b"});
  EXPECT_EQ(comparison.equal, 1);
  ASSERT_EQ(comparison.different.size(), 1u);
  EXPECT_EQ(*comparison.different[0].largest, 0.25);
  ASSERT_EQ(comparison.misshapen.size(), 1u);
  EXPECT_EQ(*comparison.misshapen[0].largest, 0);
  const std::string text = to_text(comparison);
  EXPECT_NE(text.find("  value  largest 0.25"), std::string::npos) << text;
  EXPECT_NE(text.find("typed  float32 [2] / float16 [2]"), std::string::npos) << text;
  EXPECT_EQ(to_json(comparison).at("different").at(0).at("largest"), 0.25);
}

TEST(Compare, ANumberAgainstNanIsInfinite) {
  const Comparison comparison = compare(file_with("a", 1.0), file_with("a", std::nan("")));
  EXPECT_TRUE(std::isinf(*comparison.different.at(0).largest));
}

} // namespace
} // namespace vlreid
