#include "vlreid/config/field.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/config/written_value.h"

#include <algorithm>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr std::size_t kLongestQuote = 60; // of a bad value, in a message

std::string shorten(std::string_view text) {
  return text.size() <= kLongestQuote ? std::string(text)
                                      : std::string(text.substr(0, kLongestQuote)) + "...";
}

std::string print_written(const WrittenValue& value) {
  if (!value.is_list) return value.items[0];
  return "[" + join(value.items, ", ") + "]";
}

// How values of a type are read from one text, what they are called in messages, and how they are printed.
template <class T>
struct Reading;

template <>
struct Reading<bool> {
  static constexpr std::string_view kName = "True or False";
  static std::optional<bool> read(std::string_view text) { return read_flag(text); }
  static std::string print(bool value) { return value ? "True" : "False"; }
};

template <>
struct Reading<std::int64_t> {
  static constexpr std::string_view kName = "a whole number";
  static std::optional<std::int64_t> read(std::string_view text) { return read_whole_number(text); }
  static std::string print(std::int64_t value) { return fmt::format("{}", value); }
};

template <>
struct Reading<double> {
  static constexpr std::string_view kName = "a number";
  static std::optional<double> read(std::string_view text) { return read_number(text); }
  static std::string print(double value) { return print_number(value); }
};

template <>
struct Reading<std::string> {
  static constexpr std::string_view kName = "one text";
  static std::optional<std::string> read(std::string_view text) { return std::string(text); }
  static std::string print(const std::string& value) { return print_list_item(value); }
};

// Sets a target of any type from a written value; false when the types do not fit.
struct Assign {
  const WrittenValue& value;

  bool operator()(std::string* target) const {
    if (value.items.size() != 1) return false;
    *target = value.is_list ? value.items[0] : read_text_literal(value.items[0]);
    return true;
  }

  template <class T>
  bool operator()(T* target) const {
    if (value.is_list) return false;
    const std::optional<T> read = Reading<T>::read(value.items[0]);
    if (read) *target = *read;
    return read.has_value();
  }

  template <class T, std::size_t N>
  bool operator()(std::array<T, N>* target) const {
    std::vector<T> values;
    if (!(*this)(&values) || values.size() != N) return false;
    std::copy(values.begin(), values.end(), target->begin());
    return true;
  }

  template <class T>
  bool operator()(std::vector<T>* target) const {
    std::vector<T> values;
    for (const std::string& item : value.is_list ? value.items : read_list_literal(value.items[0])) {
      const std::optional<T> read = Reading<T>::read(item);
      if (!read) return false;
      values.push_back(*read);
    }
    *target = std::move(values);
    return true;
  }
};

struct NameOfType {
  template <class T>
  std::string operator()(T*) const {
    return std::string(Reading<T>::kName);
  }
  template <class T, std::size_t N>
  std::string operator()(std::array<T, N>*) const {
    return fmt::format("{} values, each {}", N, Reading<T>::kName);
  }
  template <class T>
  std::string operator()(std::vector<T>*) const {
    return fmt::format("a list, each {}", Reading<T>::kName);
  }
};

struct Print {
  std::string operator()(const std::string* target) const { return print_text(*target); }
  template <class T>
  std::string operator()(const T* target) const {
    return Reading<T>::print(*target);
  }
  template <class T, std::size_t N>
  std::string operator()(const std::array<T, N>* target) const {
    return print_all(*target);
  }
  template <class T>
  std::string operator()(const std::vector<T>* target) const {
    return print_all(*target);
  }

  template <class Range>
  static std::string print_all(const Range& range) {
    std::vector<std::string> texts;
    for (const auto& value : range)
      texts.push_back(Reading<typename Range::value_type>::print(value));
    return "[" + join(texts, ", ") + "]";
  }
};

// Calls check(value) for each single value of a target.
template <class Check>
struct ForEach {
  Check check;

  template <class T>
  void operator()(const T* target) const {
    check(*target);
  }
  template <class T, std::size_t N>
  void operator()(const std::array<T, N>* target) const {
    for (const T& value : *target)
      check(value);
  }
  template <class T>
  void operator()(const std::vector<T>* target) const {
    for (const T& value : *target)
      check(value);
  }
};

struct CheckOne {
  const Field& field;
  const std::string& place;

  void operator()(bool) const {}
  void operator()(std::int64_t value) const { (*this)(static_cast<double>(value)); }
  void operator()(double value) const {
    const About& about = field.about;
    const bool is_inside = value >= about.minimum && value <= about.maximum;
    if (is_inside) return;
    const bool has_maximum = about.maximum < std::numeric_limits<double>::infinity();
    fail(ErrorKind::config,
         {.place = place,
          .found = fmt::format("{} is {}", field.key, value),
          .expected = has_maximum ? fmt::format("expected {} to {}", about.minimum, about.maximum)
                                  : fmt::format("expected {} or more", about.minimum),
          .remedy = "correct the value"});
  }
  void operator()(const std::string& value) const {
    if (field.about.choices.empty()) return;
    const std::vector<std::string> choices = split(field.about.choices, '|');
    if (std::ranges::find(choices, value) != choices.end()) return;
    const std::string shown = shorten(value);
    fail(ErrorKind::config, {.place = place,
                             .found = fmt::format("{} is '{}'", field.key, shown),
                             .expected = "expected one of " + join(choices, ", "),
                             .remedy = "did you mean '" + nearest(shown, choices) + "'?"});
  }
};

// The visitor that makes the table.
struct Collector {
  std::vector<Field>& fields;
  std::vector<std::string>& sections;
  std::string prefix = {};

  template <class T>
  void operator()(std::string_view key, T& target, const About& about) {
    fields.push_back({.key = prefix + std::string(key), .about = about, .target = &target});
  }

  template <class Section>
  void section(std::string_view key, Section& section) {
    const std::string outer = prefix;
    sections.push_back(prefix + std::string(key));
    prefix = sections.back() + ".";
    section.visit(*this);
    prefix = outer;
  }
};

std::string_view last_part(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}
std::string_view section_of(std::string_view key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

} // namespace

void Field::assign(const WrittenValue& value, const std::string& place) const {
  if (std::visit(Assign{value}, target)) return;
  fail(ErrorKind::config, {.place = place,
                           .found = fmt::format("{} is '{}'", key, shorten(print_written(value))),
                           .expected = "expected " + std::visit(NameOfType{}, target),
                           .remedy = fmt::format("write for example {}: {}", last_part(key), print())});
}

void Field::check(const std::string& place) const {
  const CheckOne check_one{*this, place};
  std::visit(ForEach<CheckOne>{check_one}, target);
}

std::string Field::print() const {
  return std::visit(Print{}, target);
}

FieldTable::FieldTable(Config& config) {
  Collector collector{fields_, sections_};
  config.visit(collector);
}

FieldTable::FieldTable(ClipSizes& sizes) {
  Collector collector{fields_, sections_};
  sizes.visit(collector);
}

const Field* FieldTable::find(std::string_view key) const {
  const auto found = std::ranges::find(fields_, key, &Field::key);
  return found == fields_.end() ? nullptr : &*found;
}

bool FieldTable::is_section(std::string_view key) const {
  return std::ranges::find(sections_, key) != sections_.end();
}

std::vector<std::string> FieldTable::keys_in(std::string_view section) const {
  std::vector<std::string> keys;
  for (const Field& field : fields_)
    if (section_of(field.key) == section) keys.emplace_back(last_part(field.key));
  for (const std::string& name : sections_)
    if (section_of(name) == section) keys.emplace_back(last_part(name));
  return keys;
}

void FieldTable::fail_unknown(std::string_view key, std::string place) const {
  // The part of the path that is wrong is the first one that is not a section.
  std::size_t end = key.find('.');
  while (end != std::string_view::npos && is_section(key.substr(0, end)))
    end = key.find('.', end + 1);
  const std::string_view wrong = key.substr(0, end);
  const std::string_view section = section_of(wrong);
  const std::vector<std::string> expected = keys_in(section);

  const std::string name = shorten(last_part(wrong));
  std::string suggestion = nearest(name, expected);
  if (!section.empty()) suggestion = fmt::format("{}.{}", section, suggestion);
  for (const Field& field : fields_) // the right name in the wrong section
    if (last_part(field.key) == last_part(key)) suggestion = field.key;
  fail(ErrorKind::config, {.place = std::move(place),
                           .found = fmt::format("unknown key '{}'", shorten(wrong)),
                           .expected = "expected one of " + join(expected, ", "),
                           .remedy = fmt::format("did you mean '{}'?", suggestion)});
}

} // namespace vlreid
