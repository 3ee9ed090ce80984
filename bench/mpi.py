#!/usr/bin/env python3
"""What a pre-training of several processes under mpirun costs: measured with two processes here, and a model of
it from what one process takes, the sizes of messages and the network's figures, which is held against
that measurement and then asked for more ranks.

    bench/mpi.py --model ENCODER --annotations TEXTS --descriptions YAML [--precision f32] [--batch 32] [--rounds 3]

A step's seconds are the median time between two lines of the log. Each process has one thread and a core of its own
(taskset, mpirun's binding). A model of a step of R ranks:

    seconds = compute * unevenness + sums + gathers
    compute       of a rank's texts: a line through one process's steps with the whole batch and half of it
    unevenness    the most tokens that a rank has, by their mean: from the texts' lengths
    sums          2 (R-1)/R of the gradients' bytes by the bandwidth, and a latency for every message, less what
                  backward covers: a layer's sum has the time of the layers below (ranks on one machine
                  copy by themselves, so that nothing is covered there)
    gathers       of counts, losses and rows: a latency for every doubling of the ranks
"""
import argparse
import ctypes
import json
import math
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

BACKWARD = 2 / 3  # of a step's arithmetic: products by inputs and by weights, beside forward's
GATHERS = 5       # extents, loss, counts of rows, rows, whether to go on
MPIRUN = ["mpirun", "--bind-to", "core", "-n", "2"]


def exchange(sizes):
    """Seconds for two ranks to send each other so many bytes; run under mpirun. By ctypes, as nerfit does it."""
    mpi = ctypes.CDLL("libmpi.so.40", mode=ctypes.RTLD_GLOBAL)
    world, byte = (ctypes.byref(ctypes.c_char.in_dll(mpi, f"ompi_mpi_{name}")) for name in ("comm_world", "byte"))
    mpi.MPI_Init(None, None)
    rank = ctypes.c_int()
    mpi.MPI_Comm_rank(world, ctypes.byref(rank))
    other, found = 1 - rank.value, []
    for size in sizes:
        out, into = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
        times = []
        for _ in range(12):
            mpi.MPI_Barrier(world)
            began = time.perf_counter()
            mpi.MPI_Sendrecv(out, size, byte, other, 0, into, size, byte, other, 0, world, None)
            times.append(time.perf_counter() - began)
        found.append(statistics.median(times))
    if rank.value == 0:
        print(json.dumps(found))
    mpi.MPI_Finalize()


def network():
    """Latency in seconds and bytes a second, each way at once."""
    sizes = [1 << 10, 1 << 22]
    done = subprocess.run([*MPIRUN, sys.executable, __file__, "--exchange", *map(str, sizes)], check=True,
                          capture_output=True, text=True)
    small, large = json.loads(done.stdout)
    return small, (sizes[1] - sizes[0]) / max(large - small, 1e-9)


def command(args, folder, batch):
    return [args.nerfit, "pretrain", "--model_name", args.model, "--pretrain_annotations", args.annotations,
            "--pretrain_ent2emb", args.descriptions, "--threads", "1", "--precision", args.precision,
            "--gradient_sums", args.gradient_sums, "--log-json", "--logging_steps", "1", "--overwrite_output_dir",
            "true", "--output_dir", folder, "--per_device_train_batch_size", str(batch), "--max_steps",
            str(args.steps)]


def seconds_a_step(args, commands):
    """The median time between two steps of the first of commands that run at once."""
    running = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for c in commands]
    said, times = [], []
    for line in running[0].stderr:
        said.append(line)
        if '"loss"' in line:
            times.append(time.perf_counter())
    for process in running:
        said.append(process.communicate()[1] or "")
        if process.returncode:
            sys.exit("".join(said))
    return statistics.median(b - a for a, b in zip(times[1:], times[2:]))


def measure(args, folder):
    half = args.batch // 2
    pinned = lambda core, batch: ["taskset", "-c", str(core), *command(args, f"{folder}/{core}", batch)]
    ways = {
        "one process, the whole batch": [pinned(0, args.batch)],
        "one process, half of it": [pinned(0, half)],
        "two that do not speak, half each": [pinned(0, half), pinned(1, half)],
        "two ranks, half each": [[*MPIRUN, *command(args, f"{folder}/two", half)]],
    }
    taken = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, commands in ways.items():
            taken[name].append(seconds_a_step(args, commands))
            print(f"{name}: {taken[name][-1]:.4f} s a step", file=sys.stderr)
    return {name: statistics.median(values) for name, values in taken.items()}


def texts(args):
    """The tokens of every text, by the program."""
    with tempfile.TemporaryDirectory() as folder:
        rows, plain = os.path.join(folder, "rows.jsonl"), os.path.join(folder, "texts.txt")
        subprocess.run([args.nerfit, "data", "convert", args.annotations, "--output", rows], check=True)
        with open(rows, encoding="utf-8") as source, open(plain, "w", encoding="utf-8") as target:
            for line in source:
                target.write(json.loads(line)["text"].replace("\n", " ") + "\n")
        done = subprocess.run([args.nerfit, "tokenize", args.model, plain], check=True, capture_output=True, text=True)
    return [json.loads(line)["ids"] for line in done.stdout.split("\n") if line]


def unevenness(all_texts, ranks, batch, draw):
    """The most tokens of a rank by their mean, and the distinct tokens of all ranks' texts."""
    ratios, rows = [], []
    for _ in range(200):
        parts = [[draw.choice(all_texts) for _ in range(batch)] for _ in range(ranks)]
        sums = [sum(map(len, part)) for part in parts]
        ratios.append(max(sums) * ranks / sum(sums))
        rows.append(len({token for part in parts for text in part for token in text}))
    return statistics.mean(ratios), statistics.mean(rows)


def shapes(model):
    """Values of the layers' weights, their number, and the hidden size."""
    with open(os.path.join(model, "model.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    layers = {}
    for name, tensor in header.items():
        if ".layer." in name and len(tensor["shape"]) == 2:
            layer = name.split(".layer.")[1].split(".")[0]
            layers[layer] = layers.get(layer, 0) + math.prod(tensor["shape"])
    with open(os.path.join(model, "config.json")) as file:
        return sum(layers.values()), len(layers), json.load(file)["hidden_size"]


class Prediction:
    """Of a step of some ranks with `batch` texts each."""

    def __init__(self, args, measured, shape, lengths, ranks, batch, latency, bandwidth, apart, crowding=1.0):
        values, layers, hidden = shape
        whole, half = measured["one process, the whole batch"], measured["one process, half of it"]
        a_text = (whole - half) / (args.batch - args.batch // 2)
        arithmetic, rest = a_text * batch, whole - a_text * args.batch
        uneven, rows = unevenness(lengths, ranks, batch, random.Random(1))
        width = 2 if args.gradient_sums == "bf16" else 4
        share = 2 * (ranks - 1) / ranks
        rows_bytes, layers_bytes = rows * hidden * width * share, values * width * share
        messages = 2 * (ranks - 1) * latency
        a_layer = layers_bytes / layers / bandwidth + messages
        behind = rows_bytes / bandwidth + 4 * messages  # rows, and what lies between the layers
        covered = BACKWARD * arithmetic * (layers - 1) / layers if apart else 0.0
        self.compute = (arithmetic * uneven + rest) * crowding
        self.bytes = rows_bytes + layers_bytes
        self.sums = max(a_layer, layers * a_layer - covered) + behind
        self.gathers = GATHERS * latency * math.ceil(math.log2(ranks)) if ranks > 1 else 0.0
        self.step = self.compute + self.sums + self.gathers
        self.uneven = uneven


def report(args):
    lengths, shape = texts(args), shapes(args.model)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(args, folder)
    latency, bandwidth = network()
    one, half, pair, two = measured.values()
    print(f"| {args.precision}, sums in {args.gradient_sums} | s a step |\n|---|---|")
    for name, seconds in measured.items():
        print(f"| {name} | {seconds:.3f} |")
    p = Prediction(args, measured, shape, lengths, 2, args.batch // 2, latency, bandwidth, False, pair / half)
    print(f"| predicted: compute {p.compute:.3f} (ranks uneven by {p.uneven:.3f}), sums {p.sums:.3f} of "
          f"{p.bytes / 1e6:.0f} MB, gathers {p.gathers:.4f} | {p.step:.3f} |")
    print(f"\nTwo ranks are {one / two:.2f} times as fast as one, at most {one / pair:.2f}; predicted "
          f"{one / p.step:.2f}; the prediction is {100 * (p.step / two - 1):+.0f} % off. Messages between them: "
          f"{latency * 1e6:.0f} us, {bandwidth / 1e9:.2f} GB/s each way.\n")
    print(f"A rank a node, {args.batch} texts each:\n\n| ranks | network | s a step | of it sums behind backward | texts/s | times one "
          "| hours for 10^9 texts |\n|---|---|---|---|---|---|---|")
    for name, alpha, beta in (("10 Gbit/s, 30 us", 30e-6, 1.1e9), ("100 Gbit/s, 3 us", 3e-6, 11e9)):
        for ranks in (1, 2, 8, 64):
            p = Prediction(args, measured, shape, lengths, ranks, args.batch, alpha, beta, True)
            rate = ranks * args.batch / p.step
            print(f"| {ranks} | {name} | {p.step:.3f} | {p.sums if ranks > 1 else 0:.3f} | {rate:.0f} | "
                  f"{rate * one / args.batch:.1f} | {1e9 / rate / 3600:,.0f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--annotations")
    parser.add_argument("--descriptions")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--gradient_sums", default="f32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--exchange", nargs="*", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    exchange(args.exchange) if args.exchange else report(args)


if __name__ == "__main__":
    main()
