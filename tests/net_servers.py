"""Servers on 127.0.0.1 that play Hugging Face's hub and the language models' providers, for
test_net.py and the Python package's tests. Standard library only.

A hub is two servers, as the real one is: the hub itself, and the store that large files are
redirected to. Every request is recorded; faults are put into `faults`, and used up.
"""

import base64
import hashlib
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # clients that are killed are part of the tests


class Server:
    """A server in a thread; `handler.owner` is the object that answers."""

    def __init__(self, owner, name):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(size)
                with owner.lock:
                    owner.requests.append(
                        (name, self.command, self.path, dict(self.headers), self.body)
                    )
                try:
                    getattr(owner, "answer_" + name)(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

            def send(self, status, body=b"", **headers):
                self.send_response(status)
                if isinstance(body, (dict, list)):
                    body = json.dumps(body).encode()
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), str(value))
                if "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """Models: add(name, files). A file of `large` bytes or more is in the store."""

    def __init__(self, large=20000):
        self.lock = threading.Lock()
        self.requests, self.models, self.blobs, self.renamed = [], {}, {}, {}
        self.faults = []  # of the store: functions of (handler, data), the first is used up
        self.hub_faults = []
        self.tokens = {}  # model: the token it takes
        self.gated = set()
        self.writer, self.messages = None, []  # the token that may upload; of commits
        self.large = large
        self.hub, self.store = Server(self, "hub"), Server(self, "store")
        self.mirror = Server(self, "mirror")  # redirects to the hub, on a host of its own
        self.url = self.hub.url

    def close(self):
        self.hub.close()
        self.store.close()
        self.mirror.close()

    def add(self, name, files, revision="main"):
        commit = hashlib.sha1(repr((name, sorted(files.items()))).encode()).hexdigest()
        self.models.setdefault(name, {})[revision] = self.models[name][commit] = (commit, files)
        return commit

    def seen(self, server=None, method=None):
        with self.lock:
            return [r for r in self.requests if server in (None, r[0]) and method in (None, r[1])]

    def answer_hub(self, h):
        if self.hub_faults:
            return self.hub_faults.pop(0)(h)
        path = urllib.parse.unquote(urllib.parse.urlparse(h.path).path)
        if h.command == "POST":
            return self.answer_upload(h, path)
        if path.startswith("/api/models/"):
            name, _, revision = path[len("/api/models/") :].partition("/revision/")
            file = None
        else:
            name, _, rest = path[1:].partition("/resolve/")
            revision, _, file = rest.partition("/")
        if name in self.renamed:  # as the hub does for the names of old
            return h.send(307, Location=h.path.replace(name, self.renamed[name], 1))
        if name not in self.models:
            return h.send(401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        wanted = self.tokens.get(name)
        if wanted and h.headers.get("Authorization") != f"Bearer {wanted}":
            code = "GatedRepo" if name in self.gated else "RepoNotFound"
            return h.send(403 if name in self.gated else 401, {}, X_Error_Code=code)
        if revision not in self.models[name]:
            return h.send(404, {}, X_Error_Code="RevisionNotFound")
        commit, files = self.models[name][revision]
        if file is None:
            siblings = [{"rfilename": f} for f in files]
            return h.send(200, {"sha": commit, "siblings": siblings})
        if file not in files:
            return h.send(404, {}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        data = files[file]
        if len(data) < self.large:
            return h.send(200, data, ETag=f'"{git_sha1(data)}"', X_Repo_Commit=commit)
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return h.send(
            302,
            Location=f"{self.store.url}/{digest}?signature=secret-of-the-store",
            X_Linked_Etag=f'"{digest}"',
            X_Linked_Size=len(data),
            X_Repo_Commit=commit,
        )

    def answer_upload(self, h, path):
        """What huggingface_hub sends for create_repo and upload_folder; no file is large."""
        if h.headers.get("Authorization") != f"Bearer {self.writer}":
            return h.send(401, {"error": "Invalid credentials"})
        if path == "/api/repos/create":
            given = json.loads(h.body)
            name = f"{given['organization']}/{given['name']}"
            if name in self.models:
                return h.send(409, {"error": "exists", "url": f"{self.url}/{name}"})
            self.add(name, {})
            return h.send(200, {"url": f"{self.url}/{name}", "name": name})
        if path == "/api/validate-yaml":
            return h.send(200, {"errors": [], "warnings": []})
        name, _, action = path[len("/api/models/") :].rpartition("/main")[0].rpartition("/")
        if action == "preupload":
            files = json.loads(h.body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            return h.send(200, {"files": modes})
        lines = [json.loads(line) for line in h.body.splitlines()]
        files = dict(self.models[name]["main"][1])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = self.add(name, files)
        self.messages.append(lines[0]["value"]["summary"])
        h.send(
            200,
            {
                "success": True,
                "commitUrl": f"{self.url}/{name}/commit/{commit}",
                "commitOid": commit,
                "hookOutput": "",
            },
        )

    def answer_mirror(self, h):
        h.send(308, Location=self.hub.url + h.path)

    def answer_store(self, h):
        data = self.blobs[urllib.parse.urlparse(h.path).path[1:]]
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        if fault:
            return fault(h, data)
        serve(h, data)


def serve(h, data, cut=None):
    """With ranges; cut: the connection ends after so many bytes."""
    start, status, more = 0, 200, {}
    if h.headers.get("Range"):
        start = int(h.headers["Range"][len("bytes=") :].rstrip("-"))
        if start >= len(data):
            return h.send(416, Content_Range=f"bytes */{len(data)}")
        status, more = 206, {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
    body = data[start:]
    if cut is None:
        return h.send(status, body, **more)
    h.send(status, b"", Content_Length=len(body), **more)
    h.wfile.write(body[:cut])
    h.wfile.flush()
    h.close_connection = True


def cut_after(count):
    return lambda h, data: serve(h, data, count)


def damaged(h, data):
    serve(h, bytes([data[0] ^ 1]) + data[1:])


def endless(h, data):
    """More than was announced, until nobody listens."""
    h.send_response(200)
    h.end_headers()
    h.close_connection = True
    try:
        for _ in range(2000):
            h.wfile.write(b"x" * 10000)
    except OSError:
        pass


def without_ranges(h, data):
    h.send(200, data)


def status(code, **headers):
    return lambda h, *_: h.send(code, b"{}", **headers)


class Providers:
    """Answers POSTs; `script`: functions of the handler, used up before the answer that is right."""

    def __init__(self, text="A description."):
        self.lock = threading.Lock()
        self.requests, self.script, self.text = [], [], text
        self.server = Server(self, "provider")
        self.url = self.server.url

    def close(self):
        self.server.close()

    def reply(self, h):
        if h.path.endswith("/messages"):
            return anthropic(self.text)
        return openai(self.text)

    def answer_provider(self, h):
        with self.lock:
            step = self.script.pop(0) if self.script else None
        if step:
            return step(h)
        h.send(200, self.reply(h), Content_Type="application/json")

    def questions(self):
        return [json.loads(body) for _, method, _, _, body in self.requests if method == "POST"]


def openai(text, reason="stop", **message):
    return {
        "choices": [
            {"index": 0, "finish_reason": reason,
             "message": {"role": "assistant", "content": text, **message}}
        ]
    }  # fmt: skip


def anthropic(text, reason="end_turn"):
    return {"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": reason}


def says(answer, code=200, **headers):
    return lambda h: h.send(code, answer, **headers)


def slow(seconds, then):
    def step(h):
        time.sleep(seconds)
        then(h)

    return step


def broken_off(h):
    """Half an answer, then the connection ends."""
    body = json.dumps(openai("half")).encode()
    h.send(200, b"", Content_Length=len(body))
    h.wfile.write(body[: len(body) // 2])
    h.wfile.flush()
    h.close_connection = True


def hung_up(h):
    h.close_connection = True
