#!/usr/bin/env python3
"""Speed of nerfit's tokenizers against Hugging Face `tokenizers`, both with offsets, in one run, on
one core: megabytes of text a second of the processor's time (so that other work on the machine does
not count), best and median of several rounds, and the ratio. Then ours on one and two threads by the
clock (which other work does disturb).

    python3 bench/tokenizer_speed.py --tool build/tests/tool_tokenize --data DATA

Texts: gutenberg in paragraphs, udhr in paragraphs (all languages), slurp's short utterances. Needs
the Python package tokenizers.
"""
import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# This folder has a script of another name only because a module `tokenizers` here would hide it.
import tokenizers  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools"))
import tokenizers_compare as compare  # noqa: E402

MODELS = {
    "bert-base-uncased": "bert-base-uncased/tokenizer.json",
    "bert-base-multilingual-cased": "bert-base-multilingual-cased/DERIVED-tokenizer.json",
    "roberta-base": "roberta-base/tokenizer.json",
    "modernbert-base": "modernbert-base/DERIVED-tokenizer.json",
    "xlm-roberta-base": "xlm-roberta-base/DERIVED-tokenizer.json",
    "deberta-v3": "deberta-v3/DERIVED-tokenizer.json",
    "t5-small": "t5-small/tokenizer.json",
}
# roberta-base's vocabulary behind the patterns of other tokenizers, as Split.
PATTERNS = ["llama3", "cl100k", "o200k"]


def paragraphs(folder):
    texts = []
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            with open(os.path.join(path, name), "rb") as file:
                text = file.read().decode("utf-8", "replace")
            texts += [p.replace("\n", " ") for p in text.split("\n\n") if p.strip()]
    return texts


def corpora(data):
    with open(os.path.join(data, "ner/slurp/test.txt"), encoding="utf-8") as file:
        slurp = [line.rstrip("\n") for line in file]
    return {
        "gutenberg": paragraphs(os.path.join(data, "text/gutenberg")),
        "udhr": paragraphs(os.path.join(data, "text/udhr")),
        "slurp": slurp * 5,
    }


def with_patterns(data, folder):
    models = {}
    with open(os.path.join(data, "tokenizers/roberta-base/tokenizer.json")) as file:
        description = json.load(file)
    for name in PATTERNS:
        description["pre_tokenizer"] = compare.chain(
            "pretokenizers", compare.split(compare.PATTERNS[name]), compare.byte_level(use_regex=False))
        models[f"roberta-base, {name}"] = os.path.join(folder, f"{name}.json")
        with open(models[f"roberta-base, {name}"], "w") as file:
            json.dump(description, file)
    return models


def theirs(tokenizer, texts, rounds):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        tokenizer.encode_batch(texts)
        seconds.append(time.process_time() - start)
    return seconds


def ours(tool, model, texts, rounds, threads=1):
    data = b"".join(struct.pack("=I", len(b)) + b for b in (t.encode("utf-8") for t in texts))
    run = subprocess.run([tool, model, "bench", str(rounds), str(threads)], input=data, stdout=subprocess.PIPE, check=True)
    return [float(line) for line in run.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tool", default="build/tests/tool_tokenize")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    print(f"tokenizers {tokenizers.__version__}, one core; MB/s: median (best) of {args.rounds} rounds")
    texts_of = corpora(args.data)
    temporary = tempfile.TemporaryDirectory()
    for name, file in {**MODELS, **with_patterns(args.data, temporary.name)}.items():
        if args.names and name not in args.names:
            continue
        path = file if os.path.isabs(file) else os.path.join(args.data, "tokenizers", file)
        tokenizer = tokenizers.Tokenizer.from_file(path)
        for corpus, texts in texts_of.items():
            size = sum(len(t.encode("utf-8")) for t in texts) / 1e6
            a = ours(args.tool, path, texts, args.rounds)
            b = theirs(tokenizer, texts, max(2, args.rounds // 2))
            speeds = [size / statistics.median(a), size / min(a), size / statistics.median(b), size / min(b)]
            print(f"{name:30} {corpus:10} {size:5.1f} MB  nerfit {speeds[0]:6.1f} ({speeds[1]:6.1f})"
                  f"  tokenizers {speeds[2]:5.2f} ({speeds[3]:5.2f})  ratio {speeds[0] / speeds[2]:5.1f}", flush=True)
            if len(cores) > 1:
                os.sched_setaffinity(0, cores)
                two = ours(args.tool, path, texts, args.rounds, 2)
                os.sched_setaffinity(0, {min(cores)})
                print(f"{'':30} {'':10} two threads: {statistics.median(a) / statistics.median(two):.2f} times as fast",
                      flush=True)


if __name__ == "__main__":
    sys.exit(main())
