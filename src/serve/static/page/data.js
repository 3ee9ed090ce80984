/* In and out: files of any format, pasted texts; downloads, and how to use the model. */
import { call, file, keyed, query } from "./api.js";
import { $, act, ask, count, make, options, save, say, working } from "./dom.js";
import { refresh, store } from "./store.js";

const MOST = 64e6; // bytes that the service takes

async function take(given) {
    if (given.size > MOST) throw new Error(`${given.name} has ${Math.ceil(given.size / 1e6)} MB; at most 64 come in by the page`);
    const path = (preview) => query("/project/import", { name: given.name, format: $("import-format").value, preview,
        annotations: $("import-annotations").value, overlap: $("import-overlap").value });
    const seen = await call("POST", path(true), given);
    const warnings = seen.warnings.length ? [make("ul", { class: "warnings" }, seen.warnings.slice(0, 20).map((text) => make("li", {}, text)))] : [];
    const answer = await ask(`Take ${given.name}?`, [make("p", {}, `${count(seen.texts, "text")}, ${seen.added.toLocaleString("en")} of them new; ${
        count(seen.entities, "entity", "entities")} in ${count(seen.annotated, "annotated text")}.${
        seen.labels.length ? ` New labels: ${seen.labels.join(", ")}.` : ""}`), ...warnings], [["yes", "Take it"], ["", "Leave it"]]);
    if (answer !== "yes") return;
    await came(await call("POST", path(null), given));
}

async function came({ added, repeated }) {
    await refresh();
    say(`${count(added, "text")} came in${repeated ? `, ${repeated} were there already` : ""}.`);
}

async function takeAll(files) {
    for (const given of files) await take(given);
}

async function paste() {
    const texts = $("paste").value.split($("paste-whole").checked ? /\0/ : /\r?\n/).filter((text) => text.trim());
    if (!texts.length) return;
    const done = await call("POST", "/project/texts", { texts });
    $("paste").value = "";
    await came(done);
}

async function showUse() {
    const trained = store.project.model.run !== null;
    $("use-box").hidden = !trained;
    $("no-model").hidden = trained;
    if (!trained) return;
    const use = await call("GET", "/project/use");
    for (const name of ["curl", "python", "command"]) $(`use-${name}`).textContent = use[name] ?? "";
}

let formats = null;
const choices = (list) => list.map(({ name, title }) => [name, title && title !== name ? `${name}: ${title}` : name]);

export async function enter() {
    formats ??= await call("GET", "/project/formats");
    options($("export-format"), choices(formats.written));
    options($("import-format"), [["", "find out"], ...choices(formats.read)]);
    if (!$("project-name").matches(":focus")) $("project-name").value = store.project.name;
    $("nested").checked = store.project.nested;
    $("folder").textContent = store.project.folder;
    $("key-said").hidden = !keyed();
    await showUse();
}

async function download(path) {
    const { blob, name } = await file(path);
    save(blob, name);
    say(`${name} was downloaded.`);
}

export function start() {
    act("export-form", "submit", () => download(query("/project/export", { format: $("export-format").value, status: $("export-status").value })));
    act("get-model", "click", () => download(`/project/runs/${store.project.model.run}/model.tar`));
    act("paste-form", "submit", paste);
    act("file", "change", async () => {
        const files = [...$("file").files];
        $("file").value = "";
        await takeAll(files);
    });
    for (const what of ["dragover", "dragleave", "drop"]) document.addEventListener(what, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        $("drop").classList.toggle("over", what === "dragover");
        if (what !== "drop") return;
        location.hash = "#data";
        working($("drop"), () => takeAll([...event.dataTransfer.files]));
    });
    const change = (what) => async () => {
        try {
            await call("PUT", "/project", what());
            say("Saved.");
        } finally {
            await refresh();
            $("nested").checked = store.project.nested;
        }
    };
    act("project-name", "change", change(() => ({ name: $("project-name").value.trim() })));
    act("nested", "change", change(() => ({ nested: $("nested").checked })));
    for (const node of document.querySelectorAll("[data-copy]")) node.addEventListener("click", () => working(node, async () => {
        await navigator.clipboard.writeText($(node.dataset.copy).textContent);
        say("Copied.");
    }));
}
