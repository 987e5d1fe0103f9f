// Finds golden files: ../shared/golden beside the checkout when it is there (all of them), else the subset in
// tests/golden.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace vlreid {

// The path of a golden file ("common/tokenizer.json"), or an empty path when this checkout does not have it.
std::filesystem::path find_golden(const std::string& name);
// A path below tests/ of the checkout, such as "data/broken/empty.jpg".
std::filesystem::path test_data(const std::string& name);
// Data sets beside the checkout (../shared/data), empty path when they are not there.
std::filesystem::path find_shared_data(const std::string& name);
nlohmann::json read_golden_json(const std::string& name);

} // namespace vlreid

// Names the file under test and skips the test, with a reason, in a bare clone that lacks it.
#define VLREID_GOLDEN(variable, name)                                                                        \
  const std::filesystem::path variable = ::vlreid::find_golden(name);                                        \
  if (variable.empty()) GTEST_SKIP() << "golden file " << (name) << " is not part of a bare clone"
