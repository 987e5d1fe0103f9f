// Building blocks of the project's HTML pages: escaping, the shared look, facts, tables and embedded
// pictures. A page is one file without a single request to anywhere: style inside, pictures as data: URIs, no
// script. Light and dark follow the reader.
#pragma once

#include "vlreid/image/image.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlreid {

// Text for element content and for attributes in quotes: & < > " ' become references, control characters a
// question mark.
std::string escape_html(std::string_view text);

// The standard alphabet with padding.
std::string encode_base64(const std::vector<std::byte>& bytes);

// A picture as a data: URI (JPEG), shrunk so that it fits into max_height x max_width; smaller ones keep
// their size.
struct ThumbnailOptions {
  int max_height = 192, max_width = 192;
  int quality = 82;
};
Image shrunk_to_fit(const Image& image, const ThumbnailOptions& options);
std::string thumbnail_uri(const Image& image, const ThumbnailOptions& options = {});
// Nothing when the file cannot be read as a picture: pages show a placeholder instead.
std::optional<std::string> thumbnail_uri(const std::filesystem::path& path,
                                         const ThumbnailOptions& options = {});

using Fact = std::pair<std::string, std::string>; // label, value

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>>
      rows; // the first column is text, the others are numbers and stand right
};

struct PageHead {
  std::string title;
  std::vector<std::string> intro = {}; // paragraphs
  std::vector<Fact> facts = {};
};

// The parts of a page, each complete and escaped: open_page + any of the others + close_page.
std::string open_page(const PageHead& head);
std::string table_html(const Table& table);
std::string close_page();

// The same table for a terminal.
std::string table_text(const Table& table);

} // namespace vlreid
