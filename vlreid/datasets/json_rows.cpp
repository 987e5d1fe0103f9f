#include "vlreid/datasets/json_rows.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace vlreid {

namespace {

using Json = nlohmann::json;

// Depth 1 is the array, depth 2 an object of it; what lies deeper belongs to a key that is skipped.
class RowHandler : public nlohmann::json_sax<Json> {
public:
  RowHandler(std::string_view text, const std::string& place, std::span<const std::string_view> keys,
             const std::function<void(std::span<const std::string>, std::int64_t)>& body)
      : text_(text), place_(place), keys_(keys), body_(body), values_(keys.size()) {}

  bool null() override { return scalar("", "null"); }
  bool boolean(bool) override { return wrong_type("true or false"); }
  bool number_integer(std::int64_t value) override { return scalar(std::to_string(value), "a number"); }
  bool number_unsigned(std::uint64_t value) override { return scalar(std::to_string(value), "a number"); }
  bool number_float(double, const std::string& digits) override { return wrong_type("the number " + digits); }
  bool string(std::string& value) override { return scalar(value, "a text"); }
  bool binary(Json::binary_t&) override { return true; }

  bool start_object(std::size_t) override {
    if (depth_ == 0) fail_top("an object");
    if (depth_ >= 2) wrong_type("an object");
    ++depth_;
    if (depth_ == 2) std::fill(values_.begin(), values_.end(), std::string());
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ != 2) return true;
    const auto found = std::find(keys_.begin(), keys_.end(), name);
    slot_ = found == keys_.end() ? -1 : found - keys_.begin();
    return true;
  }

  bool end_object() override {
    if (depth_ == 2) body_(values_, element_++);
    --depth_;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ == 1) fail_element("an array");
    if (depth_ >= 2) wrong_type("an array");
    ++depth_;
    return true;
  }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception&) override {
    fail_json_syntax(text_, place_, position, token);
  }

private:
  bool scalar(std::string text, const char* what) {
    if (depth_ == 0) fail_top(what);
    if (depth_ == 1) fail_element(what);
    if (depth_ == 2 && slot_ >= 0) values_[static_cast<std::size_t>(slot_)] = std::move(text);
    return true;
  }

  bool wrong_type(const std::string& what) {
    if (depth_ == 0) fail_top(what);
    if (depth_ == 1) fail_element(what);
    if (depth_ > 2 || slot_ < 0) return true;
    fail(ErrorKind::data, {.place = element_place(),
                           .found = std::string(keys_[static_cast<std::size_t>(slot_)]) + " is " + what,
                           .expected = "a text or a whole number",
                           .remedy = "correct this element"});
  }

  [[noreturn]] void fail_top(const std::string& what) {
    fail(ErrorKind::data,
         {.place = place_,
          .found = what,
          .expected = "an array of objects: [{\"path\": \"a.jpg\", \"identity\": 1, \"camera\": 0}, ...]",
          .remedy = "put the rows in [ ]"});
  }

  [[noreturn]] void fail_element(const std::string& what) {
    fail(ErrorKind::data, {.place = element_place(),
                           .found = what,
                           .expected = "an object with path, identity and camera",
                           .remedy = "correct this element"});
  }

  std::string element_place() const { return place_ + "[" + std::to_string(element_) + "]"; }

  std::string_view text_;
  const std::string& place_;
  std::span<const std::string_view> keys_;
  const std::function<void(std::span<const std::string>, std::int64_t)>& body_;
  std::vector<std::string> values_;
  std::int64_t element_ = 0;
  int depth_ = 0;
  std::ptrdiff_t slot_ = -1; // of the current key, -1: skipped
};

} // namespace

void for_each_json_row(std::string_view text, const std::string& place,
                       std::span<const std::string_view> keys,
                       const std::function<void(std::span<const std::string>, std::int64_t)>& body) {
  RowHandler handler(text, place, keys, body);
  Json::sax_parse(text, &handler);
}

void fail_json_syntax(std::string_view text, const std::string& place, std::size_t byte,
                      const std::string& token) {
  const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  constexpr std::size_t kShown = 40; // characters before the fault
  const std::string shown = token.empty() ? std::string(text.substr(before.size(), 1)) : token;
  fail(ErrorKind::data,
       {.place = place + ":" + std::to_string(line) + ":" + std::to_string(column),
        .found = byte > text.size() ? "the end of the file"
                                    : "'" + shown.substr(shown.size() - std::min(shown.size(), kShown)) + "'",
        .expected = "JSON: an array of objects",
        .remedy = "correct the list there"});
}

} // namespace vlreid
