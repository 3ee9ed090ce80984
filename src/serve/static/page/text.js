/* Places in texts, in UTF-16 units as the service's routes of a project have them: words, characters as readers
 * see them (grapheme clusters), occurrences; and a text drawn with its entities. */
import { make } from "./dom.js";

const words = new Intl.Segmenter(undefined, { granularity: "word" });
const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/* white space of Python's str.isspace, which the service refuses at the edges of an entity */
const blank = /[\s\x1c-\x1f\x85]/;

function trimmed(text, start, end) {
    while (start < end && blank.test(text[start])) start++;
    while (end > start && blank.test(text[end - 1])) end--;
    return start < end ? { start, end } : null;
}

/* The word or character at a place, as {start, end}; an apostrophe divides words: Anna|’|s. */
function unitAt(text, place, byWords) {
    const { index, segment } = (byWords ? words : characters).segment(text).containing(place);
    const end = index + segment.length;
    if (!byWords || !/['’]/.test(segment)) return { start: index, end };
    if (/['’]/.test(text[place])) return { start: place, end: place + 1 };
    return { start: index + segment.slice(0, place - index).search(/[^'’]*$/),
        end: place + text.slice(place, end).search(/['’]|$/) };
}

/* The range widened to whole words, or to whole characters; null if it holds nothing but white space. */
export function snap(text, start, end, byWords) {
    const inside = trimmed(text, Math.max(start, 0), Math.min(end, text.length));
    if (!inside) return null;
    return trimmed(text, unitAt(text, inside.start, byWords).start, unitAt(text, inside.end - 1, byWords).end);
}

/* The next word or character (direction 1) or the one before (-1), seen from a place; null at the end. */
export function step(text, place, direction, byWords) {
    let at = direction > 0 ? place : place - 1;
    while (at >= 0 && at < text.length) {
        const { start, end } = unitAt(text, at, byWords), found = trimmed(text, start, end);
        if (found) return found;
        at = direction > 0 ? end : start - 1;
    }
    return null;
}

/* Where the text's part stands elsewhere in it, whole words only if it is made of such. */
export function occurrences(text, { start, end }, byWords) {
    const wanted = text.slice(start, end), found = [];
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
        const place = { start: at, end: at + wanted.length };
        const whole = snap(text, place.start, place.end, byWords);
        if (at !== start && whole.start === place.start && whole.end === place.end) found.push(place);
    }
    return found;
}

export const bare = ({ start, end, label }) => ({ start, end, label });
/* Of the model; it is no annotation until it is accepted. */
export const isSuggestion = (mark) => mark.score !== undefined;
export const overlap = (a, b) => a.start < b.end && b.start < a.end;
export const same = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;
export const inOrder = (a, b) => a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);

/* Draws a text's part from .. to with marks {start, end, label}: element(mark) makes a mark's element, which shows its
 * label by CSS (data-label), so that the text nodes inside `place` are the text and nothing else. Marks nest; where two
 * cross, or one goes on behind the part, it is drawn in pieces, whose last has the label (src/base/entity_look.c does
 * the same for files). */
export function draw(place, text, marks, element, from = 0, to = text.length) {
    const sorted = [...marks].sort(inOrder), open = []; // {mark, node}
    const root = document.createDocumentFragment();
    let at = from, next = 0;
    const top = () => open.length ? open[open.length - 1].node : root;
    const put = (end) => {
        if (end > at) top().append(text.slice(at, end));
        at = end;
    };
    const begin = (mark) => {
        const node = element(mark);
        if (mark.end > to) node.removeAttribute("data-label");
        top().append(node);
        open.push({ mark, node });
    };
    while (open.length || next < sorted.length) {
        const start = next < sorted.length ? Math.max(from, sorted[next].start) : Infinity;
        const end = Math.min(to, ...open.map(({ mark }) => mark.end));
        if (start < end || !open.length) {
            put(start);
            begin(sorted[next++]);
            continue;
        }
        put(end);
        const closed = open.splice(end === to ? 0 : open.findIndex(({ mark }) => mark.end <= end));
        for (const { mark, node } of closed) {
            if (mark.end <= end || end === to) continue;
            node.removeAttribute("data-label"); // the piece behind shows it
            begin(mark);
        }
    }
    put(to);
    place.replaceChildren(root);
}

/* Offset in the text of a place in the DOM below `root`. */
export function offsetOf(root, node, offset) {
    const range = document.createRange();
    range.selectNodeContents(root);
    range.setEnd(node, offset);
    return range.toString().length;
}

/* The DOM's place of an offset. */
export function placeOf(root, offset) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let node, last = null;
    while ((node = walker.nextNode())) {
        if (offset <= node.length) return [node, offset];
        offset -= node.length;
        last = node;
    }
    return last ? [last, last.length] : [root, 0];
}

/* ---------------------------------------------------------------- labels' colours */

let looks = new Map();

export function setLooks(labels) {
    looks = new Map(labels.map(({ name, hue, color }) => [name, { hue, color }]));
}

/* Black or white on a colour that a user chose (relative luminance of WCAG 2.1). */
function inkOn(color) {
    const [r, g, b] = [1, 3, 5].map((i) => {
        const v = parseInt(color.slice(i, i + 2), 16) / 255;
        return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

/* Gives an element the colour of a label; one that the project does not have is grey. */
export function paint(element, label) {
    const look = looks.get(label);
    if (look?.color) {
        for (const [name, value] of [["--box", look.color], ["--ink", inkOn(look.color)], ["--name", inkOn(look.color)]])
            element.style.setProperty(name, value);
    } else if (look) element.classList.add(`hue${look.hue}`);
    return element;
}

export function entityMark({ label, score }) {
    const shown = score === undefined || score === null ? label : `${label} ${score.toFixed(2)}`;
    return paint(make("mark", { class: "entity", "data-label": shown }), label);
}

/* A text to read, in an element of its own. */
export function shown(text, entities) {
    const place = make("div", { class: "entities", dir: "auto" });
    draw(place, text, entities, entityMark);
    return place;
}
