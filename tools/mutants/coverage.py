"""Which tests execute which lines of some files: what a fault's line is tried with, and in which order.

A build of its own counts lines (gcov); every test is run in it once. What came of it is kept beside the
copy, test by test, and measured anew only when the tests or the files have changed.
"""
import gzip
import hashlib
import json
import os
import shutil
import subprocess

BUILD = "build-lines"


def digest_of(tree, names):
    total = hashlib.sha256()
    for name in sorted(names):
        total.update(f"{name} {hashlib.sha256((tree / name).read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


class Coverage:
    """tests[name] has the seconds that a test took, whether it failed, and the lines that it executes of
    each file; code[file] the lines that are executed at all."""

    def __init__(self, copy, files):
        self.copy, self.files = copy, sorted(files)
        self.kept = copy.tree.parent / "lines.json"
        sources = [str(p.relative_to(copy.tree)) for top in ("tests", "include")
                   for p in sorted((copy.tree / top).rglob("*")) if p.is_file()]
        same = digest_of(copy.tree, sources + self.files)
        self.tests, self.code = {}, {}
        if self.kept.exists():
            kept = json.loads(self.kept.read_text())
            if kept["digest"] == same:
                self.tests, self.code = kept["tests"], kept["code"]
        commands = copy.commands(BUILD)
        missing = [name for name in commands if name not in self.tests]
        if missing:
            self.build()
        for name in missing:
            self.measure(name, commands[name])
            self.kept.write_text(json.dumps(
                {"digest": same, "tests": self.tests, "code": self.code}))

    def build(self):
        self.copy.make(f"BUILD={BUILD}", "OPT=-O1", "CFLAGS=-g0 --coverage", "LDFLAGS=--coverage",
                              f"{BUILD}/nerfit", *(f"{BUILD}/tests/{n}" for n in self.copy.plain))

    def measure(self, name, command):
        counts = self.copy.tree.parent / "counts"
        shutil.rmtree(counts, ignore_errors=True)
        counts.mkdir()
        code, seconds = self.copy.run(command, 1200, {"GCOV_PREFIX": str(counts)})
        self.tests[name] = {"seconds": seconds, "failed": bool(code), "lines": self.lines(counts)}
        shutil.rmtree(counts, ignore_errors=True)

    def lines(self, counts):
        """The lines of the files that were counted."""
        build = self.copy.tree / BUILD
        stems = {os.path.basename(name)[:-2] for name in self.files}
        found = [p for p in counts.rglob("*.gcda")  # kernels.c makes kernels_avx2.gcda
                 if p.stem in stems or p.stem.rpartition("_")[0] in stems]
        if not found:
            return {}
        for path in found:
            notes = build / path.relative_to(f"{counts}{build}").with_suffix(".gcno")
            os.symlink(notes, path.with_suffix(".gcno"))
        subprocess.run(["gcov", "--json-format", *map(str, found)], cwd=counts, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        executed = {}
        for path in counts.glob("*.gcov.json.gz"):
            for entry in json.loads(gzip.open(path).read())["files"]:
                name = entry["file"]
                if name not in self.files:
                    continue
                self.code[name] = sorted({line["line_number"] for line in entry["lines"]}
                                         | set(self.code.get(name, [])))
                executed.setdefault(name, set()).update(
                    line["line_number"] for line in entry["lines"] if line["count"] > 0)
        return {name: sorted(lines) for name, lines in executed.items()}

    def tests_of(self, name, number):
        """The tests that execute the line (where it is no code of its own, the nearest before it that is),
        and those that execute others of the file only; failing ones left out, quick ones first."""
        at = max((n for n in self.code.get(name, []) if n <= number), default=None)
        sound = sorted((t for t in self.tests if not self.tests[t]["failed"]),
                       key=lambda t: self.tests[t]["seconds"])
        own = [t for t in sound if at in self.tests[t]["lines"].get(name, [])]
        return own, [t for t in sound if self.tests[t]["lines"].get(name) and t not in own]
