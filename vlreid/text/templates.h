// The fixed sentences that prompt learners put their learned vectors into (section 3 of reference-behaviour),
// as data: one line per method in templates.cpp. Letters X and Y stand for learned vectors; `{}` for the word
// (person, vehicle) or type text. Immutable, thread safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct SentenceTemplate {
  std::string_view name;
  std::vector<std::string_view> sentences; // several: their text features are averaged
  // Positions count the start token: [0, prefix) fixed, then `shared` vectors of all identities, then `own`
  // of each, then fixed.
  int prefix = 0;
  int shared = 0;
  int own = 0;
  std::string_view description;
};

// All of them, in alphabetical order.
std::span<const SentenceTemplate> sentence_templates();
// An unknown name is Error(config) with the known names.
const SentenceTemplate& sentence_template(std::string_view name);

// Puts `word` where the sentence has `{}`.
std::string fill(std::string_view sentence, std::string_view word);
// The sentences of a method for a word ("person", "vehicle").
std::vector<std::string> fill(const SentenceTemplate& sentence_template, std::string_view word);

// "vehicle" for veri and VehicleID, else "person".
std::string_view word_of_dataset(std::string_view dataset);

} // namespace vlreid
