#include "vlreid/cli/verb.h"
#include "vlreid/synth/options.h"

#include <fmt/format.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct SynthArguments {
  std::string folder;
  SynthOptions options;
  bool as_json = false;
};

void print(const std::string& folder, const SynthSummary& made, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", nlohmann::json{{"folder", folder},
                                      {"train_identities", made.train_identities},
                                      {"test_identities", made.test_identities},
                                      {"train_images", made.train_images},
                                      {"query_images", made.query_images},
                                      {"gallery_images", made.gallery_images},
                                      {"distractor_images", made.distractor_images},
                                      {"junk_images", made.junk_images},
                                      {"captions", made.captions},
                                      {"seconds", made.seconds}}
                           .dump(2));
    return;
  }
  fmt::print("{}: {} identities and {} images to train, {} identities, {} queries and {} gallery images to test, {} captions; {:.1f} s\n", folder,
             made.train_identities, made.train_images, made.test_identities, made.query_images, made.gallery_images, made.captions, made.seconds);
}

int run_synth(const SynthArguments& arguments) {
  SynthSummary made;
  {
    Progress progress("synth", "images", count_images(arguments.options));
    made = make_dataset(arguments.folder, arguments.options, &progress);
  }
  print(arguments.folder, made, arguments.as_json);
  return 0;
}

void define_options(CLI::App& command, SynthArguments& arguments) {
  SynthOptions& options = arguments.options;
  command.add_option("DIR", arguments.folder, "folder to make")->required();
  command.add_option("--kind", options.kind, "person (Market-1501 layout) or vehicle (VeRi-776 layout)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, SynthKind>{{"person", SynthKind::person}, {"vehicle", SynthKind::vehicle}}))
      ->default_str("person");
  command.add_option("--domain", options.domain, "a: a campus in summer, b: a station in winter")
      ->transform(CLI::CheckedTransformer(std::map<std::string, SynthDomain>{{"a", SynthDomain::a}, {"b", SynthDomain::b}}))
      ->default_str("a");
  command.add_option("--seed", options.seed, "same seed, same files")->capture_default_str();
  command.add_option("--train-identities", options.train_identities, "identities to train on")->capture_default_str();
  command.add_option("--test-identities", options.test_identities, "identities of queries and gallery")->capture_default_str();
  command.add_option("--cameras", options.cameras, "cameras")->capture_default_str();
  command.add_option("--images-per-camera", options.images_per_camera, "images of one identity in a camera")->capture_default_str();
  command.add_option("--distractors", options.distractors, "gallery images of nobody who is asked for")->capture_default_str();
  command.add_option("--junk", options.junk, "gallery images that count neither way")->capture_default_str();
  command.add_option("--height", options.height, "pixels (0: as usual for the kind)")->capture_default_str();
  command.add_option("--width", options.width, "pixels (0: as usual for the kind)")->capture_default_str();
  command.add_option("--threads", options.threads, "threads (0: all cores)")->capture_default_str();
  command.add_flag("--force", options.force, "replace a folder that is not empty");
  command.add_flag("--json", arguments.as_json, "print the counts as JSON");
}

} // namespace

Verb make_synth_verb(const std::string& verb_summary) {
  return {.name = "synth",
          .summary = verb_summary,
          .example = "vlreid synth build/made --test-identities 100 --seed 7",
          .define = [](CLI::App& command) -> std::function<int()> {
            auto arguments = std::make_shared<SynthArguments>();
            define_options(command, *arguments);
            return [arguments] { return run_synth(*arguments); };
          }};
}

} // namespace vlreid
