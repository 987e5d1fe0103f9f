// Text -> image retrieval: every caption of a list looks for the images of its identity among all images of
// the list, by the cosine in the space that both towers share. Scores are those of eval/scores.h; the
// protocol of CUHK-PEDES, ICFG-PEDES and RSTPReid.
#pragma once

#include "vlreid/datasets/captions.h"
#include "vlreid/eval/labelled_features.h"
#include "vlreid/eval/scores.h"
#include "vlreid/inference/embedder.h"

#include <nlohmann/json_fwd.hpp>
#include <span>

namespace vlreid {

class Progress;

// Queries are the sentences (as `paths` their text), gallery the images; [*, E] raw. No camera, nothing is
// left out. REQUIRES: an embedder before the neck, without side information. Every image must be readable.
LabelledFeatures embed_captions(Embedder& embedder, std::span<const CaptionedImage> images,
                                Progress* progress);

// The last `kept` numbers of each row of `dims`: the projection in an embedding made before the neck.
std::vector<float> row_ends(const std::vector<float>& rows, std::size_t dims, std::size_t kept);

// R1, R5, R10, mAP, mINP as shares of 1, and how many sentences and images there were.
nlohmann::json text_retrieval_json(const Scores& scores, const LabelledFeatures& features);

} // namespace vlreid
