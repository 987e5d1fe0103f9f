#include "tests/support/golden.h"

#include <fstream>
#include <stdexcept>

namespace vlreid {
namespace fs = std::filesystem;
namespace {

const fs::path kSource = VLREID_SOURCE_DIR;

fs::path first_existing(std::initializer_list<fs::path> candidates) {
  for (const fs::path& candidate : candidates)
    if (fs::exists(candidate)) return candidate;
  return {};
}

} // namespace

fs::path find_golden(const std::string& name) {
  return first_existing({kSource / ".." / "shared" / "golden" / name, kSource / "tests" / "golden" / name});
}

fs::path test_data(const std::string& name) {
  return kSource / "tests" / name;
}

fs::path find_shared_data(const std::string& name) {
  return first_existing({kSource / ".." / "shared" / "data" / name});
}

nlohmann::json read_golden_json(const std::string& name) {
  const fs::path path = find_golden(name);
  if (path.empty()) throw std::runtime_error("no golden file " + name);
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

} // namespace vlreid
