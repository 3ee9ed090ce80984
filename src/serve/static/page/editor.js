/* A text and its marks {start, end, label, score?}; one with a score is a suggestion, until it is confirmed. A mark
 * or a range of the text is selected, by pointer or keys; the browser's own selection shows it. */
import { make, tell } from "./dom.js";
import { draw, isSuggestion, offsetOf, occurrences, overlap, paint, placeOf, same, snap, step } from "./text.js";

export class Editor {
    /* changed(marks) is called with the marks as they shall be; selected() when another thing is selected. */
    constructor(place, { changed, selected }) {
        Object.assign(this, { place, changed, selected, byWords: true, nested: false, active: null });
        Object.assign(this, { text: "", marks: [], range: null, picked: null, anchor: null, head: null });
        document.addEventListener("selectionchange", () => this.#followSelection());
        let begun = false; // a drag may end beside the text
        place.addEventListener("pointerdown", (event) => { begun = event.button === 0; });
        document.addEventListener("pointerup", (event) => {
            if (begun) this.#released(event);
            begun = false;
        });
        place.addEventListener("keydown", (event) => this.#key(event));
    }

    load(text, marks) {
        Object.assign(this, { text, marks, range: null, picked: null, anchor: null, head: null });
        let start = 0;
        this.lines = (text.match(/[^\n]*\n|[^\n]+$/g) ?? [""]).map((line) => ({ start, end: start += line.length, marks: null,
            node: make("div", { class: "line" }) }));
        this.place.replaceChildren(...this.lines.map(({ node }) => node));
        this.#draw();
        this.place.scrollTop = 0;
    }

    /* The same text with other marks. */
    show(marks) {
        const picked = this.picked;
        this.marks = marks;
        this.picked = picked && marks.find((mark) => same(mark, picked)) || null;
        this.#draw();
    }

    /* Only lines whose marks are others than before, so that long texts stay quick. */
    #draw() {
        const { lines } = this, of = lines.map(() => []);
        for (const mark of this.marks) {
            let low = 0, high = lines.length - 1;
            while (low < high) {
                const middle = (low + high) >> 1;
                if (lines[middle].end <= mark.start) low = middle + 1;
                else high = middle;
            }
            for (let i = low; i < lines.length && lines[i].start < mark.end; i++) of[i].push(mark);
        }
        lines.forEach((line, i) => {
            if (line.marks?.length === of[i].length && line.marks.every((mark, k) => mark === of[i][k])) return;
            line.marks = of[i];
            draw(line.node, this.text, of[i], (mark) => this.#element(mark), line.start, line.end);
        });
        this.#pick(this.picked);
    }

    #element(mark) {
        const suggested = isSuggestion(mark);
        const sure = suggested ? ` suggested sure${Math.min(4, Math.floor(mark.score * 5))}` : "";
        const made = make("mark", {
            class: `entity${sure}`, "data-label": mark.label,
            title: suggested ? `${mark.label}, suggested, ${mark.score.toFixed(2)}` : mark.label,
        });
        made.mark = mark;
        return paint(made, mark.label);
    }

    /* ------------------------------------------------------------ selection */

    /* Of the browser's selection, if it begins in the text; as far as it is in the text. */
    #offsets() {
        const chosen = getSelection(), { place } = this;
        if (!chosen.rangeCount || !place.contains(chosen.anchorNode)) return null;
        const { startContainer, startOffset, endContainer, endOffset } = chosen.getRangeAt(0);
        return [place.contains(startContainer) ? offsetOf(place, startContainer, startOffset) : 0,
            place.contains(endContainer) ? offsetOf(place, endContainer, endOffset) : this.text.length];
    }

    #followSelection() {
        const offsets = this.#offsets();
        if (!offsets || offsets[0] === offsets[1]) return;
        const range = snap(this.text, ...offsets, this.byWords);
        if (range && this.range && range.start === this.range.start && range.end === this.range.end) return;
        if (this.picked && range && range.start === this.picked.start && range.end === this.picked.end) return;
        this.range = range;
        this.#pick(null);
    }

    #released(event) {
        const offsets = this.#offsets();
        const mark = event.target.closest?.("#text mark")?.mark;
        if (offsets && offsets[0] !== offsets[1]) {
            const range = snap(this.text, ...offsets, this.byWords);
            if (!range) return;
            this.anchor = this.head = range;
            if (this.active) this.add(range, this.active);
            else if (event.pointerType !== "touch") this.select(range, null);
        } else {
            this.range = null;
            this.#pick(mark === this.picked ? null : mark ?? null);
            if (mark) this.#say();
        }
    }

    /* Selects a range, and the mark that is there. */
    select(range, mark) {
        this.range = range;
        this.#pick(mark);
        if (range) {
            const [from, to] = [placeOf(this.place, range.start), placeOf(this.place, range.end)];
            getSelection().setBaseAndExtent(...from, ...to);
            this.#scrollTo(from[0]);
        } else getSelection().removeAllRanges();
        this.#say();
    }

    #scrollTo(node) {
        const box = node.parentElement.getBoundingClientRect(), view = this.place.getBoundingClientRect();
        if (node.parentElement !== this.place && (box.top < view.top || box.bottom > view.bottom))
            node.parentElement.scrollIntoView({ block: "nearest" });
    }

    #pick(mark) {
        this.picked = mark;
        for (const node of this.place.querySelectorAll("mark")) node.classList.toggle("picked", node.mark === mark);
        this.selected();
    }

    #say() {
        const place = this.picked ?? this.range;
        if (!place) return;
        const words = this.text.slice(place.start, place.end);
        const what = this.picked ? `, ${this.picked.label}${isSuggestion(this.picked) ? ", suggested" : ""}` : "";
        tell(words + what);
    }

    clear() {
        this.anchor = this.head = null;
        this.select(null, null);
    }

    /* ------------------------------------------------------------ keys */

    /* From word to word; a mark is one step. With shift the range reaches from where it began to the next word. */
    #go(direction, extend) {
        const from = extend && this.head ? this.head : this.picked ?? this.range ?? this.head ?? { start: 0, end: 0 };
        const found = step(this.text, direction > 0 ? from.end : from.start, direction, this.byWords);
        if (!found) return;
        if (extend && this.anchor) {
            const { anchor } = this;
            this.head = found;
            this.select({ start: Math.min(anchor.start, found.start), end: Math.max(anchor.end, found.end) }, null);
            return;
        }
        const size = ({ start, end }) => end - start;
        const mark = this.marks.filter((m) => overlap(m, found)).sort((a, b) => size(a) - size(b))[0] ?? null;
        const { start, end } = mark ?? found;
        this.anchor = this.head = { start, end };
        this.select({ start, end }, mark);
    }

    #key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const forward = getComputedStyle(this.place).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
        if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.#go(event.key === forward ? 1 : -1, event.shiftKey);
        else if (event.key === "Home") {
            this.clear();
            this.#go(1, false);
        } else return;
        event.preventDefault();
    }

    /* ------------------------------------------------------------ marks */

    add(range, label) {
        const made = { start: range.start, end: range.end, label };
        const stay = this.marks.filter((mark) => !same(mark, made) && (this.nested || !overlap(mark, made)));
        const replaced = this.marks.length - stay.length;
        this.range = null;
        this.picked = made;
        this.anchor = this.head = range;
        getSelection().removeAllRanges();
        this.changed([...stay, made]);
        tell(`${this.text.slice(made.start, made.end)}: ${label}${replaced ? `, instead of ${replaced}` : ""}`);
    }

    /* The label for what is selected; false if nothing is. */
    label(label) {
        if (this.picked) this.#replace(this.picked, label);
        else if (this.range) this.add(this.range, label);
        else return false;
        return true;
    }

    #replace(mark, label) {
        const made = { start: mark.start, end: mark.end, label };
        this.picked = made;
        this.changed([...this.marks.filter((m) => m !== mark && !same(m, made)), made]);
        tell(`${this.text.slice(made.start, made.end)}: ${label}`);
    }

    confirm() {
        if (this.picked && isSuggestion(this.picked)) this.#replace(this.picked, this.picked.label);
    }

    remove() {
        if (!this.picked) return false;
        const mark = this.picked;
        this.picked = this.range = null;
        this.changed(this.marks.filter((m) => m !== mark));
        tell(`removed: ${this.text.slice(mark.start, mark.end)}`);
        return true;
    }

    /* Marks all other places of the picked mark's text; how many were added. */
    markAll() {
        const mark = this.picked;
        if (!mark) return 0;
        const own = snap(this.text, mark.start, mark.end, true);
        const whole = own.start === mark.start && own.end === mark.end;
        const free = (m) => !this.marks.some((o) => !isSuggestion(o) && (this.nested ? same(o, m) : overlap(o, m)));
        const found = occurrences(this.text, mark, whole).map((place) => ({ ...place, label: mark.label })).filter(free);
        const stay = this.marks.filter((m) => m === mark || !found.some((f) => this.nested ? same(f, m) : overlap(f, m)));
        if (found.length) this.changed([...stay, ...found]);
        return found.length;
    }
}
