// What a made dataset consists of, before anything is drawn: which identity is seen by which camera, how
// often and from which side, and what each file is called. Sequential and cheap; the drawing (dataset.cpp) is
// parallel.
#pragma once

#include "vlreid/synth/camera.h"
#include "vlreid/synth/options.h"
#include "vlreid/synth/picture.h"

#include <string>
#include <vector>

namespace vlreid {

enum class Part { train, query, gallery };

struct PlannedIdentity {
  int identity = 0; // the number in the file names, from 1
  int look = 0;     // index into the looks of its part (train or test)
  bool is_train = false;
  bool is_validation = false; // one training identity in ten: "val" in captions.json
};

struct PlannedImage {
  Part part = Part::train;
  int identity = 0; // 0: distractor, -1: junk
  int look = -1;    // index into the looks of the part; -1: nobody
  int camera = 0;   // from 0
  int sequence = 1, frame = 0, box = 1;
  float yaw = 0; // the side that is seen
  PictureKind kind = PictureKind::subject;
};

struct Plan {
  std::vector<CameraLook> cameras;
  std::vector<PlannedIdentity> identities; // ascending
  std::vector<PlannedImage> images;
};

// Throws ErrorKind::usage for options out of range.
void check_options(const SynthOptions& options);
Plan make_plan(const SynthOptions& options);

// "bounding_box_train", or "image_train" for vehicles.
std::string folder_of(SynthKind kind, Part part);
// "0002_c1s1_000451_03.jpg", or "0001_c001_00016450_0.jpg" for vehicles.
std::string name_of(SynthKind kind, const PlannedImage& image);

} // namespace vlreid
