// CSV as RFC 4180 has it, for large files: fields are views into the text, and only quoted fields with
// doubled quotes are copied. Lines end with LF or CRLF, a byte order mark at the start is skipped, quoted
// fields may hold line ends. For the folders that read users' tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

class CsvReader {
public:
  // `place` is the file's name in messages; the text must outlive the reader.
  CsvReader(std::string_view text, std::string place);

  // Reads the next row that is not blank; false at the end. Fields are valid until the next call. Throws
  // ErrorKind::data with file:line for a quote that is not closed or is followed by other text.
  bool next(std::vector<std::string_view>& fields);
  // Line on which the last row began, from 1.
  std::int64_t line() const { return row_line_; }
  // "list.csv:12".
  std::string where() const { return place_ + ":" + std::to_string(row_line_); }

private:
  void read_row(std::vector<std::string_view>& fields);
  std::string_view read_quoted();
  std::string_view read_plain();
  bool at_line_end() const;
  void skip_line_end();

  std::string_view text_;
  std::string place_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
  std::deque<std::string> unescaped_; // of the current row
};

} // namespace vlreid
