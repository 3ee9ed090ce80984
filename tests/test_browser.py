#!/usr/bin/env python3
"""A project's page in a real browser (webdriver.py): what people do with it by pointer and keys.

    python3 tests/test_browser.py NERFIT [unittest's arguments]

Standard library only; Debian's chromium and chromium-driver. NERFIT_AXE: the file axe.min.js of axe-core, for the
test of accessibility. Where they are missing, tests are skipped.
"""

import json
import os
import tarfile
import time
import unittest
from pathlib import Path

from test_project import HOSTILE, Project, utf16
from test_serve import Case, Service
from webdriver import Browser, available

AXE = os.environ.get("NERFIT_AXE")
AXE = AXE if AXE and Path(AXE).is_file() else None
ENCODER = Path(os.environ.get("NERFIT_TEST_ENCODER", ".cache/all-MiniLM-L6-v2")).resolve()
# the box of a range of the text, in the window
BOX = """
const [from, to] = arguments, text = document.getElementById("text"), range = document.createRange();
const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
let at = 0, node, begun = false;
while ((node = walker.nextNode())) {
    if (!begun && from < at + node.length) { range.setStart(node, from - at); begun = true; }
    if (to <= at + node.length) { range.setEnd(node, to - at); break; }
    at += node.length;
}
const { left, right, top, bottom } = range.getBoundingClientRect();
return [left, right, (top + bottom) / 2];
"""


class Browsing(Case):
    @classmethod
    def setUpClass(cls):
        if not available():
            raise unittest.SkipTest("chromium and chromium-driver are not here")
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.b = self.browser
        self.project = Project(self)

    def tearDown(self):
        self.assertEqual(self.b.complaints(), [])
        self.b.open("about:blank")

    def make(self, labels, *texts):
        self.project.label(*labels)
        return self.project.add(*texts)

    def visit(self, place=""):
        self.b.open(f"http://127.0.0.1:{self.project.service.port}/{place}")
        self.b.wait(lambda: self.b.js("return document.body.classList.contains('ready')"), "the page does not start")

    def text(self):
        return self.b.js("return document.getElementById('text').textContent")

    def is_text(self, text):
        self.b.wait(lambda: self.text() == text, f"the text is not {text!r}")

    def drag(self, part, inset=0):
        """Over a part of the text; `inset`: so many characters less at both ends."""
        text = self.text()
        at = text.index(part)
        left, right, y = self.b.js(BOX, utf16(text, at + inset), utf16(text, at + len(part) - inset))
        self.b.pointer((left + 1, y, "down"), (right - 1, y, "move"), (right - 1, y, "up"))

    def saved(self, number):
        self.b.wait(lambda: self.b.js("return document.getElementById('saving').textContent") == "Saved", "it is not saved")
        text = self.project.text(number)
        return [(e["text"], e["label"]) for e in text["entities"]]

    def marks(self):
        return self.b.js("return [...document.querySelectorAll('#text mark')].map((m) => [m.textContent, m.dataset.label])")

    def accessible(self, where):
        """By axe-core's rules, if it is here; its script goes in by the driver, past the page's policy."""
        if not AXE:
            return
        self.b.js(Path(AXE).read_text())
        found = self.b.wait_js("""const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ["violations"]}).then(({ violations }) => done(violations.map(
            ({ id, help, nodes }) => [id, help, nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? ""))])))""")
        self.assertEqual(found, [], where)


class Annotating(Browsing):
    def test_pointer(self):
        """Drag snaps to words, double click takes one, a label that was chosen before marks at once."""
        one, two = self.make(["time", "place"], "wake me up at half past nine in Rome", "nothing")
        self.visit()
        self.is_text("wake me up at half past nine in Rome")
        self.drag("half past nine", 2)
        self.b.wait(lambda: self.b.text("#chosen-text") == "half past nine")
        self.b.keys("1")
        self.assertEqual(self.saved(one), [("half past nine", "time")])
        text = self.text()
        left, right, y = self.b.js(BOX, text.index("Rome"), text.index("Rome") + 4)
        middle = (left + right) / 2
        self.b.pointer((middle, y, "down"), (middle, y, "up"), (middle, y, "down"), (middle, y, "up"))
        self.b.wait(lambda: self.b.text("#chosen-text") == "Rome")
        self.b.click("#labels li:nth-child(2) .use")
        self.assertEqual(self.saved(one), [("half past nine", "time"), ("Rome", "place")])
        self.b.keys("Escape", "1")
        self.assertEqual(self.b.js("return document.querySelector('.use[aria-pressed=true]').dataset.label"), "time")
        self.drag("wake", 1)
        self.assertEqual(self.saved(one), [("wake", "time"), ("half past nine", "time"), ("Rome", "place")])
        left, _, y = self.b.js(BOX, text.index("at half"), text.index("at half") + 2)
        self.b.pointer((left + 3, y, "down"), (left + 20, y + 20, "move"), (left - 5, y + 150, "move"), (left - 5, y + 150, "up"))
        self.assertEqual(self.saved(one), [("wake", "time"), ("at half past nine in Rome", "time")])
        self.b.keys("Control+z")
        self.b.click("#accept")
        self.is_text("nothing")
        self.assertEqual(self.project.text(one)["status"], "accepted")
        self.assertEqual(self.project.text(two)["status"], "open")

    def test_characters(self):
        """Marks end between characters as readers see them, in UTF-16; words are optional."""
        text = "\U0001F600 Ana\u0308\u0301is \U0001F468\u200D\U0001F469\u200D\U0001F467 名前は花子"
        one, = self.make(["x"], text)
        self.visit()
        self.is_text(text)
        self.b.click(".settings summary")
        self.b.click("#snap")
        self.b.js("""const t = document.querySelector('#text .line').firstChild;
            getSelection().setBaseAndExtent(t, arguments[0], t, arguments[1])""",
                  utf16(text, text.index("a\u0308")) + 1, utf16(text, text.index("\U0001F469")) + 1)
        self.b.wait(lambda: self.b.shown("#chosen"))
        self.b.keys("1")
        wanted = text[text.index("a\u0308"):text.index(" 名")]
        self.assertEqual(self.saved(one), [(wanted, "x")])

    def test_history(self):
        """Undo and redo go over decisions and texts."""
        one, two = self.make(["time"], "call at nine", "call at ten")
        self.visit()
        self.is_text("call at nine")
        self.drag("nine")
        self.b.keys("1")
        self.assertEqual(self.saved(one), [("nine", "time")])
        self.b.keys("Enter")
        self.is_text("call at ten")
        self.drag("ten")
        self.b.keys("1")
        self.assertEqual(self.saved(two), [("ten", "time")])
        self.b.keys("Control+z")
        self.b.wait(lambda: self.project.text(two)["entities"] == [])
        self.b.keys("Control+z")
        self.is_text("call at nine")
        self.b.wait(lambda: self.project.text(one)["status"] == "open")
        self.b.keys("Control+z")
        self.b.wait(lambda: self.project.text(one)["entities"] == [])
        for _ in range(3):
            self.b.keys("Control+Shift+z")
            time.sleep(0.2)
        self.is_text("call at ten")
        self.b.wait(lambda: len(self.project.text(two)["entities"]) == 1)
        self.assertEqual(self.project.text(one)["status"], "accepted")
        self.assertEqual(len(self.project.text(one)["entities"]), 1)

    def test_all_occurrences(self):
        text = "Anna calls Anna’s mother, not Annabel; then Anna leaves"
        one, = self.make(["person", "pet"], text)
        self.visit()
        self.is_text(text)
        self.drag("Anna")
        self.b.keys("1")
        self.b.click("#mark-all")
        self.assertEqual(self.saved(one), [("Anna", "person")] * 3)
        starts = [e["start"] for e in self.project.text(one)["entities"]]
        self.assertEqual(starts, [0, 11, text.rindex("Anna")])
        self.b.keys("Delete", "Control+z")
        self.assertEqual(self.saved(one), [("Anna", "person")] * 3)

    def test_nested(self):
        one, = self.make(["place", "org"], "the University of Rome opens")
        self.visit()
        self.is_text("the University of Rome opens")
        self.drag("University of Rome")
        self.b.keys("2", "Escape")
        self.drag("Rome")
        self.b.keys("1")
        self.assertEqual(self.saved(one), [("Rome", "place")])  # the project does not allow it: the new one stays
        self.b.keys("Control+z")
        self.project.fine("PUT", "", {"nested": True})
        self.b.reload()
        self.is_text("the University of Rome opens")
        self.drag("Rome")
        self.b.keys("1")
        self.assertEqual(self.saved(one), [("University of Rome", "org"), ("Rome", "place")])
        self.assertEqual(self.b.js("return document.querySelector('#text mark mark').textContent"), "Rome")

    def test_keyboard_only(self):
        """Labels, marks, notes and decisions, without a pointer."""
        one, two, three = self.make(["time"], "wake me at half past nine", "second", "third")
        self.visit()
        self.is_text("wake me at half past nine")
        for _ in range(40):
            self.b.keys("Tab")
            if self.b.js("return document.activeElement.id") == "text":
                break
        self.assertEqual(self.b.js("return document.activeElement.id"), "text")
        self.b.keys(*["Right"] * 4, "Shift+Right", "Shift+Right", "Shift+Right", "Shift+Left", "1")
        self.assertEqual(self.saved(one), [("half past", "time")])
        self.b.keys("Delete")
        self.assertEqual(self.saved(one), [])
        self.b.keys("Home", "Right", "Right", "Right", "Shift+Right", "Shift+Right", "1", "n")
        self.b.wait(lambda: self.b.js("return document.activeElement.id") == "notes")
        self.b.keys(*"see 1")
        self.b.wait(lambda: self.project.text(one)["notes"] == "see 1")
        self.b.keys("Tab")
        self.b.js("document.getElementById('text').focus()")
        self.b.keys("Enter")
        self.is_text("second")
        self.assertEqual(self.b.js("return document.activeElement.id"), "text")
        self.b.keys("x")
        self.is_text("third")
        self.b.keys("s")
        self.b.wait(lambda: self.project.text(three)["status"] == "skipped")
        self.assertEqual([self.project.text(i)["status"] for i in (one, two)], ["accepted", "rejected"])
        self.assertEqual(self.saved(one), [("half past nine", "time")])
        self.b.keys("?")
        self.b.find("#keys[open]")
        self.b.keys("Escape")
        self.assertFalse(self.b.shown("#keys"))

    def test_right_to_left(self):
        text = "أيقظني في الساعة التاسعة"
        one, = self.make(["time"], text)
        self.visit()
        self.is_text(text)
        self.assertEqual(self.b.js("return getComputedStyle(document.getElementById('text')).direction"), "rtl")
        self.b.js("document.getElementById('text').focus()")
        self.b.keys("Left", "Left", "Left", "Shift+Left", "1")
        self.assertEqual(self.saved(one), [("الساعة التاسعة", "time")])

    def test_long_text(self):
        """100 kB with 1,000 marks: a mark is there at once (3 s are for busy machines and the worst case, a single line)."""
        text = " ".join(f"{i}: call Anna at nine o’clock." for i in range(3500))
        one, = self.make(["time", "person"], text)
        at = [i for i in range(len(text)) if text.startswith("Anna", i)][:1000]
        self.project.put(self.project.text(one), entities=[{"start": i, "end": i + 4, "label": "person"} for i in at])
        self.visit()
        self.is_text(text)
        self.assertEqual(len(self.marks()), 1000)
        self.drag("nine")
        began = time.monotonic()
        self.b.keys("1")
        self.b.wait(lambda: self.b.js("return document.querySelectorAll('#text mark').length") == 1001)
        took = time.monotonic() - began
        self.assertLess(took, 3)
        print(f"100 kB, 1,001 marks: {took:.2f} s")

    def test_list(self):
        """10,000 texts come in pages; search and filter."""
        self.project.label("time")
        for part in range(10):
            self.project.add(*[f"message {i} at nine" for i in range(1000 * part, 1000 * part + 1000)])
        self.visit()
        self.b.wait(lambda: "1–50 of 10,000" in self.b.text("#list-place"))
        self.assertEqual(len(self.b.all("#list li")), 50)
        self.b.click("#list-on")
        self.b.wait(lambda: "51–100" in self.b.text("#list-place"))
        self.b.type("#search", "message 77")
        self.b.wait(lambda: "of 111" in self.b.text("#list-place"))
        self.b.click("#list li:nth-child(2) button")
        self.is_text("message 770 at nine")
        self.b.click("#accept")
        self.is_text("message 771 at nine")  # goes on in the list
        self.b.type("#search", " ")
        self.b.choose("#filter", "status=accepted")
        self.b.wait(lambda: "of 1 text" in self.b.text("#list-place"))


class Labels(Browsing):
    def test_labels(self):
        """Made, described, renamed and merged with a preview, deleted."""
        one, two = self.make([], "nine in Rome", "ten")
        self.visit()
        self.is_text("nine in Rome")
        for name in ("time", "hour", "place"):
            self.b.type("#new-label-name", name)
            self.b.keys("Enter")
            self.b.wait(lambda: name in self.b.texts("#labels .name"))
        self.drag("nine")
        self.b.keys("2")
        self.assertEqual(self.saved(one), [("nine", "hour")])
        self.b.click("#labels li:nth-child(2) .plain")
        self.b.type("#labels .form textarea", "when it is")
        self.b.click("#labels .form .main")
        self.b.wait(lambda: "when it is" in self.b.texts("#labels .about"))
        self.b.click("#labels li:nth-child(2) .plain")
        self.b.type("#labels .form > label:nth-of-type(3) input", "time")
        self.b.click("#labels .form > .row:last-child button")
        self.assertIn("1 entity in 1 text", self.b.text("dialog p"))
        self.assertIn("Merge", self.b.text("dialog h2"))
        self.assertEqual(self.project.text(one)["entities"][0]["label"], "hour")  # nothing has happened yet
        self.b.click("dialog .main")
        self.b.wait(lambda: self.b.texts("#labels .name") == ["time", "place"])
        self.assertEqual(self.project.text(one)["entities"][0]["label"], "time")
        self.b.wait(lambda: self.marks() == [["nine", "time"]], "the text shows the old label")
        self.b.click("#labels li:nth-child(2) .plain")
        self.b.click("#labels .form .danger")
        self.b.click("dialog .main")
        self.b.wait(lambda: self.b.texts("#labels .name") == ["time"])

    def test_hostile(self):
        """Markup in texts, labels, notes, names is text; no script runs, nothing is fetched."""
        labels = [name for name in HOSTILE if "/" not in name or "<" in name] + ["</style><style>*{display:none}"]
        ids = self.make(labels, *(f"{bad} nine" for bad in HOSTILE))
        self.project.fine("PUT", "", {"name": HOSTILE[0]})
        self.project.fine("POST", "/labels", {"name": labels[0], "description": HOSTILE[1]})
        for number, bad in zip(ids, HOSTILE):
            text = self.project.text(number)
            status, answer = self.project.put(text, notes=bad, entities=[
                {"start": len(text["text"]) - 4, "end": len(text["text"]), "label": labels[0]}])
            self.assertEqual(status, 200, answer)
        self.visit()
        for number, bad in zip(ids, HOSTILE):
            self.b.click(f"#list [data-id='{number}']")
            self.is_text(f"{bad} nine")
            self.assertEqual(self.marks(), [["nine", labels[0]]])
            self.assertEqual(self.b.js("return document.getElementById('notes').value"), bad)
        self.assertEqual(self.b.texts("#labels .name"), labels)
        self.assertEqual(self.b.js("return document.querySelectorAll('main img, main script, main style').length"), 0)
        self.assertEqual(self.b.text("#name"), HOSTILE[0])
        requests = self.b.js("return performance.getEntriesByType('resource').map((e) => e.name)")
        self.assertEqual([r for r in requests if not r.startswith(f"http://127.0.0.1:{self.project.service.port}/")], [])


class Learning(Browsing):
    """From annotations to a model, and what it says; over the demo's encoder, since random weights find nothing."""

    def setUp(self):
        if not (ENCODER / "config.json").is_file():
            self.skipTest("the encoder is not here")
        Case.setUp(self)
        self.b = self.browser
        self.project = Project(self, "--project_model", ENCODER)
        self.open_text = self.project.teach()

    def go(self, view):
        self.b.click(f"nav a[href='#{view}']")
        self.b.wait(lambda: self.b.shown(f"#{view}"))

    def train(self):
        self.go("train")
        before = self.b.text("#runs tr:first-child th") if self.b.shown("#runs tr") else ""
        self.b.click("#train-quick")
        self.b.wait(lambda: self.b.shown("#training"))
        self.b.wait(lambda: self.b.shown("#runs tr") and self.b.text("#runs tr:first-child th") != before
                    and "in use" in self.b.text("#runs tr:first-child td:last-child"), "the training does not end", 600)
        self.b.wait(lambda: self.b.text("#training-state") == "Done.", "the model is not measured", 600)

    def mistakes(self, run):
        return self.project.fine("GET", f"/runs/{run}/mistakes")["mistakes"]

    def test_train_and_correct(self):
        self.visit("#train")
        self.train()
        self.assertEqual(len(self.b.all("#curve circle")), 1)
        self.assertRegex(self.b.text("#training-numbers"), r"step (\d+) of \1 · loss [0-9.]+ · \d+ s")
        self.accessible("train")
        # one held-out text is annotated wrongly, and the next round finds it
        held_out = self.project.fine("GET", "/runs/0001")["held_out"][0]
        text = self.project.text(held_out)
        self.project.put(text, entities=[])
        self.train()
        self.assertEqual(self.b.texts("#runs th"), ["0002", "0001"])
        wrong = [m for m in self.mistakes("0002") if m["id"] == str(held_out) and m["predicted"]]
        self.assertTrue(wrong, self.mistakes("0002"))
        self.go("see")
        self.b.find("#mistakes article")
        self.assertEqual(len(self.b.all("#mistakes article")), len(self.mistakes("0002")))
        at = self.mistakes("0002").index(wrong[0]) + 1
        self.b.click(f"#mistakes article:nth-child({at}) button")
        self.b.wait(lambda: self.project.text(held_out)["entities"] != [])
        entity = self.project.text(held_out)["entities"][0]
        self.assertEqual([entity[k] for k in ("start", "end", "label")],
                         [wrong[0]["predicted"][k] for k in ("start", "end", "label")])
        self.b.click(f"#mistakes article:nth-child({at}) a")
        self.is_text(text["text"])
        self.assertIn([entity["text"], entity["label"]], self.marks())
        # the rest of the view
        self.go("see")
        self.b.find("#compared table")
        self.assertEqual([self.b.js(f"return document.getElementById('{i}').value") for i in ("run-a", "run-b")], ["0001", "0002"])
        self.assertIn("person", self.b.texts("#scores th"))
        self.assertEqual(self.b.texts("#thresholds tbody th"), ["person", "time", "all"])
        self.b.choose("#wanted", "50")
        self.b.wait(lambda: self.b.text("#wanted-text") == "50 %")
        self.b.type("#try-text", "call anna at nine")
        self.b.click("#try-form button")
        self.b.wait(lambda: self.b.js("return document.querySelector('#tried').textContent") == "call anna at nine")
        self.accessible("see")
        self.b.click("#check-again")
        # texts that the model sees otherwise, with what it sees
        self.project.put(self.project.text(held_out), entities=[])
        self.train()
        self.go("annotate")
        self.b.choose("#filter", "filter=disagreement")
        self.b.wait(lambda: text["text"] in self.b.texts("#list bdi"), "the text is not in the list")
        self.b.click(f"#list [data-id='{held_out}']")
        self.b.wait(lambda: self.b.all("#text mark.suggested"), "what the model sees is not shown")
        # the model, to take away
        self.go("data")
        self.b.wait(lambda: "curl" in self.b.text("#use-curl"))
        self.assertIn("import nerfit", self.b.text("#use-python"))
        self.b.click("#get-model")
        model = self.b.wait(lambda: next(Path(self.b.downloads).glob("*.tar"), None), "the model is not downloaded")
        with tarfile.open(model) as tar:
            self.assertTrue(any(name.endswith("config.json") for name in tar.getnames()))
        self.assertNotIn("wrong", self.b.js("return document.getElementById('message').className"))

    def test_suggestions(self):
        """The model's are dashed, are no annotation, and become one when the text is accepted."""
        self.visit(f"#annotate/{self.open_text}")
        self.is_text("call ben at ten up")
        self.project.fine("POST", "/train", {"round": "quick"})
        self.b.wait(lambda: self.project.fine("GET", "")["model"]["run"] == "0001", "the training does not end", 600)
        found = self.project.fine("POST", "/predict", {"ids": [self.open_text]})["texts"][0]["entities"]
        self.assertIn(["ben", "person"], [[e["text"], e["label"]] for e in found])
        self.b.wait(lambda: len(self.b.all("#text mark.suggested")) == len(found), "the suggestions do not come")
        wanted = [[e["text"], e["label"]] for e in found]
        self.assertEqual(self.marks(), wanted)
        self.assertEqual(self.project.text(self.open_text)["entities"], [])
        self.b.js("document.getElementById('text').focus()")
        self.b.keys("Enter")
        self.b.wait(lambda: self.project.text(self.open_text)["status"] == "accepted")
        self.assertEqual([[e["text"], e["label"]] for e in self.project.text(self.open_text)["entities"]], wanted)

    def test_in_and_out(self):
        self.visit("#data")
        self.b.wait(lambda: "conll" in self.b.js("return document.getElementById('export-format').textContent"))
        self.b.choose("#export-format", "jsonl")
        self.b.click("#export-form button")
        file = self.b.wait(lambda: next(Path(self.b.downloads).glob("*.jsonl"), None), "nothing is downloaded")
        lines = self.b.wait(lambda: [json.loads(line) for line in file.read_text().splitlines()])
        self.assertEqual(len(lines), 12)
        self.assertEqual(lines[0]["text"], "call anna at nine")
        more = Path(self.root) / "more.txt"
        more.write_text("wake [person : anna] at [hour : ten]\ncall anna at nine\n")
        upload = "#file"
        self.b.type(upload, str(more), clear=False)
        self.assertIn("2 texts, 1 of them new", self.b.text("dialog[open]"))
        self.assertIn("hour", self.b.text("dialog[open]"))
        self.b.click("dialog[open] .main")
        self.b.wait(lambda: self.project.fine("GET", "")["counts"]["texts"] == 14)
        self.b.wait(lambda: "of 14 texts" in self.b.text("#progress-text"))
        bad = Path(self.root) / "bad.jsonl"
        bad.write_text('{"text": "a", "entities": [[0, 9, "x"]]}\n')
        self.b.type(upload, str(bad), clear=False)
        self.b.wait(lambda: "bad.jsonl:1" in self.b.text("#message"))
        self.assertEqual([line for line in self.b.complaints() if "422" not in line], [])
        self.b.js("""const given = new DataTransfer();
            given.items.add(new File(["a dropped text\\n"], "dropped.txt"));
            for (const what of ["dragover", "drop"]) document.querySelector("h1").dispatchEvent(new DragEvent(what,
                { dataTransfer: given, bubbles: true, cancelable: true }))""")
        self.assertIn("Take dropped.txt?", self.b.text("dialog[open]"))
        self.b.click("dialog[open] button:last-child")
        self.b.wait(lambda: not self.b.all("dialog[open]"))
        self.assertEqual(self.project.fine("GET", "")["counts"]["texts"], 14)
        self.b.type("#paste", "one\ntwo")
        self.b.click("#paste-form button")
        self.b.wait(lambda: self.project.fine("GET", "")["counts"]["texts"] == 16)


class Safety(Browsing):
    def test_addresses(self):
        """What stands behind # is a view, or a text, or nothing that breaks the page."""
        self.make(["time"], "first", "second")
        for place, text in (("#constructor", "first"), ("#annotate/2", "second"), ("#", "first")):
            self.visit(f"?{place[1:]}{place}")
            self.is_text(text)
        for place in ("#annotate/%", "#annotate/9", "#annotate/..%2F..%2Flabels"):
            self.visit(f"?{ord(place[-1])}{place}")
            self.b.wait(lambda: "wrong" in self.b.js("return document.getElementById('message').className"))
        self.assertEqual([line for line in self.b.complaints() if "404" not in line], [])

    def test_killed(self):
        """kill -9 while somebody works: what was saved is there, what was not is saved once the service is back."""
        one, two = self.make(["time"], "call at nine", "call at ten")
        self.visit()
        self.is_text("call at nine")
        self.drag("nine")
        self.b.keys("1", "Enter")
        self.is_text("call at ten")
        port = self.project.service.port
        self.project.service.kill()
        self.drag("ten")
        self.b.keys("1")
        self.b.wait(lambda: "Not saved" in self.b.text("#saving"))
        again = Service(self, "--project", self.project.folder, "--port", str(port), models=[])
        self.project.service = again
        self.project.token = again.ask("GET", "/token")[2]["token"]
        self.assertEqual(self.saved(two), [("ten", "time")])
        self.b.complaints()  # of the time without a service
        self.b.reload()
        self.is_text("call at ten")
        self.assertEqual(self.marks(), [["ten", "time"]])
        self.assertEqual(self.project.text(one)["status"], "accepted")

    def test_two_windows(self):
        """The second window sees what the first does; where both change a text they are asked, and nothing is lost."""
        one, = self.make(["time", "place"], "nine in Rome")
        self.visit()
        self.is_text("nine in Rome")
        first = self.b.window()
        second = self.b.new_window()
        try:
            self.b.switch(second)
            self.visit()
            self.is_text("nine in Rome")
            self.b.switch(first)
            self.drag("nine")
            self.b.keys("1")
            self.assertEqual(self.saved(one), [("nine", "time")])
            self.b.switch(second)
            self.b.wait(lambda: self.marks() == [["nine", "time"]], "the other window's mark does not come")
            # both from the same state: this window hears of nothing before it saves
            self.b.js("const send = fetch; window.fetch = (path, ...rest) => String(path).startsWith('/project/changes') ?"
                      " new Promise(() => {}) : send(path, ...rest)")
            time.sleep(3)
            self.project.put(self.project.text(one), entities=[], notes="theirs")
            self.drag("Rome")
            self.b.keys("2")
            self.b.find("dialog[open]")
            self.assertEqual(len(self.b.all("dialog section")), 2)
            self.assertIn("theirs", self.b.text("dialog"))
            self.b.click("dialog .main")
            self.assertEqual(self.saved(one), [("nine", "time"), ("Rome", "place")])
            history = self.project.fine("GET", f"/texts/{one}/history")["events"]
            self.assertIn("theirs", [event["notes"] for event in history])
            self.assertTrue(any("409" in line for line in self.b.complaints()))
        finally:
            self.b._ask("DELETE", self.b.session + "/window")
            self.b.switch(first)

    def test_key(self):
        """With a key of the service the page asks for it."""
        service = Service(self, "--project", Path(self.root) / "locked", models=[], NERFIT_API_KEY="secret")
        self.b.open(f"http://127.0.0.1:{service.port}/")
        self.b.type("#key", "wrong")
        self.b.keys("Enter")
        self.b.wait(lambda: self.b.js("return document.getElementById('key-dialog').open"))
        self.b.type("#key", "secret")
        self.b.keys("Enter")
        self.b.wait(lambda: self.b.text("#name") == "locked")
        self.assertTrue(all("401" in line for line in self.b.complaints()))


class Looks(Browsing):
    @unittest.skipUnless(AXE, "axe-core is not here (NERFIT_AXE)")
    def test_accessible(self):
        one, two = self.make(["time", "place", "person", "device"], "nine in Rome with Anna", "second")
        self.project.put(self.project.text(one), notes="a note", entities=[{"start": 0, "end": 4, "label": "time"}, {"start": 8, "end": 12, "label": "place"}])
        for dark in (False, True):
            self.b.dark(dark)
            for view in ("annotate", "train", "see", "data"):
                self.visit(f"?{dark}#{view}")
                self.b.find(f"#{view} h2, #text")
                time.sleep(0.5)
                if view == "annotate":
                    self.b.click("#labels li:nth-child(1) .plain")
                    self.b.click("#text mark")
                with self.subTest(view=view, dark=dark):
                    self.accessible(view)
        self.b.dark(False)

    def test_dark_and_narrow(self):
        one, = self.make(["time"], "nine in Rome")
        self.project.put(self.project.text(one), entities=[{"start": 0, "end": 4, "label": "time"}])
        self.visit()
        self.is_text("nine in Rome")
        color = "const s = getComputedStyle(document.querySelector(arguments[0])); return [s.backgroundColor, s.color]"
        light = self.b.js(color, "body"), self.b.js(color, "#text mark")
        self.b.dark()
        dark = self.b.js(color, "body"), self.b.js(color, "#text mark")
        self.b.dark(False)
        self.assertTrue(all(a != b for a, b in zip(light, dark)))
        self.b.size(360, 700)
        for view in ("annotate", "train", "see", "data"):
            self.visit(f"?narrow#{view}")
            self.b.wait(lambda: self.b.shown(f"#{view}"))
            self.assertLessEqual(self.b.js("return document.documentElement.scrollWidth"), 360, view)
        self.b.size(1280, 860)

    def test_same_colours(self):
        """As in the files that predict and train write (src/base/entity_look.c): displaCy's for its names."""
        self.make(["PERSON", "org", "GPE"], "x")
        self.visit()
        self.b.wait(lambda: len(self.b.all("#labels .use")) == 3)
        self.assertEqual(self.b.js("return [...document.querySelectorAll('#labels .use')].map((n) => getComputedStyle(n).backgroundColor)"),
                         ["rgb(170, 156, 252)", "rgb(122, 236, 236)", "rgb(254, 202, 116)"])


if __name__ == "__main__":
    unittest.main()
