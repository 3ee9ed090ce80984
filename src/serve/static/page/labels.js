/* The labels: buttons with their keys, and each one's form. */
import { call } from "./api.js";
import { $, ask, button, count, make, refill, say, working } from "./dom.js";
import { on, setLabels, store } from "./store.js";
import { paint } from "./text.js";

/* Digits, then letters that are no command of annotate.js. */
const usualKeys = [..."1234567890qwertyuiopadfghjklzvb"];

export class Labels {
    /* use(label) is called for a label that is pressed; active() is the one that marks what is dragged. */
    constructor({ use, active }) {
        Object.assign(this, { use, active, keys: new Map(), open: null });
        on("labels", () => this.show());
        $("new-label").addEventListener("submit", (event) => {
            event.preventDefault();
            working($("new-label"), () => this.#add($("new-label-name").value.trim()));
        });
    }

    ofKey(key) {
        return this.keys.get(key);
    }

    async #add(name) {
        if (!name) return;
        setLabels((await call("POST", "/project/labels", { name, create: true })).labels);
        $("new-label-name").value = "";
        say(`Label “${name}” was added.`);
    }

    #giveKeys(labels) {
        this.keys.clear();
        for (const { name, shortcut } of labels) if (shortcut) this.keys.set(shortcut, name);
        const free = usualKeys.filter((key) => !this.keys.has(key));
        for (const { name, shortcut } of labels) if (!shortcut && free.length) this.keys.set(free.shift(), name);
    }

    /* Anew; a form that is open stays as it is, with what was typed there. */
    show(anew = false) {
        const { labels } = store.project;
        if (!anew && this.open !== null && $("labels").querySelector(".form")) return this.#mark();
        this.#giveKeys(labels);
        const keyOf = new Map([...this.keys].map(([key, name]) => [name, key]));
        refill($("labels"), labels.map((label) => this.#row(label, keyOf.get(label.name))));
        $("no-labels").hidden = labels.length > 0;
        this.#mark();
    }

    #mark() {
        for (const node of $("labels").querySelectorAll(".use")) node.setAttribute("aria-pressed", String(node.dataset.label === this.active()));
    }

    #row(label, key) {
        const use = make("button", { type: "button", class: "use", "data-label": label.name, "data-keep": `use ${label.name}`, title: label.description,
            "aria-keyshortcuts": key, onclick: () => this.use(label.name),
            onmousedown: (event) => event.preventDefault() /* the text keeps its selection */ },
        key ? make("kbd", { "aria-hidden": "true" }, key) : null, make("bdi", { class: "name" }, label.name),
        make("span", { class: "count" }, label.entities.toLocaleString("en")));
        paint(use, label.name);
        const row = make("li", {}, make("div", { class: "row" }, use, make("button", { type: "button", class: "plain", "data-keep": `edit ${label.name}`,
            "aria-expanded": String(this.open === label.name), "aria-label": `Edit the label ${label.name}`,
            onclick: () => this.#toggle(label.name) }, "⋯")),
        label.description ? make("p", { class: "about", dir: "auto" }, label.description) : null);
        if (this.open === label.name) row.append(this.#form(label));
        return row;
    }

    #toggle(name) {
        this.open = this.open === name ? null : name;
        this.show(true);
        const row = [...$("labels").querySelectorAll(".use")].find((node) => node.dataset.label === name).closest("li");
        (row.querySelector("textarea") ?? row.querySelector(".plain")).focus();
    }

    #form(label) {
        const field = (text, control) => make("label", {}, text, control);
        const description = make("textarea", { rows: "2", dir: "auto" });
        description.value = label.description;
        const shortcut = make("input", { maxlength: "1", size: "2", placeholder: "auto" });
        shortcut.value = label.shortcut ?? "";
        const color = make("input", { type: "color", "aria-label": "The colour", disabled: !label.color });
        color.value = label.color ?? "#aaccee";
        const own = make("input", { type: "checkbox", checked: Boolean(label.color), onchange: () => { color.disabled = !own.checked; } });
        const name = make("input", { dir: "auto" });
        name.value = label.name;
        return make("div", { class: "form" },
            field("Description (what the model reads of it)", description),
            field("Key", shortcut),
            make("div", { class: "row" }, make("label", { class: "inline" }, own, "A colour of its own"), color),
            button("Save", () => this.#edit({ name: label.name, description: description.value.trim(), shortcut: shortcut.value || null,
                color: own.checked ? color.value : null }), { class: "main" }),
            field("Name (another label’s: they become one)", name),
            make("div", { class: "row" }, button("Rename or merge", () => this.#rename(label.name, name.value.trim())),
                button("Move up", () => this.#move(label.name, -1)), button("Move down", () => this.#move(label.name, 1)),
                button("Delete", () => this.#delete(label.name), { class: "danger" })));
    }

    #done(labels, text) {
        setLabels(labels);
        this.show(true);
        say(text);
    }

    async #edit(label) {
        const { labels } = await call("POST", "/project/labels", label);
        this.open = null;
        this.#done(labels, `Label “${label.name}” was saved.`);
    }

    async #rename(from, to) {
        if (!to || to === from) return;
        const seen = await call("POST", "/project/labels/rename", { from, to, merge: true, preview: true });
        const places = `${count(seen.entities, "entity", "entities")} in ${count(seen.texts, "text")}`;
        const lost = seen.lost ? ` ${count(seen.lost, "place")} had both labels, and keep one.` : "";
        const answer = await ask(seen.merges ? `Merge “${from}” into “${to}”?` : `Rename “${from}” to “${to}”?`,
            [make("p", {}, `${places} will be labelled “${to}”.${lost}`)],
            [["yes", seen.merges ? "Merge" : "Rename"], ["", "Leave it"]]);
        if (answer !== "yes") return;
        const { labels } = await call("POST", "/project/labels/rename", { from, to, merge: seen.merges });
        this.open = null;
        this.#done(labels, seen.merges ? `“${from}” is now part of “${to}”.` : `“${from}” is now “${to}”.`);
    }

    async #move(name, by) {
        const names = store.project.labels.map((label) => label.name), at = names.indexOf(name);
        if (at + by < 0 || at + by >= names.length) return;
        names.splice(at + by, 0, ...names.splice(at, 1));
        this.#done((await call("POST", "/project/labels/order", { names })).labels, `“${name}” was moved.`);
    }

    async #delete(name) {
        const seen = await call("POST", "/project/labels/delete", { name, preview: true });
        const answer = await ask(`Delete “${name}”?`, [make("p", {}, seen.entities
            ? `${count(seen.entities, "entity", "entities")} in ${count(seen.texts, "text")} go with it.` : "No entity has it.")],
        [["yes", "Delete"], ["", "Leave it"]]);
        if (answer !== "yes") return;
        this.open = null;
        this.#done((await call("POST", "/project/labels/delete", { name })).labels, `“${name}” was deleted.`);
    }
}
