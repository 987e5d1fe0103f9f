#include "vlreid/text/tokenizer.h"

#include "tests/support/golden.h"
#include "vlreid/base/error.h"
#include "vlreid/text/vocabulary.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

namespace vlreid {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encode(std::string_view text) {
  return clip_tokenizer().encode(text);
}

Ids decode_and_encode(const Ids& ids) {
  return encode(clip_tokenizer().decode(ids));
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// ---- golden ----

TEST(TokenizerGolden, EncodesLikeTheReference) {
  VLREID_GOLDEN(path, "common/tokenizer.json");
  const nlohmann::json golden = read_golden_json("common/tokenizer.json");
  EXPECT_EQ(golden["vocab_size"].get<int>(), kVocabularySize);
  EXPECT_EQ(golden["start"].get<int>(), kStartToken);
  EXPECT_EQ(golden["end"].get<int>(), kEndToken);
  ASSERT_GT(golden["strings"].size(), 300u);
  for (const nlohmann::json& entry : golden["strings"])
    EXPECT_EQ(encode(entry["text"].get<std::string>()), entry["ids"].get<Ids>()) << entry["text"];
  for (const nlohmann::json& entry : golden["strings_changed_by_ftfy"])
    EXPECT_EQ(encode(entry["text"].get<std::string>()), entry["ids_without_ftfy"].get<Ids>())
        << entry["text"];
}

TEST(TokenizerGolden, PadsAndTruncatesLikeTheReference) {
  VLREID_GOLDEN(path, "common/tokenizer.json");
  const nlohmann::json golden = read_golden_json("common/tokenizer.json");
  const Tokenizer& tokenizer = clip_tokenizer();
  for (const nlohmann::json& entry : golden["long"]) {
    const std::string text = entry["text"];
    EXPECT_EQ(encode(text).size(), entry["unpadded_count_without_markers"].get<std::size_t>());
    EXPECT_EQ(tokenizer.tokenize(text, {.truncate = true}).ids, entry["truncated_row"].get<Ids>());
    if (entry["error_without_truncate"].get<bool>())
      EXPECT_THROW(tokenizer.tokenize(text), Error);
    else
      EXPECT_EQ(tokenizer.tokenize(text).ids, entry["truncated_row"].get<Ids>());
  }
  for (const nlohmann::json& entry : golden["padded"])
    EXPECT_EQ(tokenizer.tokenize(entry["text"].get<std::string>()).ids, entry["row"].get<Ids>());
}

TEST(TokenizerGolden, DecodesLikeTheReference) {
  VLREID_GOLDEN(path, "common/tokenizer.json");
  const nlohmann::json golden = read_golden_json("common/tokenizer.json");
  for (const nlohmann::json& entry : golden["decode"])
    EXPECT_EQ(clip_tokenizer().decode(entry["ids"].get<Ids>()), entry["text"].get<std::string>());
}

// ---- by hand ----

TEST(Tokenizer, EncodesASentence) {
  EXPECT_EQ(encode("A photo of a person."), (Ids{320, 1125, 539, 320, 2533, 269}));
  EXPECT_EQ(encode(""), Ids{});
  EXPECT_EQ(encode(" \t\n\xc2\xa0 "), Ids{});
}

TEST(Tokenizer, ARowHasStartEndAndPadding) {
  const TokenRow row = clip_tokenizer().tokenize("a person", {.context_length = 6});
  EXPECT_EQ(row.ids, (Ids{kStartToken, 320, 2533, kEndToken, 0, 0}));
  EXPECT_EQ(row.end, 3);
  EXPECT_FALSE(row.is_truncated);
  const TokenRow cut = clip_tokenizer().tokenize("a person", {.context_length = 3, .truncate = true});
  EXPECT_EQ(cut.ids, (Ids{kStartToken, 320, kEndToken}));
  EXPECT_EQ(cut.end, 2);
  EXPECT_TRUE(cut.is_truncated);
  EXPECT_EQ(clip_tokenizer().tokenize("a person", {.context_length = 4}).end, 3);
}

TEST(Tokenizer, AnOverlongTextIsNamed) {
  std::string text;
  for (int i = 0; i < 80; ++i)
    text += "person ";
  try {
    clip_tokenizer().tokenize(text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_PRED2(has, error.what(), "82 tokens; expected at most 77");
  }
}

TEST(Tokenizer, SpecialTokensInATextAreSpecial) {
  EXPECT_EQ(encode("<|startoftext|>a <|endoftext|>"), (Ids{kStartToken, 320, kEndToken}));
  EXPECT_EQ(clip_tokenizer().tokenize("a <|endoftext|> b").end, 2); // the first of the largest ids
  EXPECT_EQ(clip_tokenizer().decode(Ids{kStartToken, 320, kEndToken}), "<|startoftext|>a <|endoftext|>");
}

TEST(Tokenizer, TheIotaBelowFallsOut) {
  EXPECT_EQ(encode("a\xcd\x85"), encode("a"));
  EXPECT_EQ(encode("\xc2\xb5\xcd\x85!"), encode("\xc2\xb5 !"));
}

TEST(Tokenizer, UnknownIdsAreRefused) {
  EXPECT_THROW(clip_tokenizer().decode(Ids{-1}), Error);
  EXPECT_THROW(clip_tokenizer().decode(Ids{kVocabularySize}), Error);
}

TEST(Tokenizer, BrokenUtf8BecomesReplacementCharacters) {
  const Ids replacement = encode("\xef\xbf\xbd");
  for (const char* broken : {"\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc0", "\xfe"})
    EXPECT_EQ(encode(broken), replacement) << broken;
  EXPECT_EQ(encode("\xed\xa0\x80"),
            encode("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")); // a surrogate: three bad bytes
  EXPECT_EQ(encode("a\xff"
                   "b"),
            encode("a\xef\xbf\xbd"
                   "b"));
  EXPECT_EQ(encode("\x80\x80"), encode("\xef\xbf\xbd\xef\xbf\xbd"));
}

TEST(Tokenizer, EveryByteAndPairOfBytesIsAccepted) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second)
      for (const std::int32_t id : encode(std::string{static_cast<char>(first), static_cast<char>(second)}))
        ASSERT_TRUE(id >= 0 && id < kVocabularySize);
}

TEST(Tokenizer, ControlCharactersStayTokens) {
  for (char c = 1; c < 32; ++c) {
    const bool is_space = (c >= 9 && c <= 13);
    const std::size_t expected = is_space ? 2 : 3;
    EXPECT_EQ(encode(std::string("a") + c + "b").size(), expected) << int{c};
  }
  EXPECT_EQ(encode(std::string("a\0b", 3)).size(), 3u);
  EXPECT_EQ(encode("\x1c"
                   "a"),
            Ids{320}); // stripped at the ends, as Python does
}

TEST(Tokenizer, LongTextsTakeLinearTime) {
  const std::size_t size = 1 << 20;
  EXPECT_GT(encode(std::string(size, 'a')).size(), 1000u); // one word
  EXPECT_EQ(encode(std::string(size, '1')).size(), size);
  EXPECT_GT(encode(std::string(size, '!')).size(), 1000u);
  EXPECT_GT(encode(std::string(size, '&')).size(), 1000u);
  EXPECT_EQ(encode(std::string(size, ' ')).size(), 0u);
  EXPECT_GT(encode(std::string(size, '\xff')).size(), 1000u);
  std::string sentences, references;
  while (sentences.size() < size)
    sentences += "a person, ", references += "&#123456789;&amp&ampamp;";
  EXPECT_EQ(encode(sentences).size() % 3, 0u);
  EXPECT_GT(encode(references).size(), 1000u);
}

TEST(Tokenizer, DecodingPlainTextsAndEncodingAgainGivesTheSame) {
  for (const char* text : {"a photo of a person .", "it 's 20 23 ! !",
                           "\xc3\xa9t\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd", "\xf0\x9f\x98\x80 ok"}) {
    const Ids ids = encode(text);
    EXPECT_EQ(decode_and_encode(ids), ids) << text;
  }
}

TEST(Tokenizer, ThreadsShareIt) {
  const Tokenizer tokenizer(embedded_vocabulary());
  const std::string text =
      "A man in a dark-blue jacket, w/ a red \xc3\xa9t\xc3\xa9 & 2 bags &amp; hats. Supercalifragilistic";
  const Ids expected = encode(text);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (int& count : equal)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        count += tokenizer.encode(text + std::to_string(i % 7)).size() == expected.size() + 1;
    });
  for (std::thread& thread : threads)
    thread.join();
  for (const int count : equal)
    EXPECT_EQ(count, 200);
}

TEST(Vocabulary, HasEveryToken) {
  const Vocabulary vocabulary(embedded_vocabulary());
  EXPECT_EQ(vocabulary.size(), kVocabularySize);
  EXPECT_EQ(vocabulary.text_of(320), "a</w>");
  EXPECT_EQ(vocabulary.text_of(0), "!");
  EXPECT_EQ(vocabulary.text_of(kStartToken), "<|startoftext|>");
  EXPECT_EQ(vocabulary.merged(vocabulary.id_of_byte('i', false), vocabulary.id_of_byte('n', false)), 512);
}

TEST(Vocabulary, BrokenFilesAreRefused) {
  const std::span<const std::byte> whole = embedded_vocabulary();
  EXPECT_THROW(Vocabulary(whole.first(1000)), Error);
  EXPECT_THROW(Vocabulary(whole.first(0)), Error);
  EXPECT_THROW(Vocabulary(whole.subspan(1)), Error);
  for (std::size_t i = 100; i < 200000; i += 9973) {
    std::vector<std::byte> flipped(whole.begin(), whole.end());
    flipped[i] ^= std::byte{0x10};
    try {
      const Vocabulary vocabulary(flipped); // the check sum stands at the end, which is not read
      EXPECT_EQ(vocabulary.size(), kVocabularySize);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

} // namespace
} // namespace vlreid
