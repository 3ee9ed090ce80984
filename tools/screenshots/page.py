#!/usr/bin/env python3
"""The pictures in docs/serve.md: a project made of examples/assistant, as chromium shows it.

    tools/screenshots/page.py [NERFIT [ENCODER]]     into docs/images/

Accepts 70 texts, trains a quick round at 15, 35 and 70, and takes the pictures; a minute or two.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from webdriver import Browser  # noqa: E402

LABELS = ["time", "date", "person", "place", "event", "room", "device", "duration"]
OUT = ROOT / "docs" / "images"


class Service:
    def __init__(self, nerfit, encoder, folder):
        self.process = subprocess.Popen([nerfit, "serve", "--project", folder, "--project_model", encoder, "--port", "0"],
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.match(r"listening on (http://\S+)$", line)
            if found:
                self.address = found[1]
                break
        else:
            sys.exit("the service does not start")
        self.token = self.ask("GET", "/token")["token"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Nerfit-Token": getattr(self, "token", "")}
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data, headers, method=method)) as answer:
            return json.load(answer)

    def train(self):
        self.ask("POST", "/project/train", {"round": "quick"})
        while True:
            state = self.ask("GET", "/project/training")
            if state["state"] not in ("starting", "running", "measuring", "stopping"):
                break
            time.sleep(0.3)
        if state["state"] != "done":
            sys.exit(f"the training: {state}")
        while self.ask("GET", "/project")["model"]["state"] != "ready":
            time.sleep(0.3)


def descriptions():
    lines = (ROOT / "examples/assistant/descriptions.yaml").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#"))


def texts(nerfit):
    """Annotated texts that have a label of ours, as nerfit reads them."""
    done = subprocess.run([nerfit, "data", "convert", ROOT / "examples/assistant/train.txt", "--format", "jsonl"],
                          check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        text = json.loads(line)
        entities = [dict(zip(("start", "end", "label"), entity)) for entity in text["entities"]]
        if entities and all(entity["label"] in LABELS for entity in entities):
            yield {"text": text["text"], "entities": entities}


def main():
    nerfit = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/nerfit"
    encoder = sys.argv[2] if len(sys.argv) > 2 else ROOT / ".cache/all-MiniLM-L6-v2"
    work = Path(tempfile.mkdtemp())
    service = Service(nerfit, encoder, work / "assistant")
    try:
        about = descriptions()
        for label in LABELS:
            service.ask("POST", "/project/labels", {"name": label, "description": about.get(label, "")})
        given = list(texts(nerfit))
        ids = service.ask("POST", "/project/texts", {"texts": [t["text"] for t in given]})["ids"]
        for i, (number, text) in enumerate(zip(ids[:70], given)):
            at = service.ask("GET", f"/project/texts/{number}")["revision"]
            service.ask("PUT", f"/project/texts/{number}?offsets=codepoint", {
                "revision": at, "status": "accepted", "entities": text["entities"]})
            if i + 1 in (15, 35, 70):
                service.train()
        pictures(service, ids)
    finally:
        service.process.terminate()
        service.process.wait()
        shutil.rmtree(work)


def pictures(service, ids):
    OUT.mkdir(exist_ok=True)
    found = service.ask("POST", "/project/predict", {"ids": ids[70:170]})["texts"]
    rich = [t["id"] for t in sorted(found, key=lambda t: -len(t["entities"]))]  # most entities first
    with Browser(1280, 960) as b:
        b.size(1280, 800)

        def take(name, view, *, height=800, before=lambda: None):
            b.size(1280, height)
            b.open(f"{service.address}/?{name}#{view}")
            b.wait(lambda: b.js("return document.body.classList.contains('ready')"))
            time.sleep(2.5)
            before()
            time.sleep(0.6)
            b.js("document.getElementById('message').className = ''")
            b.screenshot(OUT / f"{name}.webp", format="webp", quality=80)
            print(f"{name}.webp: {os.path.getsize(OUT / f'{name}.webp')} bytes")

        def pick():
            b.js("document.getElementById('text').focus()")
            for _ in range(12):
                b.keys("Right")
                if b.js("return document.querySelector('#text .picked') !== null"):
                    break

        def tag():
            b.type("#try-text", "Tell Doctor Patel that lunch in Rome is at half past one on Friday")
            b.click("#try-form button")

        take("annotate", f"annotate/{rich[0]}", before=pick)
        b.dark()
        take("annotate-dark", f"annotate/{rich[1]}", before=pick)
        b.dark(False)
        take("train", "train", height=720)
        take("see", "see", height=1000, before=tag)


if __name__ == "__main__":
    main()
