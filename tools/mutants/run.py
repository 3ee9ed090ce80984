#!/usr/bin/env python3
"""Puts one fault after another into a copy of the sources and says whether the tests notice.

The faults stand in table.tsv (drawn by generate.py) and named.tsv (by hand): file, which of the
equal lines (from 1), operator, the line, the line with the fault; leading white space is left out.
A fault is "killed" when it does not compile, a test fails, crashes, or takes ten times as long as
without it. Tests are linked with a shared library, so that a fault costs one compilation and one
link; those that wrap libc's functions, and the program's own, follow when all others pass.

Usage: tools/mutants/run.py [--folder DIR] [--only REGEX] [--least PERCENT] [--no-program] [--list]
The exit status is 1 if fewer than PERCENT (95) of the faults are killed, or if a line of the tables
is not found any more (the others are tried all the same): then run generate.py again.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# the tests that are likeliest to see a fault in a folder (or file) come first
NEAR = {
    "src/base": ["base", "files", "json_cursor", "io_faults"],
    "src/text": ["tokenizer", "tokenizer_components", "token_tables", "word", "windows"],
    "src/data": ["annotations", "corpora", "words", "writing", "selection", "descriptions", "document"],
    "src/labels": ["decoder", "score", "tag"],
    "src/infer": ["tag", "threads", "calibration", "decoder"],
    "src/eval": ["score", "semeval", "mistakes", "calibration"],
    "src/tensor/cpu": ["backend"],
    "src/tensor": ["backend", "safetensors", "gradients"],
    "src/nn": ["training", "gradients", "architectures", "interchange", "sentences"],
    "src/model": ["training", "gradients", "architectures", "interchange", "sentences"],
    "src/heads": ["training", "gradients", "interchange"],
    "src/train": ["stage", "comm", "training", "team", "run"],
    "src/recipe": ["options", "run", "pretrain", "review"],
    "src/report": ["plot", "review", "mistakes"],
    "src/experiment": ["fewshot"],
    "src/net": ["net"],
}


def read_table(path):
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            parts = line.split("\t")
            if len(parts) != 5:
                sys.exit(f"{path}:{number}: {len(parts)} columns, expected 5")
            rows.append({"file": parts[0], "nth": int(parts[1]), "operator": parts[2],
                         "old": parts[3], "new": parts[4], "at": f"{path.name}:{number}"})
    return rows


def mutate(text, row):
    """The text with the fault, or None if its line is not there."""
    lines, seen = text.split("\n"), 0
    for i, line in enumerate(lines):
        if line.strip() == row["old"]:
            seen += 1
            if seen == row["nth"]:
                indent = line[:len(line) - len(line.lstrip())]
                lines[i] = indent + row["new"]
                return "\n".join(lines)
    return None


class Copy:
    def __init__(self, folder):
        self.tree = folder / "tree"
        self.environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive",
                            "NERFIT_TEST_DATA": os.environ.get(
                                "NERFIT_TEST_DATA", str(ROOT.parent / "shared/data")),
                            "NERFIT_TEST_ENCODER": os.environ.get(
                                "NERFIT_TEST_ENCODER", str(ROOT / ".cache/all-MiniLM-L6-v2"))}
        self.sync()
        self.wrapped = sorted(self.names("--wrap"))
        self.plain = sorted(p.stem for p in (self.tree / "tests").glob("test_*.c")
                            if p.stem not in self.wrapped)
        self.seconds = {}

    def sync(self):
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for name in names:
            source, target = ROOT / name, self.tree / name
            if source.is_symlink() or not source.is_file():
                continue
            if target.exists() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)  # newer than what was built of it
            target.chmod(source.stat().st_mode)
        known = set(names)
        for top in ("src", "tests", "cli"):
            for path in list((self.tree / top).rglob("*")):
                if path.is_file() and str(path.relative_to(self.tree)) not in known:
                    path.unlink()

    def names(self, flag):
        """The tests whose link lines have the flag, by the Makefile's own word."""
        out = subprocess.run(["make", "-n", "-B", "tests"], cwd=self.tree, capture_output=True,
                             text=True).stdout
        return {re.search(r"tests/(test_\w+)\.c", line)[1] for line in out.splitlines()
                if flag in line and "tests/test_" in line}

    def make(self, *targets, limit=1800):
        compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
        return subprocess.run(["make", "-s", f"-j{os.cpu_count()}", f"CC={compiler}", "WARN=-w",
                               "VISIBILITY=default", *targets], cwd=self.tree, text=True,
                              capture_output=True, timeout=limit)

    def build_tests(self):
        library = self.tree / "build/libnerfit.so"
        done = self.make("build/libnerfit.so", "build/nerfit")
        if done.returncode:
            sys.exit(done.stderr)
        done = self.make("TEST_LIBRARY=build/libnerfit.so", f"LDFLAGS=-Wl,-rpath,{library.parent}",
                         *(f"build/tests/{name}" for name in self.plain))
        if done.returncode:
            sys.exit(done.stderr)

    def run(self, command, limit):
        started = time.time()
        try:
            code = subprocess.run(command, cwd=self.tree, env=self.environment, timeout=limit,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL).returncode
        except subprocess.TimeoutExpired:
            code = "time"
        return code, time.time() - started

    def baseline(self, names):
        failed = []
        for name in list(names):
            code, self.seconds[name] = self.run([f"build/tests/{name}"], 600)
            if code:
                failed.append(f"{name} ({code})")
                names.remove(name)
        if failed:
            print(f"without a fault these tests fail, and are left out: {', '.join(failed)}")


def ordered(copy, row):
    """Plain tests, near ones first, then by their time."""
    near = [n for folder, names in NEAR.items() if row["file"].startswith(folder + "/")
            for n in names]
    stem = Path(row["file"]).stem

    def key(name):
        short = name.removeprefix("test_")
        place = next((i for i, n in enumerate(near) if short.startswith(n)), len(near))
        return (short != stem and stem not in short, place, copy.seconds[name])
    return sorted(copy.plain, key=key)


def judge(copy, row, program):
    """What killed the fault, or None."""
    if row["file"].startswith("src/") and copy.make("build/libnerfit.so").returncode:
        sys.exit(f"{row['at']}: does not compile")
    for name in ordered(copy, row):
        code, _ = copy.run([f"build/tests/{name}"], 10 * copy.seconds[name] + 10)
        if code:
            return name if code != "time" else f"{name} (time)"
    for name in copy.wrapped:
        if copy.make(f"build/tests/{name}").returncode:
            return "compiler"
        code, _ = copy.run([f"build/tests/{name}"], 900)
        if code:
            return name
    if program:
        if copy.make("build/nerfit").returncode:
            return "compiler"
        for command in (["tests/test_cli.sh", "build/nerfit"],
                        ["python3", "tests/test_net.py", "build/nerfit"]):
            code, _ = copy.run(command, 1200)
            if code:
                return command[-2]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=ROOT / "build/mutants")
    parser.add_argument("--only", default="")
    parser.add_argument("--least", type=float, default=95.0)
    parser.add_argument("--no-program", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    rows = read_table(HERE / "named.tsv") + read_table(HERE / "table.tsv")
    rows = [r for r in rows if re.search(arguments.only, f"{r['at']} {r['file']} {r['operator']}")]
    lost = [r for r in rows if not (ROOT / r["file"]).exists()
            or mutate((ROOT / r["file"]).read_text(encoding="utf-8"), r) is None]
    for r in lost:
        print(f"{r['at']}: {r['file']} has no such line ({r['nth']}): {r['old']}")
    print(f"{len(rows)} faults, {len(lost)} of them not found", flush=True)
    if arguments.list:
        return 1 if lost else 0
    rows = [r for r in rows if r not in lost]
    copy = Copy(arguments.folder.resolve())
    copy.build_tests()
    done = copy.make(*(f"build/tests/{name}" for name in copy.wrapped))
    if done.returncode:
        sys.exit(done.stderr)
    copy.baseline(copy.plain)
    copy.baseline(copy.wrapped)
    killed = 0
    for r in rows:
        target = copy.tree / r["file"]
        sound = target.read_text(encoding="utf-8")
        started = time.time()
        try:
            target.write_text(mutate(sound, r), encoding="utf-8")
            by = judge(copy, r, not arguments.no_program)
        finally:
            target.write_text(sound, encoding="utf-8")
        killed += by is not None
        print(f"{'killed' if by else 'SURVIVED':8} {r['at']:14} {r['file']}: {r['operator']}"
              + (f" by {by}" if by else f"\n    - {r['old']}\n    + {r['new']}")
              + f" ({time.time() - started:.0f} s)", flush=True)
    share = 100.0 * killed / max(1, len(rows))
    print(f"{killed} of {len(rows)} killed ({share:.1f} %)")
    return 0 if share >= arguments.least and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
