#include "vlreid/eval/cross_domain.h"

#include "tests/support/temp_folder.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/eval/embed_dataset.h"
#include "vlreid/eval/run_weights.h"
#include "vlreid/image/encode.h"
#include "vlreid/weights/save.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

namespace fs = std::filesystem;

// Three people in a colour each, seen by two cameras; the second one is darker.
Dataset coloured_people(const fs::path& root, int red) {
  fs::create_directories(root);
  Dataset dataset{.name = "list", .root = root};
  for (int identity = 0; identity < 3; ++identity)
    for (int camera = 0; camera < 2; ++camera) {
      const std::string path = (root / fmt::format("{}_{}.png", identity, camera)).string();
      Image image{.height = 32, .width = 32, .pixels = {}};
      for (int i = 0; i < 32 * 32; ++i)
        for (const int colour : {red, 80 * identity, 20 * camera})
          image.pixels.push_back(static_cast<std::uint8_t>(colour));
      const std::vector<std::byte> bytes = encode_png(image);
      write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      (camera == 0 ? dataset.query : dataset.gallery)
          .push_back({.path = path, .identity = identity, .camera = camera});
    }
  return dataset;
}

class CrossDomain : public testing::Test {
protected:
  void SetUp() override {
    ClipArchitecture tiny = published_clip("tiny-vit");
    tiny.image_size = 32;
    tiny.text_layers = 0;
    for (const std::uint64_t seed : {1, 2}) {
      CrossModel model{.name = fmt::format("model{}", seed), .embedder = {}};
      model.embedder.threads = 1;
      model.embedder.weights = (temp_ / (model.name + ".safetensors")).string();
      model.embedder.settings.input_size = {32, 32};
      save_safetensors(model.embedder.weights, random_clip(tiny, seed));
      models_.push_back(std::move(model));
    }
    sets_ = {{"red", coloured_people(temp_ / "red", 250)}, {"pale", coloured_people(temp_ / "pale", 90)}};
    models_[1].trained_on = {place_of(sets_[0].dataset)};
  }

  TempFolder temp_;
  std::vector<CrossModel> models_;
  std::vector<CrossDataset> sets_;
};

TEST_F(CrossDomain, CellsAreTheScoresOfEachPair) {
  EXPECT_EQ(count_cross_images(models_, sets_), 2 * 2 * 6);
  const CrossTable table = evaluate_cross_domain(models_, sets_, nullptr);
  ASSERT_EQ(table.cells.size(), 4u);
  for (std::size_t model = 0; model < 2; ++model)
    for (std::size_t set = 0; set < 2; ++set) {
      Embedder embedder(models_[model].embedder);
      const Scores alone = score(embed_evaluation_lists(embedder, sets_[set].dataset, nullptr), {});
      EXPECT_EQ(table.at(model, set).scores.plain.mean_average_precision, alone.plain.mean_average_precision);
      EXPECT_EQ(table.at(model, set).scores.plain.cmc, alone.plain.cmc);
      EXPECT_EQ(table.at(model, set).is_same_domain, model == 1 && set == 0);
    }
}

TEST_F(CrossDomain, IsShownInThreeForms) {
  const CrossTable table = evaluate_cross_domain(models_, sets_, nullptr);
  const std::string text = to_text(table), page = to_page(table);
  for (const char* part : {"mAP", "Rank-1", "mINP", "model1", "model2", "red", "pale", "* trained on this"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  const nlohmann::json cells = to_json(table)["cells"];
  ASSERT_EQ(cells.size(), 4u);
  EXPECT_EQ(cells[2]["weights"], "model2");
  EXPECT_EQ(cells[2]["dataset"], "red");
  EXPECT_EQ(cells[2]["same_domain"], true);
  EXPECT_EQ(cells[3]["same_domain"], false);
  EXPECT_EQ(cells[3]["mAP"], table.at(1, 1).scores.plain.mean_average_precision);
}

TEST_F(CrossDomain, NoMarkWhereNothingIsKnown) {
  models_.pop_back();
  EXPECT_EQ(to_text(evaluate_cross_domain(models_, sets_, nullptr)).find('*'), std::string::npos);
}

TEST_F(CrossDomain, ADatasetWithoutQueriesIsAnErrorBeforeAnythingRuns) {
  sets_[1].dataset.query.clear();
  EXPECT_THROW(count_cross_images(models_, sets_), Error);
}

ErrorKind kind_of_failure(const fs::path& path, RunCheckpoint checkpoint = RunCheckpoint::best) {
  try {
    find_run_weights(path, checkpoint);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

TEST(RunWeights, OfAFolderAreItsBestOrLastCheckpoint) {
  TempFolder temp;
  const fs::path run = temp / "run";
  fs::create_directory(run);
  EXPECT_EQ(kind_of_failure(run), ErrorKind::missing);
  write_file(run / "config.yaml", "MODEL:\n  NAME: 'ViT-B-16'\n");
  write_file(run / "ViT-B-16_stage1_90.pth", "");
  EXPECT_EQ(kind_of_failure(run), ErrorKind::missing);
  EXPECT_EQ(kind_of_failure(run, RunCheckpoint::last), ErrorKind::missing);
  for (const char* name : {"ViT-B-16_best.pth", "ViT-B-16_9.pth", "ViT-B-16_20.pth", "ViT-B-16_x.pth"})
    write_file(run / name, "");
  const RunWeights best = find_run_weights(run, RunCheckpoint::best, "other.yml"),
                   last = find_run_weights(run / "", RunCheckpoint::last);
  EXPECT_EQ(best.name, "run");
  EXPECT_EQ(best.file, run / "ViT-B-16_best.pth");
  EXPECT_EQ(best.config, run / "config.yaml");
  EXPECT_TRUE(best.is_of_run);
  EXPECT_EQ(last.name, "run");
  EXPECT_EQ(last.file.filename(), "ViT-B-16_20.pth");
}

TEST(RunWeights, OfAFileHaveTheConfigurationBesideIt) {
  TempFolder temp;
  EXPECT_EQ(kind_of_failure(temp / "none.pth"), ErrorKind::missing);
  write_file(temp / "a.pth", "");
  EXPECT_EQ(find_run_weights(temp / "a.pth", RunCheckpoint::best).config, "");
  EXPECT_EQ(find_run_weights(temp / "a.pth", RunCheckpoint::best, "other.yml").config, "other.yml");
  write_file(temp / "a.yml", "");
  const RunWeights beside = find_run_weights(temp / "a.pth", RunCheckpoint::best, "other.yml");
  EXPECT_EQ(beside.config, temp / "a.yml");
  EXPECT_FALSE(beside.is_of_run);
  write_file(temp / "config.yaml", "PRETRAIN:\n  CAPTIONS: 'captions.json'\n");
  EXPECT_EQ(find_run_weights(temp / "a.pth", RunCheckpoint::best).config, temp / "a.yml");
  write_file(temp / "config.yaml", "");
  EXPECT_TRUE(find_run_weights(temp / "a.pth", RunCheckpoint::best).is_of_run);
}

} // namespace
} // namespace vlreid
