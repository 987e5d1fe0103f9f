// The attribute table of a made dataset: one row an identity. Pedestrians have the 27 attributes of
// Market-1501's table with its codes (reference-behaviour section 7): age 1 young .. 4 old; gender 1 male;
// hair 1 short; up 1 long sleeves; down 1 long; clothes 1 dress; hat, backpack, bag, handbag 2 = yes; upblack
// .. downbrown 2 = that colour.
#pragma once

#include "vlreid/synth/person.h"
#include "vlreid/synth/plan.h"
#include "vlreid/synth/vehicle.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vlreid {

// Names and codes in the order of the columns.
std::vector<std::pair<std::string, int>> market_attributes(const PersonLook& look);

// attributes.csv: "identity,split,age,backpack,...", rows ascending by identity, split train or test.
std::string person_table(std::span<const PlannedIdentity> identities, std::span<const PersonLook> train,
                         std::span<const PersonLook> test);
// "identity,split,type,colour,roof_rack,sunroof,spoiler,side_stripe,side_logo,dark_windows".
std::string vehicle_table(std::span<const PlannedIdentity> identities, std::span<const VehicleLook> train,
                          std::span<const VehicleLook> test);

} // namespace vlreid
