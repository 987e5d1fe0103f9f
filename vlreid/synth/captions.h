// Looks -> sentences, as people write them about a picture: what is seen from that side, in varied order and
// words. The file is in the form of CUHK-PEDES: a list of {id, split, file_path, captions, processed_tokens}.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/synth/person.h"
#include "vlreid/synth/plan.h"
#include "vlreid/synth/vehicle.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vlreid {

inline constexpr int kCaptionsPerImage = 2;

// One sentence or two about a person whose side `yaw` is seen.
std::string describe(const PersonLook& look, float yaw, Random& random);
std::string describe(const VehicleLook& look, float yaw, Random& random);

// The words of a sentence in lower case, punctuation left out.
std::vector<std::string> caption_tokens(const std::string& sentence);

// An element of captions.json.
nlohmann::ordered_json caption_entry(const PlannedIdentity& identity, const std::string& file_path,
                                     const std::vector<std::string>& sentences);

} // namespace vlreid
