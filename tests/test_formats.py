#!/usr/bin/env python3
"""Files that other tools wrote (tests/golden/formats, made by tools/golden/formats.py) are read as what
they hold, and what nerfit writes in their formats is read again as the same.

    test_formats.py NERFIT"""
import json
import os
import subprocess
import sys
import tempfile

NERFIT = os.path.abspath(sys.argv[1])
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", "formats")
WRITTEN = ["jsonl", "json", "doccano", "prodigy", "label-studio", "gliner", "huggingface", "brackets", "conll", "brat",
           "seq", "docbin"]
failures = []


def convert(path, *options):
    run = subprocess.run([NERFIT, "data", "convert", path, *options], capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def entities_of(document):
    for e in document["entities"]:
        yield (e["start"], e["end"], e["label"]) if isinstance(e, dict) else tuple(e)


def read(lines):
    return [(d["text"], sorted(entities_of(d))) for d in map(json.loads, lines.splitlines())]


def bare(documents):
    """Without white space, which formats of words do not hold."""
    result = []
    for text, entities in documents:
        places = [sum(not c.isspace() for c in text[:i]) for i in range(len(text) + 1)]
        result.append(("".join(text.split()), [(places[s], places[e], l) for s, e, l in entities]))
    return result


def check(name, got, expected):
    if got != expected:
        failures.append(f"{name}:\n  got      {got}\n  expected {expected}")


def check_golden():
    count = 0
    for folder, _, names in sorted(os.walk(GOLDEN)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not os.path.exists(path + ".expected"):
                continue
            count += 1
            status, out, err = convert(path)
            with open(path + ".expected") as file:
                expected = read(file.read())
            check(os.path.relpath(path, GOLDEN), read(out) if status == 0 else err, expected)
    if count < 10:
        failures.append(f"only {count} golden files in {GOLDEN}")
    return count


def check_written():
    """Every format that is written, from one file, and back."""
    source = os.path.join(GOLDEN, "spacy", "to_json.json")
    expected = read(convert(source)[1])
    with tempfile.TemporaryDirectory() as folder:
        for name in WRITTEN:
            path = os.path.join(folder, name)
            status, _, err = convert(source, "--to", name, "--output", path)
            if status == 0:
                status, out, err = convert(path)
            got = read(out) if status == 0 else err
            check("written " + name, bare(got) if status == 0 else got, bare(expected))
            if status == 0 and name not in ("conll", "seq", "gliner", "huggingface"):
                check("written, white space " + name, got, expected)


def check_large():
    """One array of many items is read in time that grows with them: seconds here, and not their square."""
    n = 40000
    span = {"start": 5, "end": 8}
    texts = [f"call Ada {i}" for i in range(n)]
    passage = {"offset": 0, "annotations": [
        {"id": "1", "infons": {"type": "PER"}, "text": "Ada", "locations": [{"offset": 5, "length": 3}]}]}
    files = {
        "rasa": {"rasa_nlu_data": {"common_examples": [
            {"text": t, "entities": [{**span, "entity": "PER"}]} for t in texts]}},
        "spacy-annotator": {"classes": ["PER"],
                            "annotations": [[t, {"entities": [[5, 8, "PER"]]}] for t in texts]},
        "bioc": {"source": "", "documents": [
            {"id": str(i), "passages": [{"text": t, **passage}]} for i, t in enumerate(texts)]},
        "gliner": [{"tokenized_text": ["Ada"] * n, "ner": [[i, i, "PER"] for i in range(n)]}],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = os.path.join(folder, name + ".json")
            with open(path, "w") as file:
                json.dump(content, file)
            run = subprocess.run(["bash", "-c", 'ulimit -t 8; exec "$@"', "bash", NERFIT, "data", "stats", path],
                                 capture_output=True, text=True)
            check("large " + name, (run.returncode, run.stderr), (0, ""))


golden = check_golden()
check_written()
check_large()
print("\n".join(failures) or f"{golden} golden files and {len(WRITTEN)} written formats are the same")
sys.exit(bool(failures))
