#include "vlreid/text/templates.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <algorithm>

namespace vlreid {
namespace {

const SentenceTemplate kTemplates[] = {
    {"adapter", {"A photo of X X X X X {}."}, 5, 0, 4, "CoOp with an adapter on the image side (MM)"},
    {"clipreid", {"A photo of a X X X X {}."}, 5, 0, 4, "four words of each identity (CLIP-ReID)"},
    {"coop", {"A photo of X X X X X {}."}, 4, 0, 5, "five words of each identity (MM)"},
    {"coop_augmented",
     {"A photo of a X X X X {}.", "A photo of an X X X X {}.", "A photo of the X X X X {}.",
      "A photo of one X X X X {}."},
     5,
     0,
     4,
     "the mean of four sentences (MM)"},
    {"coop_veri", {"A photo of X X X {}"}, 4, 0, 3, "three words and the text of the car type (MM)"},
    {"ivlp", {"A photo of X X X X X {}."}, 5, 0, 4, "deep prompts on both sides (MM)"},
    {"promptsrc", {"A photo of X X X X X {}."}, 5, 0, 4, "IVLP held near the frozen encoder (MM)"},
    // COMPAT: FT says person for vehicles too.
    {"ted",
     {"A photo of a Y Y X person."},
     5,
     2,
     1,
     "deep prompts, two shared words and one of each identity (FT)"},
};

} // namespace

std::span<const SentenceTemplate> sentence_templates() {
  return kTemplates;
}

const SentenceTemplate& sentence_template(std::string_view name) {
  const auto found = std::ranges::find(kTemplates, name, &SentenceTemplate::name);
  if (found != std::end(kTemplates)) return *found;
  std::vector<std::string> names;
  for (const SentenceTemplate& known : kTemplates)
    names.emplace_back(known.name);
  fail(ErrorKind::config, {.place = "sentence template",
                           .found = "unknown name '" + std::string(name) + "'",
                           .expected = "expected one of " + join(names, ", "),
                           .remedy = "did you mean '" + nearest(name, names) + "'?"});
}

std::string fill(std::string_view sentence, std::string_view word) {
  const std::size_t gap = sentence.find("{}");
  if (gap == std::string_view::npos) return std::string(sentence);
  return std::string(sentence.substr(0, gap)) + std::string(word) + std::string(sentence.substr(gap + 2));
}

std::vector<std::string> fill(const SentenceTemplate& sentence_template, std::string_view word) {
  std::vector<std::string> sentences;
  for (const std::string_view sentence : sentence_template.sentences)
    sentences.push_back(fill(sentence, word));
  return sentences;
}

std::string_view word_of_dataset(std::string_view dataset) {
  const std::string name = to_lower_ascii(dataset);
  return name.starts_with("veri") || name == "vehicleid" ? "vehicle" : "person";
}

} // namespace vlreid
