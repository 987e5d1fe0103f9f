// Zero-shot retrieval (spec/multimodal.md, section 10): sentences about people, made from attributes, and
// images in the space that both towers of a CLIP share. Two ways to use them: --mm of Multimodal-ReID, which
// puts how well an image fits each sentence behind its features; and, which the references lack, search by
// sentence.
#pragma once

#include "vlreid/attributes/table.h"
#include "vlreid/eval/labelled_features.h"
#include "vlreid/inference/embedder.h"

#include <span>
#include <string>
#include <vector>

namespace vlreid {

class Progress;

inline constexpr double kMixTemperature = 0.07;

// The text features of identities, [I, E] of length 1: each of an identity's sentences encoded and
// normalised, their mean normalised. Throws Error(data) for weights that cannot read sentences.
std::vector<float> encode_descriptions(Embedder& embedder,
                                       std::span<const std::vector<std::string>> descriptions,
                                       Progress* progress);

// Rows [N, F] of (feature, proj) -> [N, F - E + I] of (feature, softmax(normalised proj . text / 0.07)).
std::vector<float> mix_with_texts(std::span<const float> rows, std::int64_t dims,
                                  std::span<const float> texts, std::int64_t shared_dims);
// The same of queries and gallery, in place.
void mix_with_texts(LabelledFeatures& features, std::span<const float> texts, std::int64_t shared_dims);

// Number of a table's identity in a dataset's records: by its text where the set names identities, else by
// number; -1 when the set does not know it.
std::vector<std::int64_t> identities_in(const Dataset& dataset, const AttributeTable& table);

// Queries are the descriptions (`sentences`: one of each, for lists), gallery the images' projections: the
// last `shared_dims` numbers of each gallery row. No camera, nothing is left out.
LabelledFeatures description_queries(const LabelledFeatures& images, std::span<const float> texts,
                                     std::span<const std::int64_t> identities,
                                     std::vector<std::string> sentences);

} // namespace vlreid
