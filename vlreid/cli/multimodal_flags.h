// The flags of Multimodal-ReID's training programs under their own names (spec/multimodal.md, section 2), as
// KEY VALUE pairs of the configuration that is trained. They stand in front of the user's own pairs.
#pragma once

#include "vlreid/cli/options.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vlreid {

class MultimodalFlags {
public:
  // Under a heading of their own in the help.
  void define(Options& options);

  // For a configuration file, which says what the flags leave open. Errors (usage): flags of another program,
  // or that do not go together.
  std::vector<std::string> pairs(const std::string& config_file) const;
  std::string weights() const; // the file of --model; "" without
  bool wants_half() const { return is_half_; }
  const std::string& folder() const { return values_[0]; } // --save_path

private:
  void refuse_other_programs() const;
  std::string method(const std::string& config_file) const;

  std::array<std::string, 9> values_; // of flags that are one key each, in the order of their table
  std::string mode_, model_, ratio_, second_ratio_, checkpoint_;
  int height_ = 0, second_height_ = 0;
  bool is_half_ = false, is_augmented_ = false, is_mixed_ = false;
};

// Height and width of --height and --ratio: width = int(height * ratio), ratio 0.5 where it is not given.
std::array<std::int64_t, 2> size_of_flags(const char* flags, int height, const std::string& ratio);

} // namespace vlreid
