#include "vlreid/base/error.h"
#include "vlreid/cli/verb.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/naming.h"
#include "vlreid/weights/save.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

struct ConvertArguments {
  std::string input, output, family, dtype = "keep";
};

const std::vector<std::pair<std::string, at::ScalarType>> kDtypes = {
    {"keep", at::kFloat}, {"f32", at::kFloat}, {"f16", at::kHalf}, {"bf16", at::kBFloat16}};

StateDict cast(const StateDict& state, at::ScalarType dtype) {
  StateDict result;
  for (const auto& [name, tensor] : state)
    result.add(name, tensor.is_floating_point() ? tensor.to(dtype) : tensor);
  return result;
}

void save(const std::filesystem::path& path, const StateDict& state) {
  const std::string extension = path.extension().string();
  VLREID_REQUIRE(extension == ".pth" || extension == ".pt" || extension == ".safetensors", ErrorKind::usage,
                 path.string(), "unknown form '" + extension + "'",
                 "a name that ends in .pth or .safetensors", "change OUTPUT");
  if (extension == ".safetensors")
    save_safetensors(path, state, {{"format", "pt"}});
  else
    save_pth(path, state);
}

int run_convert(const ConvertArguments& arguments) {
  const WeightsFile file = load_weights(arguments.input);
  StateDict state = file.state;
  if (!arguments.family.empty())
    state = rename(state, detect_family(state, file.path), *parse_family(arguments.family), file.path);
  if (arguments.dtype != "keep") state = cast(state, choose(arguments.dtype, kDtypes));
  save(arguments.output, state);
  fmt::print("{}: {} tensors\n", arguments.output, state.size());
  return 0;
}

} // namespace

Verb make_convert_verb(const std::string& verb_summary) {
  return {.name = "convert",
          .summary = verb_summary,
          .example = "vlreid convert ViT-B-16_60.pth ViT-B-16_60.safetensors",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<ConvertArguments>();
            options.text("INPUT", arguments->input, "weights file of any kind", {.is_required = true});
            options.text("OUTPUT", arguments->output, "new file, .pth or .safetensors",
                         {.is_required = true});
            options.text(
                "--family", arguments->family, "names of the tensors (as they are when not given)",
                {.choices = {"openai", "open_clip", "clip-reid", "ft", "mm", "hf"}, .shows_default = false});
            options.text("--dtype", arguments->dtype, "type of the floating-point tensors",
                         {.choices = names_of(kDtypes)});
            return [arguments] { return run_convert(*arguments); };
          }};
}

} // namespace vlreid
