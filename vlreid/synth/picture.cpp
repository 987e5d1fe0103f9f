#include "vlreid/synth/picture.h"

#include "vlreid/synth/background.h"
#include "vlreid/synth/body.h"
#include "vlreid/synth/developing.h"
#include "vlreid/synth/framing.h"
#include "vlreid/synth/palette.h"

namespace vlreid {
namespace {

class Photographer {
public:
  Photographer(const PersonPicture& picture, const CameraLook& camera, Random& random)
      : picture_(picture), camera_(camera), random_(random),
        view_(camera.pitch, camera.distance, {0, 0.9f, 0}) {}

  Image take() {
    arrange();
    const Shot shot{.view = view_,
                    .frame = frame_,
                    .height = picture_.height,
                    .width = picture_.width,
                    .along = real(-30, 30)};
    return expose(scene_, shot, camera_, random_);
  }

private:
  float real(double low, double high) { return static_cast<float>(random_.uniform(low, high)); }
  float sign() { return random_.chance(0.5) ? 1.0f : -1.0f; }
  const PersonLook& stranger() { return picture_.bystanders[random_.below(picture_.bystanders.size())]; }

  void arrange() {
    const bool has_subject = picture_.subject != nullptr;
    const PersonLook& look = has_subject ? *picture_.subject : stranger();
    add_person(scene_, look, make_pose(random_), {{}, has_subject ? picture_.yaw : real(0, 2 * kPi)});
    box_subject();
    if (picture_.kind == PictureKind::distractor)
      arrange_distractor();
    else if (picture_.kind == PictureKind::junk)
      spoil_box(0.35f, 0.6f);
    else
      jitter_box(camera_.box_jitter);
    add_company();
  }

  // What a perfect detector would cut out; at least 0.42 of the height wide, as pedestrian boxes are.
  void box_subject() {
    frame_ = bounding_frame(scene_.mesh, view_, 0.02f);
    const float height = frame_.bottom - frame_.top, width = frame_.right - frame_.left;
    const float more = 0.5f * std::max(0.0f, 0.42f * height - width);
    frame_.left -= more, frame_.right += more;
  }

  void move_box(float across, float down, float scale) { frame_ = moved(frame_, across, down, scale); }

  void jitter_box(float size) {
    const auto off = [&] { return std::clamp(static_cast<float>(random_.normal()), -2.0f, 2.0f) * size; };
    move_box(off(), off(), std::exp(0.02f + off()));
  }

  // Shifted by a share of `least` to `most` of the box, or cut down to a part of the body.
  void spoil_box(float least, float most) {
    if (random_.chance(0.5))
      move_box(sign() * real(least, most), real(-0.15, 0.15), real(0.9, 1.2));
    else
      move_box(real(-0.15, 0.15), sign() * real(0.25, 0.4), real(0.35, 0.6));
  }

  void arrange_distractor() {
    const double kind = random_.uniform();
    if (kind < 0.35) { // background alone
      scene_ = {};
      return;
    }
    if (kind < 0.7) {
      spoil_box(0.35f, 0.6f);
      return;
    }
    const int people = 2 + static_cast<int>(random_.below(2));
    for (int i = 1; i < people; ++i)
      add_person(scene_, stranger(), make_pose(random_),
                 {{sign() * real(0.25, 0.7), 0, real(-0.6, 0.6)}, real(0, 2 * kPi)});
    jitter_box(0.12f);
  }

  // People and things behind and in front of the subject. One picture in five has something in front.
  void add_company() {
    if (random_.chance(0.3))
      add_person(scene_, stranger(), make_pose(random_),
                 {{sign() * real(0.4, 1.3), 0, real(-2.0, -0.7)}, real(0, 2 * kPi)});
    if (random_.chance(0.15)) add_pole(sign() * real(0.2, 0.8), real(-1.8, -0.6));
    if (picture_.kind == PictureKind::subject && random_.chance(0.2)) add_occluder();
  }

  void add_occluder() {
    const double kind = random_.uniform();
    const float side = sign();
    if (kind < 0.25)
      add_pole(side * real(0.05, 0.3), real(0.5, 1));
    else if (kind < 0.5)
      add_person(scene_, stranger(), make_pose(random_),
                 {{side * real(0.28, 0.5), 0, real(0.5, 0.9)}, real(0, 2 * kPi)});
    else if (kind < 0.75)
      add_crate(side * real(0.0, 0.4), real(0.5, 0.8));
    else
      add_bonnet(side);
  }

  std::uint32_t paint(float gloss) {
    return scene_.add(
        {.colour = make_cloth(static_cast<ClothColour>(random_.below(10)), random_).rgb, .gloss = gloss});
  }

  void add_pole(float x, float z) {
    const float radius = real(0.04, 0.09);
    add_limb(scene_.mesh, {{x, 0, z}, {x, 4, z}, {0, 0, 1}, radius, radius, 0, 12}, paint(0.2f));
  }

  // A bin, a crate, a planter.
  void add_crate(float x, float z) {
    const float height = real(0.3, 0.5);
    add_blob(
        scene_.mesh,
        {.centre = {x, height, z}, .radii = {real(0.2, 0.4), height, 0.2f}, .roundness = 6, .columns = 16},
        paint(0.1f));
  }

  // The end of a parked car, from one side.
  void add_bonnet(float side) {
    const float x = side * real(1.0, 1.35), z = real(0.9, 1.2);
    add_blob(
        scene_.mesh,
        {.centre = {x, 0.58f, z}, .radii = {1.0f, 0.36f, 0.8f}, .roundness = 4.5f, .rows = 12, .columns = 24},
        paint(0.6f));
    const std::uint32_t tyre = scene_.add({.colour = {0.02f, 0.02f, 0.02f}});
    add_blob(scene_.mesh,
             {.centre = {x - side * 0.45f, 0.3f, z + 0.7f}, .radii = {0.3f, 0.3f, 0.12f}, .columns = 16},
             tyre);
  }

  const PersonPicture& picture_;
  const CameraLook& camera_;
  Random& random_;
  View view_;
  Scene scene_;
  Frame frame_{};
};

} // namespace

Image take_picture(const PersonPicture& picture, const CameraLook& camera, Random& random) {
  return Photographer(picture, camera, random).take();
}

} // namespace vlreid
