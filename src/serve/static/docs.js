"use strict";
/* Shows openapi.json, and sends a text to /predict. */

function element(name, text, ...children) {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
}

function examplesOf(content) {
    return Object.entries(content ?? {})
        .filter(([, media]) => media.example !== undefined)
        .map(([type, { example }]) =>
            element("pre", `${type}\n${typeof example === "string" ? example : JSON.stringify(example, null, 2)}`));
}

function fieldsOf(content, schemas) {
    let schema = content?.["application/json"]?.schema ?? {};
    if (schema.$ref) schema = schemas[schema.$ref.split("/").pop()];
    const list = element("dl");
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
        if (field.description) list.append(element("dt", name), element("dd", field.description));
    }
    return list.childElementCount ? [list] : [];
}

function routeOf(path, method, route, schemas) {
    const asked = route.requestBody?.content;
    const answers = element("dl");
    for (const [status, answer] of Object.entries(route.responses)) {
        answers.append(element("dt", status), element("dd", answer.description, ...examplesOf(answer.content)));
    }
    const title = element("summary", "", element("code", `${method.toUpperCase()} ${path}`), ` ${route.summary}`);
    return element("details", "", title, element("p", route.description ?? ""), ...fieldsOf(asked, schemas),
        ...examplesOf(asked), answers);
}

async function show() {
    const api = await (await fetch("openapi.json")).json();
    document.getElementById("description").textContent = `${api.info.description} Version ${api.info.version}.`;
    const routes = document.getElementById("routes");
    for (const [path, methods] of Object.entries(api.paths)) {
        for (const [method, route] of Object.entries(methods)) {
            routes.append(routeOf(path, method, route, api.components.schemas));
        }
    }
}

async function tag(event) {
    event.preventDefault();
    const key = document.getElementById("key").value;
    const result = document.getElementById("result");
    const headers = { "Content-Type": "application/json" };
    if (key) headers.Authorization = `Bearer ${key}`;
    try {
        const body = JSON.stringify({ inputs: document.getElementById("text").value, offsets: "utf16" });
        const answer = await fetch("predict", { method: "POST", headers, body });
        result.textContent = JSON.stringify(await answer.json(), null, 2);
    } catch (error) {
        result.textContent = String(error);
    }
}

document.getElementById("form").addEventListener("submit", tag);
show();
