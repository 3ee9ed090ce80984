#!/usr/bin/env python3
"""Draws one-line faults over all of src/ (operators below, a fixed seed) into table.tsv.

Every folder gets SHARE faults and one more for every LINES lines of code; within a folder lines are
drawn at random, at most two of a file, then one operator that applies to the line. Not drawn, since
no test of results can see them: what handles memory running out, decides capacities or gives memory
back, error messages' texts, hints for speed (prefetch, thread counts), timings, and tables of data.
Usage: tools/mutants/generate.py [--seed N] > tools/mutants/table.tsv
"""
import argparse
import random
import re
import subprocess
from pathlib import Path

import run

ROOT = Path(__file__).resolve().parent.parent.parent
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
    r"no_memory|alloc|capacity|free\(|_free|fclose|closedir|memset|prefetch|omp |assert|goto |errno|"
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
    for line in path.read_text(encoding="utf-8").split("\n"):
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
        if inside == 1 and whole and line.startswith("    ") and not SKIP.search(bare):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=12)
    rng = random.Random(parser.parse_args().seed)
    folders = {}
    for path in sorted((ROOT / "src").rglob("*.c")):
        if "_data.c" not in path.name:
            folders.setdefault(path.parent, []).append(path)
    print("# drawn by generate.py: file, which of equal lines, operator, line, line with the fault")
    for folder in sorted(folders):
        lines = [(p, line, nth) for p in folders[folder] for line, nth in code_lines(p)]
        rng.shuffle(lines)
        wanted, used, names = SHARE + len(lines) // LINES, {}, {}
        for path, line, nth in lines:
            found = faults_of(line)
            if wanted == 0:
                break
            if not found or used.get(path, 0) == PER_FILE:
                continue
            # operators that a folder has had less often come first, so that all are met
            least = min(names.get(n, 0) for n, _ in found)
            name, new = rng.choice([f for f in found if names.get(f[0], 0) == least])
            mutated = run.mutate(path.read_text(encoding="utf-8"),
                                 {"nth": nth, "old": line, "new": new})
            if "\t" in line or not compiles(path, mutated):
                continue
            used[path] = used.get(path, 0) + 1
            names[name] = names.get(name, 0) + 1
            wanted -= 1
            print(path.relative_to(ROOT), nth, name, line, new, sep="\t")


if __name__ == "__main__":
    main()
