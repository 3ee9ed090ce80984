#!/usr/bin/env python3
"""Checks the sources' #includes: data flows one way, and so do they.

 - A folder includes what the table in docs/architecture.md allows it, itself and nerfit.h. Folders
   named there stand for all that they may include, too ("infer" allows what infer may use).
 - Files have no circles: of a module (x.h with x.c) and what it includes, nothing leads back to it.
   Circles that are known and to go stand in KNOWN; a new or larger one, and one that is gone, is a
   failure.

Usage: tools/check_includes.py [ROOT]. Exit status 0: nothing found; 1: a line for each offence.
"""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
TABLE = "docs/architecture.md"
# files that stand in one circle, as far as such are left
KNOWN = [
    ["src/data/annotations", "src/data/formats/format", "src/data/json_value", "src/data/reading"],
    ["src/infer/tagger", "src/infer/tagger_impl"],
    ["src/text/added_tokens", "src/text/component", "src/text/pre_tokenizer", "src/text/tokenizer",
     "src/text/tokenizer_impl", "src/text/work"],
]


def read_table():
    """{folder: folders that it may include}; "*": all."""
    rows = {}
    for line in (ROOT / TABLE).read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) != 3 or not re.match(r"(src|cli|python|examples)/", cells[0]):
            continue
        allowed = set(re.findall(r"[a-z]+", cells[2]))
        for name in re.split(r",\s*", cells[0]):
            if name.startswith("src/api"):
                rows["src"] = {"*"}
            elif name.startswith("src/"):
                rows[name] = {f"src/{a}" for a in allowed}
            else:
                rows[name.rstrip("/")] = {f"src/{a}" for a in allowed}
    folders = set(rows)
    for name, allowed in rows.items():  # libraries have no folder
        rows[name] = {a for a in allowed if a in folders or a == "*"}
    return rows


def closure(rows, name):
    found, left = set(), [name]
    while left:
        for other in rows[left.pop()]:
            if other not in found:
                found.add(other)
                left.extend([other] if other in rows else [])
    return found


def folder_of(path):
    parts = path.parts
    return f"src/{parts[1]}" if parts[0] == "src" and len(parts) > 2 else parts[0]


def sources():
    for top in ("src", "cli", "python", "examples"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            yield path.relative_to(ROOT)


def includes(path):
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
        if match:
            yield number, match[1] == "<", match[2]


def check_folders(offences):
    rows = read_table()
    edges = {}
    for path in sources():
        folder = folder_of(path)
        for number, system, name in includes(path):
            where = f"{path}:{number}"
            if folder not in rows:
                offences.append(f"{where}: the folder {folder} is not in the table of {TABLE}")
            elif name == "uthash.h" and str(path) != "src/base/hash.h":
                offences.append(f"{where}: includes <uthash.h>, which ends the program when memory "
                                'is missing; include "base/hash.h"')
            elif system or name == "nerfit.h":
                continue
            elif ".." in name:
                offences.append(f'{where}: includes "{name}"; paths count from src/ or from the '
                                "file itself")
            elif (ROOT / "src" / name).exists() and (
                    folder.startswith("src") or folder_of(Path("src") / name) in rows[folder]):
                target = Path("src") / name
                edges.setdefault(path, set()).add(target)
                to = folder_of(target)
                allowed = closure(rows, folder) if folder.startswith("src") else rows[folder]
                if to != folder and "*" not in allowed and to not in allowed:
                    names = ", ".join(sorted(a.removeprefix("src/") for a in allowed))
                    offences.append(f'{where}: includes "{name}"; {folder} may include only '
                                    f"nerfit.h, itself{', ' if names else ''}{names}")
            elif not (ROOT / path.parent / name).exists():
                offences.append(f'{where}: includes "{name}"; there is no such file'
                                if folder.startswith("src") else
                                f'{where}: includes "{name}"; {folder} may include only nerfit.h '
                                "and its own files")
            else:
                edges.setdefault(path, set()).add(path.parent / name)
    return edges


def circles(edges):
    """Strongly connected modules (Tarjan)."""
    graph = {}
    for path, targets in edges.items():
        module = str(path.with_suffix(""))
        graph.setdefault(module, set()).update(
            str(t.with_suffix("")) for t in targets if t.with_suffix("") != path.with_suffix(""))
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1:
                found.append(group)
    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def main():
    offences = []
    found = circles(check_folders(offences))
    for group in found:
        if not any(set(group) <= set(known) for known in KNOWN):
            offences.append("a circle of includes: " + ", ".join(group))
    for known in KNOWN:
        if not any(set(group) & set(known) for group in found):
            offences.append("tools/check_includes.py: this circle is gone: " + ", ".join(known))
    print("\n".join(offences), end="\n" if offences else "")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
