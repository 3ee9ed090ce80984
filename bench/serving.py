#!/usr/bin/env python3
"""Requests a second, latency, memory and CPU time of nerfit serve, beside nerfit predict on the same texts and,
with --peers, FastAPI over transformers' pipeline (bench/peers/serve.py).

    bench/serving.py --model FOLDER --texts FILE [--peers PYTHON] [--seconds 20] [--rate 200] [--rounds 3]

Saturation is wrk's (Debian), one text a request, 32 connections. Latency is counted from the moment at which
a request was due, at a fixed rate, so that a server that lags is not asked less. CPU time is the server's own
(user and system): on a machine that does other work besides, it says more than the clock.
"""
import argparse
import asyncio
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def start(command, port, environment):
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    for _ in range(1200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            return process
        except OSError:
            time.sleep(0.1)
            if process.poll() is not None:
                break
    raise SystemExit(f"{command[0]} does not start")


def saturate(process, port, texts, seconds):
    """(requests a second by the clock, CPU milliseconds a request)"""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("local texts = {}\nfor line in io.lines(%s) do texts[#texts + 1] = line end\nlocal i = 0\n"
                     "request = function()\n  i = i %% #texts + 1\n"
                     "  return wrk.format('POST', '/predict', {['Content-Type'] = 'application/json'}, texts[i])\nend\n"
                     % json.dumps(texts))
        script.flush()
        before = cpu_of(process.pid)
        out = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script.name, f"http://127.0.0.1:{port}"],
                             check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        print("   ", " ".join(line.strip() for line in out.splitlines() if "Non-2xx" in line or "errors" in line))
    done = int(re.search(r"(\d+) requests in", out)[1])
    return done / seconds, 1e3 * (cpu_of(process.pid) - before) / done


async def paced(port, bodies, rate, seconds):
    """Latencies of requests at fixed moments, over connections that stay open."""
    spare, latencies = [], []

    async def ask(body, due):
        reader, writer = spare.pop() if spare else await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                     % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        await reader.readexactly(size)
        if head.startswith(b"HTTP/1.1 200"):
            latencies.append(time.perf_counter() - due)
        spare.append((reader, writer))

    began, tasks = time.perf_counter(), []
    for i in range(int(rate * seconds)):
        due = began + i / rate
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(ask(bodies[i % len(bodies)], due)))
    await asyncio.gather(*tasks)
    return sorted(latencies)


def predict(args):
    """(texts a second by the clock, CPU milliseconds a text), less those of loading"""
    lines = open(args.texts, encoding="utf-8").read().splitlines()
    figures = []
    for text in (lines, lines[:1]):
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([args.nerfit, "predict", args.model, "-", "--quiet", "--threads", str(args.threads)], check=True,
                       input="\n".join(text) + "\n", text=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures.append((time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    seconds, cpu = (a - b for a, b in zip(*figures))
    n = len(lines) - 1
    return n / seconds, 1e3 * cpu / n


def measure(name, command, args, bodies, bodies_path, environment):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = start([part.replace("PORT", str(port)) for part in command], port, environment)
    try:
        saturate(process, port, bodies_path, 2)  # warm
        full = [saturate(process, port, bodies_path, args.seconds) for _ in range(args.rounds)]
        rate, cpu = statistics.median(f[0] for f in full), statistics.median(f[1] for f in full)
        print(f"{name}: {rate:.0f} requests/s, {cpu:.2f} ms of CPU a request, {memory_of(process.pid):.0f} MB")
        for asked in args.rate:
            got = asyncio.run(paced(port, bodies, asked, args.seconds))
            if len(got) < int(asked * args.seconds):
                print(f"{name}: at {asked:g} requests/s {len(got)} of {int(asked * args.seconds)} were answered with 200")
            at = [1e3 * got[int(q * (len(got) - 1))] for q in (0.5, 0.99, 1.0)]
            print(f"{name}: at {asked:g} requests/s p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, longest {at[2]:.1f} ms")
        return rate, cpu
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nerfit", default="build/nerfit")
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", required=True, help="a text a line")
    parser.add_argument("--peers", metavar="PYTHON", help="that has fastapi, uvicorn, torch, transformers")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=float, nargs="*", default=[200.0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    bodies = [json.dumps({"inputs": line.rstrip("\n")}) for line in open(args.texts, encoding="utf-8")]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(bodies) + "\n")
        file.flush()
        bodies = [body.encode() for body in bodies]
        texts, cpu = predict(args)
        print(f"nerfit predict: {texts:.0f} texts/s, {cpu:.2f} ms of CPU a text")
        ours = measure("nerfit serve", [args.nerfit, "serve", args.model, "--port", "PORT", "--threads", str(args.threads)],
                       args, bodies, file.name, {})
        print(f"nerfit serve, of nerfit predict: {100 * ours[0] / texts:.0f} % by the clock, {100 * cpu / ours[1]:.0f} % by CPU")
        if args.peers:
            peer = [args.peers, os.path.join(HERE, "peers", "serve.py"), args.model, "PORT", str(args.threads)]
            measure("FastAPI and transformers", peer, args, bodies, file.name, {})


if __name__ == "__main__":
    main()
