#!/usr/bin/env python3
"""F1 over the number of examples, for the tables of docs/evaluation.md: `./run quality [SET...]`; and what
the parts of the recipe nerfit bring: `./run quality parts`.

Every set is a folder of the data's fewshot/ with samples (kK-sS.jsonl), test.jsonl and
descriptions.json. The columns are `nerfit fewshot`'s recipes; what a set's pre-trained column begins
with must not have seen that set, so that an adapter is pre-trained for each, on the other sets.
Runs that are finished are not run again (build/quality/SET/runs.jsonl), so that an interrupted call
goes on where it was. Every run has one thread, so that its digits do not depend on how many cores there
are; sets run beside each other, one a core. The whole protocol of a set rewrites its tables in
docs/evaluation.md; a part of it (--k, --seeds, --columns) is printed alone.
"""
import argparse
import json
import math
import os
import subprocess
import sys
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
# what the encoders of the column with pre-training learn from: all of these but the set itself (and the
# Spanish sample of MASSIVE, whose labels are slurp's, if that is the set)
CORPORA = {
    "slurp": ("ner/slurp/train.txt", "fewshot/slurp/descriptions.json"),
    "snips": ("ner/snips/data/snips/train", "fewshot/snips/descriptions.json"),
    "wnut17": ("ner/wnut17/train.conll", "fewshot/wnut17/descriptions.json"),
    "ncbi": ("ner/bio-NCBI-disease-IOB/train.tsv", "fewshot/ncbi/descriptions.json"),
    "mit-movie": ("ner/mit-movie/train.txt", "fewshot/mit-movie/descriptions.json"),
    "massive": ("ner/nerfit-artifacts/sample_data.txt", "ner/nerfit-artifacts/ent2desc.json"),
}
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


def pretrained(args, name):
    """The folder of an adapter that never saw the set; made here, in some minutes, if it is missing."""
    if args.pretrained:
        return args.pretrained.replace("{set}", name)
    output = os.path.join(args.output, "pretrained", f"without-{name}")
    folder = os.path.join(output, "best")
    if not os.path.exists(os.path.join(folder, "description_head.safetensors")):
        used = [c for c in CORPORA if c != name and not (c == "massive" and name == "slurp")]
        print(f"{name}: pre-training on {', '.join(used)}", file=sys.stderr)
        files = [",".join(os.path.join(args.data, CORPORA[c][i]) for c in used) for i in (0, 1)]
        subprocess.run([args.nerfit, "pretrain", "--model_name", args.encoder,
                        "--pretrain_annotations", files[0], "--pretrain_ent2emb", files[1],
                        "--peft_lora", "true", "--seed", "1", "--threads", "1", "--quiet",
                        "--output_dir", output, "--overwrite_output_dir", "true"],
                       check=True, stdout=subprocess.DEVNULL)
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
                        help=", ".join(SETS) + "; or " + PARTS)
    parser.add_argument("--k", type=numbers, default=KS)
    parser.add_argument("--seeds", type=numbers, default=SEEDS)
    parser.add_argument("--columns", help="some of: " + "; ".join(COLUMNS) + " (divided by \";\")")
    parser.add_argument("--pretrained", metavar="PATTERN",
                        help="folders of nerfit pretrain; {set} stands for the set that was left out; "
                             "without it they are made")
    parser.add_argument("--write", action="store_true",
                        help="write the tables of a part of the protocol, too")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="sets at a time; default: one a core")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--encoder", default=".cache/all-MiniLM-L6-v2")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    parser.add_argument("--output", default="build/quality")
    args = parser.parse_args()
    unknown = [s for s in args.sets if s not in SETS and args.sets != [PARTS]]
    columns = args.columns.split(";") if args.columns else list(COLUMNS)
    unknown += [c for c in columns if c not in COLUMNS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    if not os.path.isdir(os.path.join(args.data, "fewshot")):
        raise SystemExit(f"the data is not here: {args.data}/fewshot (see docs/testing.md)")
    if args.sets == [PARTS]:
        text = parts(args)
        print(text)
        if args.seeds == SEEDS or args.write:
            write(PARTS, text)
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
