/* Train: a round in the background, the scores of the rounds so far, and which labels lack examples. */
import { call } from "./api.js";
import { $, act, button, count, failed, make, percent, refill, say } from "./dom.js";
import { chart } from "./charts.js";
import { busy, on, refresh, setTraining, store } from "./store.js";

const names = { starting: "Starting …", running: "Training …", measuring: "The model is in use, and measured …", stopping: "Stopping …", failed: "The training failed.",
    cancelled: "Cancelled; it can go on.", done: "Done." };

function showTraining() {
    const { training } = store;
    const going = busy();
    $("train-quick").disabled = $("train-thorough").disabled = going;
    $("train-cancel").hidden = !going || training.state === "stopping";
    $("train-resume").hidden = training.state !== "cancelled";
    $("training").hidden = training.state === "idle";
    $("training-state").textContent = names[training.state] ?? "";
    $("training-said").textContent = training.error ?? training.message ?? "";
    $("training-bar").hidden = !going;
    if (training.total_steps) {
        $("training-bar").max = training.total_steps;
        $("training-bar").value = training.step;
    } else $("training-bar").removeAttribute("value");
    const loss = training.loss?.at(-1)?.[1], f1 = training.f1?.at(-1)?.[1];
    $("training-numbers").textContent = [training.part ? `part ${training.part}` : "", training.total_steps ? `step ${training.step} of ${training.total_steps}` : "",
        loss === undefined ? "" : `loss ${loss.toFixed(3)}`, f1 === undefined ? "" : `F1 ${percent(f1)}`,
        training.seconds ? `${training.seconds.toFixed(0)} s` : ""].filter(Boolean).join(" · ");
    $("training-curves").replaceChildren(...[
        training.loss?.length > 1 ? chart({ title: "Loss", x: "step", y: "loss", series: [{ name: "loss", points: training.loss }] }) : null,
        training.f1?.length ? chart({ title: "F1", x: "step", y: "%", most: 100, series: [{ name: "F1", points: training.f1.map(([s, f]) => [s, 100 * f]) }] }) : null,
    ].filter(Boolean));
    $("nav-training").textContent = going ? (training.total_steps ? `${Math.floor(100 * training.step / training.total_steps)} %` : "…") : "";
}

function scarceRow({ label, entities, wanted }) {
    const meter = make("meter", { min: 0, max: wanted, low: wanted / 2, value: Math.min(entities, wanted), "aria-label": `${label}: ${entities} of ${wanted}` });
    return make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, label)), make("td", {}, `${entities} of ${wanted}`), make("td", {}, meter));
}

/* What F1 was measured on. */
const measuredOn = ({ parts, n_held_out }) => parts?.length ? `in ${parts.length} parts, each by a model that learned from the others`
    : n_held_out ? `on ${count(n_held_out, "text")} held out` : "not measured";

function runRow(run) {
    const use = run.state === "done" && !run.current ? button("Use this model", async () => {
        await call("POST", "/project/runs/use", { run: run.run });
        await refresh();
        say(`The model of run ${run.run} is in use.`);
    }, { "data-keep": run.run }) : null;
    return make("tr", {}, make("th", { scope: "row" }, run.run), make("td", {}, run.round), make("td", {}, run.annotations),
        make("td", { title: measuredOn(run) }, percent(run.f1)), make("td", {}, percent(run.precision)), make("td", {}, percent(run.recall)),
        make("td", {}, run.seconds ? `${run.seconds.toFixed(0)} s` : ""),
        make("td", {}, run.current ? make("span", { class: "badge accepted" }, "in use") : use ?? run.error ?? run.state));
}

export async function enter() {
    const { runs, curve, scarce } = await call("GET", "/project/runs");
    $("curve").replaceChildren(chart({ title: "F1 over annotated texts", x: "annotated texts", y: "%", most: 100, series: [{ name: "F1",
        points: curve.map((p) => [p.annotations, 100 * p.f1, `run ${p.run}: F1 ${percent(p.f1)} with ${count(p.annotations, "text")} (${measuredOn(p)})`]) }] }));
    $("scarce").replaceChildren(...scarce.map(scarceRow));
    $("scarce-box").hidden = !scarce.length;
    refill($("runs"), [...runs].reverse().map(runRow));
    $("runs-box").hidden = !runs.length;
}

export function start() {
    const train = (round) => async () => setTraining(await call("POST", "/project/train", { round }));
    act("train-quick", "click", train("quick"));
    act("train-thorough", "click", train("thorough"));
    act("train-cancel", "click", async () => setTraining(await call("POST", "/project/train/cancel", {})));
    act("train-resume", "click", async () => setTraining(await call("POST", "/project/train/resume", { run: store.training.run })));
    on("training", showTraining);
    on("project", () => {
        if (!$("train").hidden) enter().catch(failed);
    });
}
