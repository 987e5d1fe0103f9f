// Vehicle types of VeRi-776 from train_label.xml, test_label.xml and list_type.txt (as Multimodal-ReID reads
// them for its prompts). Internal to `datasets`.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <string>
#include <string_view>
#include <unordered_map>

namespace vlreid {

// Fills dataset.vehicle_types when all three files are in dataset.root; with ReferenceSystem::mm they must
// be. The type of a label is that of its first image in the train labels, else in the test labels.
// `numbered_train`: the training images in file order with the numbers of their names, also those without a
// viewpoint. An unknown type id gives an empty type and a warning.
void read_vehicle_types(Dataset& dataset, const Subset& numbered_train, const DatasetOptions& options);

// imageName -> typeID of every element `Item`. The bytes need not be UTF-8 (the release declares GB2312) and
// the encoding declaration is not looked at. Throws ErrorKind::data with the offset for an element that does
// not end.
std::unordered_map<std::string, std::string> parse_label_items(std::string_view xml,
                                                               const std::string& place);

} // namespace vlreid
