#!/usr/bin/env python3
"""Puts one fault after another into a copy of the sources and says whether the tests notice.

The faults stand in table.tsv (drawn by generate.py) and named.tsv (by hand); faults.py has their form.
A fault is "killed" when a test fails, crashes, or takes ten times as long as without it.
First every fault meets the test that noticed it the last time, which its row names (a part of a test of
the program after a blank: "test_cases gazetteer"): one compilation, one link, one test. Those that it
does not kill, and rows that name none, go the long way. There the tests are linked with a shared
library; first come those that execute the fault's line (coverage.py), quick ones first, then, if it
lives, those that execute lines of its file, and last those that make libc's functions fail.

Usage: tools/mutants/run.py [--folder DIR] [--only REGEX] [--least PERCENT] [--list] [--known] [--write]
--known leaves the long way out: whoever is not killed by its own test counts as alive. --write puts into
the tables which test killed what.
The exit status is 1 if fewer than PERCENT (95) of the faults are killed, or if a line of the tables
is not found any more (the others are tried all the same): then run generate.py again.
"""
import argparse
import atexit
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from coverage import Coverage
from faults import ROOT, line_number, locate, mutate, read_table, write_tests

HERE = Path(__file__).resolve().parent
TABLES = [HERE / "named.tsv", HERE / "table.tsv"]
# the program's own tests, which come behind the others
PROGRAM = {"test_cases": ["tests/test_cases.sh"], "test_cli": ["tests/test_cli.sh"],
           "test_formats": ["python3", "tests/test_formats.py"],
           "test_net.py": ["python3", "tests/test_net.py"],
           "test_annotate.py": ["python3", "tests/test_annotate.py"],
           "test_serve.py": ["python3", "tests/test_serve.py"],
           "test_project.py": ["python3", "tests/test_project.py"],
           "test_compat": ["python3", "tests/test_compat.py"]}
MEMORY, FILE = 12 << 30, 4 << 30  # bytes that a test with a fault may take
# what names the failing part of a program's test, in its output
PARTS = [(r"^FAIL tests/cases/(\w+)", "{}"), (r"^(?:FAIL|ERROR): (\w+) \(__main__\.(\w+)", "{1}.{0}")]
SHARED = "build-shared"


def limit_resources():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Copy:
    """A copy of the sources, in which faults are tried, and its tests."""

    def __init__(self, folder):
        self.tree, self.output = folder / "tree", folder / "output"
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix="m-")  # short: lines that name it are to fit a terminal
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        self.environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive",
                            "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1",
                            "NERFIT_TEST_DATA": os.environ.get(
                                "NERFIT_TEST_DATA", str(ROOT.parent / "shared/data")),
                            "NERFIT_TEST_ENCODER": os.environ.get(
                                "NERFIT_TEST_ENCODER", str(ROOT / ".cache/all-MiniLM-L6-v2"))}
        self.sync()
        self.last = sorted(self.names("--wrap"))
        self.plain = sorted(p.stem for p in (self.tree / "tests").glob("test_*.c")
                            if p.stem not in self.last)

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

    def make(self, *words):
        """With a fault in place "WERROR=" belongs to the words, since it may leave something unused; sound
        sources are compiled with everybody's flags, which a compiler's cache may know."""
        compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
        done = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", f"CC={compiler}", *words],
                              cwd=self.tree, text=True, capture_output=True, timeout=3600)
        if done.returncode:
            sys.exit(done.stderr)

    def make_shared(self, *targets):
        self.make(f"BUILD={SHARED}", "VISIBILITY=default", "WERROR=",
                  *(f"{SHARED}/{name}" for name in targets))

    def build_tests(self):
        library = self.tree / SHARED / "libnerfit.so"
        self.make_shared("libnerfit.so", "nerfit")
        self.make(f"BUILD={SHARED}", "VISIBILITY=default", f"TEST_LIBRARY={SHARED}/libnerfit.so",
                  f"LDFLAGS=-Wl,-rpath,{library.parent}",
                  *(f"{SHARED}/tests/{name}" for name in self.plain))

    def commands(self, build):
        """What runs each test but the last ones."""
        return {**{name: [f"{build}/tests/{name}"] for name in self.plain},
                **{name: [*words, f"{build}/nerfit"] for name, words in PROGRAM.items()}}

    def run(self, command, limit, more=None):
        """(what came of it, seconds)"""
        started = time.time()
        with open(self.output, "wb") as output:
            process = subprocess.Popen(command, cwd=self.tree, env={**self.environment, **(more or {})},
                                       stdout=output, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True,
                                       preexec_fn=limit_resources)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)  # its children, too
                process.wait()
                code = "time"
        return code, time.time() - started

    def failing_part(self):
        """Which part of a program's test failed in the last run: " data_reading", or nothing."""
        text = self.output.read_text(encoding="utf-8", errors="replace")
        for pattern, part in PARTS:
            if match := re.search(pattern, text, re.MULTILINE):
                return " " + part.format(*match.groups())
        return ""


def killer(copy, command, name, seconds):
    """What kills the fault that is in the copy: the name with the part of the test that failed, or None."""
    code, _ = copy.run(command, 10 * seconds + 20)
    if not code or code == "time":
        return f"{name} (time)" if code else None
    return name + (copy.failing_part() if name in PROGRAM else "")


class Known:
    """The tests that rows name, each with what makes and runs it, and its seconds without a fault."""

    def __init__(self, copy, rows):
        self.copy, self.seconds = copy, {}
        names = sorted({name_of(row) for row in rows if row["by"]})
        copy.make(*sorted({self.target(name) for name in names}))
        for name in names:
            code, taken = copy.run(self.command(name), 1200)
            if code:
                print(f"without a fault {name} fails ({code}): it is left out", flush=True)
            else:
                self.seconds[name] = taken

    def target(self, name):
        return "build/nerfit" if name.split()[0] in PROGRAM else f"build/tests/{name}"

    def command(self, name):
        test, *part = name.split()
        return [*PROGRAM.get(test, []), self.target(name), *part]

    def judge(self, copy, name):
        if name not in self.seconds:
            return None
        copy.make("WERROR=", self.target(name))
        return name if killer(copy, self.command(name), name, self.seconds[name]) else None


def name_of(row):
    return row["by"].removesuffix(" (time)")


def judge(copy, coverage, names):
    """Which of the tests kills the fault that is in the copy, or None."""
    copy.make_shared("libnerfit.so")
    commands = copy.commands(SHARED)
    built = False
    for name in sorted(names, key=lambda n: n in PROGRAM):  # else in the order given
        if name in PROGRAM and not built:
            copy.make_shared("nerfit")
            built = True
        if by := killer(copy, commands[name], name, coverage.tests[name]["seconds"]):
            return by
    return None


def judge_last(copy, seconds):
    """The same with the tests that come last; each is linked with the whole library."""
    for name in sorted(seconds, key=seconds.get):
        copy.make("WERROR=", f"build/tests/{name}")
        if by := killer(copy, [f"build/tests/{name}"], name, seconds[name]):
            return by
    return None


def measure_last(copy):
    """The seconds of each of these tests that passes without a fault."""
    copy.make(*(f"build/tests/{name}" for name in copy.last))
    seconds = {}
    for name in copy.last:
        code, taken = copy.run([f"build/tests/{name}"], 1200)
        if code:
            print(f"without a fault {name} fails ({code}): it is left out", flush=True)
        else:
            seconds[name] = taken
    return seconds


def attempt(copy, row, judged, *how):
    """Puts the fault in, judges it, takes it out again, and says what came of it."""
    target = copy.tree / row["file"]
    sound = target.read_text(encoding="utf-8")
    started = time.time()
    try:
        target.write_text(mutate(sound, row), encoding="utf-8")
        by = judged(copy, *how)
    finally:
        target.write_text(sound, encoding="utf-8")
    print(f"{'killed' if by else 'lives':8} {row['at']:14} {row['file']}: {row['operator']}"
          + (f" by {by}" if by else f"\n    - {row['old']}\n    + {row['new']}")
          + f" ({time.time() - started:.0f} s)", flush=True)
    if by:
        row["by"] = by
    return by is not None


def try_known(copy, rows):
    """The rows that their own tests do not kill."""
    known = Known(copy, rows)
    return [row for row in rows if not (row["by"] and attempt(copy, row, known.judge, name_of(row)))]


def try_all(copy, rows):
    """The rows that no test kills."""
    copy.build_tests()
    coverage = Coverage(copy, {row["file"] for row in rows})
    for name, test in coverage.tests.items():
        if test["failed"]:
            print(f"without a fault {name} fails: it is left out", flush=True)
    living = []
    for row in rows:
        number = line_number((copy.tree / row["file"]).read_text(encoding="utf-8"), row)
        own, others = coverage.tests_of(row["file"], number)
        if not attempt(copy, row, judge, coverage, own) and not (
                others and attempt(copy, row, judge, coverage, others)):
            living.append(row)
    if living:
        seconds = measure_last(copy)
        living = [row for row in living if not attempt(copy, row, judge_last, seconds)]
    return living


def find(rows):
    """The rows whose lines are there, in the files that have them; says which are not, or moved."""
    found = []
    for row in rows:
        name = locate(row)
        if name is None:
            print(f"{row['at']}: {row['file']} has no such line ({row['nth']}): {row['old']}")
            continue
        if name != row["file"]:
            print(f"{row['at']}: {row['file']} is in {name} now")
        found.append({**row, "file": name})
    print(f"{len(rows)} faults, {len(rows) - len(found)} of them not found", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=ROOT / "build/mutants")
    parser.add_argument("--only", default="")
    parser.add_argument("--least", type=float, default=95.0)
    for flag in ("--list", "--known", "--write"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    rows = [row for path in TABLES for row in read_table(path)]
    rows = [r for r in rows if re.search(arguments.only, f"{r['at']} {r['file']} {r['operator']}")]
    found = find(rows)
    lost = len(rows) - len(found)
    if arguments.list:
        return 1 if lost else 0
    copy = Copy(arguments.folder.resolve())
    living = try_known(copy, found)
    if living and not arguments.known:
        living = try_all(copy, living)
    if arguments.write:
        for path in TABLES:
            write_tests(path, found)
    killed = len(found) - len(living)
    for r in living:
        print(f"SURVIVED {r['at']} {r['file']}: {r['operator']}\n    - {r['old']}\n    + {r['new']}")
    share = 100.0 * killed / max(1, len(found))
    print(f"{killed} of {len(found)} killed ({share:.1f} %)")
    return 0 if share >= arguments.least and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
