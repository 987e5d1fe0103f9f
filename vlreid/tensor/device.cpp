#include "vlreid/tensor/device.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

namespace vlreid {

at::Device parse_device(std::string_view text) {
  if (text == "cpu") return at::kCPU;
  const bool is_numbered = text.starts_with("cuda:");
  const auto number = is_numbered ? parse_integer(text.substr(5)) : std::optional<std::int64_t>(0);
  VLREID_REQUIRE((text == "cuda" || is_numbered) && number && *number >= 0, ErrorKind::usage, "--device",
                 fmt::format("'{}'", text), "cpu, cuda or cuda:N");
  VLREID_REQUIRE(at::hasCUDA(), ErrorKind::usage, "--device", "no CUDA device can be used",
                 "a GPU with its driver, and a CUDA build of torch",
                 "use --device cpu, or point VLREID_TORCH to a CUDA build and build again");
  const int count = at::detail::getCUDAHooks().deviceCount();
  VLREID_REQUIRE(*number < count, ErrorKind::usage, "--device", fmt::format("'{}'", text),
                 fmt::format("cuda:0 to cuda:{}", count - 1));
  return {at::kCUDA, static_cast<at::DeviceIndex>(*number)};
}

} // namespace vlreid
