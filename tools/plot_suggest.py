#!/usr/bin/env python3
"""The table and the plot of docs/evaluation.md about `nerfit suggest`, from what simulate_suggest.py wrote.

    tools/plot_suggest.py RESULTS.jsonl docs/images/suggest.svg

Prints the table: F1 by set and number of texts, means over the seeds of a set, and how many suggested texts
reach what random ones do at the last number, with straight lines between the points.
"""

import json
import sys
from collections import defaultdict
from statistics import mean

WIDTH, HEIGHT, LEFT, TOP = 210, 150, 34, 26  # of a panel, and where its axes begin
STYLE = """<style>
text { font: 11px sans-serif; fill: #555 } .name { font-weight: bold }
path { fill: none; stroke-width: 2 } .suggested { stroke: #1f77b4 } .random { stroke: #d1772b; stroke-dasharray: 5 3 }
.axis { stroke: #999; stroke-width: 1 }
@media (prefers-color-scheme: dark) { text { fill: #bbb } }
</style>"""


def curves(path):
    """{set: {arm: {texts: F1}}} and the seeds of each set; of a mean of all sets, too."""
    values, seeds = defaultdict(list), defaultdict(set)
    for line in open(path):
        r = json.loads(line)
        seeds[r["set"]].add(r["seed"])
        for arm in ("suggested", "random"):
            if r["arm"] in (arm, "both"):
                values[r["set"], arm, r["texts"]].append(100 * r["f1"])
    out = {name: {arm: {n: mean(v) for (s, a, n), v in sorted(values.items()) if (s, a) == (name, arm)}
                  for arm in ("suggested", "random")} for name in seeds}  # fmt: skip
    points = list(next(iter(out.values()))["random"])
    out["mean"] = {arm: {n: mean(out[s][arm][n] for s in seeds) for n in points} for arm in ("suggested", "random")}
    return out, seeds


def reached(curve, goal):
    """The number of texts at which a curve reaches a value; None: it does not."""
    points = list(curve.items())
    for (n, a), (m, b) in zip(points, points[1:]):
        if a < goal <= b:
            return n + (m - n) * (goal - a) / (b - a)
    return None


def print_table(data, seeds):
    points = list(data["mean"]["random"])
    print("| set | seeds | | " + " | ".join(f"{n} texts" for n in points) + f" | as {points[-1]} drawn ones |")
    print("|---" * (4 + len(points)) + "|")
    for name, arms in data.items():
        goal = arms["random"][points[-1]]
        texts = reached(arms["suggested"], goal)
        for arm, word in (("suggested", "suggested"), ("random", "drawn")):
            end = ("not reached" if texts is None else f"{texts:.0f}") if arm == "suggested" else ""
            first = [name, str(len(seeds[name])) if name in seeds else ""] if arm == "suggested" else ["", ""]
            print(f"| {' | '.join(first)} | {word} | " + " | ".join(f"{v:.1f}" for v in arms[arm].values())
                  + f" | {end} |")  # fmt: skip


def panel(name, arms, x, y):
    points = [v for curve in arms.values() for v in curve.values()]
    low, high = 5 * int(min(points) // 5), 5 * int(max(points) // 5 + 1)
    ns = list(arms["random"])
    at = lambda n, v: (  # noqa: E731
        x + LEFT + (n - ns[0]) / (ns[-1] - ns[0]) * (WIDTH - LEFT - 16),
        y + HEIGHT - 24 - (v - low) / (high - low) * (HEIGHT - 24 - TOP),
    )
    left, bottom = at(ns[0], low)
    right, top = at(ns[-1], high)
    parts = [f'<text class="name" x="{left:.0f}" y="{y + 16}">{name}</text>',
             f'<path class="axis" d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}"/>',
             f'<text x="{left - 6:.1f}" y="{bottom:.1f}" text-anchor="end">{low}</text>',
             f'<text x="{left - 6:.1f}" y="{top + 8:.1f}" text-anchor="end">{high}</text>']  # fmt: skip
    parts += [f'<text x="{at(n, low)[0]:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{n}</text>' for n in ns]
    for arm, curve in arms.items():
        line = "L".join("{:.1f} {:.1f}".format(*at(n, v)) for n, v in curve.items())
        parts.append(f'<path class="{arm}" d="M{line}"/>')
    return "\n".join(parts)


def main():
    data, seeds = curves(sys.argv[1])
    print_table(data, seeds)
    columns = 3
    rows = (len(data) + columns - 1) // columns
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * WIDTH} {rows * HEIGHT + 24}" role="img">',
           "<title>F1 by the number of annotated texts: suggested ones (solid) and drawn ones (dashed)</title>",
           STYLE]  # fmt: skip
    for i, (name, arms) in enumerate(data.items()):
        svg.append(panel(name, arms, i % columns * WIDTH, i // columns * HEIGHT))
    y = rows * HEIGHT + 12
    svg.append(f'<path class="suggested" d="M34 {y}h24"/><text x="64" y="{y + 4}">suggested</text>'
               f'<path class="random" d="M150 {y}h24"/><text x="180" y="{y + 4}">drawn at random</text></svg>')  # fmt: skip
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(svg) + "\n")


if __name__ == "__main__":
    main()
