#!/usr/bin/env python3
"""Texts tagged a second, from a file to entities: nerfit in f32, bf16 and int8, and with --peers other
engines (bench/peers/tagging.py). They take turns; medians of all rounds, by the clock and by the CPU
time spent. Ours counts whole runs of the program, loading included, less that of tagging one text.

    bench/tagging.py --model FOLDER --texts FILE [--peers PYTHON] [--rounds 3] [--threads N]
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(args, precision, path, output="jsonl"):
    began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    threads = ["--threads", str(args.threads)] if args.threads else []
    done = subprocess.run([args.nerfit, "predict", args.model, path, "--quiet", "--precision",
                           precision, "--output", output, *threads],
                          check=True, capture_output=True)
    return (time.perf_counter() - began,
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu, done.stdout)


def labels(args, precision):
    lines = run(args, precision, args.texts, "tokens")[2].decode().split("\n")
    return [t["label"] for line in lines if line for t in json.loads(line)["tokens"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--engines", default="hf,ort,ort-int8,ov,ov-bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    texts = [t for t in open(args.texts, encoding="utf-8").read().split("\n") if t]
    speeds, equal = {}, {}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
        one.write(texts[0] + "\n")
        one.flush()
        exact = labels(args, "f32")
        for precision in ("bf16", "int8"):
            given = labels(args, precision)
            equal[f"nerfit, {precision}"] = sum(a == b for a, b in zip(exact, given)) / len(exact)
        for _ in range(args.rounds):
            for precision in ("f32", "bf16", "int8"):
                short, long = run(args, precision, one.name), run(args, precision, args.texts)
                speeds.setdefault(f"nerfit, {precision}", []).append(
                    [len(texts) / max(b - a, 1e-9) for a, b in zip(short[:2], long[:2])])
            if not args.peers:
                continue
            command = [args.peers, os.path.join(HERE, "peers", "tagging.py"), "--model", args.model,
                       "--texts", args.texts, "--engines", args.engines]
            command += ["--threads", str(args.threads)] if args.threads else []
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            for line in done.stdout.split("\n"):
                if line.startswith("{"):
                    result = json.loads(line)
                    speeds.setdefault(result["engine"], []).append(
                        [result["texts_per_second"], result["texts_per_cpu_second"]])
                    if result["equal_labels"] is not None:
                        equal[result["engine"]] = result["equal_labels"]
    medians = {who: [statistics.median(v[i] for v in values) for i in (0, 1)]
               for who, values in speeds.items()}
    base = medians.get("ov-bf16")
    print("| engine | texts/s | texts a CPU second | labels as in f32 | times ov-bf16, by CPU time |")
    print("|---|---|---|---|---|")
    for who, (wall, cpu) in medians.items():
        ratio = f"{cpu / base[1]:.2f}" if base else "–"
        same = f"{100 * equal[who]:.2f} %" if who in equal else "–"
        print(f"| {who} | {wall:.0f} | {cpu:.0f} | {same} | {ratio} |")


if __name__ == "__main__":
    main()
