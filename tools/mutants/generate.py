#!/usr/bin/env python3
"""Draws one-line faults over all of src/ (operators below, a fixed seed) for table.tsv.

Faults of table.tsv whose lines are still there stay (with --anew they go); the rest is drawn.

Every folder gets SHARE faults and one more for every LINES lines of code; within a folder lines are
drawn at random, at most two of a file, then one operator that applies to the line. Not drawn, since
no test of results can see them: what handles memory running out, decides capacities or gives memory
back, error messages' texts, hints for speed (prefetch, thread counts), timings, and tables of data.
Usage: tools/mutants/generate.py [--seed N] [--anew] [--write]
--write puts the table into table.tsv; without it, it is printed.
"""
import argparse
import random
import re
import subprocess
from pathlib import Path

from faults import COLUMNS, ROOT, locate, mutate, read_table, row_text

TABLE = Path(__file__).resolve().parent / "table.tsv"
SHARE, LINES, PER_FILE = 3, 1000, 2

# name, what it looks for, what it puts there; one of the places in the line is drawn
OPERATORS = [
    ("sign", r" \+ (?=[\w(*&])", " - "),
    ("sign", r" - (?=[\w(*&])", " + "),
    ("sign", r" \+= ", " -= "),
    ("factor", r" \* (?=[\w(])", " / "),
    ("off by one", r" [+-] 1\b(?!\.)", ""),
    ("off by one", r"(?<=[=] )0(?=; \w+ <)", "1"),
    ("border", r" < ", " <= "),
    ("border", r" <= ", " < "),
    ("border", r" > ", " >= "),
    ("border", r" >= ", " > "),
    ("comparison", r" == ", " != "),
    ("comparison", r" != ", " == "),
    ("logic", r" && ", " || "),
    ("logic", r" \|\| ", " && "),
    ("negation", r"(?<=if \()!(?=\w)", ""),
    ("negation", r"(?<=if \()(?=\w+[\w.>-]*\) )", "!"),
    ("truth", r"\btrue\b", "false"),
    ("truth", r"\bfalse\b", "true"),
    ("constant", r"\b0\.5\b", "0.25"),
    ("constant", r"\b1\.0\b", "2.0"),
    ("dropped call", r"^(?:NF_TRY\()?(?:[a-z]\w*)(?:->\w+)*\((?!void).*\);$", ";"),
    ("dropped assignment", r"^[a-z][\w.>\[\]-]* [+|&-]?= [^;]*;$", ";"),
]
# lines that are not drawn
SKIP = re.compile(
    r"no_memory|alloc|capacity|free\(|_free|free_|fclose|closedir|memset|prefetch|omp |assert|goto |errno|"
    r"NF_FAIL|nf_fail|nf_warn|nf_log|printf|fputs|nf_str_(add|put|format)|^static const|^\"|^\{|\};$|^/|^\*|"
    r"^#|^enum|^typedef|extern|\\$|madvise|posix_fadvise|thread|stack_size|static inline|"
    r"NERFIT_NO_MEMORY|now\(\)|flops|_close\(|decref|qsort|failed\(|_failed|finish_error|return NULL;$|^\w+ \*?\w+(, \*?\w+)*;$")


def compiles(path, text):
    """Whether the file does with this text: a fault that a compiler sees is none for the tests."""
    done = subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", "-w", "-fopenmp", "-D_GNU_SOURCE",
                           "-DNF_ISA=base", "-Iinclude", "-Isrc", f"-I{path.parent}", "-xc", "-"],
                          input=text, text=True, cwd=ROOT, capture_output=True)
    return done.returncode == 0


def code_lines(path):
    """(line, which of the file's equal lines) of whole statements inside functions."""
    seen, inside, comment, out, before = {}, 0, False, [], ";"
    lines = path.read_text(encoding="utf-8").split("\n")
    for line, after in zip(lines, lines[1:] + [""]):
        bare = line.strip()
        seen[bare] = seen.get(bare, 0) + 1
        if comment or bare.startswith("/*"):
            comment = "*/" not in bare
            continue
        if line.startswith(("static const ", "const ")) and line.rstrip().endswith(("{", "=")):
            inside = -1
        elif line.startswith("}"):
            inside = 0
        elif re.match(r"^[\w].*\) \{$", line) or (inside == 0 and re.match(r"^ +.*\) \{$", line)):
            inside = 1
            continue
        whole = before.endswith((";", "{", "}", ":", "*/")) or before.startswith(("if ", "else"))
        memory = (bare.startswith("if (!") and "no_memory" in after) or after.strip().startswith("free(")
        if inside == 1 and whole and line.startswith("    ") and not memory and not SKIP.search(bare):
            out.append((bare, seen[bare]))
        before = bare or before
    return out


def faults_of(line):
    code = re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: "\x01" * len(m[0]), line.split("  /*")[0])
    code = code.split(" /* ")[0]
    found = []
    for name, pattern, new in OPERATORS:
        # of equal values either is the larger one
        if name == "border" and re.search(r"if \((.+) [<>]=? (.+)\) (\2 = \1|\1 = \2);", code):
            continue
        for match in re.finditer(pattern, code):
            changed = line[:match.start()] + new + line[match.end():]
            found.append((name, changed.strip()))
    return found


def kept_rows():
    """The table's faults whose lines are there, in the files that have them now."""
    rows = [{**row, "file": locate(row)} for row in read_table(TABLE)]
    return [row for row in rows if row["file"]]


def draw(rng, lines, kept, wanted):
    """Faults of one folder: those kept, and drawn ones until there are as many as wanted."""
    rows, used, names = list(kept), {}, {}
    for row in kept:
        used[row["file"]] = used.get(row["file"], 0) + 1
        names[row["operator"]] = names.get(row["operator"], 0) + 1
    rng.shuffle(lines)
    for path, line, nth in lines:
        name, found = str(path.relative_to(ROOT)), faults_of(line)
        if len(rows) >= wanted:
            break
        if not found or used.get(name, 0) == PER_FILE or "\t" in line:
            continue
        # operators that a folder has had less often come first, so that all are met
        least = min(names.get(n, 0) for n, _ in found)
        operator, new = rng.choice([f for f in found if names.get(f[0], 0) == least])
        row = dict(zip(COLUMNS, (name, nth, operator, line, new, "")))
        if not compiles(path, mutate(path.read_text(encoding="utf-8"), row)):
            continue
        used[name] = used.get(name, 0) + 1
        names[operator] = names.get(operator, 0) + 1
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    kept, folders = [] if arguments.anew else kept_rows(), {}
    for path in sorted((ROOT / "src").rglob("*.c")):
        if "_data.c" not in path.name:
            folders.setdefault(path.parent, []).append(path)
    out = ["# drawn by generate.py: file, which of equal lines, operator, line, line with the fault, and"
           " the test that noticed (run.py --write)"]
    for folder in sorted(folders):
        lines = [(p, line, nth) for p in folders[folder] for line, nth in code_lines(p)]
        of_folder = [row for row in kept if (ROOT / row["file"]).parent == folder]
        # a generator for each folder: what one draws depends on no other
        rng = random.Random(f"{arguments.seed} {folder.relative_to(ROOT)}")
        for row in draw(rng, lines, of_folder, SHARE + len(lines) // LINES):
            out.append(row_text(row))
    text = "\n".join(out) + "\n"
    if arguments.write:
        TABLE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
