#include "vlreid/synth/options.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/image/encode.h"
#include "vlreid/synth/attributes.h"
#include "vlreid/synth/captions.h"
#include "vlreid/synth/plan.h"
#include "vlreid/synth/target_folder.h"
#include "vlreid/synth/vehicle_picture.h"
#include "vlreid/synth/veri_lists.h"

#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <fstream>
#include <memory>

namespace vlreid {
namespace {

constexpr std::uint64_t kPictureKey = 0xD0C0,
                        kCaptionKey = 0xCA97; // keep these numbers apart from each other's
constexpr int kBystanders = 64;
enum LookPart : std::uint64_t { kTrainLooks = 0, kTestLooks = 1, kBystanderLooks = 2 };

template <typename Look>
struct Cast {
  std::vector<Look> train, test, bystanders;

  const Look* look_of(const PlannedImage& image) const {
    if (image.look < 0) return nullptr;
    return &(image.part == Part::train ? train : test)[static_cast<std::size_t>(image.look)];
  }
};

// Plain, without fsync: the folder as a whole is put in place at the end.
void write_image(const std::filesystem::path& path, const Image& image, int quality) {
  const std::vector<std::byte> bytes = encode_jpeg(image, quality);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) fail_errno(errno, path.string(), "writing");
}

class DatasetMaker {
public:
  DatasetMaker(std::filesystem::path folder, const SynthOptions& options)
      : folder_(std::move(folder)), options_(options), plan_(make_plan(options)),
        own_pool_(options.threads > 0 ? std::make_unique<ThreadPool>(options.threads) : nullptr) {}

  SynthSummary make(Progress* progress) {
    for (const Part part : {Part::train, Part::query, Part::gallery})
      std::filesystem::create_directories(folder_ / folder_of(options_.kind, part));
    if (options_.kind == SynthKind::person)
      make_persons(progress);
    else
      make_vehicle_images(progress);
    return summarise();
  }

private:
  Random random_for(std::uint64_t key, std::size_t image) const {
    const auto identity = static_cast<std::uint64_t>(plan_.images[image].identity + 1);
    return Random({options_.seed, (key << 32) | identity, image});
  }

  std::filesystem::path path_of(const PlannedImage& image) const {
    return folder_ / folder_of(options_.kind, image.part) / name_of(options_.kind, image);
  }

  void for_each_image(Progress* progress, const std::function<void(std::size_t)>& draw) {
    ThreadPool& pool = own_pool_ ? *own_pool_ : shared_pool();
    pool.parallel_for(plan_.images.size(), 8, [&](std::size_t begin, std::size_t end, int) {
      for (std::size_t i = begin; i < end; ++i)
        draw(i);
      if (progress != nullptr) progress->add(static_cast<std::int64_t>(end - begin));
    });
  }

  // A fixed size on campus; in the station as large as the person appeared, as detectors give it.
  std::pair<int, int> size_for(Random& random) const {
    const int height = options_.height > 0 ? options_.height : 128;
    const int width = options_.width > 0 ? options_.width : options_.kind == SynthKind::person ? 64 : 128;
    if (options_.domain == SynthDomain::a) return {height, width};
    const double scale = std::exp(random.uniform(-0.35, 0.35));
    return {std::max(16, static_cast<int>(height * scale)), std::max(16, static_cast<int>(width * scale))};
  }

  void make_persons(Progress* progress) {
    const Cast<PersonLook> cast{
        make_people(options_.seed, options_.domain, kTrainLooks, options_.train_identities),
        make_people(options_.seed, options_.domain, kTestLooks, options_.test_identities),
        make_people(options_.seed, options_.domain, kBystanderLooks, kBystanders)};
    for_each_image(progress, [&](std::size_t index) {
      const PlannedImage& image = plan_.images[index];
      const CameraLook& camera = plan_.cameras[static_cast<std::size_t>(image.camera)];
      Random random = random_for(kPictureKey, index);
      const auto [height, width] = size_for(random);
      const PersonPicture picture{.subject = cast.look_of(image),
                                  .bystanders = cast.bystanders,
                                  .yaw = image.yaw,
                                  .kind = image.kind,
                                  .height = height,
                                  .width = width};
      write_image(path_of(image), take_picture(picture, camera, random), camera.jpeg_quality);
    });
    write_captions(cast);
    write_file(folder_ / "attributes.csv", person_table(plan_.identities, cast.train, cast.test));
  }

  void make_vehicle_images(Progress* progress) {
    const Cast<VehicleLook> cast{
        make_vehicles(options_.seed, options_.domain, kTrainLooks, options_.train_identities),
        make_vehicles(options_.seed, options_.domain, kTestLooks, options_.test_identities),
        make_vehicles(options_.seed, options_.domain, kBystanderLooks, kBystanders)};
    std::vector<KeypointRow> keypoints(plan_.images.size());
    for_each_image(progress, [&](std::size_t index) {
      const PlannedImage& image = plan_.images[index];
      const CameraLook& camera = plan_.cameras[static_cast<std::size_t>(image.camera)];
      Random random = random_for(kPictureKey, index);
      const auto [height, width] = size_for(random);
      const VehicleShot shot = take_picture(VehiclePicture{.subject = cast.look_of(image),
                                                           .bystanders = cast.bystanders,
                                                           .yaw = image.yaw,
                                                           .height = height,
                                                           .width = width},
                                            camera, random);
      keypoints[index] = shot.keypoints;
      write_image(path_of(image), shot.image, camera.jpeg_quality);
    });
    write_captions(cast);
    write_file(folder_ / "attributes.csv", vehicle_table(plan_.identities, cast.train, cast.test));
    write_veri_lists(folder_, plan_, keypoints, cast.train, cast.test);
  }

  template <typename Look>
  void write_captions(const Cast<Look>& cast) {
    std::string list; // one entry a line
    for (std::size_t index = 0; index < plan_.images.size(); ++index) {
      const PlannedImage& image = plan_.images[index];
      if (image.identity <= 0) continue;
      Random random = random_for(kCaptionKey, index);
      std::vector<std::string> sentences;
      for (int i = 0; i < kCaptionsPerImage; ++i)
        sentences.push_back(describe(*cast.look_of(image), image.yaw, random));
      captions_ += kCaptionsPerImage;
      const std::string path = folder_of(options_.kind, image.part) + "/" + name_of(options_.kind, image);
      list += (list.empty() ? "" : ",\n") +
              caption_entry(plan_.identities[static_cast<std::size_t>(image.identity - 1)], path, sentences)
                  .dump();
    }
    write_file(folder_ / "captions.json", "[\n" + list + "\n]\n");
  }

  SynthSummary summarise() {
    SynthSummary summary{.train_identities = options_.train_identities,
                         .test_identities = options_.test_identities};
    for (const PlannedImage& image : plan_.images) {
      summary.train_images += image.part == Part::train;
      summary.query_images += image.part == Part::query;
      summary.gallery_images += image.part == Part::gallery && image.identity >= 0;
      summary.distractor_images += image.identity == 0;
      summary.junk_images += image.identity < 0;
    }
    summary.captions = captions_;
    return summary;
  }

  std::filesystem::path folder_;
  const SynthOptions& options_;
  Plan plan_;
  std::unique_ptr<ThreadPool> own_pool_;
  int captions_ = 0;
};

// synth.json: what was asked for and what was made. Also the mark that a folder is ours to replace.
std::string describe_dataset(const SynthOptions& options, const SynthSummary& summary) {
  const nlohmann::ordered_json facts{{"kind", options.kind == SynthKind::person ? "person" : "vehicle"},
                                     {"domain", options.domain == SynthDomain::a ? "a" : "b"},
                                     {"seed", options.seed},
                                     {"cameras", options.cameras},
                                     {"train_identities", summary.train_identities},
                                     {"test_identities", summary.test_identities},
                                     {"train_images", summary.train_images},
                                     {"query_images", summary.query_images},
                                     {"gallery_images", summary.gallery_images},
                                     {"distractor_images", summary.distractor_images},
                                     {"junk_images", summary.junk_images},
                                     {"captions", summary.captions}};
  return facts.dump(2) + "\n";
}

} // namespace

std::int64_t count_images(const SynthOptions& options) {
  return static_cast<std::int64_t>(make_plan(options).images.size());
}

SynthSummary make_dataset(const std::filesystem::path& folder, const SynthOptions& options,
                          Progress* progress) {
  const auto start = std::chrono::steady_clock::now();
  check_options(options);
  TargetFolder target(folder, options.force);
  SynthSummary summary = DatasetMaker(target.path(), options).make(progress);
  write_file(target.path() / kDatasetMark, describe_dataset(options, summary));
  target.commit();
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summary;
}

} // namespace vlreid
