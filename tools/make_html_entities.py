#!/usr/bin/env python3
"""Writes vlreid/text/html_entities.inc, the table of HTML's named characters, from Python's html.entities.

Run it again only when the standard gains a name, which it says it will not.
"""
import html.entities
import pathlib

TARGET = pathlib.Path(__file__).resolve().parent.parent / "vlreid" / "text" / "html_entities.inc"
WIDTH = 110


def literal(text):
    out = ""
    for character in text:
        if character in '"\\':
            out += "\\" + character
        elif " " <= character <= "~":
            out += character
        else:
            out += "\\n" if character == "\n" else "\\t" if character == "\t" else f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
    return out


def main():
    lines = ["// Made by tools/make_html_entities.py; sorted by name. A name without ';' is one that HTML knows without it."]
    line = ""
    for name in sorted(html.entities.html5):
        entry = f'{{"{name}", U"{literal(html.entities.html5[name])}"}}, '
        if len(line) + len(entry) > WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += entry
    lines.append(line.rstrip())
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
