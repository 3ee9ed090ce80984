#!/usr/bin/env python3
"""Checks that no function takes more than eight parameters.

    tools/check_parameters.py [ROOT]

What would take more is a struct that has a name of its own, or two functions. Signatures that a library asks of
its callbacks are as they are. Exit status 0: nothing found; 1: a line for each such function.
"""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)

MOST = 8
# expat's XML_EntityDeclHandler has nine
GIVEN = {"src/data/formats/xml.c:on_entity", "src/serve/label_studio.c:on_entity"}

# a definition: it begins in the first column, and its body follows
DEFINITION = re.compile(
    r"^(?:[A-Za-z_](?:[\w\s*]|__attribute__\(\([\w()]*\)\))*?[\s*])(\w+)\(([^;{}]*?)\)\s*\{", re.M
)


def parameters(text):
    depth, count = 0, 1
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        count += letter == "," and depth == 0
    return count


def main():
    files = subprocess.run(
        ["git", "ls-files", "src/*.c", "src/*.h", "cli/*.c", "cli/*.h"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    most, found = [], 0
    for name in files:
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", "", m[0]), (root / name).read_text(), flags=re.S)
        for match in DEFINITION.finditer(text):
            count = parameters(match[2])
            found += 1
            if count > MOST and f"{name}:{match[1]}" not in GIVEN:
                line = text.count("\n", 0, match.start()) + 1
                print(f"{name}:{line}: {match[1]} takes {count} parameters, {MOST} at most")
                most.append(match[1])
    if found < 1000:
        print(f"only {found} functions were found: is this the project's folder, as git knows it?")
    sys.exit(bool(most) or found < 1000)


main()
