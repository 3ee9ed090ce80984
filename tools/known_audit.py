#!/usr/bin/env python3
"""Whether an audit tells what an annotator is worth: its interval beside the F1 on 500 other texts.

    tools/known_audit.py NERFIT KNOWN LABELS (--model MODEL | --examples GOLD.jsonl)

KNOWN is a folder that `tools/known_annotator.py --out` wrote: 500 texts with their entities, and 100 to audit.
The annotator is a model that takes any labels, or lists of the mentions in GOLD. Prints a line of JSON.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import known_annotator as known


def spans(row):
    return {tuple(e) if isinstance(e, list) else (e["start"], e["end"], e["label"]) for e in row["entities"]}


def write_rules(path, examples):
    lists = {}
    for line in open(examples):
        row = json.loads(line)
        for start, end, label in sorted(spans(row)):
            term = row["text"][start:end]
            if any(c.isalnum() for c in term):
                lists.setdefault(label, {})[term] = None
    path.write_text(json.dumps({label: [{"term": t} for t in terms] for label, terms in lists.items()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("nerfit", "known", "labels"):
        parser.add_argument(name)
    parser.add_argument("--model")
    parser.add_argument("--examples")
    a = parser.parse_args()
    place = tempfile.TemporaryDirectory()
    folder, out = Path(a.known), Path(place.name)
    if a.model:
        who = ["--model", a.model, "--labels", a.labels]
    else:
        write_rules(out / "rules.json", a.examples)
        who = ["--rules", out / "rules.json"]
    subprocess.run([a.nerfit, "annotate", folder / "texts.jsonl", *who, "--gold", folder / "audit.jsonl", "--audit",
                    "100", "--json", out / "report.json", "-o", out / "silver.jsonl", "--threads", "1", "--quiet"],
                   check=True)  # fmt: skip
    rows = [[json.loads(line) for line in open(p)] for p in (folder / "clean.jsonl", out / "silver.jsonl")]
    gold, found = ([spans(r) for r in some] for some in rows)
    asked = set(json.loads((out / "report.json").read_text())["labels"])
    gold = [{e for e in g if e[2] in asked} for g in gold]
    micro = json.loads((out / "report.json").read_text())["audit"]["micro"]
    print(json.dumps({"set": folder.name, "annotator": "model" if a.model else "lists", "f1": known.f1(gold, found),
                      "audit_f1": micro["f1"], "least": micro["least"], "most": micro["most"]}))  # fmt: skip


if __name__ == "__main__":
    main()
