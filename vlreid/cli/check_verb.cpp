#include "vlreid/base/error.h"
#include "vlreid/cli/verb.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/doctor.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct CheckArguments {
  std::string dataset;
  std::string root = "../data";
  DoctorOptions doctor;
  bool is_header_only = false, as_json = false;
};

// A path stands for itself: `vlreid check my/crops`.
Report examine(CheckArguments arguments) {
  arguments.doctor.decode_images = !arguments.is_header_only;
  arguments.doctor.show_progress = true;
  if (std::filesystem::exists(arguments.dataset))
    return check_dataset("auto", arguments.dataset, {}, arguments.doctor);
  return check_dataset(arguments.dataset, arguments.root, {}, arguments.doctor);
}

int run_check(const CheckArguments& arguments) {
  const Report report = examine(arguments);
  fmt::print("{}\n", arguments.as_json ? render_json(report).dump(2) : render_text(report));
  return report.is_sound() ? 0 : exit_code(ErrorKind::data);
}

} // namespace

Verb make_check_verb(const std::string& verb_summary) {
  return {.name = "check",
          .summary = verb_summary,
          .example = "vlreid check market1501 --root ../data",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<CheckArguments>();
            options.text("DATASET", arguments->dataset,
                         "name of a dataset (vlreid list datasets), or a folder or list file",
                         {.is_required = true});
            options.text("--root", arguments->root, "folder that holds the dataset's own folder");
            options.number("--sample", arguments->doctor.sample_images,
                           "decode at most so many images (0: all)", {.minimum = 0});
            options.flag("--no-decode", arguments->is_header_only, "look at names and lists only");
            options.flag("--json", arguments->as_json, "print the report as JSON");
            return [arguments] { return run_check(*arguments); };
          }};
}

} // namespace vlreid
