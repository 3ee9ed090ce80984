"""A browser for tests: Debian's chromium through chromedriver, by the W3C's WebDriver protocol and the standard library.

    with Browser() as b:
        b.open("http://127.0.0.1:3000/")
        b.click("#accept")

available() says whether both programs are here.
"""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the protocol gives elements
KEYS = {"Control": "\ue009", "Shift": "\ue008", "Enter": "\ue007", "Escape": "\ue00c", "Delete": "\ue017", "Tab": "\ue004",
        "Left": "\ue012", "Right": "\ue014", "Home": "\ue011", "PageUp": "\ue00e", "PageDown": "\ue00f", "Space": " "}
# what a busy machine may take
PATIENCE = 60


def available():
    return bool((shutil.which("chromium") or shutil.which("chromium-browser")) and shutil.which("chromedriver"))


class WebDriverError(Exception):
    pass


class Browser:
    def __init__(self, width=1280, height=860, dark=False):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.profile = tempfile.mkdtemp()
        self.downloads = tempfile.mkdtemp()
        self.driver = subprocess.Popen([shutil.which("chromedriver"), f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.address = f"http://127.0.0.1:{port}"
        self.session = None
        try:
            self._wait_for_driver()
            arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update", "--lang=en",
                         f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]
            options = {"binary": shutil.which("chromium") or shutil.which("chromium-browser"), "args": arguments,
                       "prefs": {"download.default_directory": self.downloads}}
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                "unhandledPromptBehavior": "accept"}}})
            self.session = f"/session/{made['sessionId']}"
            if dark:
                self.dark()
        except BaseException:
            self.close()
            raise

    def _wait_for_driver(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self._ask("GET", "/status")["ready"]:
                    return
            except (OSError, WebDriverError):
                pass
            if time.monotonic() > end:
                raise WebDriverError("chromedriver does not start")
            time.sleep(0.05)

    def _ask(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=4 * PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            if self.session:
                self._ask("DELETE", self.session)
        except (OSError, WebDriverError):
            pass
        self.driver.terminate()
        self.driver.wait()
        for folder in (self.profile, self.downloads):
            shutil.rmtree(folder, ignore_errors=True)

    # ---------------------------------------------------------------- pages

    def open(self, address):
        self._ask("POST", self.session + "/url", {"url": address})

    def reload(self):
        self._ask("POST", self.session + "/refresh")

    def new_window(self):
        return self._ask("POST", self.session + "/window/new", {"type": "window"})["handle"]

    def window(self):
        return self._ask("GET", self.session + "/window")

    def switch(self, handle):
        self._ask("POST", self.session + "/window", {"handle": handle})

    def size(self, width, height):
        self._devtools("Emulation.setDeviceMetricsOverride",
                       {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def dark(self, dark=True):
        self._devtools("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def _devtools(self, command, parameters):
        return self._ask("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def js(self, script, *arguments):
        return self._ask("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_js(self, script, *arguments):
        """For scripts that call their last argument when they are done."""
        return self._ask("POST", self.session + "/execute/async", {"script": script, "args": list(arguments)})

    def complaints(self):
        """What the console had since the last call: broken policies, scripts' errors, answers that are errors."""
        return [entry["message"] for entry in self._ask("POST", self.session + "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path, **how):
        """how: format="webp", quality=80; PNG if not given."""
        with open(path, "wb") as out:
            out.write(base64.b64decode(self._devtools("Page.captureScreenshot", how)["data"]))

    # ---------------------------------------------------------------- elements

    def find(self, css):
        """The first that is shown; waits for it."""
        return self.wait(lambda: self.js(
            "return [...document.querySelectorAll(arguments[0])].find((e) => e.checkVisibility()) ?? null", css),
            f"nothing shown for {css}")

    def all(self, css):
        return self._ask("POST", self.session + "/elements", {"using": "css selector", "value": css})

    def shown(self, css):
        return self.js("return [...document.querySelectorAll(arguments[0])].some((e) => e.checkVisibility())", css)

    def text(self, css):
        """Of the first that is shown; waits for it."""
        return self.wait(lambda: self.js(
            "const found = [...document.querySelectorAll(arguments[0])].find((e) => e.checkVisibility());"
            "return found ? [found.innerText] : null", css), f"nothing shown for {css}")[0]

    def texts(self, css):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", css)

    def click(self, css):
        def clicked():
            try:
                self._ask("POST", f"{self.session}/element/{self.find(css)[ELEMENT]}/click")
                return True
            except WebDriverError as error:  # it moved, or a message lies over it
                if not any(word in str(error) for word in ("stale", "intercepted", "interactable")):
                    raise
                return False
        self.wait(clicked, f"{css} cannot be clicked")

    def type(self, css, text, clear=True):
        element = self.find(css)[ELEMENT]
        if clear:
            self._ask("POST", f"{self.session}/element/{element}/clear")
        self._ask("POST", f"{self.session}/element/{element}/value", {"text": text})

    def choose(self, css, value):
        self.js("const s = document.querySelector(arguments[0]); s.value = arguments[1];"
                "s.dispatchEvent(new Event('input', {bubbles: true})); s.dispatchEvent(new Event('change', {bubbles: true}))",
                css, value)

    def keys(self, *names):
        """Presses keys one after the other where the focus is; "Shift+Right" holds the first."""
        steps = []
        for name in names:
            held = name.split("+") if len(name) > 1 else [name]
            held = [KEYS.get(key, key) for key in held]
            steps += [{"type": "keyDown", "value": key} for key in held]
            steps += [{"type": "keyUp", "value": key} for key in reversed(held)]
        self._ask("POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def pointer(self, *steps):
        """Steps (x, y, "down" | "up" | "move") in the window's pixels."""
        actions = []
        for x, y, what in steps:
            actions.append({"type": "pointerMove", "duration": 40, "x": round(x), "y": round(y)})
            if what != "move":
                actions.append({"type": "pointerDown" if what == "down" else "pointerUp", "button": 0})
        self._ask("POST", self.session + "/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}]})
        self._ask("DELETE", self.session + "/actions")

    def wait(self, what, message="it did not happen", seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            found = what()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(message)
            time.sleep(0.05)
