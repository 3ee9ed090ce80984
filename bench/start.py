#!/usr/bin/env python3
"""From the program's start to the entities of one text: milliseconds by the clock and of CPU time, and
peak memory; medians.

    bench/start.py --model FOLDER --text FILE [--times 21]
"""
import argparse
import os
import statistics
import subprocess
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True, help="a file of one line")
    parser.add_argument("--times", type=int, default=21)
    args = parser.parse_args()
    for precision in ("f32", "bf16", "int8"):
        wall, cpu, memory = [], [], []
        for _ in range(args.times):
            began = time.perf_counter()
            child = subprocess.Popen([args.nerfit, "predict", args.model, args.text, "--quiet",
                                      "--precision", precision],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall.append(time.perf_counter() - began)
            cpu.append(usage.ru_utime + usage.ru_stime)
            memory.append(usage.ru_maxrss)
            if child.returncode:
                raise SystemExit("nerfit predict failed")
        print(f"- {precision}: {1000 * statistics.median(wall):.0f} ms, "
              f"{1000 * statistics.median(cpu):.0f} ms of CPU time, "
              f"{statistics.median(memory) / 1024:.0f} MB")


if __name__ == "__main__":
    main()
