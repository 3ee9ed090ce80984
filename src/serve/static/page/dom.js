/* Elements, messages and dialogs. Texts of users become text nodes and attributes, never markup. */

export const $ = (id) => document.getElementById(id);

const svgNames = new Set(["svg", "path", "circle", "g", "text", "title"]);

/* make("button", { class: "x", onclick: f, "aria-pressed": false }, "text", child...); null children are left out. */
export function make(name, attributes = {}, ...children) {
    const made = svgNames.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name)
        : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
        else if (value === true) made.setAttribute(key, key.startsWith("aria-") ? "true" : "");
        else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
        else if (key.startsWith("aria-") && value === false) made.setAttribute(key, "false");
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
}
/* A button that is off while its work goes on; what fails is said. */
export function button(text, work, attributes = {}) {
    const made = make("button", { type: "button", ...attributes, onclick: () => working(made, work) }, text);
    return made;
}

/* The same of an element that is there: "click", "change", "submit". */
export function act(id, what, work) {
    $(id).addEventListener(what, (event) => {
        event.preventDefault();
        working($(id), work);
    });
}

export const failed = (error) => say(error.message, true);

export async function working(control, work) {
    control.setAttribute("aria-busy", "true");
    try {
        await work();
    } catch (error) {
        failed(error);
    } finally {
        control.removeAttribute("aria-busy");
    }
}

let fading = 0;

/* A message for eyes and screen readers; those that are wrong stay until the next. */
export function say(text, wrong = false) {
    const place = $("message");
    place.textContent = text;
    place.className = wrong ? "wrong shown" : "shown";
    clearTimeout(fading);
    if (!wrong) fading = setTimeout(() => place.classList.remove("shown"), 4000);
}

/* For screen readers alone. */
export function tell(text) {
    $("told").textContent = text;
}

/* A question with answers [[value, text], ...]; null when it is closed. `content` are nodes. */
export function ask(title, content, answers) {
    return new Promise((resolve) => {
        const dialog = make("dialog", { "aria-labelledby": "asked" });
        const form = make("form", { method: "dialog" }, make("h2", { id: "asked" }, title), content,
            make("div", { class: "row end" }, answers.map(([value, text], i) =>
                make("button", { value, class: i === 0 ? "main" : "" }, text))));
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            dialog.close(event.submitter?.value ?? answers[0][0]);
        });
        dialog.append(form);
        dialog.addEventListener("close", () => {
            dialog.remove();
            resolve(dialog.returnValue || null);
        });
        document.body.append(dialog);
        dialog.showModal();
    });
}

/* Other children; the focus stays on the one with the same data-keep. */
export function refill(place, children) {
    const keep = place.contains(document.activeElement) ? document.activeElement.dataset.keep : undefined;
    place.replaceChildren(...children);
    if (keep !== undefined) [...place.querySelectorAll("[data-keep]")].find((node) => node.dataset.keep === keep)?.focus({ preventScroll: true });
}

export function options(select, pairs) {
    const chosen = select.value;
    select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
    if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

export const percent = (share) => share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)}`;

export function count(n, one, many = `${one}s`) {
    return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export function save(blob, name) {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/* Settings of this browser. */
export function setting(name, value) {
    if (value !== undefined) localStorage.setItem(`nerfit-${name}`, JSON.stringify(value));
    try {
        return JSON.parse(localStorage.getItem(`nerfit-${name}`));
    } catch {
        return null;
    }
}
