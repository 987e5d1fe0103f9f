// Dataset + model -> labelled embeddings of its query and gallery.
#pragma once

#include "vlreid/eval/labelled_features.h"
#include "vlreid/inference/embedder.h"

namespace vlreid {

class Progress;

// Every image must be readable. Cameras and views go to the model for its side information (SIE).
LabelledFeatures embed_evaluation_lists(Embedder& embedder, const Dataset& dataset, Progress* progress);

} // namespace vlreid
