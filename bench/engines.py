#!/usr/bin/env python3
"""Tagging by Spark and Ray beside plain processes of the program, which share a file in shards: seconds, and
CPU seconds of all that each starts (Java, Ray's daemons). Each tags few texts and many, in turns; what
the many take longer is the price of texts, and the rest that of starting. Medians of all rounds.

    bench/engines.py --model FOLDER --texts FILE [--processes 2] [--few 1000] [--many 11000] [--rounds 3]

It runs in a Python with nerfit, pyspark, ray, pandas and pyarrow; an engine that is not there is left out.
"""
import argparse
import ctypes
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def spark(args):
    from pyspark.sql import SparkSession

    import nerfit.spark

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = (SparkSession.builder.master(f"local[{args.processes}]").config("spark.ui.enabled", "false")
               .config("spark.sql.files.maxPartitionBytes", str(args.part_bytes))
               .config("spark.sql.files.openCostInBytes", "0").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    tagger = nerfit.spark.tagger(args.model, precision=args.precision)
    frame = session.read.parquet(args.input)
    frame.mapInPandas(tagger, tagger.schema(frame)).write.parquet(args.output)
    session.stop()


def ray(args):
    import ray

    import nerfit.ray

    os.environ.setdefault("RAY_raylet_start_wait_time_s", "600")  # a machine may be busy
    ray.init(num_cpus=args.processes + 1, include_dashboard=False, log_to_driver=False)
    data = ray.data.read_parquet(args.input)
    data.map_batches(nerfit.ray.Tagger, fn_constructor_args=[args.model],
                     fn_constructor_kwargs={"precision": args.precision}, batch_format="pandas",
                     batch_size=1024, concurrency=args.processes).write_parquet(args.output)
    ray.shutdown()


def plain(args):
    shards = [subprocess.Popen([args.nerfit, "predict", args.model, args.input, "--shard",
                                f"{i}/{args.processes}", "--output", args.output, "--threads", "1",
                                "--precision", args.precision, "--quiet"])
              for i in range(1, args.processes + 1)]
    assert not any([shard.wait() for shard in shards])


ENGINES = {"plain": plain, "spark": spark, "ray": ray}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_for_all():
    """What an engine leaves behind becomes this process's children, for it is a subreaper."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def measured(args, engine, files):
    output = str(files / "out")
    shutil.rmtree(output, ignore_errors=True)
    began, spent = time.perf_counter(), cpu_seconds()
    command = [sys.executable, __file__, "--run", engine, "--output", output, "--input",
               str(files / ("texts.txt" if engine == "plain" else "parquet"))]
    command += [f"--{name}={getattr(args, name)}" for name in ("model", "nerfit", "processes", "precision")]
    parts = [p.stat().st_size for p in (files / "parquet").iterdir()]
    subprocess.run([*command, "--part-bytes", str(max(parts))], check=True, stdout=subprocess.DEVNULL,
                   stderr=None if args.verbose else subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    wait_for_all()
    return seconds, cpu_seconds() - spent, found(output)


def found(output):
    """Texts and entities that were written."""
    counts = [0, 0]
    for path in Path(output).rglob("*"):
        if path.suffix == ".parquet":
            import pyarrow.parquet

            rows = [len(e) for e in pyarrow.parquet.read_table(path)["entities"].to_pylist()]
        elif path.suffix == ".jsonl":
            rows = [len(json.loads(line)["entities"]) for line in path.open()]
        else:
            continue
        counts = [counts[0] + len(rows), counts[1] + sum(rows)]
    return counts


def inputs(folder, texts, processes):
    """The same texts as lines, and as a Parquet file a process."""
    import pyarrow
    import pyarrow.parquet

    (folder / "parquet").mkdir(parents=True)
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    share = -(-len(texts) // processes)
    for i in range(processes):
        table = pyarrow.table({"text": texts[i * share : (i + 1) * share]})
        pyarrow.parquet.write_table(table, folder / "parquet" / f"{i}.parquet", compression="none")


def compare(args):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    own = [t for t in Path(args.texts).read_text().split("\n") if t]
    engines = [e for e in ENGINES if e == "plain" or importlib.util.find_spec("py" * (e == "spark") + e)]
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"few": args.few, "many": args.many}
        for name, count in sizes.items():
            texts = (own * (count // len(own) + 1))[:count]
            inputs(Path(folder) / name, texts, args.processes)
        for _ in range(args.rounds):
            for name, count in sizes.items():
                entities = set()
                for engine in engines:
                    seconds, cpu, (texts, n) = measured(args, engine, Path(folder) / name)
                    assert texts == count, (engine, texts)
                    entities.add(n)
                    taken.setdefault((engine, name), []).append((seconds, cpu))
                    print(f"{engine}, {count} texts: {seconds:.1f} s, CPU {cpu:.1f} s", file=sys.stderr)
                assert len(entities) == 1, entities
    print(f"{args.processes} processes; a text's ms: what {args.many} texts take longer than {args.few}\n")
    print("| | start, s | start, CPU s | a text, CPU ms | times plain | all, s | all, CPU s | times plain |")
    print("|---|---|---|---|---|---|---|---|")
    base = None
    for engine in engines:
        few, many = ([statistics.median(v[i] for v in taken[engine, s]) for i in (0, 1)] for s in sizes)
        slope = [(b - a) / (args.many - args.few) for a, b in zip(few, many)]
        start = [a - s * args.few for a, s in zip(few, slope)]
        base = base or (slope[1], many[1])
        print(f"| {engine} | {start[0]:.1f} | {start[1]:.1f} | {1000 * slope[1]:.3f} | "
              f"{slope[1] / base[0]:.2f} | {many[0]:.1f} | {many[1]:.1f} | {many[1] / base[1]:.2f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts")
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=11000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--verbose", action="store_true")
    for hidden in ("--run", "--input", "--output"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--part-bytes", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    ENGINES[args.run](args) if args.run else compare(args)


if __name__ == "__main__":
    main()
