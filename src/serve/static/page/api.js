/* Calls of the service's routes. What changes something carries the token against cross-site requests, which a
 * restarted service makes anew; a service with a key is asked again with what the user gives. */

let token = null;
let key = sessionStorage.getItem("nerfit-key") ?? "";
let askForKey = async () => null;

export class Failure extends Error {
    /* status 0: the service did not answer */
    constructor(status, body) {
        super(body.error ?? `status ${status}`);
        this.status = status;
        this.body = body;
    }
}

export function onKeyWanted(ask) {
    askForKey = ask;
}

export const keyed = () => key !== "";

async function send(method, path, body) {
    const headers = {};
    if (key) headers.Authorization = `Bearer ${key}`;
    if (method !== "GET") headers["X-Nerfit-Token"] = token ??= (await call("GET", "/token")).token;
    const raw = body instanceof Blob;
    if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
    try {
        return await fetch(path, { method, headers, body: raw || body === undefined ? body : JSON.stringify(body) });
    } catch {
        throw new Failure(0, { error: "the service does not answer" });
    }
}

async function answered(method, path, body) {
    let answer = await send(method, path, body);
    if (answer.status === 403 && method !== "GET") {
        token = null;
        answer = await send(method, path, body);
    }
    while (answer.status === 401) {
        const given = await askForKey();
        if (given === null) break;
        key = given;
        sessionStorage.setItem("nerfit-key", key);
        answer = await send(method, path, body);
    }
    if (!answer.ok) throw new Failure(answer.status, await answer.json().catch(() => ({})));
    return answer;
}

/* The reply's JSON; a Failure for any other status than success. A Blob is sent as it is. */
export async function call(method, path, body) {
    return (await answered(method, path, body)).json();
}

/* The reply as a file: its bytes, and the name that the service gives it. */
export async function file(path) {
    const answer = await answered("GET", path);
    const name = /filename="([^"]*)"/.exec(answer.headers.get("Content-Disposition") ?? "");
    return { blob: await answer.blob(), name: name ? name[1] : path.split("/").pop() };
}

export const pathOf = (id) => `/project/texts/${encodeURIComponent(id)}`;

export function query(path, parameters) {
    const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
