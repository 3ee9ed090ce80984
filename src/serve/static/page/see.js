/* See: what a run's model gets right and wrong, and what is wrong with the annotations. */
import { call, file, keyed, pathOf, query } from "./api.js";
import { $, act, button, count, failed, make, options, percent, save, say, tell, working } from "./dom.js";
import { chart } from "./charts.js";
import { chosenThresholds, on, store, threshold } from "./store.js";
import { bare, overlap, same, shown } from "./text.js";

let runs = [];

const table = (name, heads, rows, attributes = {}) => make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": name },
    make("table", attributes, make("thead", {}, make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, rows)));
const head = (text) => make("th", { scope: "row" }, make("bdi", {}, text));
const cells = (...values) => values.map((value) => make("td", {}, value));

function showScores(run) {
    const rows = Object.entries(run.scores?.types ?? {}).sort((a, b) => b[1].support - a[1].support);
    if (run.scores?.micro) rows.push(["all", run.scores.micro]);
    $("scores").replaceChildren(rows.length ? table("Scores by label", ["label", "F1", "precision", "recall", "entities"], rows.map(([label, score]) =>
        make("tr", {}, head(label), make("td", {}, make("meter", { max: 1, value: score.f1, "aria-hidden": "true" }), ` ${percent(score.f1)}`),
            cells(percent(score.precision), percent(score.recall), score.support)))) : make("p", { class: "muted" }, "This run has no scores."));
}

function showConfusion({ types = [], table: counts = [] } = {}) {
    const name = (i) => types[i] ?? "(none)";
    const used = counts.map((row, i) => row.some(Boolean) || counts.some((r) => r[i]) ? i : -1).filter((i) => i >= 0);
    const cell = (i, j) => {
        const sum = counts[i].reduce((a, b) => a + b, 0), share = sum ? counts[i][j] / sum : 0;
        return make("td", { class: counts[i][j] ? `${i === j ? "right" : "mistaken"} share${Math.ceil(4 * share)}` : "" }, counts[i][j] || "");
    };
    $("confusion").replaceChildren(used.length ? table("Confusion", ["annotated \\ found", ...used.map(name)],
        used.map((i) => make("tr", {}, head(name(i)), used.map((j) => cell(i, j)))), { class: "confusion" })
        : make("p", { class: "muted" }, "Nothing was confused."));
}

/* ---------------------------------------------------------------- mistakes */

/* The annotation with the model's reading of the place in it. */
async function correct({ id, gold, predicted }) {
    const path = pathOf(id), text = await call("GET", path);
    let entities = text.entities.map(bare);
    if (gold) entities = entities.filter((e) => !same(e, gold));
    if (predicted) {
        const made = bare(predicted);
        entities = entities.filter((e) => store.project.nested ? !same(e, made) : !overlap(e, made));
        entities.push(made);
    }
    await call("PUT", path, { revision: text.revision, entities });
}

function mistake(one) {
    const { kind, id, text, gold, predicted } = one;
    const near = gold ?? predicted, from = text.length > 600 ? Math.max(0, text.lastIndexOf(" ", near.start - 150) + 1) : 0;
    const part = text.slice(from, text.length > 600 ? near.end + 200 : undefined);
    const moved = (e) => e && e.start >= from && e.end <= from + part.length ? [{ ...e, start: e.start - from, end: e.end - from }] : [];
    const row = make("article", { class: one.changed ? "corrected" : "" }, make("header", {}, make("b", {}, kind), one.changed ? " (changed since)" : ""),
        make("div", { class: "side" }, make("span", {}, "annotated"), shown(part, moved(gold))),
        make("div", { class: "side" }, make("span", {}, "found"), shown(part, moved(predicted))));
    if (id !== null) row.append(make("div", { class: "row" }, button(predicted ? "The model is right: annotate so" : "The model is right: remove it", async () => {
        await correct(one);
        row.classList.add("corrected");
        row.querySelector("button").disabled = true;
        say("The annotation was corrected.");
    }), make("a", { class: "button", href: `#annotate/${encodeURIComponent(id)}` }, "Open the text")));
    return row;
}

let mistakes = [];
const SHOWN = 50;

function showMistakes() {
    const kinds = [...new Set(mistakes.map(({ kind }) => kind))];
    options($("mistake-kind"), [["", `all (${mistakes.length})`], ...kinds.map((kind) => [kind, `${kind} (${mistakes.filter((m) => m.kind === kind).length})`])]);
    const wanted = mistakes.filter(({ kind }) => !$("mistake-kind").value || kind === $("mistake-kind").value);
    const place = $("mistakes");
    place.replaceChildren(...wanted.length ? [] : [make("p", { class: "muted" }, "No mistakes.")]);
    const more = (from) => {
        place.append(...wanted.slice(from, from + SHOWN).map(mistake));
        if (from + SHOWN < wanted.length) place.append(make("button", { type: "button", onclick: (event) => {
            event.target.remove();
            more(from + SHOWN);
        } }, `${wanted.length - from - SHOWN} more`));
    };
    more(0);
}

/* ---------------------------------------------------------------- thresholds, checks, comparing, trying */

let chosen = {};

async function showThresholds() {
    const wanted = Number($("wanted").value) / 100;
    $("wanted-text").textContent = `${$("wanted").value} %`;
    const { labels, all } = await call("GET", query("/project/thresholds", { run: $("see-run").value, precision: wanted }));
    chosen = Object.fromEntries(Object.entries(labels).filter(([, one]) => one.chosen !== null).map(([label, one]) => [label, one.chosen]));
    if ($("use-thresholds").checked) chosenThresholds(chosen);
    const at = ({ points, chosen }) => points.find(({ threshold }) => threshold === chosen) ?? points.filter(({ threshold }) => threshold <= chosen).at(-1);
    const row = ([label, one]) => {
        const point = one.chosen === null ? null : at(one);
        return make("tr", {}, head(label), cells(one.annotated ?? "", one.chosen === null ? "not reached" : one.chosen.toFixed(2), percent(point?.precision), percent(point?.recall)));
    };
    const rows = [...Object.entries(labels), ...(all ? [["all", all]] : [])];
    const line = (name, key) => ({ name, points: (all?.points ?? []).filter((p) => p.found > 0).map((p) => [p.threshold, 100 * p[key]]) });
    $("thresholds").replaceChildren(table("Thresholds by label", ["label", "annotated", "threshold", "precision", "recall"], rows.map(row)),
        chart({ title: "All labels", x: "threshold", y: "%", most: 100, series: [line("precision", "precision"), line("recall", "recall")] }));
}

async function showFindings() {
    const { findings } = await call("GET", "/project/check");
    $("findings").replaceChildren(...findings.slice(0, 200).map(({ kind, message, is_error, id }) => make("li", {},
        make("b", { class: is_error ? "wrong" : "" }, kind), " ", make("bdi", {}, message.replace(/^texts\.jsonl:\S+: /, "")), " ",
        id === null || id === undefined ? null : make("a", { href: `#annotate/${encodeURIComponent(id)}` }, "open"))));
    $("findings-said").textContent = findings.length ? count(findings.length, "finding") : "Nothing was found.";
}

async function compare() {
    const [a, b] = [$("run-a").value, $("run-b").value];
    if (!a || !b) return;
    const found = await call("GET", query("/project/compare", { a, b }));
    const gain = (x, y) => {
        if (x?.f1 === undefined || y?.f1 === undefined) return "–";
        const points = 100 * (y.f1 - x.f1);
        return `${points > 0 ? "+" : points < 0 ? "−" : "±"}${Math.abs(points).toFixed(1)}`;
    };
    $("compared-said").textContent = found.same_texts === false ? "They were measured on different texts, so that figures differ for that reason too." : "";
    $("compared").replaceChildren(table("F1 of two runs", ["label", `F1 of ${a}`, `F1 of ${b}`, "change"],
        [...found.types, { label: "all", a: found.a, b: found.b }].map(({ label, a: x, b: y }) =>
            make("tr", {}, head(label), cells(percent(x?.f1), percent(y?.f1), gain(x, y))))));
}

async function tryText() {
    const text = $("try-text").value;
    if (!text.trim()) return;
    const found = await call("POST", "/predict", { model: "project", inputs: text, offsets: "utf16", threshold: threshold() });
    $("tried").replaceChildren(shown(text, found));
    tell(found.length ? found.map(({ start, end, label }) => `${text.slice(start, end)}: ${label}`).join(", ") : "nothing was found");
}

async function showRun(name) {
    const run = await call("GET", `/project/runs/${name}`);
    showScores(run);
    showConfusion(run.confusion);
    $("report").href = `/project/runs/${name}/report.html`;
    $("report").hidden = !run.has_report;
    mistakes = (await call("GET", `/project/runs/${name}/mistakes`)).mistakes;
    showMistakes();
    $("threshold-box").hidden = !run.held_out?.length;
    if (run.held_out?.length) await showThresholds();
}

export async function enter() {
    $("use-thresholds").checked = chosenThresholds() !== null;
    runs = (await call("GET", "/project/runs")).runs.filter(({ state }) => state === "done").reverse();
    const pairs = runs.map(({ run, f1 }) => [run, `${run}${f1 === undefined ? "" : ` (F1 ${percent(f1)})`}`]);
    $("see-run-box").hidden = !runs.length;
    $("no-runs").hidden = runs.length > 0;
    for (const id of ["see-run", "run-a", "run-b"]) options($(id), pairs);
    if (runs.length > 1 && $("run-a").value === $("run-b").value) $("run-a").value = runs[1].run;
    $("compare-box").hidden = runs.length < 2;
    await showFindings();
    if (!runs.length) return;
    await showRun($("see-run").value);
    if (runs.length > 1) await compare();
}

export function start() {
    act("see-run", "change", () => showRun($("see-run").value));
    act("mistake-kind", "change", async () => showMistakes());
    act("wanted", "change", showThresholds);
    $("wanted").addEventListener("input", () => { $("wanted-text").textContent = `${$("wanted").value} %`; });
    act("run-a", "change", compare);
    act("run-b", "change", compare);
    act("try-form", "submit", tryText);
    act("check-again", "click", showFindings);
    $("report").addEventListener("click", (event) => {
        if (!keyed()) return;
        event.preventDefault(); // a window of its own has no key
        working($("report"), async () => {
            const { blob } = await file($("report").getAttribute("href"));
            save(blob, "report.html");
        });
    });
    $("use-thresholds").addEventListener("change", () => chosenThresholds($("use-thresholds").checked ? chosen : null));
    let seen = null;
    on("project", () => {
        const newest = store.project.model.run;
        if (!$("see").hidden && newest !== seen) enter().catch(failed);
        seen = newest;
    });
}
