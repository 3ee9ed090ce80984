/* Curves as SVG: one or two lines over numbers, with what each point says. */
import { make } from "./dom.js";

const WIDTH = 480, HEIGHT = 220, LEFT = 40, RIGHT = 14, TOP = 26, BOTTOM = 34;

function steps(low, high, wanted) {
    const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
    const size = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
    const found = [];
    for (let at = Math.ceil(low / size) * size; at <= high + size / 1000; at += size) found.push(Number(at.toPrecision(10)));
    return found;
}

/* series: [{name, points: [[x, y, title?], ...]}]; y from 0 to `most`, or to the highest. */
export function chart({ title, x, y, most, series }) {
    const points = series.flatMap((s) => s.points);
    if (!points.length) return make("p", { class: "muted" }, "Nothing to draw yet.");
    const xs = points.map((p) => p[0]), top = most ?? Math.max(...points.map((p) => p[1]), 1e-9);
    const low = Math.min(...xs, 0), high = Math.max(...xs, low + 1);
    const atX = (v) => LEFT + (v - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    const atY = (v) => HEIGHT - BOTTOM - Math.min(v, top) / top * (HEIGHT - TOP - BOTTOM);
    const label = (text, at, rest) => make("text", { ...at, ...rest }, text);
    const grid = [
        ...steps(0, top, 4).flatMap((v) => [make("path", { class: "grid", d: `M${LEFT} ${atY(v)}H${WIDTH - RIGHT}` }),
            label(String(v), { x: LEFT - 6, y: atY(v) + 4, "text-anchor": "end" })]),
        ...steps(low, high, 5).map((v) => label(String(v), { x: atX(v), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" })),
        label(x, { x: WIDTH - RIGHT, y: HEIGHT - 3, "text-anchor": "end", class: "axis" }),
        label(y, { x: LEFT - 6, y: 11, "text-anchor": y.length < 5 ? "end" : "start", class: "axis" }),
    ];
    const lines = series.filter((s) => s.points.length).map((s, i) => make("g", { class: `line${i}` },
        make("path", { class: "line", d: `M${s.points.map(([a, b]) => `${atX(a).toFixed(1)} ${atY(b).toFixed(1)}`).join("L")}` }),
        ...(s.points.length > 40 ? [] : s.points.map(([a, b, says]) =>
            make("circle", { cx: atX(a).toFixed(1), cy: atY(b).toFixed(1), r: 3.5 }, make("title", {}, says ?? `${a}: ${b.toFixed(2)}`))))));
    const spoken = series.map((s) => `${s.name}: ${s.points.slice(-12).map(([a, b]) => `${a}: ${b.toFixed(2)}`).join(", ")}`).join("; ");
    const keys = series.length > 1 ? make("figcaption", {}, series.map((s, i) => make("span", { class: `key line${i}` }, s.name))) : null;
    return make("figure", {}, make("h3", {}, title),
        make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${spoken}` }, grid, lines), keys);
}
