// An array of flat JSON objects, read as a stream so that a list of a million images needs no tree. Internal
// to `datasets`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace vlreid {

// Calls body(values, element) for each object, counted from 0: values[i] is the text of key keys[i], "" where
// it is absent or null; whole numbers as digits. Other keys are skipped, whatever they hold. Throws
// ErrorKind::data with file:line:column for wrong syntax and file[element] for a wrong type.
void for_each_json_row(
    std::string_view text, const std::string& place, std::span<const std::string_view> keys,
    const std::function<void(std::span<const std::string> values, std::int64_t element)>& body);

// Throws ErrorKind::data with file:line:column of a byte, counted from 1 as nlohmann::json does.
[[noreturn]] void fail_json_syntax(std::string_view text, const std::string& place, std::size_t byte,
                                   const std::string& token = {});

} // namespace vlreid
