#!/usr/bin/env python3
"""A real Label Studio on 127.0.0.1, its database in a file, with `nerfit serve` as its machine learning backend: it
connects, pre-annotates a project, and what is annotated there trains a model.

    python3 tests/test_label_studio.py NERFIT

NERFIT_LABEL_STUDIO: the program label-studio (PyPI, 1.23.2 when this was written), else that of the path; without one
the test skips. Its first start makes a database, which takes a minute of computing; nothing else is fetched.
"""

import http.cookiejar
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import made_model  # noqa: E402
from test_project import Project, ProjectCase, utf16  # noqa: E402
from test_serve import make_model  # noqa: E402

PROGRAM = shutil.which(os.environ.get("NERFIT_LABEL_STUDIO") or "label-studio")
STARTS = 1800  # seconds at most, on a busy machine
ANSWERS = 300
USER = {"email": "annotator@example.org", "password": "a-long-password"}
CONFIG = """<View><Labels name="label" toName="text"><Label value="person"/><Label value="time"/></Labels>
    <Text name="text" value="$text"/></View>"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class LabelStudio:
    """The program, and a user who is logged in."""

    def __init__(self, test):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        folder = Path(test.root) / "label-studio"
        folder.mkdir()
        self.said = folder / "said.txt"
        environment = {**os.environ, "LABEL_STUDIO_BASE_DATA_DIR": str(folder), "COLLECT_ANALYTICS": "0", "LATEST_VERSION_CHECK": "0",
                       # a backend on this machine is refused otherwise
                       "ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "false", "ML_TIMEOUT_SETUP": "60",
                       "ML_TIMEOUT_HEALTH": "60", "ML_CONNECTION_TIMEOUT": "60", "WEBHOOK_TIMEOUT": "60"}
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [PROGRAM, "start", "--init", "p", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port), "--username",
                 USER["email"], "--password", USER["password"]], cwd=folder, env=environment, stdout=said, stderr=said,
                start_new_session=True)
        test.addCleanup(self.end)
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                  urllib.request.HTTPCookieProcessor(self.cookies))
        self.wait_until_up()
        self.open("/user/login/")
        self.open("/user/login/", urllib.parse.urlencode({**USER, "csrfmiddlewaretoken": self.cookie("csrftoken")}).encode())

    def wait_until_up(self):
        end = time.monotonic() + STARTS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                return self.open("/health")
            except (OSError, urllib.error.URLError):
                time.sleep(1)
        raise AssertionError("Label Studio does not start: " + self.said.read_text()[-4000:])

    def cookie(self, name):
        return next((c.value for c in self.cookies if c.name == name), "")

    def open(self, path, data=None, **headers):
        request = urllib.request.Request(self.url + path, data, {"Referer": self.url, "X-CSRFToken": self.cookie("csrftoken"), **headers})
        with self.opener.open(request, timeout=ANSWERS) as answer:
            return answer.read()

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self.open("/api" + path, data, **{"Content-Type": "application/json"})
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:2000]}") from error
        return json.loads(answer) if answer else None

    def project(self, title, texts, backend):
        """Its number and that of its backend."""
        project = self.ask("/projects/", {"title": title, "label_config": CONFIG})["id"]
        self.ask(f"/projects/{project}/import", [{"text": text} for text in texts])
        return project, self.ask("/ml/", {"project": project, "url": backend, "title": "nerfit"})

    def tasks(self, project):
        return self.ask(f"/tasks?project={project}&page_size=100&fields=all")["tasks"]

    def predict(self, project):
        """What the backend finds in all texts: {text: [(words, label)]}, and the model's version."""
        self.ask(f"/dm/actions?id=retrieve_tasks_predictions&project={project}",
                 {"project": project, "selectedItems": {"all": True, "excluded": []}, "ordering": [], "filters": None})
        tasks = self.tasks(project)
        newest = [(t["data"]["text"], t["predictions"][-1]) for t in tasks if t["predictions"]]
        found = {text: [(r["value"]["text"], r["value"]["labels"][0]) for r in p["result"]] for text, p in newest}
        return found, {p["model_version"] for _, p in newest}

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@unittest.skipUnless(PROGRAM, "there is no label-studio (pip install label-studio, or NERFIT_LABEL_STUDIO)")
class Backend(ProjectCase):
    def test_connect_predict_train(self):
        encoder, model = Path(self.root) / "encoder", Path(self.root) / "alarm"
        encoder.mkdir()
        made_model.bert(encoder, "wake,me,up,at,nine,ten,call,anna,ben,now")
        make_model(model)
        p = Project(self, "--project_model", encoder, "--model", f"alarm={model}")
        studio = LabelStudio(self)
        backend = f"http://127.0.0.1:{p.service.port}/models"

        # a model that is served pre-annotates a project
        texts = ["\U0001F600 anna at nine", "nothing"]
        alarm, connected = studio.project("alarm", texts, f"{backend}/alarm")
        self.assertEqual(connected["state"], "CO", connected)  # connected
        found, versions = studio.predict(alarm)
        self.assertEqual(found, {texts[0]: [("anna", "person"), ("nine", "time")], texts[1]: []})
        self.assertEqual(versions, {"alarm-1"})
        self.assertEqual(p.fine("GET", "")["counts"]["texts"], 0)  # that was another model's

        # what is annotated there is learned here, and predicted there
        texts = [f"call {name} at {t}{' now' * i}" for i in range(3) for name in ("anna", "ben") for t in ("nine", "ten")]
        learning, connected = studio.project("learning", texts, f"{backend}/project")
        self.assertEqual(sorted(label["name"] for label in p.fine("GET", "")["labels"]), ["person", "time"])
        for task in studio.tasks(learning):
            text = task["data"]["text"]
            _, name, _, t, *_ = text.split()
            region = lambda w, label: {  # noqa: E731
                "id": w, "from_name": "label", "to_name": "text", "type": "labels",
                "value": {"start": utf16(text, text.index(w)), "end": utf16(text, text.index(w) + len(w)), "text": w, "labels": [label]}}
            studio.ask(f"/tasks/{task['id']}/annotations/", {"result": [region(name, "person"), region(t, "time")]})
        counts = p.fine("GET", "")["counts"]
        self.assertEqual((counts["accepted"], counts["entities"]), (len(texts), 2 * len(texts)))
        studio.ask(f"/ml/{connected['id']}/train", {})
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["model"]["run"] == "0001", ANSWERS))
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "/training")["state"] == "done", ANSWERS))
        found, versions = studio.predict(learning)
        self.assertEqual(versions, {p.service.ask("GET", "/models/project/versions")[2]["versions"][0]})
        self.assertEqual(set(found), set(texts))


if __name__ == "__main__":
    unittest.main()
