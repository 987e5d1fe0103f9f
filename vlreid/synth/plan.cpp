#include "vlreid/synth/plan.h"

#include "vlreid/base/error.h"
#include "vlreid/base/random.h"

#include <fmt/format.h>
#include <numeric>
#include <span>

namespace vlreid {
namespace {

constexpr std::uint64_t kPlanKey =
    0x91A2;                        // keeps these numbers apart from those of people, cameras and pictures
constexpr double kSeenShare = 0.8; // of the cameras see an identity; at least two do
constexpr int kValidationEvery = 10;

void require_between(const char* name, int value, int low, int high) {
  VLREID_REQUIRE(value >= low && value <= high, ErrorKind::usage, "synth",
                 fmt::format("{} is {}", name, value), fmt::format("a number from {} to {}", low, high),
                 "change the option");
}

class Planner {
public:
  explicit Planner(const SynthOptions& options)
      : options_(options), random_({options.seed, kPlanKey, static_cast<std::uint64_t>(options.kind)}),
        next_frame_(static_cast<std::size_t>(options.cameras), 400) {}

  Plan make() {
    for (int camera = 0; camera < options_.cameras; ++camera)
      plan_.cameras.push_back(make_camera(options_.seed, options_.domain, camera));
    choose_identities();
    choose_visits();
    for (const Visit& visit : visits_)
      add_visit(visit);
    if (options_.kind == SynthKind::person) add_strays();
    return std::move(plan_);
  }

private:
  // An identity passes a camera.
  struct Visit {
    const PlannedIdentity* identity;
    int camera;
  };

  // Training and test identities are mixed, as in the real sets.
  void choose_identities() {
    const int count = options_.train_identities + options_.test_identities;
    std::vector<int> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    random_.shuffle(std::span(order));
    for (int i = 0; i < count; ++i) {
      const bool is_train = order[i] < options_.train_identities;
      const int look = is_train ? order[i] : order[i] - options_.train_identities;
      plan_.identities.push_back(
          {.identity = i + 1,
           .look = look,
           .is_train = is_train,
           .is_validation = is_train && look % kValidationEvery == kValidationEvery - 1});
    }
  }

  void choose_visits() {
    std::vector<int> cameras(static_cast<std::size_t>(options_.cameras));
    std::iota(cameras.begin(), cameras.end(), 0);
    for (const PlannedIdentity& identity : plan_.identities) {
      random_.shuffle(std::span(cameras));
      for (std::size_t i = 0; i < cameras.size(); ++i)
        if (i < 2 || random_.chance(kSeenShare)) visits_.push_back({&identity, cameras[i]});
    }
    random_.shuffle(std::span(visits_));
  }

  int take_frame(int camera) { return next_frame_[camera] += 3 + static_cast<int>(random_.below(40)); }

  int any_box() { return 1 + static_cast<int>(random_.below(4)); }

  int sequence_of(int camera) { return 1 + next_frame_[camera] / 25000; }

  // People cross a camera's view one way or the other, and turn a little meanwhile.
  void add_visit(const Visit& visit) {
    const CameraLook& camera = plan_.cameras[visit.camera];
    const float way = camera.yaw + (random_.chance(0.5) ? kPi : 0) +
                      camera.yaw_spread * static_cast<float>(random_.normal());
    const auto query = random_.below(static_cast<std::uint64_t>(options_.images_per_camera));
    for (int i = 0; i < options_.images_per_camera; ++i) {
      const Part part = visit.identity->is_train                 ? Part::train
                        : static_cast<std::uint64_t>(i) == query ? Part::query
                                                                 : Part::gallery;
      plan_.images.push_back({.part = part,
                              .identity = visit.identity->identity,
                              .look = visit.identity->look,
                              .camera = visit.camera,
                              .sequence = sequence_of(visit.camera),
                              .frame = take_frame(visit.camera),
                              .box = any_box(),
                              .yaw = way + 0.3f * static_cast<float>(random_.normal())});
    }
  }

  void add_strays() {
    const auto add = [&](int identity, int look, PictureKind kind) {
      const int camera = static_cast<int>(random_.below(static_cast<std::uint64_t>(options_.cameras)));
      plan_.images.push_back({.part = Part::gallery,
                              .identity = identity,
                              .look = look,
                              .camera = camera,
                              .sequence = sequence_of(camera),
                              .frame = take_frame(camera),
                              .box = any_box(),
                              .yaw = static_cast<float>(random_.uniform(0, 2 * kPi)),
                              .kind = kind});
    };
    for (int i = 0; i < options_.distractors; ++i)
      add(0, -1, PictureKind::distractor);
    for (int i = 0; i < options_.junk; ++i)
      add(-1, static_cast<int>(random_.below(static_cast<std::uint64_t>(options_.test_identities))),
          PictureKind::junk);
  }

  const SynthOptions& options_;
  Random random_;
  std::vector<int> next_frame_; // per camera
  std::vector<Visit> visits_;
  Plan plan_;
};

} // namespace

void check_options(const SynthOptions& options) {
  const bool is_person = options.kind == SynthKind::person;
  const int identities = is_person ? kMaxPersonIdentities : kMaxVehicleIdentities;
  require_between("the number of training identities", options.train_identities, 1, identities);
  require_between("the number of test identities", options.test_identities, 1, identities);
  require_between("the number of identities", options.train_identities + options.test_identities, 2,
                  identities);
  require_between("the number of cameras", options.cameras, 2,
                  is_person ? kMaxPersonCameras : kMaxVehicleCameras);
  require_between("images per camera", options.images_per_camera, 2, 100);
  require_between("the number of distractors", options.distractors, 0, 1'000'000);
  require_between("the number of junk images", options.junk, 0, 1'000'000);
  require_between("threads", options.threads, 0, 1024);
  if (options.height != 0 || options.width != 0) {
    require_between("the height", options.height, 32, 1024);
    require_between("the width", options.width, 16, 1024);
  }
}

Plan make_plan(const SynthOptions& options) {
  check_options(options);
  return Planner(options).make();
}

std::string folder_of(SynthKind kind, Part part) {
  const bool is_person = kind == SynthKind::person;
  switch (part) {
  case Part::train:
    return is_person ? "bounding_box_train" : "image_train";
  case Part::query:
    return is_person ? "query" : "image_query";
  case Part::gallery:
    return is_person ? "bounding_box_test" : "image_test";
  }
  return {};
}

std::string name_of(SynthKind kind, const PlannedImage& image) {
  if (kind == SynthKind::vehicle)
    return fmt::format("{:04}_c{:03}_{:08}_0.jpg", image.identity, image.camera + 1, image.frame);
  const std::string identity = image.identity < 0 ? "-1" : fmt::format("{:04}", image.identity);
  return fmt::format("{}_c{}s{}_{:06}_{:02}.jpg", identity, image.camera + 1, image.sequence, image.frame,
                     image.box);
}

} // namespace vlreid
