#!/usr/bin/env python3
"""What pre-training on open annotations needs (`nerfit annotate --open`, docs/annotate.md), made here.

    tools/pretrain/open_annotations.py NERFIT ENCODER FOLDER [--mistakes] [--seed 0]

A server on 127.0.0.1 plays a language model that is asked to name types itself: of each text of the English
sets of corpora/open-types it answers the entities with the set's own names and descriptions of their types,
with --mistakes as the annotator of tools/known_annotator.py (20 % missed, 5 % shifted, 5 % of another type, 3 %
invented). `nerfit annotate --open` asks it about all texts in one file, in which nothing says which set a text
is of, and joins types by ENCODER. FOLDER/open then holds web.jsonl, web.yaml and web.synonyms.yaml:

    nerfit pretrain --model_name MODEL --pretrain_annotations FOLDER/open --output_dir OUT
"""

import argparse
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import known_annotator as known  # noqa: E402
from general_adapter import LANGUAGES, OPEN_TYPES  # noqa: E402


def english_sets():
    for path in sorted(Path(OPEN_TYPES).glob("*.txt")):
        if path.stem.split("-")[0] not in LANGUAGES:
            yield path, yaml.safe_load(path.with_suffix(".yaml").read_text())


def texts_of(nerfit, path):
    done = subprocess.run([nerfit, "data", "convert", path, "--format", "jsonl"], capture_output=True,
                          text=True, check=True)  # fmt: skip
    for line in done.stdout.splitlines():
        row = json.loads(line)
        entities = [e if isinstance(e, list) else [e["start"], e["end"], e["label"]] for e in row["entities"]]
        yield {"text": row["text"], "entities": entities}


class Namer(known.Played):
    """Answers with types of its own."""

    def reply(self, h):
        user = json.loads(h.body)["messages"][-1]["content"]
        assert "Name their types yourself" in user
        return super().reply(h)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("nerfit", "encoder", "folder"):
        parser.add_argument(name)
    parser.add_argument("--mistakes", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    folder = Path(a.folder)
    (folder / "open").mkdir(parents=True, exist_ok=True)
    rng, answers = random.Random(a.seed), {}
    for path, descriptions in english_sets():
        labels = sorted(descriptions)
        for row in texts_of(a.nerfit, path):
            found = [{"text": row["text"][s:e], "label": t} for s, e, t in row["entities"]]
            if a.mistakes:
                found = known.corrupt(row, labels, rng)[0]
            answers.setdefault(re.sub(r"\s+", " ", row["text"]), [
                {**f, "label": f["label"].replace("_", " "), "description": descriptions[f["label"]]} for f in found
            ])  # fmt: skip
    texts = sorted(answers)
    rng.shuffle(texts)
    (folder / "texts.txt").write_text("".join(t + "\n" for t in texts))
    server = Namer(answers)
    command = [str(Path(a.nerfit).resolve()), "annotate", "texts.txt", "--llm", "ollama/namer", "--open",
               "--st_model_name", str(Path(a.encoder).resolve()), "--occurrences", "ordered", "--threads", "1",
               "--json", "report.json", "--answers", "answers.jsonl", "--output", "open/web.jsonl"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, env={"OLLAMA_API_BASE": server.url, "PATH": "/usr/bin:/bin",
                                                         "HOME": str(folder.resolve())})  # fmt: skip
    server.close()


if __name__ == "__main__":
    main()
