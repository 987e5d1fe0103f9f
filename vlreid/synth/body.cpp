#include "vlreid/synth/body.h"

#include "vlreid/synth/body_parts.h"

namespace vlreid {

Pose make_pose(Random& random) {
  const auto real = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
  Pose pose;
  const bool is_standing = random.chance(0.2);
  pose.phase = real(0, 2 * kPi);
  pose.stride = is_standing ? real(0.02, 0.1) : real(0.3, 0.55);
  pose.arm_swing = pose.stride * real(0.6, 1.2);
  pose.lean = real(0.0, 0.1);
  pose.head_turn = real(-0.45, 0.45);
  pose.head_nod = real(-0.05, 0.3);
  pose.holds_phone = random.chance(0.1);
  return pose;
}

namespace {

Pattern pattern_of(UpperPattern pattern) {
  switch (pattern) {
  case UpperPattern::plain:
    return Pattern::plain;
  case UpperPattern::stripes:
  case UpperPattern::thick_stripes:
    return Pattern::stripes;
  case UpperPattern::pinstripes:
    return Pattern::pinstripes;
  case UpperPattern::checks:
    return Pattern::checks;
  case UpperPattern::dots:
    return Pattern::dots;
  case UpperPattern::logo:
    return Pattern::logo;
  case UpperPattern::big_print:
    return Pattern::big_print;
  case UpperPattern::two_tone:
    return Pattern::two_tone;
  case UpperPattern::side_panels:
    return Pattern::side_panels;
  }
  return Pattern::plain;
}

Pattern pattern_of(LowerPattern pattern) {
  switch (pattern) {
  case LowerPattern::plain:
    return Pattern::plain;
  case LowerPattern::side_stripe:
    return Pattern::side_stripe;
  case LowerPattern::checks:
    return Pattern::checks;
  case LowerPattern::dots:
    return Pattern::dots;
  }
  return Pattern::plain;
}

// Leather and quilted cloth shine a little.
float gloss_of(const PersonLook& look) {
  return look.upper == UpperKind::jacket ? 0.25f : look.upper == UpperKind::coat ? 0.1f : 0.03f;
}

Material upper_material(const PersonLook& look) {
  Material m{.colour = look.upper_cloth.rgb,
             .pattern = pattern_of(look.upper_pattern),
             .second = look.upper_second.rgb,
             .scale = look.pattern_scale,
             .shift = look.pattern_shift,
             .folds = 0.9f,
             .gloss = gloss_of(look),
             .seed = 11};
  if (look.upper_pattern == UpperPattern::thick_stripes) m.scale *= 0.4f;
  if (look.is_open) m.pattern = Pattern::open_front, m.second = look.inner.rgb;
  return m;
}

// Sleeves have the cloth's repeating pattern, but not what is printed on the trunk.
Material sleeve_material(const PersonLook& look) {
  Material m = upper_material(look);
  m.pattern = pattern_of(look.upper_pattern);
  const bool repeats = m.pattern == Pattern::stripes || m.pattern == Pattern::pinstripes ||
                       m.pattern == Pattern::checks || m.pattern == Pattern::dots;
  if (m.pattern == Pattern::side_panels || m.pattern == Pattern::two_tone) m.colour = look.upper_second.rgb;
  if (!repeats || look.is_open) m.pattern = Pattern::plain;
  m.along = 0.9f;
  return m;
}

Material lower_material(const PersonLook& look) {
  Material m{.colour = look.lower_cloth.rgb,
             .pattern = pattern_of(look.lower_pattern),
             .second = look.lower_second.rgb,
             .scale = 0.6f * look.pattern_scale,
             .along = 2.6f,
             .folds = look.lower == LowerKind::jeans ? 0.7f : 0.9f,
             .seed = 23};
  return m;
}

} // namespace

Wardrobe make_wardrobe(Scene& scene, const PersonLook& look) {
  const auto plain = [&](Vec3 colour, float folds, float gloss) {
    return scene.add({.colour = colour, .folds = folds, .gloss = gloss, .seed = 5});
  };
  Wardrobe w;
  w.skin = plain(look.skin, 0, 0.05f);
  w.upper = scene.add(upper_material(look));
  w.sleeve = scene.add(sleeve_material(look));
  w.collar = plain(look.upper_cloth.rgb * 0.9f, 0.3f, 0.03f);
  w.lower = scene.add(lower_material(look));
  Material dress = upper_material(look);
  dress.along = 0.9f;
  const bool repeats = dress.pattern != Pattern::logo && dress.pattern != Pattern::big_print;
  if (!repeats || dress.pattern == Pattern::two_tone) dress.pattern = Pattern::plain;
  Material skirt = lower_material(look);
  skirt.scale = look.pattern_scale, skirt.along = 0.8f;
  w.skirt = scene.add(look.wears_dress() ? dress : skirt);
  w.shoes = plain(look.shoes.rgb, 0, 0.15f);
  w.hair = plain(look.hair_rgb, 0.5f, 0.12f);
  w.face = scene.add({.colour = look.skin,
                      .pattern = Pattern::face,
                      .second = look.hair_rgb,
                      .third = {0.02f, 0.02f, 0.03f},
                      .has_beard = look.has_beard,
                      .has_glasses = look.has_glasses});
  w.hat = plain(look.hat_cloth.rgb, 0.2f, 0.03f);
  w.scarf = plain(look.scarf.rgb, 0.8f, 0);
  w.backpack = plain(look.backpack.cloth.rgb, 0.4f, 0.08f);
  w.shoulder_bag = plain(look.shoulder_bag.cloth.rgb, 0.2f, 0.15f);
  w.handbag = plain(look.handbag.cloth.rgb, 0.2f, 0.2f);
  return w;
}

void add_person(Scene& scene, const PersonLook& look, const Pose& pose, const Placement& placement) {
  const std::size_t first = scene.mesh.vertices.size();
  const Wardrobe wardrobe = make_wardrobe(scene, look);
  const Skeleton skeleton = make_skeleton(look, pose);
  add_legs(scene.mesh, look, skeleton, wardrobe);
  add_trunk(scene.mesh, look, skeleton, wardrobe);
  add_arms(scene.mesh, look, skeleton, wardrobe);
  add_head(scene.mesh, look, skeleton, wardrobe);
  add_bags(scene.mesh, look, skeleton, wardrobe);
  const auto turn = [&](Vec3 p) { return turn_y(p, placement.yaw); };
  transform(scene.mesh, first, [&](Vec3 p) { return turn(p) + placement.position; }, turn);
}

} // namespace vlreid
