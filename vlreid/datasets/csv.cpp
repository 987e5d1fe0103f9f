#include "vlreid/datasets/csv.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <utility>

namespace vlreid {

CsvReader::CsvReader(std::string_view text, std::string place) : text_(text), place_(std::move(place)) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

bool CsvReader::next(std::vector<std::string_view>& fields) {
  while (at_ < text_.size()) {
    row_line_ = line_;
    read_row(fields);
    if (fields.size() > 1 || !fields[0].empty()) return true;
  }
  return false;
}

void CsvReader::read_row(std::vector<std::string_view>& fields) {
  fields.clear();
  unescaped_.clear();
  while (true) {
    const bool is_quoted = at_ < text_.size() && text_[at_] == '"';
    fields.push_back(is_quoted ? read_quoted() : read_plain());
    if (at_ >= text_.size() || text_[at_] != ',') break;
    ++at_;
  }
  skip_line_end();
}

std::string_view CsvReader::read_plain() {
  const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
  std::string_view field = text_.substr(at_, end - at_);
  at_ = end;
  const bool ends_line = end == text_.size() || text_[end] == '\n';
  if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
  return field;
}

std::string_view CsvReader::read_quoted() {
  const std::size_t begin = ++at_;
  bool has_doubled = false;
  while (true) {
    at_ = text_.find('"', at_);
    VLREID_REQUIRE(at_ != std::string_view::npos, ErrorKind::data, where(), "a quote that is not closed",
                   "\" at the end of the field",
                   "close the quote, or double it (\"\") where it belongs to the text");
    if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
    has_doubled = true;
    at_ += 2;
  }
  std::string_view field = text_.substr(begin, at_ - begin);
  ++at_;
  line_ += std::count(field.begin(), field.end(), '\n');
  VLREID_REQUIRE(at_ >= text_.size() || text_[at_] == ',' || at_line_end(), ErrorKind::data, where(),
                 "text after a closing quote", "a comma or the end of the line",
                 "double the quotes (\"\") that belong to the text");
  if (!has_doubled) return field;
  std::string& copy = unescaped_.emplace_back();
  for (std::size_t i = 0; i < field.size(); ++i) {
    copy += field[i];
    if (field[i] == '"') ++i;
  }
  return copy;
}

bool CsvReader::at_line_end() const {
  const std::string_view rest = text_.substr(at_);
  return rest.starts_with('\n') || rest.starts_with("\r\n") || rest == "\r";
}

void CsvReader::skip_line_end() {
  if (at_ < text_.size() && text_[at_] == '\r') ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') ++at_;
  ++line_;
}

} // namespace vlreid
