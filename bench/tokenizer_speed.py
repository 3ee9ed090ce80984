#!/usr/bin/env python3
"""Speed of nerfit's tokenizers against Hugging Face `tokenizers`, both with offsets, in one run, on
one core: megabytes of text a second, best and median of several rounds, and the ratio.

    python3 bench/tokenizer_speed.py --tool build/tests/tool_tokenize --data DATA

Texts: gutenberg in paragraphs, udhr in paragraphs (all languages), slurp's short utterances. Needs
the Python package tokenizers.
"""
import argparse
import os
import statistics
import struct
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# This folder has a script of another name only because a module `tokenizers` here would hide it.
import tokenizers  # noqa: E402

MODELS = {
    "bert-base-uncased": "bert-base-uncased/tokenizer.json",
    "bert-base-multilingual-cased": "bert-base-multilingual-cased/DERIVED-tokenizer.json",
    "roberta-base": "roberta-base/tokenizer.json",
    "modernbert-base": "modernbert-base/DERIVED-tokenizer.json",
    "xlm-roberta-base": "xlm-roberta-base/DERIVED-tokenizer.json",
    "deberta-v3": "deberta-v3/DERIVED-tokenizer.json",
    "t5-small": "t5-small/tokenizer.json",
}


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


def theirs(tokenizer, texts, rounds):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        tokenizer.encode_batch(texts)
        seconds.append(time.perf_counter() - start)
    return seconds


def ours(tool, model, texts, rounds):
    data = b"".join(struct.pack("=I", len(b)) + b for b in (t.encode("utf-8") for t in texts))
    run = subprocess.run([tool, model, "bench", str(rounds)], input=data, stdout=subprocess.PIPE, check=True)
    return [float(line) for line in run.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tool", default="build/tests/tool_tokenize")
    parser.add_argument("--data", default=os.environ.get("NERFIT_TEST_DATA", "../shared/data"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"tokenizers {tokenizers.__version__}, one core; MB/s: median (best) of {args.rounds} rounds")
    texts_of = corpora(args.data)
    for name, file in MODELS.items():
        if args.names and name not in args.names:
            continue
        path = os.path.join(args.data, "tokenizers", file)
        tokenizer = tokenizers.Tokenizer.from_file(path)
        for corpus, texts in texts_of.items():
            size = sum(len(t.encode("utf-8")) for t in texts) / 1e6
            a = ours(args.tool, path, texts, args.rounds)
            b = theirs(tokenizer, texts, max(2, args.rounds // 2))
            speeds = [size / statistics.median(a), size / min(a), size / statistics.median(b), size / min(b)]
            print(f"{name:30} {corpus:10} {size:5.1f} MB  nerfit {speeds[0]:6.1f} ({speeds[1]:6.1f})"
                  f"  tokenizers {speeds[2]:5.2f} ({speeds[3]:5.2f})  ratio {speeds[0] / speeds[2]:5.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
