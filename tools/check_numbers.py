#!/usr/bin/env python3
"""Checks that numbers and letters are read and written the same in every locale.

    tools/check_numbers.py [ROOT]

src/base/number.h and src/base/ascii.h (json.h for JSON) stand between the sources and what asks the
locale. The program (cli/) keeps the C locale, so it may print; it reads numbers in cli/number.c.
Exit status 0: nothing found; 1: a line for each offence.
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)

# what, pattern, files that may (a pattern)
FORBIDDEN = [
    ("setlocale is for the host program to call", r"\bsetlocale *\(", r"-"),
    (
        "reads a number by the locale; see base/number.h (in cli: number.h)",
        r"\b(strto(d|f|ld|l|ul|ll|ull|imax|umax)|ato(f|i|l|ll)|v?[fs]?scanf)(_l)? *\(",
        r"src/base/number\.c|cli/number\.c",
    ),
    (
        "asks the locale about letters; see base/ascii.h",
        r"\b(is(alpha|alnum|digit|xdigit|space|upper|lower|punct|print|graph|cntrl|blank)|to(lower|upper)|"
        r"str(n?case(cmp|str)|coll|xfrm)) *\(|<(ctype|wctype|strings)\.h>",
        r"cli/.*",
    ),
    ("prints by the locale; see base/number.h", r"\bv[fs]?n?printf *\(", r"src/base/number\.c|cli/.*"),
    (
        "JSON goes through base/json.h",
        r"\bjson_(load|dump)\w* *\((?!.*JSON_DISABLE_EOF_CHECK)",
        r"src/base/json\.c",
    ),
]
PRINTS = re.compile(r"\b(f|s|sn|as|d)?printf *\(")
MAY_PRINT = re.compile(r"src/base/number\.c|cli/.*")
WITH_POINT = re.compile(r"%[-+ #0']*[0-9.*]*[lL]?[aAeEfFgG]")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def without_comments(text):
    """Blanks in place of comments, so that lines keep their numbers."""
    token = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/|//[^\n]*', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0][0] == "/" else m[0], text)


def arguments(text, start):
    """The arguments of the call whose bracket stands before `start`."""
    depth, found, at = 0, [""], start
    while at < len(text):
        string = STRING.match(text, at)
        piece = string[0] if string else text[at]
        at += len(piece)
        if piece in "([{":
            depth += 1
        elif piece in ")]}":
            depth -= 1
            if depth < 0:
                break
        if piece == "," and depth == 0:
            found.append("")
        else:
            found[-1] += piece
    return found


def offences(name, text):
    for what, pattern, may in FORBIDDEN:
        if not re.fullmatch(may, name):
            for match in re.finditer(pattern, text):
                yield match.start(), what
    if MAY_PRINT.fullmatch(name):
        return
    for match in PRINTS.finditer(text):
        place = {"": 0, "sn": 2}.get(match[1] or "", 1)
        given = arguments(text, match.end())
        template = given[place] if place < len(given) else ""
        if WITH_POINT.search(template):
            yield match.start(), "prints a number with a point by the locale; see base/number.h"
        elif not STRING.search(template):
            yield match.start(), "prints by a format that is not seen here; see base/number.h"


failed = False
for path in sorted([*root.glob("src/**/*.[ch]"), *root.glob("cli/*.[ch]")]):
    text = without_comments(path.read_text())
    name = path.relative_to(root).as_posix()
    for at, what in sorted(offences(name, text)):
        print(f"{name}:{text.count(chr(10), 0, at) + 1}: {what}")
        failed = True
sys.exit(failed)
