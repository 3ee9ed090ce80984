/* The list of texts beside the one that is annotated: filter, search, a page of fifty. */
import { call, query } from "./api.js";
import { $, count, failed, make, options, refill } from "./dom.js";
import { on, store } from "./store.js";

const PAGE = 50;
const marks = { open: "○", accepted: "✓", rejected: "✕", skipped: "»" };

export class List {
    /* open(id) is called with the text that is wanted. */
    constructor(open) {
        Object.assign(this, { open, offset: 0, total: 0, items: [], current: null, request: 0 });
        for (const id of ["filter", "of-label"]) $(id).addEventListener("change", () => this.load(0));
        let typing = 0;
        $("search").addEventListener("input", () => {
            clearTimeout(typing);
            typing = setTimeout(() => this.load(0), 200);
        });
        $("list-back").addEventListener("click", () => this.load(this.offset - PAGE));
        $("list-on").addEventListener("click", () => this.load(this.offset + PAGE));
        on("labels", () => options($("of-label"), [["", "any label"], ...store.project.labels.map(({ name }) => [name, name])]));
        on("texts", () => this.load());
    }

    /* Whether other texts than the open ones are asked for. */
    get filtered() {
        return $("filter").value !== "" || $("of-label").value !== "" || $("search").value !== "";
    }

    async load(offset = this.offset) {
        const [kind, value] = $("filter").value.split("=");
        const request = ++this.request;
        const asked = { offset: Math.max(0, offset), limit: PAGE, text: "short", label: $("of-label").value,
            search: $("search").value, ...(kind ? { [kind]: value } : {}) };
        try {
            const found = await call("GET", query("/project/texts", asked));
            if (request !== this.request) return; // a later one was asked for
            if (!found.texts.length && found.total && asked.offset) return void this.load(Math.floor((found.total - 1) / PAGE) * PAGE);
            Object.assign(this, { offset: asked.offset, total: found.total, items: found.texts });
            this.#show();
            this.#point();
        } catch (error) {
            failed(error);
        }
    }

    #show() {
        refill($("list"), this.items.map((text) => make("li", {},
            make("button", { type: "button", "data-id": text.id, "data-keep": text.id, onclick: () => this.open(text.id) },
            make("span", { class: `state ${text.status}`, "aria-hidden": "true" }, marks[text.status]),
            make("span", { class: "hidden" }, `${text.status}: `),
            make("bdi", {}, text.text.slice(0, 160) || "(empty)"),
            text.notes ? make("span", { class: "state", title: text.notes }, "✎") : null))));
        const last = this.offset + this.items.length;
        $("list-place").textContent = this.total ? `${(this.offset + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ${count(this.total, "text")}` : this.filtered ? "no such texts" : "no texts yet";
        $("list-back").disabled = this.offset === 0;
        $("list-on").disabled = last >= this.total;
    }

    /* Shows which text is worked on, and the page that it is likely to be on: texts are numbered in order. */
    mark(id) {
        const strange = id !== this.current && !this.filtered && !this.items.some((text) => text.id === id);
        this.current = id;
        if (strange) this.load(Math.floor((Number(id) - 1) / PAGE) * PAGE);
        this.#point();
    }

    #point() {
        for (const node of $("list").querySelectorAll("button")) {
            if (node.dataset.id === this.current) node.setAttribute("aria-current", "true");
            else node.removeAttribute("aria-current");
        }
        const now = $("list").querySelector("[aria-current]"), list = $("list").getBoundingClientRect();
        if (!now || list.height === 0) return;
        const box = now.getBoundingClientRect();
        if (box.top < list.top || box.bottom > list.bottom) $("list").scrollTop += box.top - list.top - list.height / 3;
    }

    /* The text behind or before one in the list as it is filtered; null at the end. */
    async neighbour(id, direction) {
        const at = this.items.findIndex((text) => text.id === id) + direction;
        if (at >= 0 && at < this.items.length) return this.items[at].id;
        const offset = this.offset + direction * PAGE;
        if (offset < 0 || offset >= this.total) return null;
        await this.load(offset);
        return this.items.at(direction > 0 ? 0 : -1)?.id ?? null;
    }
}
