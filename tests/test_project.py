#!/usr/bin/env python3
"""Projects of the service: what people annotate stays, whatever happens to the process, the disk or the
order in which two of them save.

    python3 tests/test_project.py NERFIT [unittest's arguments]

Standard library only.
"""

import gzip
import http.client
import io
import json
import os
import random
import re
import resource
import subprocess
import tarfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import quote, urlencode

import made_model
from program import NERFIT
from test_serve import LONG, PATIENCE, Case, Service, make_model

TESTS = Path(__file__).resolve().parent

HOSTILE = ['<img src=x onerror="alert(1)">', "</script><script>alert(1)</script>", "a/b/../c", "\"'`${x}", "名前",
           "%2e%2e%2f", "a\\b"]


class Project:
    """A service over a project, and its token."""

    def __init__(self, test, *arguments, folder=None, **options):
        self.folder = folder or Path(test.root) / "project"
        options = {"HF_HUB_OFFLINE": "1", "HF_HOME": test.root, **options}
        self.service = Service(test, "--project", self.folder, *arguments, models=[], **options)
        self.token = self.service.ask("GET", "/token")[2]["token"]

    def ask(self, method, path, body=None, **headers):
        if isinstance(body, str):
            body = body.encode()
        status, self.headers, answer = self.service.ask(method, "/project" + path, body,
                                                        {"X-Nerfit-Token": self.token, **headers})
        return status, answer

    def fine(self, method, path, body=None, **headers):
        status, answer = self.ask(method, path, body, **headers)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def add(self, *texts):
        return self.fine("POST", "/texts", {"texts": list(texts)})["ids"]

    def label(self, *names):
        for name in names:
            self.fine("POST", "/labels", {"name": name})

    def put(self, text, **change):
        return self.ask("PUT", f"/texts/{text['id']}", {"revision": text["revision"], **change})

    def text(self, number):
        return self.fine("GET", f"/texts/{number}")

    def accept(self, number, *entities):
        text = self.text(number)
        status, answer = self.put(text, status="accepted", entities=[entity(text["text"], *e) for e in entities])
        if status != 200:
            raise AssertionError(f"{status} {answer}")
        return answer

    def teach(self):
        """Twelve texts with persons and times, and one that is open: its number."""
        self.label("person", "time")
        names, times = ("anna", "ben"), ("nine", "ten")
        for i in range(12):
            number, = self.add(f"call {names[i % 2]} at {times[i // 2 % 2]}" + " now" * (i // 4))
            self.accept(number, (names[i % 2], "person"), (times[i // 2 % 2], "time"))
        number, = self.add("call ben at ten up")
        return number

    def state(self):
        """All that a project is, but for its process."""
        texts = self.fine("GET", "/texts?limit=500&entities=true")["texts"]
        return texts, self.fine("GET", "/labels")["labels"]


def utf16(text, index):
    return len(text[:index].encode("utf-16-le")) // 2


def entity(text, word, label):
    at = text.index(word)
    return {"start": utf16(text, at), "end": utf16(text, at + len(word)), "label": label}


class ProjectCase(Case):
    def project(self, *arguments, **options):
        return Project(self, *arguments, **options)

    def opened_again(self, p):
        """The project in its next service, where all is as before."""
        before = p.state()
        p.service.end()
        again = self.project()
        self.assertEqual(again.state(), before)
        return again


class Texts(ProjectCase):
    def test_from_nothing(self):
        p = self.project()
        got = p.fine("GET", "")
        self.assertEqual((got["name"], got["counts"]["texts"], got["labels"], got["notices"]), ("project", 0, [], []))
        self.assertEqual(p.fine("GET", "/next"), {"id": None})
        self.assertEqual(p.add("wake me at nine", "call Anna", "wake me at nine"), ["1", "2", "1"])
        self.assertEqual(p.fine("GET", "")["counts"],
                         {"texts": 2, "entities": 0, "open": 2, "accepted": 0, "rejected": 0, "skipped": 0})
        self.assertEqual(p.fine("GET", "/next")["id"], "1")
        self.assertEqual(p.fine("GET", "/next?after=1")["id"], "2")
        self.assertEqual(p.fine("GET", "/next?after=2")["id"], "1")

    def test_annotating(self):
        p = self.project()
        p.add("😀 call Anna at nine", "none")
        p.label("person", "time")
        got = p.accept(1, ("Anna", "person"), ("nine", "time"))
        self.assertEqual([(e["start"], e["end"], e["label"], e["text"]) for e in got["entities"]],
                         [(8, 12, "person", "Anna"), (16, 20, "time", "nine")])
        self.assertEqual(p.fine("GET", "/texts/1?offsets=codepoint")["entities"][0]["start"], 7)
        self.assertEqual([e["entities"] for e in p.fine("GET", "/labels")["labels"]], [1, 1])
        # a text as it is gets no revision; what is not given stays
        self.assertEqual(p.put(got, status="accepted")[1]["revision"], got["revision"])
        noted = p.put(got, notes="why?")[1]
        self.assertGreater(noted["revision"], got["revision"])
        self.assertEqual((noted["entities"], noted["status"]), (got["entities"], "accepted"))
        events = p.fine("GET", "/texts/1/history")["events"]
        self.assertEqual([(e["status"], e["notes"]) for e in events], [("accepted", ""), ("accepted", "why?")])
        self.assertEqual(events[0]["entities"], [[7, 11, "person"], [15, 19, "time"]])

    def test_wrong_entities(self):
        p = self.project()
        p.add("😀 call Anna")
        p.label("person")
        text = p.text(1)
        for start, end, label, why in [(1, 3, "person", "divides"), (0, 13, "person", "outside"), (3, 3, "person", "start"),
                                       (-1, 3, "person", "outside"), (2, 7, "person", "white space"),
                                       (3, 7, "place", "no label"), (3.5, 7, "person", "whole"), (7, 3, "person", "start"),
                                       (2**63, 2**63 + 5, "person", "")]:
            status, answer = p.put(text, entities=[{"start": start, "end": end, "label": label}])
            self.assertEqual(status, 422, (start, end, answer))
            self.assertIn(why, answer["error"])
        two = [{"start": 3, "end": 12, "label": "person"}, {"start": 8, "end": 12, "label": "person"}]
        self.assertEqual(p.put(text, entities=two)[0], 422)
        self.assertEqual(p.put(text, entities=two[:1] * 2)[0], 422)
        p.fine("PUT", "", {"nested": True})
        self.assertEqual(p.put(text, entities=two)[0], 200)
        self.assertEqual(p.ask("PUT", "", {"nested": False})[0], 409)
        for body in ("", "[]", "{", '{"revision": "1"}', b"\xff", '{"revision": 1, "status": "good"}',
                     '{"revision": 1, "entities": 5}', '{"revision": 1, "notes": 5}'):
            self.assertIn(p.ask("PUT", "/texts/1", body)[0], (400, 409, 422), body)
        self.assertEqual(p.text(1)["n_entities"], 2)

    def test_finding(self):
        p = self.project()
        p.add(*(f"Text {i} Ärger" for i in range(20)), "ΣΟΦΙΑ and Борис")
        p.label("number")
        for i in range(1, 6):
            p.accept(i, (str(i - 1), "number"))
        p.put(p.text(7), status="skipped", notes="later")
        p.put(p.text(8), entities=[entity("Text 7 Ärger", "7", "number")])

        def found(**query):
            got = p.fine("GET", "/texts?" + urlencode(query))
            return got["total"], [t["id"] for t in got["texts"]]

        self.assertEqual(found(status="accepted", limit=2, offset=1), (5, ["2", "3"]))
        self.assertEqual(found(status="open,skipped", label="number"), (1, ["8"]))
        self.assertEqual(found(search="text 1", limit=1), (11, ["2"]))
        self.assertEqual(found(search="äRGER", limit=0)[0], 20)
        self.assertEqual(found(search="σοφια")[0], 1)
        self.assertEqual(found(search="борис")[0], 1)
        self.assertEqual(found(filter="draft"), (1, ["8"]))
        self.assertEqual(found(filter="notes"), (1, ["7"]))
        self.assertEqual(found(order="changed", limit=2)[1], ["8", "7"])
        self.assertEqual(found(offset=10**6), (21, []))
        for query, status in [("status=good", 422), ("limit=501", 422), ("offset=-1", 422), ("label=x", 404),
                              ("filter=x", 422), ("order=x", 422), ("search=" + "x" * 1001, 422), ("offsets=byte", 422)]:
            self.assertEqual(p.ask("GET", "/texts?" + query)[0], status, query)

    def test_opened_again(self):
        """Texts lie in a file of their own: what came between them keeps its number."""
        p = self.project()
        p.label("a")
        for i in range(3):
            p.add(f"text {i}")
            p.put(p.text(1), notes=str(i))
            p.fine("POST", "/labels/rename", {"from": "abc"[i], "to": "abcd"[i + 1]})
        changes = [p.fine("GET", f"/changes?since={i}") for i in range(12)]
        again = self.opened_again(p)
        self.assertEqual([again.fine("GET", f"/changes?since={i}") for i in range(12)], changes)

    def test_deleted_text_comes_again(self):
        p = self.project()
        p.add("one", "two")
        text = p.text(1)
        self.assertEqual(p.ask("DELETE", "/texts/1")[0], 422)
        self.assertEqual(p.ask("DELETE", "/texts/1?revision=999")[0], 409)
        p.fine("DELETE", f"/texts/1?revision={text['revision']}")
        self.assertEqual(p.ask("GET", "/texts/1")[0], 404)
        self.assertEqual(p.add("one"), ["3"])
        again = self.opened_again(p)
        again.fine("DELETE", f"/texts/3?revision={again.text(3)['revision']}")
        self.assertEqual(again.add("one"), ["4"])


class Labels(ProjectCase):
    def test_rename_merge_delete(self):
        p = self.project()
        p.add("Anna met Ben in Rome", "Rome again")
        p.label("person", "name", "place")
        p.accept(1, ("Anna", "person"), ("Ben", "name"), ("Rome", "place"))
        p.accept(2, ("Rome", "place"))
        revision = p.fine("GET", "")["revision"]
        preview = p.fine("POST", "/labels/rename", {"from": "name", "to": "person", "preview": True})
        self.assertEqual([preview[k] for k in ("applied", "entities", "texts", "merges", "lost")], [False, 1, 1, True, 0])
        self.assertEqual(p.ask("POST", "/labels/rename", {"from": "name", "to": "person"})[0], 409)
        p.fine("POST", "/labels/rename", {"from": "name", "to": "person", "merge": True})
        p.fine("POST", "/labels/rename", {"from": "place", "to": "city"})
        self.assertEqual([e["label"] for e in p.text(1)["entities"]], ["person", "person", "city"])
        changes = p.fine("GET", f"/changes?since={revision}")
        self.assertEqual(([t["id"] for t in changes["texts"]], changes["labels"]), (["1", "2"], True))
        self.assertEqual(p.fine("POST", "/labels/delete", {"name": "city", "preview": True})["entities"], 2)
        p.fine("POST", "/labels/delete", {"name": "city"})
        self.assertEqual((p.text(2)["status"], p.text(2)["entities"]), ("accepted", []))
        self.opened_again(p)

    def test_equal_entities_become_one(self):
        p = self.project()
        p.fine("PUT", "", {"nested": True})
        p.add("Anna")
        p.label("a", "b")
        p.accept(1, ("Anna", "a"), ("Anna", "b"))
        got = p.fine("POST", "/labels/rename", {"from": "a", "to": "b", "merge": True})
        self.assertEqual((got["lost"], got["labels"][0]["entities"]), (1, 1))

    def test_what_labels_are_like(self):
        p = self.project()
        for name in HOSTILE:
            p.fine("POST", "/labels", {"name": name, "description": name})
        self.assertEqual([(e["name"], e["description"]) for e in p.fine("GET", "/labels")["labels"]],
                         [(n, n) for n in HOSTILE])
        p.fine("POST", "/labels", {"name": "x", "color": "#aabbcc", "shortcut": "1"})
        got = p.fine("POST", "/labels", {"name": "x", "description": "new"})["labels"][-1]
        self.assertEqual((got["description"], got["color"], got["shortcut"]), ("new", "#aabbcc", "1"))
        self.assertIsNone(p.fine("POST", "/labels", {"name": "x", "shortcut": None})["labels"][-1]["shortcut"])
        for body, status in [({"name": ""}, 422), ({"name": " x"}, 422), ({"name": "x\n"}, 422), ({"name": "x" * 201}, 422),
                             ({"name": "y", "color": "red"}, 422), ({"name": "y", "shortcut": "ab"}, 422), ({}, 422),
                             ({"name": "x", "create": True}, 409), ({"name": 5}, 422)]:
            self.assertEqual(p.ask("POST", "/labels", body)[0], status, body)
        names = [e["name"] for e in p.fine("GET", "/labels")["labels"]][::-1]
        self.assertEqual([e["name"] for e in p.fine("POST", "/labels/order", {"names": names})["labels"]], names)
        self.assertEqual(p.ask("POST", "/labels/order", {"names": names[1:]})[0], 422)
        self.assertEqual(p.ask("POST", "/labels/order", {"names": names[:1] * len(names)})[0], 422)
        self.opened_again(p)


class Exchange(ProjectCase):
    FILE = ('{"text": "call 😀 Anna at nine", "entities": [[7, 11, "person"], [15, 19, "time"]], "id": 7}\n'
            '{"text": "nothing here", "entities": []}\n')

    def test_import(self):
        p = self.project()
        p.label("person")
        shown = p.fine("POST", "/import?name=x.jsonl&preview=true", self.FILE)
        self.assertEqual([shown[k] for k in ("texts", "added", "repeated", "entities", "labels", "applied")],
                         [2, 2, 0, 2, ["time"], False])
        self.assertEqual(shown["warnings"], [])
        self.assertEqual(p.fine("GET", "")["counts"]["texts"], 0)
        got = p.fine("POST", "/import?name=" + quote("../../etc/ä<b>.jsonl"), self.FILE)
        self.assertEqual((got["added"], got["annotated"], got["applied"]), (2, 2, True))
        text = p.text(1)
        self.assertEqual((text["status"], text["file"], text["line"]), ("accepted", "ä<b>.jsonl", 1))
        self.assertEqual([(e["start"], e["end"], e["text"]) for e in text["entities"]], [(8, 12, "Anna"), (16, 20, "nine")])
        # what the texts came with goes out with them
        self.assertEqual(text["beside"], {"id": 7})
        self.assertEqual(p.fine("GET", "/export").decode(), self.FILE)
        # the same words with other entities: the first ones stay, and the answer says so
        twice = "".join(json.dumps({"text": "dora", "entities": e}) + "\n" for e in ([[0, 4, "person"]], [], [[0, 4, "person"]]))
        twice = p.fine("POST", "/import?name=twice.jsonl", twice)
        self.assertEqual((twice["added"], twice["repeated"], twice["annotated"]), (1, 2, 1))
        self.assertIn("1 texts came once more with other entities", twice["warnings"][0])
        self.assertEqual([e["text"] for e in p.text(3)["entities"]], ["dora"])
        # again: nothing is added, and what somebody has done since stays
        p.put(text, entities=[], status="skipped")
        again = p.fine("POST", "/import?name=x.jsonl", self.FILE)
        self.assertEqual((again["added"], again["repeated"], again["annotated"]), (0, 2, 0))
        self.assertEqual(p.text(1)["status"], "skipped")
        self.opened_again(p)

    def test_plain_text_and_drafts(self):
        p = self.project()
        got = p.fine("POST", "/import?name=a.txt&format=text", "one\ntwo\n")
        self.assertEqual((got["added"], p.text(1)["status"]), (2, "open"))
        p.fine("POST", "/import?name=b.jsonl&annotations=draft", self.FILE)
        self.assertEqual((p.text(3)["status"], p.text(3)["n_entities"]), ("open", 2))
        got = p.fine("POST", "/import?name=d.jsonl&preview=true",
                     '{"text": "a b", "entities": [{"start": 0, "end": 1, "label": "x", "weight": 0.5}]}')
        self.assertEqual(got["warnings"], ['the entities\' "weight" is not kept'])
        p.fine("POST", "/import?name=c.txt&annotations=none", "[person : Anna] came\n")
        self.assertEqual((p.text(5)["text"], p.text(5)["n_entities"]), ("Anna came", 0))

    def test_wrong_files(self):
        p = self.project()
        wrong = '{"text": "a"}\n{"text": "abc", "entities": [[2, 9, "x"]]}\n'
        status, answer = p.ask("POST", "/import?name=x.jsonl", wrong)
        self.assertEqual(status, 422)
        self.assertIn("x.jsonl:2", answer["error"])
        over = '{"text": "abc d", "entities": [[0, 3, "x"], [0, 5, "y"]]}\n'
        self.assertEqual(p.ask("POST", "/import?name=x.jsonl", over)[0], 422)
        for query in ("format=docx", "overlap=some", "annotations=some"):
            self.assertEqual(p.ask("POST", "/import?name=x.jsonl&" + query, "{}")[0], 422, query)
        self.assertEqual(p.fine("GET", "")["counts"]["texts"], 0)
        self.assertEqual(p.fine("GET", "/labels")["labels"], [])
        p.fine("POST", "/import?name=x.jsonl&overlap=longest", over)
        self.assertEqual([e["label"] for e in p.text(1)["entities"]], ["y"])

    def test_every_format_and_back(self):
        p = self.project()
        p.fine("POST", "/import?name=x.jsonl", '{"text": "call Anna at nine .", "entities": [[5, 9, "person"], [13, 17, "time"]]}\n'
                                               '{"text": "Ben at ten .", "entities": [[0, 3, "person"]]}\n')
        texts = [(t["text"], [(e["start"], e["end"], e["label"]) for e in t["entities"]]) for t in p.state()[0]]
        formats = p.fine("GET", "/formats")["written"]
        written = [f["name"] for f in formats if not f["folder"]]
        self.assertGreater(len(written), 8)
        for name in written:
            with self.subTest(format=name):
                data = p.fine("GET", f"/export?format={name}")
                self.assertRegex(p.headers["Content-Disposition"], r'^attachment; filename="project\.[a-z.-]+"$')
                back = self.project(folder=Path(self.root) / f"back-{name}")
                back.fine("POST", f"/import?name=x&format={name}", data)
                got = [(t["text"], [(e["start"], e["end"], e["label"]) for e in t["entities"]]) for t in back.state()[0]]
                self.assertEqual(got, texts if name != "text" else [(t, []) for t, _ in texts])
                back.service.end()
        self.assertEqual({f["name"] for f in formats if f["folder"]}, {"brat", "seq"})
        for name, files in (("brat", [".ann", ".txt"]), ("seq", [".in", ".out"])):
            with tarfile.open(fileobj=io.BytesIO(p.fine("GET", f"/export?format={name}"))) as tar:
                self.assertEqual({Path(n).parts[0] for n in tar.getnames()}, {"project"})
                self.assertEqual(sorted({Path(n).suffix for n in tar.getnames()}), files)
                tar.extractall(Path(self.root) / name)
            done = subprocess.run([NERFIT, "data", "convert", Path(self.root) / name / "project"], capture_output=True,
                                  text=True, timeout=PATIENCE)
            self.assertEqual([(t["text"], [tuple(e) for e in t["entities"]]) for t in map(json.loads, done.stdout.splitlines())],
                             texts)
        for query in ("format=none", "status=good"):
            self.assertEqual(p.ask("GET", "/export?" + query)[0], 422, query)
        self.assertEqual(p.fine("GET", "/export?status=open"), b"")


class Safety(ProjectCase):
    def test_two_people(self):
        p = self.project()
        p.add("call Anna at nine")
        p.label("person", "time")
        seen = p.text(1)
        first = p.put(seen, entities=[entity(seen["text"], "Anna", "person")])
        status, answer = p.put(seen, entities=[entity(seen["text"], "nine", "time")])
        self.assertEqual((first[0], status, answer["error_type"]), (200, 409, "conflict"))
        self.assertEqual(answer["current"]["entities"], first[1]["entities"])
        self.assertEqual(p.put(answer["current"], status="accepted")[0], 200)

    def test_two_people_at_once(self):
        """Of those who began from one revision one wins; no acknowledged change is written over unseen."""
        p = self.project()
        p.add("text")
        won = []

        def save(name):
            for _ in range(10):
                while True:
                    text = p.service.ask("GET", "/project/texts/1")[2]
                    notes = text["notes"] + name
                    status, _, answer = p.service.ask("PUT", "/project/texts/1",
                                                      {"revision": text["revision"], "notes": notes},
                                                      {"X-Nerfit-Token": p.token})
                    if status == 200:
                        won.append(name)
                        break
                    self.assertEqual(status, 409)

        threads = [threading.Thread(target=save, args=(name,)) for name in "ab"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual((len(won), sorted(p.text(1)["notes"])), (20, ["a"] * 10 + ["b"] * 10))

    def test_one_service_a_project(self):
        p = self.project()
        second = subprocess.run([NERFIT, "serve", "--project", p.folder, "--port", "0"], capture_output=True, text=True,
                                timeout=PATIENCE)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another service", second.stderr)

    def test_a_path_that_json_cannot_say(self):
        folder = os.fsencode(self.root) + b"/caf\xe9"
        os.mkdir(folder)
        for given in (["--project", folder], ["--project", Path(self.root) / "project", "--project_model", folder]):
            done = subprocess.run([NERFIT, "serve", *given, "--port", "0"], capture_output=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"caf\xe9: the path is not valid UTF-8", done.stderr)

    def test_killed_while_saving(self):
        for seed in range(20 if LONG else 4):
            with self.subTest(seed=seed):
                self.killed_while_saving(Path(self.root) / f"killed-{seed}", random.Random(seed))

    def killed_while_saving(self, folder, rng):
        p = self.project(folder=folder)
        p.add(*(f"text number {i}" for i in range(50)))
        p.label("number")
        known = {int(t["id"]): (t["revision"], t["notes"]) for t in p.fine("GET", "/texts?limit=500")["texts"]}
        end, wrong = threading.Event(), []

        def work():
            c = p.service.connect()
            try:
                while not end.is_set():
                    number = rng.randrange(1, 51)
                    status, _, answer = p.service.ask(
                        "PUT", f"/project/texts/{number}",
                        {"revision": known[number][0], "status": "accepted", "notes": str(rng.random())},
                        {"X-Nerfit-Token": p.token}, c)
                    if status != 200:
                        wrong.append(answer)
                    known[number] = (answer["revision"], answer["notes"])
            except (OSError, http.client.HTTPException):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(rng.uniform(0.05, 0.5))
        p.service.kill()
        end.set()
        thread.join()
        self.assertEqual(wrong, [])
        again = self.project(folder=folder)
        texts = {int(t["id"]): t for t in again.fine("GET", "/texts?limit=500")["texts"]}
        self.assertEqual(len(texts), 50)
        for number, (revision, notes) in known.items():
            # one more may have been written whose acknowledgement was never sent
            self.assertGreaterEqual(texts[number]["revision"], revision)
            if texts[number]["revision"] == revision:
                self.assertEqual(texts[number]["notes"], notes)
        newer = [n for n, (revision, _) in known.items() if texts[n]["revision"] > revision]
        self.assertLessEqual(len(newer), 1)

    @unittest.skipUnless(LONG, "in --long")
    def test_large(self):
        """A log is not compacted: a million decisions about 100,000 texts are opened in seconds."""
        folder = Path(self.root) / "large"
        folder.mkdir()
        n, rounds = 100000, 10
        with (folder / "texts.jsonl").open("w") as f:
            for i in range(1, n + 1):
                f.write(json.dumps({"revision": i, "id": i, "text": "call anna at nine " * 5 + str(i)}) + "\n")
        with (folder / "annotations.jsonl").open("w") as f:
            f.write(json.dumps({"revision": n + 1, "time": 1.5, "labels": ["person", "time"]}) + "\n")
            for k in range(rounds * n):
                f.write(json.dumps({"revision": n + 2 + k, "time": 1.7e9 + k, "id": k % n + 1, "status": "accepted", "notes": "",
                                    "entities": [[5, 9, "person"], [13, 17, "time"]]}) + "\n")
        p = self.project(folder=folder)
        self.assertEqual(p.fine("GET", "")["counts"]["accepted"], n)
        process = Path(f"/proc/{p.service.process.pid}")
        seconds = sum(map(int, (process / "stat").read_text().split()[13:15])) / os.sysconf("SC_CLK_TCK")
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())[1]) / 1000
        self.assertLess(seconds, 20)
        self.assertLess(peak, 500)
        self.assertEqual(len(p.fine("GET", f"/texts/{n}/history")["events"]), rounds)

    def test_torn_line(self):
        p = self.project()
        p.add("one", "two")
        p.put(p.text(1), status="accepted")
        before = p.state()
        p.service.end()
        log = p.folder / "annotations.jsonl"
        whole = log.read_bytes()
        for torn in (b'{"revision": 99, "id": 2, "sta', b"\0\0\0\0", b"{"):
            log.write_bytes(whole + torn)
            again = self.project()
            self.assertIn("incomplete", again.fine("GET", "")["notices"][0])
            self.assertEqual(again.state(), before)
            again.service.end()
            self.assertEqual(log.read_bytes(), whole)
        # a line that lacks nothing but its end counts
        log.write_bytes(whole[:-1])
        again = self.project()
        self.assertEqual(again.state(), before)
        again.put(again.text(2), status="skipped")
        again.service.end()
        self.assertEqual(self.project().text(2)["status"], "skipped")

    def test_damaged_line(self):
        p = self.project()
        p.add("one")
        p.put(p.text(1), status="accepted")
        p.service.end()
        log = p.folder / "annotations.jsonl"
        for line, why in [('{"revision": 9, "id": 7, "status": "open", "entities": [], "notes": ""}', "id"),
                          ('{"revision": 9, "id": 1, "status": "open", "entities": [[0, 9, "x"]], "notes": ""}', "entity"),
                          ('{"revision": 9, "id": 1, "status": "open", "entities": 5, "notes": ""}', "entities"),
                          ('{"revision": 9, "dance": true}', "unknown kind"), ("nonsense", "JSON"), ("{}", "revision")]:
            log.write_text(line + "\n")
            done = subprocess.run([NERFIT, "serve", "--project", p.folder, "--port", "0"], capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("annotations.jsonl:1", done.stderr)
            self.assertIn(why, done.stderr)

    def test_full_disk(self):
        """What does not fit is not saved, and says so; then all goes on."""
        p = self.project(prefix=["env", "--ignore-signal=XFSZ"])
        p.add("text")
        p.put(p.text(1), notes="a")
        for room in (0, 1, 40):
            text, before = p.text(1), p.state()
            size = (p.folder / "annotations.jsonl").stat().st_size
            whole = resource.prlimit(p.service.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(p.service.process.pid, resource.RLIMIT_FSIZE, (size + room, whole[1]))
            status, answer = p.put(text, notes=text["notes"] + "b")
            self.assertEqual(status, 500)
            self.assertIn("nothing was saved", answer["error"])
            self.assertEqual(p.state(), before)
            self.assertEqual((p.folder / "annotations.jsonl").stat().st_size, size)
            resource.prlimit(p.service.process.pid, resource.RLIMIT_FSIZE, whole)
            self.assertEqual(p.put(text, notes=text["notes"] + "b")[0], 200)
        self.opened_again(p)

    @unittest.skipIf("ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ,
                     "a sanitizer's library wants to be the first")
    def test_failed_sync(self):
        shim = Path(self.root) / "shim.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", TESTS / "fault_shim.c", "-o", shim, "-ldl"], check=True)
        p = self.project()
        p.add("text")
        p.put(p.text(1), notes="a")
        p.service.end()
        p = self.project(LD_PRELOAD=str(shim), FAULT="fsync:1:fail")
        text, before = p.text(1), p.state()
        status, answer = p.put(text, notes="b")
        self.assertEqual((status, p.state()), (500, before))
        self.assertIn("nothing was saved", answer["error"])
        self.assertEqual(p.put(text, notes="c")[0], 200)
        self.opened_again(p)

    def test_who_may(self):
        p = self.project()
        p.add("text")
        for method, path in [("PUT", ""), ("POST", "/labels"), ("POST", "/texts"), ("PUT", "/texts/1"),
                             ("DELETE", "/texts/1?revision=1"), ("POST", "/labels/rename")]:
            for token in ({}, {"X-Nerfit-Token": "0" * 32}):
                self.assertEqual(p.service.ask(method, "/project" + path, {}, token)[0], 403, path)
        status = p.service.ask("GET", "/project", headers={"Origin": "http://evil.example"})[0]
        self.assertEqual(status, 403)

    def test_paths(self):
        p = self.project()
        p.add("text")
        for path in ("/texts/../../etc/passwd", "/texts/1/../2", "/texts/%2e%2e", "/texts/", "/texts/0", "/texts/-1",
                     "/texts/99999999999999999999", "/texts/1x", "/texts/" + "9" * 5000, "/nothing"):
            self.assertIn(p.ask("GET", path)[0], (404, 400), path)
        self.assertEqual(p.ask("POST", "/texts", gzip.compress(b"x" * 3_000_000), **{"Content-Encoding": "gzip"})[0], 413)
        self.assertEqual(p.ask("POST", "/texts", b'{"texts": ["\xff\xfe"]}')[0], 400)
        self.assertEqual(p.ask("POST", "/texts", '{"texts": ["a\\u0000b"]}')[0], 400)
        self.assertEqual(p.fine("GET", "")["counts"]["texts"], 1)

    def test_hostile_requests(self):
        """Whatever is asked, the answer is one of the documented ones, and what was saved is what is there."""
        p = self.project()
        rng = random.Random(7)
        p.label("person", *HOSTILE)
        p.add("call Anna", "😀 at nine", *HOSTILE)
        routes = [("PUT", ""), ("POST", "/labels"), ("POST", "/labels/order"), ("POST", "/labels/rename"),
                  ("POST", "/labels/delete"), ("POST", "/texts"), ("PUT", "/texts/{}"), ("DELETE", "/texts/{}"),
                  ("GET", "/texts/{}"), ("GET", "/texts/{}/history"), ("GET", "/texts"), ("GET", "/next"), ("POST", "/predict"),
                  ("POST", "/train/cancel"), ("POST", "/train/resume"), ("POST", "/runs/use"), ("GET", "/runs/{}"),
                  ("GET", "/compare"), ("GET", "/thresholds"), ("GET", "/check"), ("POST", "/import"), ("GET", "/export"),
                  ("GET", "/changes"), ("POST", "/suggest")]
        values = [None, True, 0, 1, -1, 2**53, 1.5, "", "1", "person", "open", "accepted", "jsonl", [], {}, ["person"], [[0, 4, "person"]],
                  [{"start": 0, "end": 4, "label": "person"}], [{"start": 3, "end": 7, "label": "person"}], "\ud800", "x" * 300,
                  *HOSTILE]
        names = ["revision", "status", "entities", "notes", "by", "name", "description", "color", "shortcut", "create", "names",
                 "from", "to", "merge", "preview", "texts", "ids", "threshold", "run", "nested", "text"]
        queries = ["offset", "limit", "status", "label", "search", "filter", "order", "offsets", "revision", "since", "a", "b", "run",
                   "precision", "format", "overlap", "annotations", "preview", "name", "after"]
        connection = p.service.connect()
        self.addCleanup(connection.close)
        for i in range(20000 if LONG else 1500):
            method, path = rng.choice(routes)
            path = path.format(rng.choice(["1", "2", "3", "99", "0", "-1", "x", "%00", "..%2f", "1%2f..", "0001"]))
            query = urlencode({rng.choice(queries): rng.choice([v for v in values if isinstance(v, (str, int)) and v != "\ud800"])
                               for _ in range(rng.randrange(3))})
            body = json.dumps({rng.choice(names): rng.choice(values) for _ in range(rng.randrange(6))}).encode()
            if rng.random() < 0.1:
                body = rng.randbytes(rng.randrange(100))
            status, _, answer = p.service.ask(method, f"/project{path}?{query}", body if method != "GET" else None,
                                              {"X-Nerfit-Token": p.token}, connection)
            self.assertIn(status, (200, 400, 404, 409, 422, 424), (method, path, query, body, answer))
        self.opened_again(p)

    def test_what_is_documented(self):
        p = self.project()
        paths = p.service.ask("GET", "/openapi.json")[2]["paths"]
        for path, methods in paths.items():
            for method, route in methods.items() if path.startswith("/project") else ():
                status, answer = p.ask(method.upper(), path[len("/project"):], None if method == "get" else {})
                self.assertIn(str(status), route["responses"], (method, path, answer))
        self.assertGreater(sum(path.startswith("/project") for path in paths), 20)

    def test_without_a_project(self):
        make_model(Path(self.root) / "model")
        service = Service(self)
        self.assertEqual(service.ask("GET", "/project")[0], 404)


class Training(ProjectCase):
    def setUp(self):
        super().setUp()
        self.encoder = Path(self.root) / "encoder"
        self.encoder.mkdir()
        made_model.bert(self.encoder, "wake,me,up,at,nine,ten,call,anna,ben,now")

    def taught(self, p=None):
        p = p or self.project("--project_model", self.encoder)
        p.teach()
        p.add("wake me up")
        return p

    def finish(self, p, measured=False):
        """With measured=False a training's model is enough."""
        on = ("starting", "running", "stopping", *(("measuring",) if measured else ()))
        state = lambda: p.fine("GET", "/training")["state"]  # noqa: E731
        self.assertTrue(p.service.wait_for(lambda: state() not in on, 5 * PATIENCE))
        if state() == "measuring":
            p.fine("POST", "/train/cancel", {})
            self.assertTrue(p.service.wait_for(lambda: state() not in ("measuring", "stopping"), PATIENCE))
        return p.fine("GET", "/training")

    def wait_for_model(self, p, run):
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["model"]["run"] == run), p.service.messages)

    def test_quick_round(self):
        p = self.taught()
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["model"]["state"] == "failed"))
        self.assertIn("encoder", p.ask("POST", "/predict", {"ids": ["1"]})[1]["error"])
        self.assertEqual(p.fine("POST", "/train", {"round": "quick"})["run"], "0001")
        self.assertEqual(p.ask("POST", "/train", {})[0], 409)
        # the model is there first, and measured then
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "/training")["state"] in ("measuring", "done")))
        self.assertEqual(p.fine("GET", "/runs")["runs"][0]["state"], "done")
        self.wait_for_model(p, "0001")
        done = self.finish(p, measured=True)
        self.assertEqual((done["state"], done["step"], done["total_steps"]), ("done", 60, 60), done)
        self.assertLess(done["loss"][-1][1], done["loss"][0][1])
        self.assertEqual([step for step, _ in done["loss"]], sorted({step for step, _ in done["loss"]}))
        runs = p.fine("GET", "/runs")
        run = runs["runs"][0]
        self.assertEqual((run["annotations"], run["current"], run["state"]), (12, True, "done"))
        self.assertEqual((run["n_held_out"], run["parts"]), (12, [4, 4, 4]))
        self.assertEqual([(c["run"], c["annotations"], c["parts"]) for c in runs["curve"]], [("0001", 12, [4, 4, 4])])
        self.assertEqual(runs["scarce"], [])
        status, answer = p.ask("POST", "/predict", {"ids": ["13", "14"], "threshold": 0})
        self.assertEqual((status, [t["id"] for t in answer["texts"]]), (200, ["13", "14"]))
        for t in answer["texts"]:
            for e in t["entities"]:
                self.assertIn(e["label"], ("person", "time"))
        # a label's new name holds for a model that knows the old one
        p.fine("POST", "/labels/rename", {"from": "person", "to": "human"})
        p.fine("POST", "/labels/delete", {"name": "time"})
        found = p.ask("POST", "/predict", {"ids": ["13"], "threshold": 0})[1]["texts"][0]["entities"]
        self.assertLessEqual({e["label"] for e in found}, {"human"})
        # the next service has it again
        p.service.end()
        again = self.project()
        self.wait_for_model(again, "0001")

    def test_what_came_of_it(self):
        p = self.taught()
        self.assertEqual(p.ask("GET", "/texts?filter=disagreement")[0], 409)
        self.assertEqual(p.ask("GET", "/thresholds")[0], 404)
        self.assertEqual(p.ask("GET", "/use")[0], 404)
        for _ in range(2):
            p.fine("POST", "/train", {})
            self.assertLess(p.fine("GET", "/training")["step"], 60)  # the one before is not counted
            self.assertEqual(self.finish(p, measured=True)["state"], "done")
        run = p.fine("GET", "/runs/0002")
        self.assertEqual(sorted(run["held_out"]), list(range(1, 13)))
        golds = sum(len(p.text(i)["entities"]) for i in run["held_out"])
        self.assertEqual(run["scores"]["micro"]["support"], golds)
        self.assertEqual(run["f1"], run["scores"]["micro"]["f1"])
        self.assertEqual(len(run["confusion"]["table"]), len(run["confusion"]["types"]) + 1)
        page = p.fine("GET", "/runs/0002/report.html").decode()
        self.assertIn("<html", page)
        self.assertIn("sandbox", p.headers["Content-Security-Policy"])
        best = p.folder / "runs/0002/model/best"
        with tarfile.open(fileobj=io.BytesIO(p.fine("GET", "/runs/0002/model.tar"))) as tar:
            self.assertEqual({n: tar.extractfile(n).read() for n in tar.getnames()},
                             {f"project-0002/{f.name}": f.read_bytes() for f in best.iterdir()})
        self.assertEqual(p.ask("GET", "/runs/0001/report.json")[0], 404)
        # a model that is not in use may go; its figures stay
        self.assertEqual(p.ask("POST", "/runs/forget", {"run": "0002"})[0], 409)
        self.assertEqual(p.ask("POST", "/runs/forget", {"run": "../0001"})[0], 422)
        got = p.fine("POST", "/runs/forget", {"run": "0001"})
        self.assertEqual([r["has_model"] for r in got["runs"]], [False, True])
        self.assertFalse((p.folder / "runs/0001/model/best").exists())
        self.assertEqual(p.ask("POST", "/runs/use", {"run": "0001"})[0], 422)
        self.assertEqual(p.ask("GET", "/runs/0001/model.tar")[0], 404)
        self.assertTrue(p.fine("GET", "/runs/0001")["has_report"])
        self.wait_for_model(p, "0002")
        self.assertEqual(p.fine("GET", "/use")["folder"], str(best))
        self.assertEqual([f.name for f in p.folder.iterdir() if f.name.startswith(".")], [])
        mistakes = p.fine("GET", "/runs/0002/mistakes")["mistakes"]
        missed = sum(m["gold"] is not None for m in mistakes)
        self.assertEqual(missed, golds - run["scores"]["micro"]["correct"])
        for m in mistakes:
            self.assertIn(int(m["id"]), run["held_out"])
            text = p.text(m["id"])
            self.assertEqual(m["text"], text["text"])
            if m["gold"]:
                self.assertIn({k: m["gold"][k] for k in ("start", "end", "label", "text")}, text["entities"])
            for e in filter(None, (m["gold"], m["predicted"])):
                self.assertEqual(m["text"][e["start"]:e["end"]], e["text"])
        got = p.fine("GET", "/thresholds?precision=0.9")
        self.assertEqual(set(got["labels"]), {"person", "time"})
        self.assertEqual(got["all"]["annotated"], golds)
        for row in [got["all"], *got["labels"].values()]:
            recalls = [x["recall"] for x in row["points"]]
            self.assertEqual(recalls, sorted(recalls, reverse=True))
            if row["chosen"] is not None:
                self.assertGreaterEqual(next(x for x in row["points"] if x["threshold"] == row["chosen"])["precision"], 0.9)
        got = p.fine("GET", "/compare?a=0001&b=0002")
        self.assertTrue(got["same_texts"])
        for row in got["types"]:
            self.assertEqual(row["a"], row["b"])  # the same texts, the same seed
        # where the model sees a text otherwise, until somebody has looked
        disputed = p.fine("GET", "/texts?filter=disagreement&limit=500")["texts"]
        self.assertLessEqual({m["id"] for m in mistakes}, {t["id"] for t in disputed})
        for t in disputed:
            p.put(t, notes="right as it is")
        self.assertEqual(p.fine("GET", "/texts?filter=disagreement")["total"], 0)
        for path, status in [("/runs/0009", 404), ("/runs/../0001", 404), ("/runs/0002/train.jsonl", 404), ("/runs/", 404),
                             ("/compare?a=0001", 404), ("/thresholds?precision=2", 422), ("/thresholds?run=x", 404)]:
            self.assertEqual(p.ask("GET", path)[0], status, path)

    def test_check(self):
        p = self.project("--project_model", self.encoder)
        p.label("person", "place", "unused")
        p.add("skipped", *(f"call anna now {i}" for i in range(4)))
        for i in range(2, 6):
            p.accept(i, ("anna", "person" if i < 5 else "place"))
        findings = p.fine("GET", "/check")["findings"]
        self.assertIn("5", [f["id"] for f in findings])
        self.assertTrue(any("unused" in f["message"] for f in findings))

    def test_next_by_suggest(self):
        p = self.taught()
        p.fine("POST", "/train", {})
        self.finish(p)
        self.wait_for_model(p, "0001")
        self.assertEqual(p.fine("GET", "/next?order=suggest")["order"], "file")
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["suggest"]["state"] in ("ready", "failed")))
        text = p.fine("GET", "/next?order=suggest")
        self.assertEqual((text["order"], set(text["why"])), ("suggest", {"gain", "uncertainty", "rarity"}))
        self.assertIn(text["id"], ("13", "14"))
        other = p.fine("GET", f"/next?order=suggest&after={text['id']}")
        self.assertEqual({text["id"], other["id"]}, {"13", "14"})
        for t in (text, other):
            p.put(p.text(t["id"]), status="skipped")
        self.assertIsNone(p.fine("GET", "/next?order=suggest")["id"])
        self.assertEqual(p.ask("POST", "/suggest", {})[0], 422)

    def test_idle(self):
        p = self.project("--project_model", self.encoder, "--idle_seconds", "0.3")
        p = self.taught(p)
        time.sleep(0.5)
        p.fine("GET", "/changes")
        self.assertEqual(p.fine("GET", "/training")["state"], "idle")  # the first one is a person's
        p.fine("POST", "/train", {})
        self.finish(p)
        self.assertTrue(p.service.wait_for(
            lambda: p.fine("GET", "/changes") and len(p.fine("GET", "/runs")["runs"]) == 2))
        self.finish(p)
        time.sleep(0.5)
        p.fine("GET", "/changes")
        self.assertEqual([r["round"] for r in p.fine("GET", "/runs")["runs"]], ["quick", "thorough"])  # once is enough

    def test_a_training_that_is_killed(self):
        p = self.taught()
        p.fine("POST", "/train", {"round": "thorough"})
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "/training")["loss"]))
        children = Path(f"/proc/{p.service.process.pid}/task").glob("*/children")
        os.kill(int(next(c for c in (f.read_text().split() for f in children) if c)[0]), 9)
        self.assertIn("signal 9", self.finish(p)["error"])

    def test_gliner(self):
        """A model that reads labels finds them before anything is trained, and is trained further."""
        self.encoder = TESTS / "golden/gliner/markerv0"
        p = self.taught()
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["model"]["state"] == "ready"))
        found = p.fine("POST", "/predict", {"ids": ["13"], "threshold": 0})["texts"][0]["entities"]
        self.assertLessEqual({e["label"] for e in found}, {"person", "time"})
        self.assertTrue(found)
        p.fine("POST", "/train", {})
        self.assertEqual(self.finish(p)["state"], "done")
        self.wait_for_model(p, "0001")
        self.assertEqual(p.ask("POST", "/predict", {"ids": ["13"]})[0], 200)

    def test_cancel_and_resume(self):
        p = self.taught()
        p.fine("POST", "/train", {"round": "thorough"})
        p.service.wait_for(lambda: p.fine("GET", "/training")["loss"])
        p.fine("POST", "/train/cancel", {})
        self.assertEqual(self.finish(p)["state"], "cancelled")
        self.assertEqual(p.fine("GET", "/runs")["runs"][0]["state"], "cancelled")
        p.fine("POST", "/train/resume", {"run": "0001"})
        done = self.finish(p)
        self.assertEqual(done["state"], "done", done)
        self.assertEqual(p.ask("POST", "/train/resume", {"run": "0001"})[0], 422)
        self.assertEqual(p.ask("POST", "/train/resume", {"run": "../0001"})[0], 422)
        # the service ends while one runs: it is cancelled and can be gone on with
        p.fine("POST", "/train", {"round": "thorough"})
        p.service.end()
        again = self.project()
        self.assertEqual([r["state"] for r in again.fine("GET", "/runs")["runs"]], ["done", "cancelled"])
        self.assertEqual(again.ask("POST", "/runs/use", {"run": "0002"})[0], 422)
        again.fine("POST", "/train/resume", {"run": "0002"})
        self.assertEqual(self.finish(again)["state"], "done")
        self.wait_for_model(again, "0002")
        again.fine("POST", "/runs/use", {"run": "0001"})
        self.wait_for_model(again, "0001")

    def test_cancelled_while_measuring(self):
        p = self.taught()
        p.fine("POST", "/train", {})
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "/training")["part"] > 0))
        p.fine("POST", "/train/cancel", {})
        self.assertEqual(self.finish(p)["state"], "done")
        run = p.fine("GET", "/runs")["runs"][0]
        self.assertEqual((run["state"], run["current"], run.get("f1")), ("done", True, None))
        self.assertEqual(p.ask("GET", "/thresholds")[0], 422)
        self.assertEqual(p.ask("GET", "/texts?filter=disagreement")[0], 409)
        self.assertFalse((p.folder / "runs/0001/part").exists())
        p.fine("POST", "/train", {})
        self.finish(p, measured=True)
        self.assertIsNotNone(p.fine("GET", "/runs")["runs"][1]["f1"])

    def test_many_texts(self):
        """Of many a fifth is held out, always of the same ones, and the others are learned from."""
        p = self.project("--project_model", self.encoder)
        p.label("person")
        lines = [json.dumps({"text": f"call anna now {i}", "entities": [[5, 9, "person"]]}) for i in range(120)]
        for name, some in (("a.jsonl", lines[:110]), ("b.jsonl", lines[110:])):
            p.fine("POST", f"/import?name={name}", "\n".join(some))
            p.fine("POST", "/train", {})
            self.assertEqual(self.finish(p, measured=True)["state"], "done")
        runs = [p.fine("GET", f"/runs/000{i}") for i in (1, 2)]
        for run, n in zip(runs, (110, 120)):
            self.assertEqual((run["annotations"], run["parts"]), (n, []))
            self.assertLess(abs(len(run["held_out"]) - n / 5), 4)
            self.assertEqual(run["scores"]["micro"]["support"], len(run["held_out"]))
            files = [p.folder / "runs" / run["run"] / f for f in ("held_out.jsonl", "train.jsonl")]
            held, rest = ({json.loads(x)["id"] for x in f.read_text().splitlines()} for f in files)
            self.assertEqual((held, held & rest, len(held | rest)), (set(run["held_out"]), set(), n))
        self.assertLessEqual(set(runs[0]["held_out"]), set(runs[1]["held_out"]))

    def test_label_studio(self):
        """What is annotated in Label Studio becomes the project's, and its button trains; messages as 1.23 sends them."""
        config = """<View><Labels name="label" toName="text"><Label value="person"/><Label value="time"/></Labels>
            <Text name="text" value="$text"/></View>"""
        p = self.project("--project_model", TESTS / "golden/gliner/markerv0")
        ask = lambda path, body, **headers: p.service.ask("POST", path, body, headers)[::2]  # noqa: E731
        self.assertEqual(ask("/setup", {"project": "1.1", "schema": config}),
                         (200, {"model_version": "project-0", "left_out": []}))
        self.assertEqual([label["name"] for label in p.fine("GET", "")["labels"]], ["person", "time"])
        self.assertTrue(p.service.wait_for(lambda: p.fine("GET", "")["model"]["state"] == "ready"))
        self.assertEqual(ask("/setup", {"project": "1.1", "schema": config})[1]["model_version"], "project-1")
        self.assertEqual(p.service.ask("GET", "/versions")[2]["versions"], ["project-1"])
        text = "\U0001F600 call anna at nine"
        answer = ask("/predict", {"tasks": [{"id": 1, "data": {"text": text}}], "label_config": config})
        self.assertEqual((answer[0], len(answer[1]["results"])), (200, 1), answer)

        def message(action, *marks, text=text, **more):
            result = [{"from_name": "label", "to_name": "text", "type": "labels", "id": str(i),
                       "value": {"start": utf16(text, text.index(w)), "end": utf16(text, text.index(w) + len(w)), "text": w,
                                 "labels": [label]}} for i, (w, label) in enumerate(marks)]
            return {"action": action, "annotation": {"id": 3, "result": result, **more}, "task": {"id": 1, "data": {"text": text}},
                    "project": {"id": 1, "label_config": config}}
        self.assertEqual(ask("/webhook", message("ANNOTATION_CREATED", ("anna", "person")))[0], 201)
        self.assertEqual([e["text"] for e in p.text(1)["entities"]], ["anna"])
        changed = message("ANNOTATION_UPDATED", ("anna", "person"), ("nine", "time"))
        self.assertEqual(ask("/webhook", changed), (201, {"action": "ANNOTATION_UPDATED", "used": True, "annotated": 1, "warnings": []}))
        self.assertEqual([(p.text(1)["status"], e["text"], e["label"]) for e in p.text(1)["entities"]],
                         [("accepted", "anna", "person"), ("accepted", "nine", "time")])
        before = p.fine("GET", "")["revision"]
        self.assertEqual(ask("/webhook", changed)[0], 201)  # sent again: nothing is new
        self.assertEqual(p.fine("GET", "")["revision"], before)
        skipped = ask("/webhook", message("ANNOTATION_CREATED", text="ben", was_cancelled=True))
        self.assertEqual((skipped[0], skipped[1]["used"]), (201, False))
        self.assertTrue(skipped[1]["warnings"])
        for action in ("TASKS_CREATED", "PROJECT_UPDATED"):
            self.assertEqual(ask("/webhook", {"action": action, "project": {"id": 1}}), (201, {"action": action, "used": False}))
        self.assertEqual(ask("/webhook", {"action": "ANNOTATION_CREATED"})[0], 422)
        several = {key: [value] * 2 for key, value in message("ANNOTATIONS_CREATED", ("anna", "person")).items() if key != "action"}
        for wrong in ({"task": several["task"][:1]}, {"annotation": changed["annotation"]},  # which is whose?
                      {"task": [{"data": {"text": "ann"}}] * 2}):  # an entity beyond the text's end
            self.assertEqual(ask("/webhook", {"action": "ANNOTATIONS_CREATED", **several, **wrong})[0], 422)
        several["annotation"][0] = changed["annotation"]  # the same text twice: the last one counts
        for _ in range(2):
            answer = ask("/webhook", {"action": "ANNOTATIONS_CREATED", **several})[1]
            self.assertEqual((answer["annotated"], len(answer["warnings"])), (1, 1), answer)
            self.assertEqual([e["text"] for e in p.text(1)["entities"]], ["anna"])
        self.assertEqual(ask("/webhook", changed)[0], 201)
        port = p.service.port
        self.assertEqual(ask("/webhook", message("ANNOTATION_CREATED", ("ben", "person"), text="ben"),
                             Origin=f"http://127.0.0.1:{port}")[0], 403)
        status, answer = ask("/webhook", {"action": "START_TRAINING", "project": {"id": 1, "label_config": config}})
        self.assertEqual((status, answer["training"]["run"]), (201, "0001"))
        self.assertEqual(self.finish(p)["state"], "done")

    def test_too_little(self):
        p = self.project("--project_model", self.encoder)
        p.label("person")
        p.add("call anna")
        status, answer = p.ask("POST", "/train", {})
        self.assertEqual(status, 422)
        self.assertIn("accepted texts with entities", answer["error"])
        self.assertEqual(p.ask("POST", "/train", {"round": "long"})[0], 422)
        p.accept(1, ("anna", "person"))
        p.fine("POST", "/train", {})
        self.assertEqual(self.finish(p)["state"], "done")
        self.assertIsNone(p.fine("GET", "/runs")["runs"][0].get("f1"))

    def test_a_training_that_fails(self):
        p = self.taught()
        (self.encoder / "config.json").write_text("{}")
        p.fine("POST", "/train", {})
        failed = self.finish(p)
        self.assertEqual(failed["state"], "failed")
        self.assertIn("config.json", failed["error"])

    def test_long_messages_of_a_training(self):
        """What is too long to be kept ends behind a whole character: half of one is nothing that JSON could say."""
        self.encoder = self.encoder.rename(self.encoder.parent / ("\U0001F600" * 60))
        for _ in range(2):
            (below := self.encoder.parent / ("\U0001F600" * 61)).mkdir()
            self.encoder = self.encoder.rename(below / self.encoder.name)
        p = self.taught()
        (self.encoder / "config.json").write_text("{}")
        p.fine("POST", "/train", {})
        failed = self.finish(p)
        self.assertEqual(failed["state"], "failed")
        self.assertIn("\U0001F600", failed["error"])
        self.assertEqual(failed["error"], failed["message"])


if __name__ == "__main__":
    unittest.main()
