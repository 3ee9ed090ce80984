/* The project as the service has it, and word of what changed: by this page, by another window, by a training. */
import { call } from "./api.js";
import { percent, say, setting } from "./dom.js";
import { setLooks } from "./text.js";

export const store = { project: null, training: null };
const listeners = { project: [], labels: [], training: [], texts: [] };

/* "project", "labels", "training"; "texts" with the changes {id, revision}, or null if there are too many. */
export function on(what, listener) {
    listeners[what].push(listener);
}

function emit(what, ...rest) {
    for (const listener of listeners[what]) listener(...rest);
}

export function setLabels(labels) {
    store.project.labels = labels;
    setLooks(labels);
    emit("labels");
}

export async function refresh() {
    store.project = await call("GET", "/project");
    setTraining(store.project.training);
    setLooks(store.project.labels);
    emit("labels");
    emit("project");
}

/* The thresholds by label that the user has chosen for this project, or null; with a value they are set. */
export function chosenThresholds(value) {
    return setting(`thresholds-${store.project.folder}`, value);
}

/* They, as the service takes them. */
export function threshold() {
    const chosen = chosenThresholds(), known = new Set(store.project.labels.map(({ name }) => name));
    return chosen ? Object.fromEntries(Object.entries(chosen).filter(([label]) => known.has(label))) : undefined;
}

export const busy = () => ["starting", "running", "measuring", "stopping"].includes(store.training?.state);

/* With word of what has ended: a training's model is there while it is measured. */
export function setTraining(training) {
    const before = busy() ? store.training.state : null, now = training.state;
    store.training = training;
    emit("training");
    if (!before || before === now || now === "stopping") return;
    if (now === "failed") say(training.error ?? "The training failed.", true);
    else if (now === "measuring") say("The model has been trained; now it is measured.");
    else if (now === "done") say(`Training is done${training.score === null ? "" : `: F1 ${percent(training.score)}`}.`);
    if (now === "measuring" || !busy()) refresh().catch(() => {});
}

let revision = 0;

async function look() {
    const changes = await call("GET", `/project/changes?since=${revision}`);
    if (changes.revision !== revision) {
        revision = changes.revision;
        await refresh();
        emit("texts", changes.texts);
    } else if (store.project.model.state === "loading" || store.project.suggest?.state === "running") await refresh();
    if (busy()) setTraining(await call("GET", "/project/training"));
}

/* Looks for changes every second while a training runs, else every two and a half. */
export function watch() {
    revision = store.project.revision;
    let silent = false;
    const again = async () => {
        try {
            if (!document.hidden) await look();
            if (silent) say("The service answers again.");
            silent = false;
        } catch (error) {
            if (!silent && error.status === 0) say("The service does not answer.", true);
            silent = silent || error.status === 0;
        }
        setTimeout(again, busy() ? 1000 : 2500);
    };
    setTimeout(again, 1000);
}
