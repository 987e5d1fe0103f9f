// The features of a training set's latest batches, for the triplet loss over more than one batch (Wang et
// al., CVPR 2020; spec/multimodal.md, section 8). A ring of two batches: the present one is put in first and
// then compared with all that is filled. COMPAT: a batch that does not fit behind the last one overwrites the
// end of the ring, and the next one begins at its start, as in the reference; its masks, which were row
// numbers, and its empty rows, which were people, are not kept.
#pragma once

#include "vlreid/losses/losses.h"
#include "vlreid/weights/state_dict.h"

namespace vlreid {

class BatchMemory {
public:
  // Of features of this width; batches have at most `batch_size` rows.
  BatchMemory(std::int64_t batch_size, std::int64_t width, at::Device device);

  // Puts a batch in, features [B, E], labels [B], and gives the memory back with the batch's own places.
  TripletMemory with(const at::Tensor& features, const at::Tensor& labels);

  // "features", "labels", "next"; the first two are this object's own.
  StateDict state() const;
  void load(const StateDict& state);

private:
  at::Tensor features_, labels_; // [M, E], [M] with -1 where nothing is
  std::int64_t next_ = 0;        // where the next batch goes; the host's, so that nobody waits for a device
};

} // namespace vlreid
