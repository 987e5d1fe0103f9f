// One made crop of a pedestrian: who, seen by which camera, in which company, cut out by which box. Draws,
// lights and develops it.
#pragma once

#include "vlreid/synth/camera.h"
#include "vlreid/synth/person.h"

#include <span>

namespace vlreid {

enum class PictureKind {
  subject,    // a good box around the subject
  junk,       // a bad box around the subject: too far off to count
  distractor, // no subject: background, a part of somebody, or several people
};

struct PersonPicture {
  const PersonLook* subject = nullptr;    // null for a distractor
  std::span<const PersonLook> bystanders; // strangers who may come into the picture; REQUIRES: not empty
  float yaw = 0; // the side that the subject shows: 0 front, pi/2 its right side, pi back
  PictureKind kind = PictureKind::subject;
  int height = 128, width = 64;
};

// Reads `random` for everything that is by chance in this picture.
Image take_picture(const PersonPicture& picture, const CameraLook& camera, Random& random);

} // namespace vlreid
