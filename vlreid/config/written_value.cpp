#include "vlreid/config/written_value.h"

#include "vlreid/base/strings.h"

#include <cmath>
#include <fmt/format.h>

namespace vlreid {
namespace {

bool encloses(std::string_view text, char open, char close) {
  return text.size() >= 2 && text.front() == open && text.back() == close;
}

bool is_quoted(std::string_view text) {
  return encloses(text, '\'', '\'') || encloses(text, '"', '"');
}
bool is_bracketed(std::string_view text) {
  return encloses(text, '(', ')') || encloses(text, '[', ']');
}

std::string_view inside(std::string_view text) {
  return text.substr(1, text.size() - 2);
}

// The parts of "a, 'b, c', d" between commas outside of quotes, trimmed; a last empty part (of "a,") is left
// out.
std::vector<std::string_view> split_items(std::string_view text) {
  std::vector<std::string_view> items;
  std::size_t start = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote)
      quote = c == quote ? char{0} : quote;
    else if (c == '\'' || c == '"')
      quote = c;
    else if (c == ',') {
      items.push_back(trim(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  const std::string_view last = trim(text.substr(start));
  if (!last.empty()) items.push_back(last);
  return items;
}

std::string unquote(std::string_view text) {
  return std::string(is_quoted(text) ? inside(text) : text);
}

std::string_view without_round_brackets(std::string_view text) {
  text = trim(text);
  while (encloses(text, '(', ')'))
    text = trim(inside(text));
  return text;
}

bool has_control_characters(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

std::string quote_for_yaml(std::string_view text) {
  std::string out;
  if (!has_control_characters(text)) {
    for (const char c : text)
      out += c == '\'' ? std::string("''") : std::string(1, c);
    return "'" + out + "'";
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  }
  return '"' + out + '"';
}

} // namespace

std::string read_text_literal(std::string_view text) {
  if (is_quoted(text)) return unquote(text);
  if (!is_bracketed(text)) return std::string(text);
  std::string_view content = text;
  while (is_bracketed(content))
    content = trim(inside(content));
  const std::vector<std::string_view> items = split_items(content);
  return items.size() == 1 && is_quoted(items[0]) ? unquote(items[0]) : std::string(text);
}

std::vector<std::string> read_list_literal(std::string_view text) {
  text = trim(text);
  if (!is_bracketed(text)) return {unquote(text)};
  std::vector<std::string> items;
  for (const std::string_view item : split_items(inside(text)))
    items.push_back(unquote(item));
  return items;
}

std::optional<bool> read_flag(std::string_view text) {
  const std::string word = to_lower_ascii(unquote(without_round_brackets(text)));
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::optional<std::int64_t> read_whole_number(std::string_view text) {
  return parse_integer(unquote(without_round_brackets(text)));
}

std::optional<double> read_number(std::string_view text) {
  const std::optional<double> number = parse_real(unquote(without_round_brackets(text)));
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::string print_text(std::string_view text) {
  const bool survives = read_text_literal(text) == text;
  return quote_for_yaml(survives ? std::string(text) : fmt::format("'{}'", text));
}

std::string print_list_item(std::string_view text) {
  return quote_for_yaml(text);
}

std::string print_number(double number) {
  const std::string text = fmt::format("{}", number);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

} // namespace vlreid
