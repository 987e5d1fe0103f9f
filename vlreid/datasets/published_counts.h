// Published sizes of the public sets (spec/datasets.md section 4), to tell an incomplete download. Internal
// to `datasets`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vlreid {

struct PublishedPart {
  std::int64_t identities, images; // 0: not stated, or the sources disagree
};

struct PublishedSet {
  std::string_view name;
  std::array<PublishedPart, 3> parts; // train, query, gallery
};

// VeRi-776: before images without a viewpoint are left out. VehicleID: only the identities, since the
// literature disagrees about its images; those of the test lists are compared when they are read.
inline constexpr std::array<PublishedSet, 8> kPublishedSets = {{
    {"market1501", {{{751, 12936}, {750, 3368}, {751, 15913}}}},
    {"dukemtmc", {{{702, 16522}, {702, 2228}, {1110, 17661}}}},
    {"occ_duke", {{{702, 15618}, {519, 2210}, {1110, 17661}}}},
    {"msmt17", {{{1041, 32621}, {3060, 11659}, {3060, 82161}}}},
    {"msmt17_v1", {{{1041, 32621}, {3060, 11659}, {3060, 82161}}}},
    {"veri", {{{576, 37778}, {200, 1678}, {200, 11579}}}},
    {"vehicleid", {{{13164, 0}, {0, 0}, {0, 0}}}},
    {"personx", {{{410, 9840}, {856, 5136}, {856, 30816}}}},
}};

} // namespace vlreid
