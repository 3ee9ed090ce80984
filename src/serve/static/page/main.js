/* The page of a project: which view is shown (the address's part behind #), the key, what is said of the project. */
import { onKeyWanted } from "./api.js";
import * as annotate from "./annotate.js";
import * as data from "./data.js";
import { $, failed, make } from "./dom.js";
import * as see from "./see.js";
import { on, refresh, store, watch } from "./store.js";
import * as train from "./train.js";

const views = { annotate, train, see, data };

async function go() {
    const [name, id] = location.hash.slice(1).split("/");
    const wanted = Object.hasOwn(views, name) ? name : "annotate";
    for (const view of Object.keys(views)) {
        $(view).hidden = view !== wanted;
        const link = document.querySelector(`nav a[href="#${view}"]`);
        if (view === wanted) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    scrollTo(0, 0);
    document.title = `${link(wanted)} – ${store.project.name} – nerfit`;
    try {
        await views[wanted].enter(id ? decodeURIComponent(id) : null); // malformed: said as any error
    } catch (error) {
        failed(error);
    }
}

const link = (view) => document.querySelector(`nav a[href="#${view}"]`).firstChild.textContent.trim();

let asked = null;

/* The service asks for its key; several calls that wait for it get one answer. */
function askForKey() {
    asked ??= new Promise((resolve) => {
        $("key-form").onsubmit = () => resolve($("key").value);
        $("key-dialog").oncancel = () => resolve(null);
        $("key-dialog").showModal();
    }).finally(() => { asked = null; });
    return asked;
}

function showProject() {
    const { project } = store;
    $("name").textContent = project.name;
    $("notices").replaceChildren(...project.notices.map((text) => make("li", {}, text)));
    $("notices").hidden = !project.notices.length;
}

async function start() {
    onKeyWanted(askForKey);
    on("project", showProject);
    for (const view of Object.values(views)) view.start();
    try {
        await refresh();
    } catch (error) {
        $("no-project").hidden = false;
        $("no-project-why").textContent = error.message;
        return;
    }
    document.body.classList.add("ready");
    addEventListener("hashchange", go);
    await go();
    watch();
}

start();
