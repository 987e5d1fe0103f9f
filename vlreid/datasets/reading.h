// What the readers of this folder share: reporting a broken rule (stop, or go on and keep it), finding a
// set's own folder, listing images, numbering identities, lines of list files. Internal to `datasets`.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// False also where it cannot be told.
bool path_exists(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);
bool is_file(const std::filesystem::path& path);

// Throws the fault, or with keep_going adds it to dataset.problems under `rule` and returns.
void report_problem(Dataset& dataset, const DatasetOptions& options, std::string rule, ErrorKind kind,
                    Fault fault);

// The folder of a set: the first of `own_folders` below the root that holds one of `markers` (files or
// folders); then the root if it does; then the first own folder that is there at all. None:
// ErrorKind::missing that names what was expected.
std::filesystem::path find_set_folder(const std::filesystem::path& root,
                                      std::span<const std::string> own_folders,
                                      std::span<const std::string> markers, std::string_view set);

// False (after report_problem) when the folder or file is not there.
bool require_folder(Dataset& dataset, const DatasetOptions& options, const std::filesystem::path& folder);
bool require_file(Dataset& dataset, const DatasetOptions& options, const std::filesystem::path& file);

// Names of the regular files `*.jpg` directly in the folder, byte order, hidden ones left out; notes the
// folder in the set.
std::vector<std::string> list_jpg(Dataset& dataset, const std::filesystem::path& folder);
// Case does not matter: .jpg .jpeg .png .webp .bmp.
bool has_image_extension(std::string_view name);

// Replaces the identities of train by labels 0..C-1 in ascending order and fills train_numbers.
void relabel_train(Dataset& dataset);

// Calls body(line, number) for the lines of a text file, numbered from 1: blank ones skipped, blanks at the
// ends and a byte order mark taken off.
void for_each_line(const std::filesystem::path& file,
                   const std::function<void(std::string_view line, std::int64_t number)>& body);
// "list.txt:12".
std::string line_place(const std::filesystem::path& file, std::int64_t number);
// The parts between runs of blanks and tabs.
std::vector<std::string_view> split_blanks(std::string_view line);

} // namespace vlreid
