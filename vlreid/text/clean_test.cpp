#include "vlreid/text/clean.h"

#include <gtest/gtest.h>

namespace vlreid {
namespace {

std::string unescape(std::string_view text) {
  return to_utf8(unescape_html(from_utf8(text)));
}
std::string lower(std::string_view text) {
  return to_utf8(to_lower(from_utf8(text)));
}
std::string collapse(std::string_view text) {
  return to_utf8(collapse_white_space(from_utf8(text)));
}

TEST(Clean, NamedReferences) {
  EXPECT_EQ(unescape("&amp; &lt;b&gt; &quot;x&quot; &apos;"), "& <b> \"x\" '");
  EXPECT_EQ(unescape("&Eacute;&eacute;"), "\xc3\x89\xc3\xa9");
  EXPECT_EQ(unescape("&amp &ampx &notit; &notin; &eacutex"), "& &x \xc2\xacit; \xe2\x88\x89 \xc3\xa9x");
  EXPECT_EQ(unescape("&nosuch; &; & &&amp; &a &alpha &alpha;"), "&nosuch; &; & && &a &alpha \xce\xb1");
  EXPECT_EQ(unescape("&NotEqualTilde; &fjlig;"), "\xe2\x89\x82\xcc\xb8 fj"); // two characters
  EXPECT_EQ(unescape("&CounterClockwiseContourIntegral;"), "\xe2\x88\xb3");  // the longest name, 31 letters
  EXPECT_EQ(unescape("&\xc3\xa9;&am\xc3\xa9p;"), "&\xc3\xa9;&am\xc3\xa9p;");
  EXPECT_EQ(unescape("&amp;amp;"), "&amp;"); // one step only
}

TEST(Clean, NumericReferences) {
  EXPECT_EQ(unescape("&#65;&#x41;&#X42;&#67 &#x44g"), "AABC Dg");
  EXPECT_EQ(unescape("&#128;&#x99;&#129;"), "\xe2\x82\xac\xe2\x84\xa2\xc2\x81"); // Windows-1252
  EXPECT_EQ(unescape("&#0;&#xd800;&#x110000;&#99999999999999999999;"),
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(unescape("a&#1;&#11;&#127;&#xfffe;&#xfdd0;&#x1ffff;b"), "ab");
  EXPECT_EQ(unescape("&#13;&#12;&#9;"), "\r\f\t");
  EXPECT_EQ(unescape("&#;&#x;&#xg;&#"), "&#;&#x;&#xg;&#");
}

TEST(Clean, WhiteSpace) {
  EXPECT_EQ(collapse("  a \t\n b\xe3\x80\x80\xc2\xa0"
                     "c\xc2\x85 "),
            "a b c");
  EXPECT_EQ(collapse("\x1c\x1f a\x1c"
                     "b \x1d"),
            "a\x1c"
            "b"); // separators: stripped at the ends, else kept
  EXPECT_EQ(collapse("a\xe2\x80\x8b"
                     "b"),
            "a\xe2\x80\x8b"
            "b"); // a zero-width space is none
  EXPECT_EQ(collapse(" \n "), "");
}

TEST(Clean, LowerCase) {
  EXPECT_EQ(lower("ABCxyz!"), "abcxyz!");
  EXPECT_EQ(lower("\xc3\x89\xc4\xb0"), "\xc3\xa9i\xcc\x87"); // dotted I becomes two characters
  EXPECT_EQ(lower("\xce\x9f\xce\xa3 \xce\xa3\xce\x91"),
            "\xce\xbf\xcf\x82 \xcf\x83\xce\xb1");           // sigma, final and not
  EXPECT_EQ(lower("\xf0\x90\x90\x80"), "\xf0\x90\x90\xa8"); // beyond the basic plane
}

TEST(Clean, Classes) {
  EXPECT_EQ(class_of(U'a'), CharacterClass::letter);
  EXPECT_EQ(class_of(U'\u00b2'), CharacterClass::number);
  EXPECT_EQ(class_of(U'\u2167'), CharacterClass::number);
  EXPECT_EQ(class_of(U'\u0301'), CharacterClass::other);
  EXPECT_EQ(class_of(U'\u3000'), CharacterClass::space);
  EXPECT_EQ(class_of(char32_t{0x10ffff}), CharacterClass::other);
}

TEST(Clean, AllStepsInOrder) {
  EXPECT_EQ(to_utf8(clean(" &amp;lt;B&amp;gt;&nbsp;&amp;NBSP; \xc3\x89")), "<b> &nbsp; \xc3\xa9");
}

} // namespace
} // namespace vlreid
