#!/usr/bin/env python3
"""Runs fuzz targets until they find nothing new: in slices of CPU time, until the second half of the run
has brought no new coverage (cov), or the target has had its 30 minutes.

    fuzz/until_flat.py BUILD [--minutes N] [--slice SECONDS] [TARGET ...]

BUILD has the targets (make fuzzers BUILD=build-fuzz CC=clang ...: see `./run test --long`). The inputs
that are found are kept in BUILD/corpus/TARGET, where the next call begins; seeds are the files that the
tests read. Prints a line a target: runs, CPU seconds, cov, ft, and what was found.
"""
import argparse
import json
import pathlib
import re
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAST = 60  # seconds of CPU time that every target gets
MARK = b"\x1e"  # between the files of a folder, in fuzz_folders.c


def format_numbers():
    """The formats' rows, as fuzz_annotations counts them: 0 is auto."""
    table = (ROOT / "src/data/formats/table.c").read_text()
    rows = table[table.index("nf_formats[] = {") : table.index("};", table.index("nf_formats[] = {"))]
    return {name: i + 1 for i, name in enumerate(re.findall(r"&nf_format_(\w+)", rows))}


def annotation_seeds():
    rows = format_numbers()
    for folder in ("tests/cases", "tests/golden/formats", "tests/invalid/annotations", "examples/assistant"):
        for path in sorted((ROOT / folder).rglob("*")):
            if not path.is_file() or path.stat().st_size > 20000 or path.name in ("cmd", "expected", "status"):
                continue
            data = path.read_bytes()
            yield bytes([0]) + data
            own = [i for name, i in rows.items() if name.split("_")[0] in path.name.replace("-", "_")]
            for row in own[:2]:
                yield bytes([row]) + data


def folder_seeds():
    folders = {path.parent for path in (ROOT / "tests").rglob("*.ann")} | {
        path.parent for path in (ROOT / "tests").rglob("seq.in")}
    for folder in sorted(folders):
        files = [p for p in sorted(folder.iterdir()) if p.is_file()]
        data = MARK.join(p.name.encode() + b"\n" + p.read_bytes() for p in files)
        for first in range(16):
            yield bytes([first]) + data


def files(*folders, most=200000):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.stat().st_size <= most:
                yield path.read_bytes()


def journal_seeds():
    """A project's texts and events of every kind (src/serve/project/events.c), whole and torn."""
    texts = [{"revision": 1, "id": 1, "text": "Anna caf\u00e9", "file": "a.jsonl", "line": 3, "beside": {"x": 1}},
             {"revision": 2, "id": 2, "text": "nine"}, {"revision": 9, "id": 3, "text": "nine"}]
    events = [{"label": {"name": "person", "description": "who", "color": "#aabbcc", "shortcut": "p"}}, {"labels": ["time", "place"]},
              {"id": 1, "status": "accepted", "entities": [[0, 4, "person"], [5, 9, "place"]], "notes": "n", "by": "b"},
              {"renamed": ["place", "where"]}, {"deleted_text": 2}, {"order": ["where", "time", "person"]},
              {"id": 3, "status": "skipped", "entities": [[0, 4, "time"], [0, 2, "where"]], "notes": ""},
              {"renamed": ["where", "time"]}, {"deleted_label": "person"}, {"project": {"name": "p", "nested": True, "encoder": "e"}}]
    first = "".join(json.dumps(t) + "\n" for t in texts)
    second = "".join(json.dumps({"revision": i + 3, "time": 1.5, **e}) + "\n" for i, e in enumerate(events))
    for n in (len(second), len(second) - 1, len(second) - 9, 200, 0):
        yield (first + "\x1e" + second[:n]).encode()
    yield (first[:-5] + "\x1e" + second).encode()


SEEDS = {
    "fuzz_annotations": annotation_seeds,
    "fuzz_folders": folder_seeds,
    "fuzz_config": lambda: [p.read_bytes() for p in ROOT.glob("examples/**/*.yaml")]
    + [p.read_bytes() for p in ROOT.glob("tests/golden/compat-*/**/training_args.json")],
    "fuzz_decoding": lambda: [p.read_bytes() for p in ROOT.glob("tests/golden/**/nerfit.json")],
    "fuzz_journal": journal_seeds,
    "fuzz_safetensors": lambda: files("tests/golden/safetensors", "tests/invalid/safetensors", most=20000),
    "fuzz_sentencepiece": lambda: files("tests/golden/sentencepiece", most=60000),
    "fuzz_tokenizer": lambda: files("tests/golden/tokenizers", "tests/invalid/tokenizer", most=60000),
    "fuzz_torch": lambda: [b + data for data in files("tests/golden/torch", "tests/invalid/torch", most=20000)
                           for b in (b"", b"\x01")],
}


def seed(target, corpus):
    corpus.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(SEEDS.get(target, list)()):
        (corpus / f"seed-{i}").write_bytes(data)


def run_slice(program, corpus, findings, seconds):
    """One slice; (runs, cov, ft, ended well)."""
    command = [program, corpus, f"-max_total_time={seconds}", "-rss_limit_mb=3000", "-timeout=200", "-max_len=20000",
               "-print_final_stats=1", f"-artifact_prefix={findings}/"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
    log = done.stderr
    cov, ft = (max([int(x) for x in re.findall(rf"\b{name}: (\d+)", log)], default=0) for name in ("cov", "ft"))
    runs = sum(map(int, re.findall(r"number_of_executed_units: (\d+)", log)))
    if done.returncode:
        (findings / "log.txt").write_text(log[-20000:])
    return runs, cov, ft, done.returncode == 0


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fuzz(build, target, minutes, seconds):
    corpus, findings = build / "corpus" / target, build / "findings" / target
    findings.mkdir(parents=True, exist_ok=True)
    seed(target, corpus)
    start = grown = children_seconds()
    runs, best, flat = 0, (0, 0), False
    while not flat and children_seconds() - start < 60 * minutes:
        count, cov, ft, good = run_slice(build / "fuzz" / target, corpus, findings, seconds)
        runs += count
        if not good:
            print(f"{target}: {runs} runs, a finding in {findings}", flush=True)
            return False
        now = children_seconds()
        if cov > best[0]:
            grown = now
        best = max(best[0], cov), max(best[1], ft)
        flat = now - start >= LEAST and grown - start <= (now - start) / 2
    print(f"{target}: {runs} runs, {now - start:.0f} s of CPU time, cov {best[0]}, ft {best[1]}, "
          f"{'flat' if flat else 'still growing'} (the last new edge at {grown - start:.0f} s)", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--slice", type=int, default=60)
    given = parser.parse_intermixed_args()
    targets = given.targets or sorted(p.name for p in (given.build / "fuzz").glob("fuzz_*") if "." not in p.name)
    results = [fuzz(given.build.resolve(), t, given.minutes, given.slice) for t in targets]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
