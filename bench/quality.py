#!/usr/bin/env python3
"""F1 over the number of examples, for the tables of docs/evaluation.md: `./run quality [SET...]`; and what
the parts of the recipe nerfit bring: `./run quality parts`; and what one adapter of open types alone
brings, without examples, with few, and with unlabelled texts beside: `./run quality open-types`.

Every set is a folder of the data's fewshot/ with samples (kK-sS.jsonl), test.jsonl and
descriptions.json. The columns are `nerfit fewshot`'s recipes; what a set's pre-trained column begins
with must not have seen that set: an adapter of corpora/open-types, which has no text of any of them,
or, with --others, one for each set that has seen the other sets, too (`tools/pretrain/general_adapter.py`
makes them).
Runs that are finished are not run again (build/quality/SET/runs.jsonl), so that an interrupted call
goes on where it was. Every run has one thread, so that its digits do not depend on how many cores there
are; sets run beside each other, one a core. The whole protocol of a set rewrites its tables in
docs/evaluation.md; a part of it (--k, --seeds, --columns) is printed alone.
"""
import argparse
import json
import math
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

SETS = ["slurp", "mit-movie", "wnut17", "ncbi", "snips"]
KS = [1, 4, 16, 64]
SEEDS = [0, 1, 2]
COLUMNS = {  # title: recipe
    "plain": "plain:learning_rate=3e-4",
    "original": "original:learning_rate=1e-4,3e-4",
    "nerfit": "nerfit",
    "nerfit + pre-training": "nerfit+pretrained",
}
# `parts`: the recipe with one thing changed, on these sets and numbers of examples, without pre-training
PARTS = "parts"
PARTS_ON = {"slurp": 4, "mit-movie": 4, "wnut17": 16}
CHANGES = {  # title: recipe
    "nerfit": "nerfit",
    "plain fine-tuning": COLUMNS["plain"],
    "CRF's transitions stay 0": "nerfit:decoder_learning_rate=0",
    "every entity of the best path is kept": "nerfit:least_probability=0",
    "the projection of descriptions moves fast (1e-3)": "nerfit:projection_learning_rate=1e-3",
    "it does not move": "nerfit:projection_learning_rate=0",
    "encoder at 3e-4": "nerfit:learning_rate=3e-4",
    "encoder at 5e-5": "nerfit:learning_rate=5e-5",
    "stage 1 first, 100 steps": "nerfit:max_steps=100,auto",
    "LoRA (r = 16, all linear layers)": "nerfit:peft_lora=true",
    "word_shape": "nerfit:word_shape=true",
}
# `open-types`: with an adapter that knows none of the sets; and with texts of the set's training part,
# without their entities, beside the sample
OPEN_TYPES = "open-types"
PRETRAINED, SELF_TRAINING = "nerfit+pretrained", "nerfit+pretrained:unlabelled_annotations="
TEXTS = {
    "slurp": "ner/slurp/train.txt",
    "snips": "ner/snips/data/snips/train",
    "wnut17": "ner/wnut17/train.conll",
    "ncbi": "ner/bio-NCBI-disease-IOB/train.tsv",
    "mit-movie": "ner/mit-movie/train.txt",
}
MOST_TEXTS = 1000
ADAPTER = "all-MiniLM-L6-v2-general"
DOCUMENT = "docs/evaluation.md"
STEP, START = 0.06, 3  # seconds of a step and around a run on one core: for the first estimate


def config(args, name, study):
    """The config file of a set."""
    folder = os.path.join(args.output, study, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "config.yaml")
    source = os.path.join(args.data, "fewshot", name)
    with open(path, "w") as file:
        for option, value in [("model_name", args.encoder),
                              ("ent2emb", os.path.join(source, "descriptions.json")),
                              ("test_annotations", os.path.join(source, "test.jsonl")),
                              ("output_dir", folder)]:
            file.write(f"{option}: {json.dumps(os.path.abspath(value))}\n")
    return path, source


ADAPTERS = threading.Lock()


def pretrained(args, name):
    """The folder of an adapter that never saw the set; made here, in ten minutes, if it is missing."""
    if args.pretrained:
        return args.pretrained.replace("{set}", name)
    which = f"without-{name}" if args.others else OPEN_TYPES
    work = os.path.join(args.output, "pretrained", which)
    folder = os.path.join(work, "best")
    with ADAPTERS:
        if not os.path.exists(os.path.join(folder, "description_head.safetensors")):
            print(f"{name}: pre-training, {which}", file=sys.stderr)
            subprocess.run([sys.executable, "tools/pretrain/general_adapter.py", ADAPTER,
                            "--data", args.data, "--nerfit", args.nerfit, "--encoder", args.encoder,
                            "--work", work, "--output", os.path.join(work, "bf16"),
                            *(["--without", name] if args.others else ["--corpus-alone"])],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def estimate(source, ks, seeds, recipes):
    """Minutes of all runs from nothing."""
    steps = 0
    for k in ks:
        for seed in seeds:
            with open(os.path.join(source, f"k{k}-s{seed}.jsonl")) as file:
                texts = sum(1 for _ in file)
            one = min(max(20 * math.ceil(texts / 8), 200), 500)
            steps += sum(one * (2 if r.startswith("original") else 1) for r in recipes)
    return (steps * STEP + len(ks) * len(seeds) * len(recipes) * START) / 60


def run_set(args, name, ks, recipes, study=""):
    """All runs of a set; `study` is a folder of its own for their results."""
    path, source = config(args, name, study)
    result = os.path.join(args.output, study, f"{name}.json")
    seeds = ",".join(f"{seed}-{seed}" for seed in args.seeds)  # a lone number would be a count
    command = [args.nerfit, "fewshot", path, "--samples", source, "--json", result, "--seeds", seeds,
               "--k", ",".join(map(str, ks)), "--recipes", " ".join(recipes), "--threads", "1"]
    if any(r.endswith("+pretrained") for r in recipes):
        command += ["--pretrained", pretrained(args, name)]
    print(f"{name}: {len(ks) * len(args.seeds) * len(recipes)} runs, about "
          f"{estimate(source, ks, args.seeds, recipes):.0f} min if none is finished",
          file=sys.stderr)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with open(result) as file:
        return json.load(file)


# ---------------------------------------------------------------- open types

FORMS = {"mean": "name and description", "description": "descriptions alone", "name": "names alone"}


def score(args, adapter, source, form, labels):
    """`nerfit eval --json` of an adapter without examples."""
    command = [args.nerfit, "eval", adapter, os.path.join(source, "test.jsonl"), "--labels",
               os.path.join(source, "descriptions.json"), "--label_text", form, "--words", "--json",
               "--threads", "1", "--quiet"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def unseen(source):
    """The set's labels whose names corpora/open-types has not, synonyms counted."""
    sys.path.insert(0, "tools/pretrain")
    import label_overlap
    known = {label_overlap.name_words(label)
             for _, label, _ in label_overlap.read_corpus("corpora/open-types", True)}
    with open(os.path.join(source, "descriptions.json")) as file:
        return {label for label in json.load(file) if label_overlap.name_words(label) not in known}


def f1_of(report, types):
    """Micro-averaged over some types; None: nothing of them is there or found."""
    chosen = [t for name, t in report["types"].items() if name in types]
    total = sum(t["support"] + t["predicted"] for t in chosen)
    return 200 * sum(t["correct"] for t in chosen) / total if total else None


def zero_shot(args, name):
    """Rows of the table for a set: {title: value}."""
    source = os.path.join(args.data, "fewshot", name)
    adapter, new = pretrained(args, name), unseen(source)
    rows = {}
    for form, title in FORMS.items():
        report = score(args, adapter, source, form, new)
        rows[f"zero-shot, {title}"] = 100 * report["micro"]["f1"]
        if form == "mean":
            edges = report["semeval"]["overall"]["exact"]
            rows["zero-shot, precision"] = 100 * report["micro"]["precision"]
            rows["zero-shot, recall"] = 100 * report["micro"]["recall"]
            rows["zero-shot, edges alone"] = 100 * edges["f1"]
            rows["zero-shot, of labels with new names"] = f1_of(report, new)
            rows["zero-shot, calibration error"] = 100 * report["calibration"]["error"]
    return rows


def unlabelled(args, name):
    """Texts of the set's training part that the test has not, drawn, in a file."""
    folder = os.path.join(args.output, OPEN_TYPES, name)
    path = os.path.join(folder, "unlabelled.txt")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(path):
        converted = os.path.join(folder, "train.jsonl")
        subprocess.run([args.nerfit, "data", "convert", os.path.join(args.data, TEXTS[name]),
                        "--output", converted], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        texts = []
        for file in converted, os.path.join(args.data, "fewshot", name, "test.jsonl"):
            with open(file, encoding="utf-8") as lines:
                texts.append({" ".join(json.loads(line)["text"].split()) for line in lines})
        chosen = sorted(texts[0] - texts[1] - {""})
        random.Random(7).shuffle(chosen)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(chosen[:MOST_TEXTS]) + "\n")
    return os.path.abspath(path)


def before(name):
    """F1 by k of the column with pre-training in the set's own table, whose adapters knew the others."""
    with open(DOCUMENT) as file:
        part = file.read().split(f"<!-- {name}: begin -->")[1].split("Seconds")[0]
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in part.split("\n") if line[:1] == "|"]
    return {row[0]: row[-1] for row in rows}


def open_types(args):
    """The table: zero-shot, then F1 for each k, before and now, and with unlabelled texts."""
    sets = SETS

    def one(name):
        rows = zero_shot(args, name) if args.zero else {}
        if args.k:
            recipes = [PRETRAINED]
            if args.unlabelled:
                recipes.append(SELF_TRAINING + unlabelled(args, name))
            result = run_set(args, name, args.k, recipes, OPEN_TYPES)
            cells = {(c["k"], c["recipe"]): c for c in result["table"]}
            for k in args.k:
                rows[f"k = {k}, before"] = before(name)[str(k)]
                titles = ["now", "now, with unlabelled texts"]
                for title, recipe in zip(titles, recipes):
                    rows[f"k = {k}, {title}"] = cells[k, recipe]["f1"]
                    rows[f"k = {k}, {title}, seconds"] = cells[k, recipe]["seconds"]
        return rows

    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(one, sets))
    lines = ["| | " + " | ".join(sets) + " | mean |", "|---" * (len(sets) + 2) + "|"]
    for title in rows[0]:
        values, cells = [], []
        for row in rows:
            value = row[title]
            if isinstance(value, dict):
                scale = 1 if title.endswith("seconds") else 100
                values.append(scale * value["mean"])
                cells.append(shown(value, scale))
            elif isinstance(value, str):
                values.append(float(value.split()[0]))
                cells.append(value)
            else:
                values.append(value)
                cells.append("–" if value is None else f"{value:.1f}")
        mean = "–" if None in values else f"{sum(values) / len(values):.1f}"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {mean} |")
    return "\n".join(lines)


def shown(value, scale):
    mean, sd = scale * value["mean"], value["sd"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {scale * sd:.1f}"


def table(result, columns, field, scale):
    cells = {(c["k"], c["recipe"]): c for c in result["table"]}
    lines = ["| k | texts | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for k in result["k"]:
        row = [cells[k, COLUMNS[c]] for c in columns]
        lines.append(f"| {k} | {row[0]['texts']['mean']:.0f} | "
                     + " | ".join(shown(c[field], scale) for c in row) + " |")
    return "\n".join(lines)


def tables(result, columns):
    return ("F1 (%):\n\n" + table(result, columns, "f1", 100) + "\n\nSeconds of training:\n\n"
            + table(result, columns, "seconds", 1))


def parts(args):
    """F1 of the recipe with one thing changed, set by set, and their mean."""
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(
            lambda item: run_set(args, item[0], [item[1]], list(CHANGES.values()), PARTS),
            PARTS_ON.items()))
    f1 = [{c["recipe"]: c["f1"] for c in result["table"]} for result in results]
    lines = ["| | " + " | ".join(f"{name}, k = {k}" for name, k in PARTS_ON.items()) + " | mean |",
             "|---" * (len(PARTS_ON) + 2) + "|"]
    for title, recipe in CHANGES.items():
        mean = 100 * sum(of[recipe]["mean"] for of in f1) / len(f1)
        lines.append(f"| {title} | " + " | ".join(shown(of[recipe], 100) for of in f1) + f" | {mean:.1f} |")
    return "\n".join(lines)


def machine():
    """What the numbers depend on."""
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, one core a run"


def write(name, text):
    """Puts the text between the set's marks in the document."""
    with open(DOCUMENT) as file:
        document = file.read()
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in document or end not in document:
        raise SystemExit(f"{DOCUMENT} has no marks \"{begin.strip()}\" and \"{end}\"")
    before, rest = document.split(begin, 1)
    with open(DOCUMENT, "w") as file:
        file.write(f"{before}{begin}Measured on {machine()}.\n\n{text}\n{end}" + rest.split(end, 1)[1])


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", default=[],
                        help=", ".join(SETS) + "; or " + PARTS + ", " + OPEN_TYPES)
    parser.add_argument("--k", type=numbers, default=KS)
    parser.add_argument("--seeds", type=numbers, default=SEEDS)
    parser.add_argument("--columns", help="some of: " + "; ".join(COLUMNS) + " (divided by \";\")")
    parser.add_argument("--pretrained", metavar="PATTERN",
                        help="folders of nerfit pretrain; {set} stands for the set that was left out; "
                             "without it they are made")
    parser.add_argument("--others", action="store_true",
                        help="adapters that have seen the other sets beside the open types")
    parser.add_argument("--no-zero", dest="zero", action="store_false",
                        help=OPEN_TYPES + " without the rows without examples")
    parser.add_argument("--no-unlabelled", dest="unlabelled", action="store_false",
                        help=OPEN_TYPES + " without self-training")
    parser.add_argument("--write", action="store_true",
                        help="write the tables of a part of the protocol, too")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="sets at a time; default: one a core")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--encoder", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    parser.add_argument("--output", default="build/quality")
    args = parser.parse_args()
    studies = {PARTS: parts, OPEN_TYPES: open_types}
    unknown = [s for s in args.sets if s not in SETS and args.sets not in ([PARTS], [OPEN_TYPES])]
    columns = args.columns.split(";") if args.columns else list(COLUMNS)
    unknown += [c for c in columns if c not in COLUMNS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    if not os.path.isdir(os.path.join(args.data, "fewshot")):
        raise SystemExit(f"the data is not here: {args.data}/fewshot (see docs/testing.md)")
    if args.sets and args.sets[0] in studies:
        text = studies[args.sets[0]](args)
        print(text)
        if (args.seeds == SEEDS and args.k == KS) or args.write:
            write(args.sets[0], text)
        return
    whole = (args.k == KS and args.seeds == SEEDS and not args.columns) or args.write
    sets = args.sets or SETS
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, result in zip(sets, pool.map(
                lambda name: run_set(args, name, args.k, [COLUMNS[c] for c in columns]), sets)):
            text = tables(result, columns)
            print(f"\n## {name}\n\n{text}\n", flush=True)
            if whole:
                write(name, text)


if __name__ == "__main__":
    main()
