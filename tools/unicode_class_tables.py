#!/usr/bin/env python3
"""Writes src/text/unicode_class_data.c: the classes of code points that the patterns of Split, and
the pre-tokenizers Digits and UnicodeScripts of Hugging Face `tokenizers` tell apart.

As in tools/unicode_tables.py the package itself is asked, code point by code point: its parts
(Oniguruma, the Rust standard library, a script table of its own) use different Unicode versions.

    python3 tools/unicode_class_tables.py > src/text/unicode_class_data.c
"""
import sys

import tokenizers
from tokenizers import Regex, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, CODE_POINTS))
# In the order of enum nf_category in unicode_class.h.
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn").split()
# Those that Oniguruma does not know are left out.
SCRIPTS = """Common Inherited Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi
Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee
Canadian_Aboriginal Ogham Runic Khmer Mongolian Hiragana Katakana Bopomofo Han Yi Old_Italic Gothic Deseret Tagalog
Hanunoo Buhid Tagbanwa Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue
Glagolitic Tifinagh Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha
Ol_Chiki Vai Saurashtra Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs
Samaritan Lisu Bamum Javanese Meetei_Mayek Brahmi Kaithi Chakma Batak Mandaic Adlam Osage Newa""".split()


def outside(pattern):
    """The code points that a repeated class does not match."""
    found = set()
    for _, (a, b) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(ALL):
        found.update(CODE_POINTS[a:b])
    return found


def digits():
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str("a".join(ALL) + "a")
    return {ord(s) for s, _ in pieces if len(s) == 1 and s != "a"}


def script_groups():
    """What UnicodeScripts takes for one script: 0 goes with anything, 1 .. are groups."""
    split = pre_tokenizers.UnicodeScripts()

    def joined(a, b):
        return len(split.pre_tokenize_str(a + b)) == 1

    heads, group, last = [], {}, None
    for c in CODE_POINTS:
        s = chr(c)
        if joined("a", s) and joined("\u6f22", s):
            group[c] = 0
            continue
        if last is None or not joined(chr(heads[last - 1]), s):
            last = next((i + 1 for i, h in enumerate(heads) if joined(chr(h), s)), None)
            if last is None:
                heads.append(c)
                last = len(heads)
        group[c] = last
    return group


def ranges(of):
    """[first, last, value] over a dictionary, zeros left out."""
    rows = []
    for c in sorted(of):
        if not of[c]:
            continue
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == of[c]:
            rows[-1][1] = c
        else:
            rows.append([c, c, of[c]])
    return rows


def main():
    assert len(CATEGORIES) < 32
    value = {}
    for i, name in enumerate(CATEGORIES):
        for c in outside(rf"[^\p{{{name}}}]+"):
            assert c not in value
            value[c] = i
    assert len(value) == len(CODE_POINTS)
    decimal = CATEGORIES.index("Nd")
    assert outside(r"\D+") == {c for c in value if value[c] == decimal}
    word, number = outside(r"\W+"), digits()
    flags = {c: v | (32 if c in word else 0) | (64 if c in number else 0) for c, v in value.items()}
    # Letters with other cases than the two of ASCII, which (?i:...) must know.
    for letter in "abcdefghijklmnopqrstuvwxyz":
        others = {"s": "\u017f", "k": "\u212a"}.get(letter, "")
        assert outside(f"(?i:[^{letter}])+") == set(map(ord, letter + letter.upper() + others)), letter

    blocks, index = {}, []
    for start in range(0, 0x110000, 128):
        block = tuple(flags.get(c, CATEGORIES.index("Cs")) for c in range(start, start + 128))
        index.append(blocks.setdefault(block, len(blocks)))

    scripts, names = {}, []
    for name in SCRIPTS:
        try:
            found = outside(rf"[^\p{{{name}}}]+")
        except Exception:
            continue
        names.append(name)
        for c in found:
            assert c not in scripts, name
            scripts[c] = len(names)

    out = sys.stdout

    def array(declaration, values):
        out.write(f"\nconst {declaration} = {{\n")
        line = "   "
        for item in values:
            item = f" {item},"
            if len(line) + len(item) > 99:
                out.write(line + "\n")
                line = "   "
            line += item
        out.write(line + "\n};\n")

    def table(name, rows):
        array(f"nf_class_range {name}[{len(rows)}]", [f"{{{a}, {b}, {v}}}" for a, b, v in rows])
        out.write(f"const size_t {name}_count = {len(rows)};\n")

    out.write(
        "/* Written by tools/unicode_class_tables.py from the answers of `tokenizers` "
        f"{tokenizers.__version__}; do not edit. */\n"
        '#include "text/unicode_class.h"\n\n/* clang-format off */\n'
    )
    array(f"uint16_t nf_class_block[{len(index)}]", index)
    array(f"uint8_t nf_class_flags[{len(blocks) * 128}]", [f for b in blocks for f in b])
    table("nf_class_scripts", ranges(scripts))
    array(f"char *const nf_class_script_names[{len(names)}]", [f'"{n}"' for n in names])
    out.write(f"const size_t nf_class_script_names_count = {len(names)};\n")
    table("nf_class_groups", ranges(script_groups()))
    out.write("/* clang-format on */\n")


if __name__ == "__main__":
    main()
