#!/usr/bin/env python3
"""An annotator of known quality: gold texts answered as a language model would, with mistakes put in.

    tools/known_annotator.py NERFIT GOLD.jsonl [--texts 500] [--seed 0] [--out FOLDER]

A server on 127.0.0.1 plays a language model: of the entities of each text 20 % are missed, 5 % shifted
by a word, 5 % get another label, 3 % are invented (words that are in no text), and of the rest one in
ten is written in other capitals, one in ten with an article or a mark around it. `nerfit annotate` asks
it, audits it on 100 other texts, and what came out is compared with what went in. Prints a line of JSON:
the share of answers aligned of those that can be, the true F1 and the audit's with its interval. Needs
no downloads.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import net_servers as net  # noqa: E402


def corrupt(row, labels, rng):
    """The answer about a text, and what of it can be aligned: [(start, end, label)]."""
    text = row["text"]
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", text)]
    answer, possible = [], []
    for start, end, label in row["entities"]:
        draw = rng.random()
        if draw < 0.20:
            continue
        if draw < 0.25:  # a word more or fewer
            after = [w for w in words if w[0] >= end]
            if after:
                end = after[0][1]
            elif " " in text[start:end]:
                start += text[start:end].index(" ") + 1
        elif draw < 0.30:
            label = rng.choice([x for x in labels if x != label] or [label])
        said = text[start:end]
        if rng.random() < 0.1:
            said = rng.choice([said.upper(), said.lower(), said.title()])
        elif rng.random() < 0.1:
            said = rng.choice([f"the {said}", f'"{said}"', f"{said}.", f"{said}'s"])
        answer.append({"text": said, "label": label})
        possible.append((start, end, label))
    if rng.random() < 0.03 * max(1, len(row["entities"])):
        answer.append({"text": "Zyxwv Qrstu", "label": rng.choice(labels)})
    return answer, possible


class Played(net.Providers):
    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def reply(self, h):
        user = json.loads(h.body)["messages"][-1]["content"]
        text = re.split(r"\n?=====[0-9a-f]{16}=====\n", user)[-2]
        return net.openai(json.dumps({"entities": self.answers[text]}))


def f1(gold, found):
    right = sum(len(g & f) for g, f in zip(gold, found))
    total = sum(map(len, gold)) + sum(map(len, found))
    return 2 * right / total if total else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nerfit")
    parser.add_argument("gold")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--audit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="a folder for silver.jsonl and clean.jsonl")
    a = parser.parse_args()
    rows = {}
    for line in open(a.gold):
        row = json.loads(line)
        row["entities"] = [tuple(e) if isinstance(e, list) else (e["start"], e["end"], e["label"])
                           for e in row["entities"]]  # fmt: skip
        rows.setdefault(row["text"], row)
    rows = list(rows.values())
    rng = random.Random(a.seed)
    rng.shuffle(rows)
    rows = rows[: a.texts + a.audit]
    labels = sorted({e[2] for r in rows for e in r["entities"]})
    answers, possible = {}, {}
    for row in rows:
        answers[row["text"]], possible[row["text"]] = corrupt(row, labels, rng)
    server = Played(answers)
    folder = Path(a.out or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    write = lambda name, some: (folder / name).write_text(  # noqa: E731
        "".join(json.dumps({"text": r["text"], "entities": r["entities"]}) + "\n" for r in some)
    )
    write("clean.jsonl", rows[: a.texts])
    write("audit.jsonl", rows[a.texts :])
    (folder / "texts.jsonl").write_text(
        "".join(json.dumps({"text": r["text"]}) + "\n" for r in rows[: a.texts])
    )
    (folder / "labels.json").write_text(json.dumps({x: x for x in labels}))
    command = [a.nerfit, "annotate", "texts.jsonl", "--llm", "ollama/known", "--labels", "labels.json",
               "--gold", "audit.jsonl", "--audit", str(a.audit), "--json", "report.json", "-o",
               "silver.jsonl", "--occurrences", "ordered", "--quiet"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True,
                   env={"OLLAMA_API_BASE": server.url, "PATH": "/usr/bin:/bin", "HOME": str(folder)})  # fmt: skip
    server.close()
    silver = [json.loads(line) for line in open(folder / "silver.jsonl")]
    found = [{(e["start"], e["end"], e["label"]) for e in t["entities"]} for t in silver]
    could = [set(possible[t["text"]]) for t in silver]
    gold = [set(r["entities"]) for r in rows[: a.texts]]
    micro = json.load(open(folder / "report.json"))["audit"]["micro"]
    print(json.dumps({
        "gold": Path(a.gold).stem, "texts": len(silver), "entities": sum(map(len, gold)),
        "aligned": sum(len(f & c) for f, c in zip(found, could)) / max(1, sum(map(len, could))),
        "f1": f1(gold, found), "audit_f1": micro["f1"], "least": micro["least"], "most": micro["most"],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
