/* Annotate: one text at a time. Every change is saved by itself; what could not be saved is kept and tried again. */
import { call, pathOf, query } from "./api.js";
import { $, ask, count, failed, make, say, setting, tell } from "./dom.js";
import { Editor } from "./editor.js";
import { Labels } from "./labels.js";
import { List } from "./list.js";
import { on, store, threshold } from "./store.js";
import { bare, inOrder, isSuggestion, overlap, same, shown } from "./text.js";

let doc = null; // {id, text, status, revision, notes, marks, version, saved}: of the service, but for marks and versions
let editor, list, labels;
const history = { done: [], undone: [] }; // {id, before, after}, states of a document
const unsaved = new Set();

/* ---------------------------------------------------------------- saving */

const entitiesOf = (d) => d.marks.filter((mark) => !isSuggestion(mark)).map(bare).sort(inOrder);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function showSaving(text) {
    $("saving").textContent = text;
}

async function settle(d, current) {
    const mine = entitiesOf(d), theirs = current.entities.map(bare).sort(inOrder);
    const equal = d.status === current.status && d.notes === current.notes && JSON.stringify(mine) === JSON.stringify(theirs);
    const side = (name, status, entities, notes) => make("section", {}, make("h3", {}, `${name}: ${status}`),
        shown(d.text.slice(0, 2000), entities.filter(({ end }) => end <= 2000)), notes ? make("p", { dir: "auto" }, notes) : null);
    // closed without an answer: yours, since the project's log keeps the other
    const answer = equal ? "theirs" : await ask("This text was changed in another window",
        [side("Yours", d.status, mine, d.notes), side("The other", current.status, theirs, current.notes)],
        [["mine", "Keep yours"], ["theirs", "Take the other"]]);
    d.revision = current.revision;
    if (answer !== "theirs") return;
    Object.assign(d, { status: current.status, notes: current.notes, marks: current.entities.map(bare), saved: d.version });
    if (d === doc) show();
}

async function flushing(d) {
    while (d.version !== d.saved) {
        const { version, revision, status, notes } = d;
        try {
            const reply = await call("PUT", pathOf(d.id), { revision, status, notes, entities: entitiesOf(d) });
            d.revision = reply.revision;
            d.saved = version;
        } catch (error) {
            if (error.status === 409 && error.body.current) await settle(d, error.body.current);
            else if (error.status === 0 || error.status === 429 || error.status >= 500) {
                showSaving(`Not saved (${error.message}), trying again …`);
                await wait(1500);
            } else {
                showSaving(`Not saved: ${error.message}`);
                throw error;
            }
        }
    }
    unsaved.delete(d);
    showSaving("Saved");
}

function flush(d) {
    d.flushing ??= flushing(d).finally(() => { d.flushing = null; });
    return d.flushing;
}

function touch(d, now) {
    d.version++;
    unsaved.add(d);
    showSaving("Saving …");
    clearTimeout(d.timer);
    if (now) return flush(d);
    d.timer = setTimeout(() => flush(d).catch(failed), 400);
}

/* ---------------------------------------------------------------- what is shown */

const stateOf = (d) => ({ status: d.status, marks: d.marks });

function show() {
    editor.nested = store.project.nested;
    editor.load(doc.text, doc.marks);
    showState();
    $("notes").value = doc.notes;
    $("notes-box").open = doc.notes !== "";
    list.mark(doc.id);
}

function showState() {
    $("doc-state").textContent = doc.status;
    $("doc-state").className = `badge ${doc.status}`;
    $("doc-where").textContent = doc.file ? `${doc.file}${doc.line ? `:${doc.line}` : ""}` : `text ${doc.id}`;
    for (const [id, status] of [["accept", "accepted"], ["reject", "rejected"], ["skip", "skipped"]])
        $(id).setAttribute("aria-pressed", String(doc.status === status));
    $("undo").disabled = !history.done.length;
    $("redo").disabled = !history.undone.length;
}

function showSelection() {
    const { picked, range } = editor;
    const place = picked ?? range;
    $("chosen").hidden = !place;
    if (!place) return;
    const words = editor.text.slice(place.start, place.end);
    $("chosen-text").textContent = words.length > 60 ? `${words.slice(0, 60)}…` : words;
    $("chosen-what").textContent = picked ? `${picked.label}${isSuggestion(picked) ? ` (suggested, ${picked.score.toFixed(2)})` : ""}`
        : "choose a label";
    for (const id of ["remove", "mark-all"]) $(id).hidden = !picked;
    $("confirm").hidden = !picked || !isSuggestion(picked);
}

function changeTo(marks, status = doc.status) {
    const before = stateOf(doc);
    Object.assign(doc, { marks: [...marks].sort(inOrder), status });
    history.done.push({ id: doc.id, before, after: stateOf(doc) });
    history.undone.length = 0;
    editor.show(doc.marks);
    showState();
    return touch(doc, status !== before.status);
}

/* ---------------------------------------------------------------- going from text to text */

async function suggestionsFor(d) {
    const wanted = setting("suggestions") !== false && store.project.model.state === "ready";
    const disagreeing = $("filter").value === "filter=disagreement", { version } = d;
    if (!wanted || (d.status !== "open" && d.status !== "skipped" && !disagreeing)) return;
    try {
        const { texts } = await call("POST", "/project/predict", { ids: [d.id], threshold: threshold() });
        const found = (texts[0]?.entities ?? []).filter((e) => !d.marks.some((mark) =>
            store.project.nested ? same(mark, e) : overlap(mark, e)));
        if (d !== doc || d.version !== version || !found.length) return; // the user was faster
        d.marks = [...d.marks, ...found.map(({ start, end, label, score }) => ({ start, end, label, score }))].sort(inOrder);
        editor.show(d.marks);
        tell(`${count(found.length, "suggestion")}`);
    } catch (error) {
        if (error.status !== 424) failed(error);
    }
}

/* For another model, or other texts that have some: what was suggested before goes. */
function renewSuggestions() {
    if (!doc || unsaved.has(doc)) return;
    doc.marks = doc.marks.filter((mark) => !isSuggestion(mark));
    editor.show(doc.marks);
    suggestionsFor(doc);
}

function begin(text) {
    if (!text.id) {
        doc = null;
        $("work").hidden = true;
        $("no-work").hidden = false;
        const none = store.project.counts.texts === 0;
        $("no-work-why").textContent = none ? "How to begin" : "No open text is left.";
        $("first-steps").hidden = !none;
        $("all-done").hidden = none;
        return;
    }
    const inside = $("work").contains(document.activeElement) || document.activeElement === document.body;
    doc = { ...text, marks: text.entities.map(bare), version: 0, saved: 0 };
    $("work").hidden = false;
    $("no-work").hidden = true;
    show();
    if (location.hash.startsWith("#annotate") || location.hash === "") window.history.replaceState(null, "", `#annotate/${encodeURIComponent(doc.id)}`);
    if (inside) $("text").focus({ preventScroll: true });
    tell(`${doc.status}: ${doc.text.slice(0, 1000)}`);
    suggestionsFor(doc);
}

let trips = 0;

/* Begins with the text that `load` brings, unless another was asked for meanwhile. */
async function goTo(load) {
    const trip = ++trips, text = await load();
    if (trip === trips) begin(text);
}

export async function open(id) {
    if (doc?.id === id) return;
    await goTo(async () => {
        for (const d of unsaved) if (d.id === id) await flush(d);
        return call("GET", pathOf(id));
    });
}

async function next() {
    if (list.filtered && doc) {
        const id = await list.neighbour(doc.id, 1);
        if (id !== null) return open(id);
        say("That was the last of this list.");
        return;
    }
    await goTo(() => call("GET", query("/project/next", { order: $("order").value, after: doc?.id })));
}

async function turn(direction) {
    if (!doc) return next();
    const id = list.filtered ? await list.neighbour(doc.id, direction)
        : (await call("GET", pathOf(doc.id)))[direction > 0 ? "next" : "previous"];
    if (id === null) say(direction > 0 ? "This is the last text." : "This is the first text.");
    else await open(id);
}

let deciding = false;

async function decide(status) {
    if (!doc || deciding) return;
    deciding = true;
    try {
        await decideNow(status);
    } finally {
        deciding = false;
    }
}

async function decideNow(status) {
    const marks = status === "accepted" ? doc.marks.map(bare) : doc.marks;
    const id = status === "accepted" || !list.filtered ? null : doc.id;
    const onward = list.filtered ? await list.neighbour(id ?? doc.id, 1) : undefined;
    if (status !== doc.status || marks.some((mark, i) => mark.score !== doc.marks[i].score)) await changeTo(marks, status);
    else await flush(doc);
    say({ accepted: "Accepted.", rejected: "Rejected.", skipped: "Skipped." }[status]);
    if (onward === undefined) await next();
    else if (onward !== null) await open(onward);
    else say("That was the last of this list.");
}

async function unwind(from, to, side) {
    const step = from.pop();
    if (!step) return;
    to.push(step);
    if (doc?.id !== step.id) await open(step.id);
    Object.assign(doc, step[side]);
    editor.show(doc.marks);
    showState();
    tell(side === "before" ? "undone" : "redone");
    await touch(doc, true);
}

/* ---------------------------------------------------------------- what the user does */

function useLabel(label) {
    if (editor.label(label)) return;
    editor.active = editor.active === label ? null : label;
    labels.show();
    tell(editor.active ? `${label}: drag over a text to mark it` : "no label is chosen");
}

function markAll() {
    const n = editor.markAll();
    say(n ? `${count(n, "more place")} marked.` : "There is no other place.");
}

const commands = {
    accept: () => decide("accepted"), reject: () => decide("rejected"), skip: () => decide("skipped"),
    undo: () => unwind(history.done, history.undone, "before"), redo: () => unwind(history.undone, history.done, "after"),
    remove: () => editor.remove(), confirm: () => editor.confirm(), "mark-all": markAll,
    back: () => turn(-1), on: () => turn(1), "find-next": () => next(),
    help: () => $("keys").showModal(),
    notes: () => {
        $("notes-box").open = true;
        $("notes").focus();
    },
};

function run(name) {
    Promise.resolve().then(commands[name]).catch(failed);
}

const keys = { Enter: "accept", x: "reject", s: "skip", m: "mark-all", n: "notes", Delete: "remove", Backspace: "remove",
    PageUp: "back", PageDown: "on", c: "confirm" };

function onKey(event) {
    const inField = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, summary, [contenteditable]");
    if ($("annotate").hidden || inField || event.defaultPrevented) return;
    const modified = event.ctrlKey || event.metaKey;
    if (modified && event.key.toLowerCase() === "z") run(event.shiftKey ? "redo" : "undo");
    else if (modified && event.key.toLowerCase() === "y") run("redo");
    else if (modified || event.altKey || setting("keys") === false) return;
    else if (event.key === "/") $("search").focus();
    else if (event.key === "?") run("help");
    else if (!doc || (event.key === "Enter" && event.target.closest("button, a"))) return;
    else if (event.key === "Escape") {
        editor.active = null;
        editor.clear();
        labels.show();
    } else if (labels.ofKey(event.key)) useLabel(labels.ofKey(event.key));
    else if (keys[event.key]) run(keys[event.key]);
    else return;
    event.preventDefault();
}

/* Another window's work: taken over where this one has none of its own on the text. */
async function changedElsewhere(changes) {
    if (!doc || unsaved.has(doc)) return;
    const change = changes === null ? { id: doc.id, revision: -1 } : changes.find(({ id }) => id === doc.id);
    if (!change || change.revision === doc.revision) return;
    const current = await call("GET", pathOf(doc.id));
    if (current.id !== doc.id || current.revision === doc.revision || unsaved.has(doc)) return;
    begin(current);
    say("Another window changed this text; its state is shown.");
}

function showProgress() {
    const { counts, model } = store.project;
    const decided = counts.texts - counts.open;
    $("progress").max = Math.max(1, counts.texts);
    $("progress").value = decided;
    $("progress-text").textContent = `${decided.toLocaleString("en")} of ${count(counts.texts, "text")} · ${count(counts.entities, "entity", "entities")}`;
    $("model-state").textContent = { none: "no model yet", loading: "the model is loaded …", failed: `no model: ${model.error}`,
        ready: model.kind === "trained" ? `suggestions by your model (run ${model.run})` : "suggestions by the labels' names" }[model.state];
}

export function start() {
    editor = new Editor($("text"), { changed: (marks) => changeTo(marks), selected: showSelection });
    list = new List((id) => open(id).catch(failed));
    labels = new Labels({ use: useLabel, active: () => editor.active });
    for (const name of Object.keys(commands)) $(name)?.addEventListener("click", () => run(name));
    document.addEventListener("keydown", onKey);
    for (const [id, name, usual] of [["snap", "snap", true], ["suggest-box", "suggestions", true], ["single-keys", "keys", true]]) {
        $(id).checked = setting(name) ?? usual;
        $(id).addEventListener("change", () => {
            setting(name, $(id).checked);
            editor.byWords = $("snap").checked;
            if (id === "suggest-box") renewSuggestions();
        });
    }
    editor.byWords = $("snap").checked;
    $("order").value = setting("order") ?? "file";
    $("order").addEventListener("change", () => setting("order", $("order").value));
    $("notes").addEventListener("input", () => {
        doc.notes = $("notes").value;
        touch(doc);
    });
    $("filter").addEventListener("change", renewSuggestions);
    let generation = 0;
    on("project", () => {
        showProgress();
        const newest = store.project.model.generation;
        if (newest !== generation) renewSuggestions();
        generation = newest;
    });
    let names = new Set();
    on("labels", () => {
        const now = new Set(store.project.labels.map(({ name }) => name));
        // what is undone may have no label that is gone
        if ([...names].some((name) => !now.has(name))) history.done.length = history.undone.length = 0;
        names = now;
        if (doc) showState();
    });
    on("texts", (changes) => changedElsewhere(changes).catch(() => {}));
    addEventListener("beforeunload", (event) => {
        if (unsaved.size) event.preventDefault();
    });
}

/* Called when the view is entered, with the text that the address names. */
export async function enter(id) {
    showProgress();
    if (!list.items.length) await list.load(0);
    if (id) await open(id);
    else if (!doc) await next();
    else list.mark(doc.id);
}
