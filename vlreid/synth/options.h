// The made dataset: what to make, and the call that makes it. Pedestrians come in the layout of Market-1501,
// vehicles in that of VeRi-776, both with an attribute table (attributes.csv) and sentences (captions.json,
// the form of CUHK-PEDES).
//
// Every image depends only on (seed, identity, its place in the plan), so the folder is the same byte for
// byte whatever the number of threads. A folder of made images is for trying things out: its scores say
// nothing about real cameras.
#pragma once

#include "vlreid/base/progress.h"

#include <cstdint>
#include <filesystem>

namespace vlreid {

enum class SynthKind { person, vehicle };

// Two worlds with other cameras, clothes and backgrounds, for experiments across domains: a is a campus in
// summer (outdoors, equal crop sizes), b a station in winter (mostly indoors, steeper views, crops of their
// own size).
enum class SynthDomain { a, b };

struct SynthOptions {
  std::uint64_t seed = 1;
  SynthKind kind = SynthKind::person;
  SynthDomain domain = SynthDomain::a;
  int train_identities = 60;
  int test_identities = 60;
  int cameras = 6;
  int images_per_camera = 3; // of one identity, in each camera that sees it; at least 2
  int distractors = 120;     // identity 0, in the gallery; pedestrians only
  int junk = 60;             // identity -1, in the gallery; pedestrians only
  int height = 0, width = 0; // of a crop; 0: 128 x 64 for persons, 128 x 128 for vehicles
  int threads = 0;           // 0: the pool of the process
  bool force = false;        // replace a folder that is not empty
};

// What Market-1501 and VeRi-776 readers accept.
inline constexpr int kMaxPersonIdentities = 1501, kMaxPersonCameras = 6;
inline constexpr int kMaxVehicleIdentities = 776, kMaxVehicleCameras = 20;

struct SynthSummary {
  int train_identities = 0, test_identities = 0;
  int train_images = 0, query_images = 0, gallery_images = 0; // the gallery counts distractors, not junk
  int distractor_images = 0, junk_images = 0;
  int captions = 0; // sentences, two an image
  double seconds = 0;
};

// How many images the options ask for; the total for a Progress. Checks the options.
std::int64_t count_images(const SynthOptions& options);

// Makes the dataset in `folder`: first in "<folder>.partial" beside it, renamed when complete. `progress` may
// be null. Throws ErrorKind::usage for options out of range, ErrorKind::cannot_create when `folder` holds
// something and force is off.
SynthSummary make_dataset(const std::filesystem::path& folder, const SynthOptions& options,
                          Progress* progress);

} // namespace vlreid
