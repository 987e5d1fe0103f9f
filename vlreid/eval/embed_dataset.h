// Dataset + model -> labelled embeddings of its query and gallery.
#pragma once

#include "vlreid/eval/labelled_features.h"
#include "vlreid/inference/embedder.h"

namespace vlreid {

class Progress;

// Throws Error(data) for a dataset without queries or gallery.
void require_evaluation_lists(const Dataset& dataset);

// Every image must be readable. Cameras and views go to the model for its side information (SIE).
LabelledFeatures embed_evaluation_lists(Embedder& embedder, const Dataset& dataset, Progress* progress);

} // namespace vlreid
