#include "vlreid/text/templates.h"

#include "vlreid/base/error.h"
#include "vlreid/text/tokenizer.h"
#include "vlreid/text/vehicle_types.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

TEST(Templates, AreSortedAndFill) {
  EXPECT_TRUE(std::ranges::is_sorted(sentence_templates(), {}, &SentenceTemplate::name));
  EXPECT_EQ(fill(sentence_template("clipreid"), "vehicle"),
            std::vector<std::string>{"A photo of a X X X X vehicle."});
  EXPECT_EQ(fill(sentence_template("coop_augmented"), "person").size(), 4u);
  EXPECT_EQ(fill(sentence_template("coop_veri"), "background."),
            std::vector<std::string>{"A photo of X X X background."});
  EXPECT_EQ(fill(sentence_template("ted"), "vehicle"),
            std::vector<std::string>{"A photo of a Y Y X person."});
}

// The learned positions of every sentence are single letters X and Y, and the sentence goes on behind them.
TEST(Templates, LearnedPositionsHoldPlaceholders) {
  const std::int32_t x = clip_tokenizer().encode("X")[0];
  const std::int32_t y = clip_tokenizer().encode("Y")[0];
  for (const SentenceTemplate& known : sentence_templates()) {
    for (const std::string& sentence : fill(known, "person")) {
      const TokenRow row = clip_tokenizer().tokenize(sentence);
      for (int i = 0; i < known.shared + known.own; ++i)
        EXPECT_EQ(row.ids[static_cast<std::size_t>(known.prefix + i)], i < known.shared ? y : x) << sentence;
      EXPECT_GT(row.end, known.prefix + known.shared + known.own) << sentence;
    }
  }
}

TEST(VehicleTypes, KnownUnknownAndNone) {
  EXPECT_EQ(vehicle_type_text(""), "background.");
  EXPECT_EQ(vehicle_type_text("tram"), "tram.");
  EXPECT_TRUE(vehicle_type_text("bus").starts_with("bus, a long vehicle"));
  EXPECT_TRUE(vehicle_type_text("black pickup").starts_with("black pickup, a vehicle"));
  for (const char* type : {"bus", "estate", "hatchback", "mpv", "pickup", "sedan", "suv", "truck", "van"})
    EXPECT_LT(clip_tokenizer().tokenize("A photo of X X X " + vehicle_type_text(type)).end, 45) << type;
}

TEST(Templates, AnUnknownNameListsTheKnownOnes) {
  try {
    sentence_template("clip-reid");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string_view(error.what()).find("did you mean 'clipreid'?"), std::string_view::npos);
  }
}

TEST(Templates, VehicleSetsSayVehicle) {
  EXPECT_EQ(word_of_dataset("VehicleID"), "vehicle");
  EXPECT_EQ(word_of_dataset("veri"), "vehicle");
  EXPECT_EQ(word_of_dataset("market1501"), "person");
}

} // namespace
} // namespace vlreid
