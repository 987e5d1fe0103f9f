// Any text as a configuration: either an Error of kind config, or options that survive being printed and read
// again.
#include "vlreid/base/error.h"
#include "vlreid/config/config.h"

#include <cstdlib>
#include <string_view>

namespace {

bool round_trips(const vlreid::Config& config) {
  const std::string yaml = vlreid::to_yaml(config);
  return vlreid::to_yaml(vlreid::load_config_text(yaml, "again.yml")) == yaml;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  vlreid::Config config;
  try {
    config = vlreid::load_config_text(text, "fuzz.yml");
  } catch (const vlreid::Error& error) {
    if (error.kind() != vlreid::ErrorKind::config) std::abort();
    return 0;
  }
  if (!round_trips(config)) std::abort();
  return 0;
}
