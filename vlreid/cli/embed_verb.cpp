#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/base/progress.h"
#include "vlreid/batches/image_batches.h"
#include "vlreid/cli/model_arguments.h"
#include "vlreid/cli/verb.h"
#include "vlreid/inference/embed_to_file.h"
#include "vlreid/inference/embedding_file.h"
#include "vlreid/inference/image_list.h"

#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct EmbedArguments {
  ModelArguments model;
  std::string images, out;
  bool may_resume = false, is_strict = false, normalise = false, as_json = false;
};

void print(const EmbedReport& report, const std::string& out, std::int64_t dims, bool as_json) {
  for (const UnreadableImage& image : report.unreadable)
    fmt::print(stderr, "vlreid: skipped: {}\n", image.message);
  if (!as_json) {
    fmt::print("{}: {} embeddings of {} numbers", out, report.embedded, dims);
    if (report.resumed > 0) fmt::print(", {} images done by an earlier run", report.resumed);
    if (!report.unreadable.empty()) fmt::print(", {} unreadable images skipped", report.unreadable.size());
    fmt::print("\n");
    return;
  }
  nlohmann::json unreadable = nlohmann::json::array();
  for (const UnreadableImage& image : report.unreadable)
    unreadable.push_back(image.message);
  fmt::print("{}\n", nlohmann::json{{"out", out},
                                    {"embedded", report.embedded},
                                    {"dims", dims},
                                    {"resumed", report.resumed},
                                    {"unreadable", unreadable}}
                         .dump(2));
}

int run_embed(const EmbedArguments& arguments) {
  check_embedding_file_name(arguments.out);
  const LoadedArguments loaded = load_arguments(arguments.model);
  const std::vector<std::string> paths = list_images(arguments.images);
  Embedder embedder(loaded.embedder);
  log_info("vlreid.embed", embedder.summary());
  EmbedReport report;
  {
    Progress progress("embed", "images", static_cast<std::int64_t>(paths.size()));
    report = embed_to_file(embedder, paths,
                           {.out = arguments.out,
                            .may_resume = arguments.may_resume,
                            .normalise = arguments.normalise,
                            .progress = &progress});
  }
  print(report, arguments.out, embedder.dims(), arguments.as_json);
  return arguments.is_strict && !report.unreadable.empty() ? exit_code(ErrorKind::data) : 0;
}

} // namespace

Verb make_embed_verb(const std::string& verb_summary) {
  return {.name = "embed",
          .summary = verb_summary,
          .example = "vlreid embed --weights ViT-B-16_60.pth --images crops/ --out crops.safetensors",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<EmbedArguments>();
            arguments->model.define(options);
            options.text("--images", arguments->images, "folder of images, or a file with one path a line",
                         {.is_required = true});
            options.text("--out", arguments->out, "result: .safetensors, .npy or .csv",
                         {.is_required = true});
            options.flag("--resume", arguments->may_resume, "go on with what a stopped run has finished");
            options.flag("--normalise", arguments->normalise, "rows of length 1");
            options.flag("--strict", arguments->is_strict, "exit with 65 when an image was unreadable");
            options.flag("--json", arguments->as_json, "print the counts as JSON");
            return [arguments] { return run_embed(*arguments); };
          }};
}

} // namespace vlreid
