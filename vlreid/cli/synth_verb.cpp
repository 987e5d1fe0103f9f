#include "vlreid/cli/verb.h"
#include "vlreid/synth/options.h"

#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

const std::vector<std::pair<std::string, SynthKind>> kKinds = {{"person", SynthKind::person},
                                                               {"vehicle", SynthKind::vehicle}};
const std::vector<std::pair<std::string, SynthDomain>> kDomains = {{"a", SynthDomain::a},
                                                                   {"b", SynthDomain::b}};

struct SynthArguments {
  std::string folder, kind = "person", domain = "a";
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
  fmt::print("{}: {} identities and {} images to train, {} identities, {} queries and {} gallery images to "
             "test, {} captions; {:.1f} s\n",
             folder, made.train_identities, made.train_images, made.test_identities, made.query_images,
             made.gallery_images, made.captions, made.seconds);
}

int run_synth(SynthArguments arguments) {
  arguments.options.kind = choose(arguments.kind, kKinds);
  arguments.options.domain = choose(arguments.domain, kDomains);
  SynthSummary made;
  {
    Progress progress("synth", "images", count_images(arguments.options));
    made = make_dataset(arguments.folder, arguments.options, &progress);
  }
  print(arguments.folder, made, arguments.as_json);
  return 0;
}

void define_options(Options& options, SynthArguments& arguments) {
  SynthOptions& made = arguments.options;
  options.text("DIR", arguments.folder, "folder to make", {.is_required = true});
  options.text("--kind", arguments.kind, "Market-1501 layout or VeRi-776 layout",
               {.choices = names_of(kKinds)});
  options.text("--domain", arguments.domain, "a: a campus in summer, b: a station in winter",
               {.choices = names_of(kDomains)});
  options.number("--seed", made.seed, "same seed, same files");
  options.number("--train-identities", made.train_identities, "identities to train on");
  options.number("--test-identities", made.test_identities, "identities of queries and gallery");
  options.number("--cameras", made.cameras, "cameras");
  options.number("--images-per-camera", made.images_per_camera, "images of one identity in a camera");
  options.number("--distractors", made.distractors, "gallery images of nobody who is asked for");
  options.number("--junk", made.junk, "gallery images that count neither way");
  options.number("--height", made.height, "pixels (0: as usual for the kind)");
  options.number("--width", made.width, "pixels (0: as usual for the kind)");
  options.number("--threads", made.threads, "threads (0: all cores)");
  options.flag("--force", made.force, "replace a folder that is not empty");
  options.flag("--json", arguments.as_json, "print the counts as JSON");
}

} // namespace

Verb make_synth_verb(const std::string& verb_summary) {
  return {.name = "synth",
          .summary = verb_summary,
          .example = "vlreid synth build/made --test-identities 100 --seed 7",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<SynthArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_synth(*arguments); };
          }};
}

} // namespace vlreid
