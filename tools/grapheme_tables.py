#!/usr/bin/env python3
"""Writes src/text/grapheme_data.c: to which class of grapheme breaking each code point belongs for
the normalizer Precompiled of Hugging Face `tokenizers` (the Rust crate unicode-segmentation).

The package shows its graphemes nowhere, but Precompiled treats one of fewer than six bytes as a
whole. So this script gives it a character map that turns whatever begins with any byte into one X:
the number of X tells whether two characters stood in one grapheme. What cannot be told that way
(regional indicators, controls of four bytes) makes no difference to Precompiled either.

    python3 tools/grapheme_tables.py > src/text/grapheme_data.c
"""
import struct
import sys

import tokenizers
from tokenizers import normalizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in (0, 10, 13)]
ACUTE, VIRAMA, KA, ZWJ, COPYRIGHT = "\u0301", "\u094d", "\u0915", "\u200d", "\u00a9"
L, V, T = "\u1100", "\u1161", "\u11a8"
# In the order of the enum of src/text/grapheme.h.
NAMES = ["OTHER", "CONTROL", "EXTEND", "INDIC_EXTEND", "LINKER", "ZWJ", "SPACING", "PREPEND", "L", "V", "T", "LV",
         "LVT", "PICTURE", "CONSONANT"]


def character_map():
    """A double array that holds every single byte but NUL and line feed, each with the value 0."""
    root, leaf = 256, 512
    units = [0] * 768
    units[0] = root << 10
    for byte in range(1, 256):
        if byte != 10:
            at = root ^ byte
            units[at] = (at ^ leaf) << 10 | 1 << 8 | byte
    units[leaf] = 1 << 31
    trie = struct.pack("<768I", *units)
    return normalizers.Precompiled(struct.pack("<I", len(trie)) + trie + b"X\0")


PROBE = character_map()


def counts(make, code_points):
    """How many X each code point's string becomes."""
    lines = PROBE.normalize_str("\n".join(make(chr(c)) for c in code_points)).split("\n")
    assert len(lines) == len(code_points)
    return [len(line) for line in lines]


def having(make, told, code_points):
    return {c for c, n in zip(code_points, counts(make, code_points)) if told(n)}


def classify():
    small = [c for c in CODE_POINTS if c < 0x10000]
    joins = having(lambda c: "a" + c, lambda n: n == 1, CODE_POINTS)
    joined_before = {name: having(lambda c: c + base + ACUTE, lambda n: n != 2, CODE_POINTS)
                     for name, base in (("a", "a"), ("L", L), ("V", V), ("T", T))}
    control = having(lambda c: c + ACUTE, lambda n: n == 2, small) - joins
    picture = having(lambda c: c + ZWJ + COPYRIGHT + ACUTE, lambda n: n == 4, CODE_POINTS)
    consonant = having(lambda c: c + VIRAMA + KA + ACUTE, lambda n: n == 4, CODE_POINTS)
    joining = sorted(joins)
    extend = having(lambda c: COPYRIGHT + c + ZWJ + COPYRIGHT + ACUTE, lambda n: n == 5, joining)
    linker = having(lambda c: KA + c + KA + ACUTE, lambda n: n == 4, joining)
    indic = having(lambda c: KA + VIRAMA + c + KA + ACUTE, lambda n: n == 5, joining)
    classes = {}
    for c in joins:
        classes[c] = ("ZWJ" if c == ord(ZWJ) else "SPACING" if c not in extend else "LINKER" if c in linker
                      else "INDIC_EXTEND" if c in indic else "EXTEND")
        assert c == ord(ZWJ) or c in extend or c not in linker | indic, hex(c)
    prepend = joined_before["a"] - joins - control
    hangul = [c for c in small if c not in joins | prepend | control]
    after = {name: having(lambda c: base + c + ACUTE, lambda n: n != 2, hangul) for name, base in (("L", L), ("V", V))}
    for c in hangul:
        before = [name for name in "LVT" if c in joined_before[name]]
        if before == ["L", "V"]:
            classes[c] = "L"
        elif before == ["V", "T"]:
            classes[c] = "V" if c in after["V"] else "LV"
        elif before == ["T"]:
            classes[c] = "LVT" if c in after["L"] else "T"
        else:
            assert not before, hex(c)
    # Code points of four bytes: none of L and T are there; a V changes nothing (see above).
    for name, some in (("PREPEND", prepend), ("CONTROL", control | {10, 13}), ("PICTURE", picture),
                       ("CONSONANT", consonant)):
        for c in some:
            if name == "PICTURE" and c in classes:
                continue  # a ZWJ behind any letter of Hangul and the like is not one
            assert c not in classes, (hex(c), name, classes[c])
            classes[c] = name
    return classes


def main():
    classes = classify()
    values = bytearray(0x110000)
    for c, name in classes.items():
        if not 0xAC00 <= c < 0xAC00 + 11172:
            values[c] = NAMES.index(name)
    for c in range(0xAC00, 0xAC00 + 11172):
        assert classes.get(c) == ("LV" if (c - 0xAC00) % 28 == 0 else "LVT"), hex(c)
    blocks, index = {}, []
    for at in range(0, 0x110000, 128):
        index.append(blocks.setdefault(bytes(values[at:at + 128]), len(blocks)))
    assert len(blocks) < 256

    def table(head, numbers):
        print(f"\n{head} = {{")
        for at in range(0, len(numbers), 32):
            print("    " + ",".join(str(n) for n in numbers[at:at + 32]) + ",")
        print("};")

    counted = {name: sum(1 for v in values if v == i) for i, name in enumerate(NAMES)}
    print(counted, file=sys.stderr)
    print(f"/* Written by tools/grapheme_tables.py from the answers of `tokenizers` {tokenizers.__version__}; do not edit. */")
    print('#include "text/grapheme.h"\n\n/* clang-format off */')
    table("const uint8_t nf_grapheme_block[8704]", index)
    table(f"const uint8_t nf_grapheme_classes[{len(blocks)} * 128]", [v for block in blocks for v in block])


if __name__ == "__main__":
    main()
