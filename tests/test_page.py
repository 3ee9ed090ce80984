#!/usr/bin/env python3
"""The files of a project's page, without a browser (test_browser.py has one): what they may do is what the policy
allows, they ask nobody else, and they fit each other.

    python3 tests/test_page.py NERFIT [unittest's arguments]

Standard library only.
"""

import re
import unittest
from html.parser import HTMLParser

from test_project import Project
from test_serve import ModelCase

VOID = {"meta", "link", "input", "br", "img", "hr"}
FIELDS = {"input", "select", "textarea", "progress", "meter"}


class Page(HTMLParser):
    """Elements with their attributes and texts, and whether they close each other."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.wrong = [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"{tag} stays open" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        self.wrong += [f"{tag}: {name} twice" for name in set(names) if names.count(name) > 1]
        self.elements.append((tag, dict(attributes), list(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> in {self.open[-2:]} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style") and data.strip():
            self.wrong.append(f"text in <{self.open[-1]}>")


class Files(ModelCase):
    def get(self, path):
        status, headers, body = self.project.service.ask("GET", path)
        self.assertEqual(status, 200, path)
        return headers, body.decode()

    def setUp(self):
        super().setUp()
        self.project = Project(self)
        self.headers, self.html = self.get("/")
        self.page = Page(self.html)

    def scripts(self):
        """Every module that the page's one imports, by path."""
        found, wanted = {}, [a["src"] for tag, a, _ in self.page.elements if tag == "script"]
        self.assertEqual(wanted, ["/page/main.js"])
        while wanted:
            path = wanted.pop()
            if path not in found:
                headers, found[path] = self.get(path)
                self.assertEqual(headers["Content-Type"], "text/javascript; charset=utf-8")
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                wanted += ["/page/" + name for name in re.findall(r'from "\./([a-z]+\.js)";', found[path])]
        return found

    def test_policy(self):
        policy = dict(part.strip().split(" ", 1) for part in self.headers["Content-Security-Policy"].split(";"))
        self.assertEqual(policy["default-src"], "'none'")
        for name in ("script-src", "style-src", "connect-src"):
            self.assertEqual(policy[name], "'self'")
        self.assertEqual(policy["frame-ancestors"], "'none'")
        self.assertEqual(self.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(self.headers["Referrer-Policy"], "no-referrer")

    def test_html(self):
        self.assertEqual(self.page.wrong, [])
        ids = [a["id"] for _, a, _ in self.page.elements if "id" in a]
        self.assertEqual(sorted(set(ids)), sorted(ids))
        labelled = {a.get("for") for tag, a, _ in self.page.elements if tag == "label"}
        for tag, a, around in self.page.elements:
            self.assertFalse([name for name in a if name.startswith("on") or name == "style"], (tag, a))
            if tag in FIELDS:
                named = "label" in around or "aria-label" in a or a.get("id") in labelled
                self.assertTrue(named, f"{tag} {a} has no name")
            for name in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
                if name in a:
                    self.assertIn(a[name], ids)
            for name in ("href", "src"):
                self.assertRegex(a.get(name) or "#x", r"^(#\w+|/[\w/.]+|data:,)$")
            if (a.get("href") or "").startswith("/"):
                self.get(a["href"])

    def test_scripts(self):
        ids = {a["id"] for _, a, _ in self.page.elements if "id" in a}
        scripts = self.scripts()
        self.assertGreater(len(scripts), 8)
        for path, text in scripts.items():
            for bad in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc",
                        "setTimeout(\"", "DOMParser"):
                self.assertNotIn(bad, text, path)
            foreign = [found for found in re.findall(r"\w+://[^\s\"'`]+", text) if found != "http://www.w3.org/2000/svg"]
            self.assertEqual(foreign, [], path)
            for used in re.findall(r'\$\("([^"]+)"\)', text):
                self.assertIn(used, ids, path)
        self.assertLess(sum(len(text) for text in scripts.values()), 90_000)

    def test_styles(self):
        links = [a["href"] for tag, a, _ in self.page.elements if tag == "link" and a["rel"] == "stylesheet"]
        self.assertEqual(links, ["/page/page.css", "/page/entities.css"])
        for path in links:
            text = self.get(path)[1]
            self.assertNotIn("url(", text)
            self.assertNotIn("@import", text)
            self.assertIn("prefers-color-scheme: dark", text)
            self.assertEqual(text.count("{"), text.count("}"))

    def test_without_project(self):
        """Then "/" is what text-embeddings-inference has there; the page is told why it stays empty."""
        from test_serve import Service

        service = Service(self)
        self.assertEqual(service.ask("GET", "/")[1]["Content-Type"], "application/json")
        self.assertEqual(service.ask("GET", "/page")[0], 200)
        self.assert_error(service.ask("GET", "/project"), 404, "not_found", "--project")


if __name__ == "__main__":
    unittest.main()
