#!/usr/bin/env python3
"""The service from outside: its protocol, its limits, and what it does to clients that misbehave.

    python3 tests/test_serve.py NERFIT [unittest's arguments]

The model is made on the spot (made_model.py); standard library only. NERFIT_TEST_LONG=1: more of each.
"""

import base64
import gzip
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import made_model
from program import NERFIT

LONG = bool(os.environ.get("NERFIT_TEST_LONG"))
WORDS = ["wake", "me", "up", "at", "nine", "ten", "in", "rome", "paris", "call", "anna", "smiley"]
NDJSON = {"Content-Type": "application/x-ndjson"}
# what clocks, slow builds (sanitizers) and a machine with other work may add
PATIENCE = 300


def make_model(folder, *given):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    made_model.lookup(str(folder), ",".join(WORDS), "O,B-time,I-time,B-place,I-place,B-person,I-person",
                      *(given or ("nine=B-time", "ten=B-time", "rome=B-place", "paris=B-place", "anna=B-person")))


def entity(text, word, label, unit="codepoint"):
    at = text.index(word)

    def offset(index):
        before = text[:index]
        return len({"codepoint": before, "utf16": before.encode("utf-16-le"), "byte": before.encode()}[unit]) // (
            2 if unit == "utf16" else 1)

    return {"start": offset(at), "end": offset(at + len(word)), "label": label, "text": word}


def bare(entities):
    return [{k: v for k, v in e.items() if k != "score"} for e in entities]


class Service:
    def __init__(self, test, *arguments, models=None, prefix=(), **environment):
        self.root = Path(test.root)
        self.process = subprocess.Popen(
            [*prefix, NERFIT, "serve", *([f"default={self.root}/model"] if models is None else models), "--port", "0", "--threads", "2",
             "--access_log", self.root / "access.jsonl", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={k: v for k, v in {**os.environ, **environment}.items() if k != "NERFIT_API_KEY" or k in environment})
        self.messages = []
        self.port = None
        self.killed = False
        ready = threading.Event()

        def read():
            for line in self.process.stderr:
                self.messages.append(line)
                found = re.match(r"listening on http://.*:(\d+)$", line)
                if found:
                    self.port = int(found[1])
                    ready.set()
            ready.set()

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        ready.wait(PATIENCE)
        if not self.port:
            self.process.kill()
            raise AssertionError("the service does not start: " + "".join(self.messages))
        test.addCleanup(self.end)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """(status, headers, the body, JSON where it is that)"""
        c = connection or self.connect()
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        data = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        if not connection:
            c.close()
        if answer.headers.get("Content-Type") == "application/json" and data:
            data = json.loads(data)
        return answer.status, answer.headers, data

    def predict(self, inputs, **more):
        return self.ask("POST", "/predict", {"inputs": inputs, **more})

    def metric(self, name):
        text = self.ask("GET", "/metrics")[2].decode()
        return float(re.search(rf"^nerfit_{name} (\S+)$", text, re.M)[1])

    def wait_for(self, what, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return True
            time.sleep(0.05)
        return False

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.reader.join(PATIENCE)
        self.process.stderr.close()
        if status != (-signal.SIGKILL if self.killed else 0):
            raise AssertionError(f"the service ended with {status}: {''.join(self.messages)}")

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait(PATIENCE)

    def log(self):
        return [json.loads(line) for line in (self.root / "access.jsonl").read_text().splitlines()]


class Case(unittest.TestCase):
    """A folder of its own: root."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)


class ModelCase(Case):
    """With a model in it."""

    def setUp(self):
        super().setUp()
        make_model(Path(self.root) / "model")

    def assert_error(self, answer, status, kind, pattern=""):
        self.assertEqual(answer[0], status, answer)
        self.assertEqual(answer[1]["Content-Type"], "application/json")
        self.assertEqual(sorted(answer[2]), ["error", "error_type"])
        self.assertEqual(answer[2]["error_type"], kind)
        self.assertRegex(answer[2]["error"], pattern)


class Protocol(ModelCase):
    def test_predict(self):
        service = Service(self)
        text = "wake me up at nine in rome"
        status, headers, found = service.predict(text)
        self.assertEqual(status, 200)
        self.assertEqual(bare(found), [entity(text, "nine", "time"), entity(text, "rome", "place")])
        self.assertTrue(all(0 < e["score"] <= 1 for e in found))
        self.assertEqual(headers["x-compute-characters"], str(len(text)))
        self.assertEqual(headers["x-compute-tokens"], "7")
        for name in ("x-compute-time", "x-total-time", "x-queue-time", "x-inference-time"):
            self.assertRegex(headers[name], r"^\d+$")
        texts = ["call anna", "", "nothing", text]
        found = service.predict(texts)[2]
        self.assertEqual([bare(f) for f in found],
                         [[entity(texts[0], "anna", "person")], [], [], [entity(text, "nine", "time"),
                                                                         entity(text, "rome", "place")]])
        self.assertEqual(service.predict([])[2], [])

    def test_offsets(self):
        service = Service(self)
        text = "\U0001F600 é 漢 anna \U0001F600 rome"
        for unit in ("codepoint", "utf16", "byte"):
            found = service.predict(text, offsets=unit)[2]
            self.assertEqual(bare(found), [entity(text, "anna", "person", unit), entity(text, "rome", "place", unit)])
        self.assert_error(service.predict(text, offsets="lines"), 422, "validation", "codepoint, utf16, byte")

    def test_options(self):
        service = Service(self)
        text = "anna in rome"
        score = {e["label"]: e["score"] for e in service.predict(text)[2]}
        self.assertEqual(service.predict(text, threshold=1.0)[2], [])
        self.assertEqual(bare(service.predict(text, threshold={"person": 1.0})[2]), [entity(text, "rome", "place")])
        self.assertEqual(len(service.predict(text, threshold=min(score.values()) - 0.01)[2]), 2)
        for body, pattern in (
            ({"threshold": 2}, "0 to 1|between"), ({"threshold": "much"}, "threshold"), ({"threshold": {"tim": 0.5}}, "tim"),
            ({"labels": ["colour"]}, "label"), ({"labels": []}, "labels"), ({"labels": [3]}, "item 1"),
            ({"nested": 1}, "nested"), ({"nested": True}, "nested"), ({"model": "other"}, "other"), ({"model": 3}, "model"),
        ):
            with self.subTest(body):
                self.assert_error(service.ask("POST", "/predict", {"inputs": text, **body}), 422, "validation", pattern)

    def test_wrong_requests(self):
        service = Service(self, "--max_client_batch_size", "3", "--payload_limit", "1000")
        for body, status, pattern in (
            ("{", 400, "JSON"), ("", 400, "JSON"), ("[]", 422, "object"), ("{}", 422, "missing"),
            ('{"inputs": 3}', 422, "text"), ('{"inputs": ["a", 3]}', 422, "item 1"),
            ('{"inputs": "a", "inputs": "b"}', 400, "duplicate"), ('{"inputs": "\\ud800"}', 400, "JSON"),
            ('{"inputs": "a\\u0000b"}', 400, "NUL"), (b'{"inputs": "\xff"}', 400, "JSON"),
            ('{"inputs": ["a", "b", "c", "d"]}', 413, "4 > .* 3"), ('{"inputs": "%s"}' % ("a" * 1000), 413, "1000"),
        ):
            with self.subTest(body):
                self.assert_error(service.ask("POST", "/predict", body), status, "validation", pattern)
        self.assert_error(service.ask("GET", "/nothing"), 404, "not_found", "/nothing")
        answer = service.ask("GET", "/predict")
        self.assert_error(answer, 405, "validation", "POST")
        self.assertEqual(answer[1]["Allow"], "POST")
        self.assert_error(service.ask("POST", "/embed", {"inputs": "a"}), 424, "backend", "--encoder")
        self.assertEqual(service.predict("call anna")[0], 200)

    def test_key(self):
        key = "a key, long enough"
        service = Service(self, NERFIT_API_KEY=key)
        body = {"inputs": "call anna"}
        basic = lambda pair: "Basic " + base64.b64encode(pair.encode()).decode()  # noqa: E731
        for given in (None, "Bearer", "Bearer ", "Bearer a key", f"Bearer {key}x", f"Bearer {key[:-1]}y", f"Basic {key}",
                      "Basic", basic("x"), basic(key), basic(f"x:{key}y"), basic(f"x:{key[:-1]}"), basic("x" * 10000)):
            answer = service.ask("POST", "/predict", body, {"Authorization": given} if given else {})
            self.assert_error(answer, 401, "unauthorized", "Bearer")
            self.assertEqual(answer[1]["WWW-Authenticate"], "Bearer")
        for given in (f"Bearer {key}", f"bearer {key}", f"Bearer  {key}", basic(f"x:{key}"), basic(f":{key}")):
            self.assertEqual(service.ask("POST", "/predict", body, {"Authorization": given})[0], 200)
        for path, status in (("/health", 200), ("/metrics", 200), ("/docs", 200), ("/info", 401), ("/token", 401)):
            self.assertEqual(service.ask("GET", path)[0], status, path)
        service.end()
        self.assertNotIn(key, (Path(self.root) / "access.jsonl").read_text() + "".join(service.messages))

    def test_browsers(self):
        service = Service(self)
        here = f"127.0.0.1:{service.port}"
        for headers, status in (
            ({"Origin": f"http://{here}"}, 200), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
            ({"Host": "evil.example"}, 403), ({"Host": "localhost"}, 200), ({"Host": "[::1]:80"}, 200),
        ):
            self.assertEqual(service.ask("GET", "/info", None, headers)[0], status, headers)
        _, headers, page = service.ask("GET", "/docs")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotRegex(page.decode(), r"<script>|<style>|https?://|\son\w+=")
        answer = service.ask("GET", "/info")
        self.assertFalse([h for h in answer[1] if h.lower().startswith("access-control")])
        self.assertEqual(answer[1]["X-Content-Type-Options"], "nosniff")
        self.assertRegex(service.ask("GET", "/token")[2]["token"], "^[0-9a-f]{32}$")

    def test_gzip(self):
        service = Service(self)
        texts = ["call anna in rome"] * 100
        body = gzip.compress(json.dumps({"inputs": texts}).encode())
        packed = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
        status, headers, found = service.ask("POST", "/predict", body, packed)
        self.assertEqual((status, headers["Content-Encoding"], len(found)), (200, "gzip", 100))
        self.assertIsNone(service.ask("POST", "/predict", body, {**packed, "Accept-Encoding": "gzip;q=0, br"})[1][
            "Content-Encoding"])
        half = gzip.compress(b'{"inputs": ') + gzip.compress(b'"call anna"}')  # members, one behind the other
        self.assertEqual(len(service.ask("POST", "/predict", half, packed)[2]), 1)
        self.assert_error(service.ask("POST", "/predict", body[:-9], packed), 400, "validation", "gzip")
        self.assert_error(service.ask("POST", "/predict", b"\x1f\x8bno", packed), 400, "validation", "gzip")
        self.assert_error(service.ask("POST", "/predict", b"a", {"Content-Encoding": "br"}), 415, "validation", "br")
        bomb = gzip.compress(b" " * 50_000_000)
        self.assert_error(service.ask("POST", "/predict", bomb, packed), 413, "validation", "2000000")

    def test_routes(self):
        service = Service(self, models=[f"one={self.root}/model", f"two={self.root}/model"])
        info = service.ask("GET", "/info")[2]
        self.assertEqual([m["name"] for m in info["models"]], ["one", "two"])
        self.assertEqual(info["models"][0]["labels"], ["time", "place", "person"])
        text = "call anna"
        for path, body in (("/predict", {"model": "two"}), ("/models/two/predict", {}), ("/models/one/predict", {})):
            self.assertEqual(bare(service.ask("POST", path, {"inputs": text, **body})[2]), [entity(text, "anna", "person")])
        self.assert_error(service.ask("POST", "/models/three/predict", {"inputs": text}), 422, "validation", "three")
        tokens = service.ask("POST", "/tokenize", {"inputs": [text, "rome"]})[2]
        self.assertEqual([t["tokens"] for t in tokens], [["[CLS]", "call", "anna", "[SEP]"], ["[CLS]", "rome", "[SEP]"]])
        self.assertEqual(service.ask("POST", "/tokenize", {"inputs": text})[2], tokens[0])
        api = service.ask("GET", "/openapi.json")[2]
        for path, methods in api["paths"].items():
            for method, route in methods.items():
                status = service.ask(method.upper(), path, "{}" if method == "post" else None)[0]
                self.assertIn(str(status), route["responses"], (method, path))
        status, _, body = service.ask("HEAD", "/health")
        self.assertEqual((status, body), (200, b""))

    def test_access_log(self):
        service = Service(self)
        secret = "anna in zanzibar"
        service.predict(secret)
        service.ask("GET", f"/{secret.replace(' ', '-')}?inputs=zanzibar")
        service.ask("POST", "/predict", '{"inputs": "zanzibar')
        service.end()
        lines = service.log()
        self.assertEqual([line["status"] for line in lines], [200, 404, 400])
        self.assertEqual(lines[0]["path"], "/predict")
        self.assertEqual((lines[0]["texts"], lines[0]["remote"], lines[0]["method"]), (1, "127.0.0.1", "POST"))
        self.assertGreaterEqual(lines[0]["total_ms"], lines[0]["compute_ms"])
        self.assertNotIn("zanzibar", (Path(self.root) / "access.jsonl").read_text() + "".join(service.messages))


class Streams(ModelCase):
    def lines(self, service, body, path="/predict", headers=NDJSON):
        status, _, data = service.ask("POST", path, body, headers)
        self.assertEqual(status, 200, data)
        return [json.loads(line) for line in data.splitlines()]

    def test_lines(self):
        service = Service(self)
        text = "call anna \U0001F600 in rome"
        body = "\n".join([json.dumps(text), "", json.dumps({"id": {"n": [1]}, "text": text, "offsets": "byte"}), "{nothing",
                          json.dumps({"id": 4, "inputs": 4}), json.dumps({"id": 5, "inputs": text, "threshold": 1}),
                          json.dumps({"inputs": text, "threshold": 7})])
        found = self.lines(service, body, "/predict?offsets=utf16")
        self.assertEqual(bare(found[0]["entities"]), [entity(text, "anna", "person"), entity(text, "rome", "place", "utf16")])
        self.assertEqual(found[1]["id"], {"n": [1]})
        self.assertEqual(bare(found[1]["entities"])[1], entity(text, "rome", "place", "byte"))
        self.assertEqual([f.get("error_type") for f in found], [None, None, *["validation"] * 2, None, "validation"])
        self.assertIn("4:", found[2]["error"])
        self.assertEqual((found[3]["id"], found[4]), (4, {"id": 5, "entities": []}))
        self.assert_error(service.ask("POST", "/predict?offsets=no", body, NDJSON), 422, "validation", "offsets")

    def test_long(self):
        service = Service(self)
        n = 20000 if LONG else 3000
        draw = random.Random(1)
        texts = [" ".join(draw.choice(WORDS) for _ in range(draw.randrange(12))) for _ in range(n)]
        body = "\n".join(json.dumps({"id": i, "inputs": t}) for i, t in enumerate(texts)).encode()
        plain = self.lines(service, body)
        self.assertEqual([line["id"] for line in plain], list(range(n)))
        for text, line in zip(texts, plain):
            self.assertEqual([e["text"] for e in line["entities"]],
                             [w for w in text.split() if w in ("nine", "ten", "rome", "paris", "anna")])
        packed = {**NDJSON, "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
        self.assertEqual(self.lines(service, gzip.compress(body), headers=packed), plain)
        self.assertEqual(self.lines(service, iter([body[i:i + 777] for i in range(0, len(body), 777)])), plain)
        self.assertTrue(service.wait_for(lambda: service.metric("held_bytes") == 0))

    def test_limits(self):
        service = Service(self, "--stream_limit", "10000", "--memory_limit", "1e6")
        self.assert_error(service.ask("POST", "/predict", b'"a"\n' * 3000, NDJSON), 413, "validation", "10000")
        chunks = iter([b'"call anna"\n' * 100] * 20)
        self.assert_error(service.ask("POST", "/predict", chunks, NDJSON), 413, "validation", "10000")
        self.assertEqual(len(self.lines(service, b'"a"\n' * 100)), 100)


class LabelStudio(ModelCase):
    CONFIG = """<View><Labels name="label" toName="text"><Label value="person" background="red"/><Label value="place"/>
        </Labels><Text name="text" value="$content"/></View>"""

    def test_predict(self):
        service = Service(self, models=[f"alarm={self.root}/model"])
        setup = service.ask("POST", "/setup", {"project": "1.17", "schema": self.CONFIG, "hostname": "http://a",
                                               "access_token": "t"})
        self.assertEqual((setup[0], setup[2]), (200, {"model_version": "alarm-1", "left_out": ["time"]}))
        text = "\U0001F600 anna at nine in rome"
        tasks = [{"id": 1, "data": {"content": text}}, {"id": 2, "data": {"content": "nothing"}}]
        answer = service.ask("POST", "/predict", {"tasks": tasks, "model_version": "alarm-1", "project": "1.17",
                                                  "label_config": self.CONFIG, "params": {"context": None}})
        self.assertEqual(answer[0], 200, answer)
        first, second = answer[2]["results"]
        self.assertEqual((answer[2]["model_version"], first["model_version"], second["result"]), ("alarm-1", "alarm-1", []))
        regions = first["result"]
        self.assertEqual(len({r["id"] for r in regions}), 2)
        self.assertEqual([r["value"] for r in regions], [  # the configuration has no time
            {"start": 3, "end": 7, "text": "anna", "labels": ["person"]},
            {"start": 19, "end": 23, "text": "rome", "labels": ["place"]}])
        self.assertTrue(all((r["from_name"], r["to_name"], r["type"]) == ("label", "text", "labels") for r in regions))
        self.assertEqual(first["score"], min(r["score"] for r in regions))

    def test_wrong(self):
        service = Service(self)
        tasks = [{"data": {"content": "anna"}}]
        bomb = '<!DOCTYPE a [<!ENTITY b "c">]>' + self.CONFIG
        for body, pattern in (
            ({"tasks": 3, "label_config": self.CONFIG}, "tasks"), ({"tasks": tasks}, "label_config"),
            ({"tasks": tasks, "label_config": "<View>"}, "XML"), ({"tasks": tasks, "label_config": bomb}, "XML"),
            ({"tasks": tasks, "label_config": "<View/>"}, "Labels"),
            ({"tasks": [{"data": {}}], "label_config": self.CONFIG}, r"tasks\[0\]"),
        ):
            with self.subTest(body):
                self.assert_error(service.ask("POST", "/predict", body), 422, "validation", pattern)
        self.assertEqual(service.ask("POST", "/webhook", {"action": "ANNOTATION_CREATED", "task": {}})[0], 201)
        self.assert_error(service.ask("POST", "/webhook", {}), 422, "validation", "action")
        self.assertEqual(service.ask("GET", "/health")[2]["status"], "UP")


class Hostile(ModelCase):
    """What clients do that mean harm, or are unlucky."""

    def raw(self, service):
        return socket.create_connection(("127.0.0.1", service.port), PATIENCE)

    def assert_alive(self, service):
        self.assertEqual(bare(service.predict("call anna")[2]), [entity("call anna", "anna", "person")])

    def test_slow_clients(self):
        service = Service(self, "--client_timeout", "1")
        head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        for start, byte in ((b"GET /info HTTP/1.1\r\nX-A: ", b"a"), (head, b" "), (b"", b"\r\n")):
            with self.subTest(start=start[:20]), self.raw(service) as s:
                s.sendall(start)
                closed = began = time.monotonic()
                try:
                    while time.monotonic() - began < PATIENCE:
                        s.sendall(byte)
                        s.settimeout(0.1)
                        try:
                            if not s.recv(1000):
                                break
                        except TimeoutError:
                            pass
                except OSError:
                    pass
                closed = time.monotonic() - began
                self.assertLess(closed, PATIENCE)
                self.assertGreater(closed, 0.5)
        self.assertGreaterEqual(service.metric("connection_evicted"), 3)
        self.assert_alive(service)

    def test_reader_that_does_not_read(self):
        service = Service(self, "--client_timeout", "1")
        with self.raw(service) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            body = b"\n".join(b'"call anna in rome at nine"' for _ in range(60000))
            s.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.assertTrue(service.wait_for(lambda: service.metric("connection_evicted") >= 1))
        self.assertTrue(service.wait_for(lambda: service.metric("held_bytes") == 0))
        self.assert_alive(service)

    def test_idle_connections(self):
        most, n = 64, 10000 if LONG else 400
        service = Service(self, "--max_connections", str(most), "--client_timeout", "5")
        idle = []
        for _ in range(n):
            try:
                idle.append(self.raw(service))
            except OSError:  # a full backlog, or no descriptors
                break
            if len(idle) % 1000 == 500:
                self.assert_alive(service)
        self.assertGreater(len(idle), most)
        self.assert_alive(service)
        for s in idle:
            s.close()
        self.assert_alive(service)

    def test_gone(self):
        service = Service(self, "--batch_window_ms", "1000", "--request_timeout", "30")
        body = json.dumps({"inputs": "call anna"}).encode()
        with self.raw(service) as s:
            s.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertTrue(service.wait_for(lambda: service.metric("queue_size") == 1, 0.9))
        self.assertTrue(service.wait_for(lambda: service.metric("request_dropped") == 1))
        self.assertEqual((service.metric("text_count"), service.metric("held_bytes")), (0, 0))
        self.assert_alive(service)

    def test_timeout(self):
        service = Service(self, "--batch_window_ms", "1000", "--request_timeout", "0.1")
        answer = service.predict("call anna")
        self.assert_error(answer, 503, "timeout", "time|longer")
        self.assertRegex(answer[1]["Retry-After"], r"^\d+$")
        self.assertEqual(service.metric("request_timeout"), 1)

    def test_overload(self):
        service = Service(self, "--batch_window_ms", "700", "--max_concurrent_requests", "2")
        answers = []

        def ask():
            answers.append(service.predict("call anna"))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual({a[0] for a in answers}, {200, 429})
        for a in answers:
            if a[0] == 429:
                self.assert_error(a, 429, "overloaded", "overloaded")
                self.assertGreaterEqual(int(a[1]["Retry-After"]), 1)
        self.assertEqual(service.metric("request_overloaded"), [a[0] for a in answers].count(429))
        refused = f'nerfit_reply_status{{status="429"}} {[a[0] for a in answers].count(429)}\n'
        self.assertTrue(service.wait_for(lambda: refused in service.ask("GET", "/metrics")[2].decode()))
        self.assert_alive(service)

    def test_keep_alive_and_pipelining(self):
        service = Service(self)
        with self.raw(service) as s:
            texts = ["call anna", "rome", "nothing"] * 10
            for text in texts:
                body = json.dumps({"inputs": text}).encode()
                s.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            file = s.makefile("rb")
            for text in texts:
                self.assertEqual(file.readline(), b"HTTP/1.1 200 OK\r\n")
                size = 0
                while (line := file.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                found = json.loads(file.read(size))
                self.assertEqual([e["text"] for e in found], [w for w in text.split() if w in ("anna", "rome")])

    def test_fuzz(self):
        """Requests with bytes changed, cut and repeated: answered or closed, and the service lives."""
        service = Service(self, "--client_timeout", "0.3", "--payload_limit", "20000", "--stream_limit", "20000")
        draw = random.Random(int(os.environ.get("NERFIT_TEST_SEED", "1")))
        body = json.dumps({"inputs": ["call anna", "\U0001F600"], "threshold": {"time": 0.5}, "offsets": "utf16"}).encode()
        packed = gzip.compress(body)
        seeds = [
            b"GET /info HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
            b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
            b"POST /models/default/predict?offsets=byte HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n6\r\n\"anna\"\r\n5\r\n\n{\"a\r\n0\r\n\r\n",
            b"POST /tokenize HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
            b"HEAD /docs HTTP/1.0\r\nAccept-Encoding: gzip;q=\r\n\r\n",
        ]

        def mutate(data):
            data = bytearray(data)
            for _ in range(draw.randrange(1, 5)):
                at = draw.randrange(len(data) + 1)
                kind = draw.randrange(4)
                if kind == 0 and at < len(data):
                    data[at] = draw.randrange(256)
                elif kind == 1:
                    del data[at:at + draw.randrange(1, 9)]
                elif kind == 2:
                    data[at:at] = data[at:at + draw.randrange(30)] * draw.choice((1, 2, 50))
                else:
                    data[at:at] = draw.choice((b"\r\n", b"\0", b"%00", b"../", b"Content-Length: 9999999999999999999\r\n",
                                               b"Transfer-Encoding: chunked\r\n", b"{" * 500, b"\xff\xfe", b"Host: b\r\n"))
            return bytes(data)

        statuses = {}
        for i in range(1000000 if LONG else 400):
            with self.raw(service) as s:
                try:
                    s.sendall(mutate(draw.choice(seeds)))
                    s.shutdown(socket.SHUT_WR)
                    s.settimeout(10)
                    answer = s.recv(100)
                except OSError:
                    answer = b""
            found = re.match(rb"HTTP/1.[01] (\d+)", answer)
            status = int(found[1]) if found else 0
            statuses[status] = statuses.get(status, 0) + 1
            self.assertIn(status, {0, 100, 200, 400, 403, 404, 405, 411, 413, 414, 415, 417, 422, 424, 431, 501, 503, 505},
                          answer)
            self.assertIsNone(service.process.poll(), f"request {i}: {''.join(service.messages)}")
        self.assertGreater(statuses[200], 10)
        self.assertGreater(statuses[400], 10)
        self.assert_alive(service)
        self.assertTrue(service.wait_for(lambda: service.metric("held_bytes") == 0))


class Life(ModelCase):
    def test_drain(self):
        service = Service(self, "--batch_window_ms", "1000")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(service.predict("call anna")))
        thread.start()
        self.assertTrue(service.wait_for(lambda: service.metric("queue_size") == 1, 0.9))
        service.process.send_signal(signal.SIGTERM)
        thread.join()
        self.assertEqual((answers[0][0], answers[0][1]["Connection"]), (200, "close"))
        self.assertEqual(service.process.wait(PATIENCE), 0)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", service.port), 1)
        self.assertRegex("".join(service.messages), r"ending: [1-9]\d* requests? ")

    def test_end_in_the_middle(self):
        """What cannot end in time is told so."""
        service = Service(self, "--batch_window_ms", "1000", "--drain_timeout", "0.1")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(service.predict("call anna")))
        thread.start()
        self.assertTrue(service.wait_for(lambda: service.metric("queue_size") == 1, 0.9))
        service.end()
        thread.join()
        self.assertIn(answers[0][0], (200, 503))

    def exchange(self, *given):
        """A new model in the place of the old one, as nerfit train puts it there."""
        fresh = Path(self.root) / "fresh"
        make_model(fresh, *given)
        old = Path(self.root) / f"old-{time.monotonic_ns()}"
        model = Path(self.root) / "model"
        libc = __import__("ctypes").CDLL(None)
        if libc.renameat2(-100, str(fresh).encode(), -100, str(model).encode(), 2) != 0:  # RENAME_EXCHANGE
            model.rename(old)
            fresh.rename(model)

    def test_new_model(self):
        service = Service(self)
        stop, answers = threading.Event(), []

        def ask():
            c = service.connect()
            self.addCleanup(c.close)
            while not stop.is_set():
                status, _, found = service.ask("POST", "/predict", {"inputs": "call anna in rome"}, None, c)
                answers.append((status, [e["label"] for e in found]))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for t in threads:
            t.start()
        old, new = (200, ["person", "place"]), (200, ["place", "person"])
        for i in range(4):
            expected = new if i % 2 == 0 else old
            self.exchange(*(("anna=B-place", "rome=B-person") if i % 2 == 0 else ()))
            self.assertTrue(service.wait_for(lambda e=expected: answers and answers[-1] == e), i)
        stop.set()
        for t in threads:
            t.join()
        self.assertTrue(all(a in (old, new) for a in answers))
        self.assertGreaterEqual(service.ask("GET", "/info")[2]["models"][0]["generation"], 5)

    def test_broken_model(self):
        service = Service(self)
        config = Path(self.root) / "model" / "config.json"
        config.write_text("{")
        self.assertTrue(service.wait_for(lambda: any("the old one stays" in m for m in service.messages)))
        self.assertEqual(service.predict("call anna")[0], 200)
        time.sleep(2.5)  # it is said once
        self.assertEqual(sum("the old one stays" in m for m in service.messages), 1)
        make_model(Path(self.root) / "model", "anna=B-place")
        self.assertTrue(service.wait_for(lambda: bare(service.predict("call anna")[2])[0]["label"] == "place"))

    def test_hang_up(self):
        service = Service(self)
        service.process.send_signal(signal.SIGHUP)
        self.assertTrue(service.wait_for(lambda: service.ask("GET", "/info")[2]["models"][0]["generation"] == 2))

    def test_wrong_starts(self):
        model = f"{self.root}/model"
        for arguments, status, pattern in (
            ([], 2, "MODEL is missing"), ([model, f"default={model}"], 2, "two models"), ([model, "--port", "70000"], 2, "65535"),
            ([f"{self.root}/nothing"], 1, "nothing"), ([model, "--host", "no.such.host.invalid"], 1, "no.such.host"),
            ([model, "--host", "192.0.2.1"], 1, "cannot listen"), ([model, "--access_log", f"{self.root}/no/log"], 1, "written"),
        ):
            with self.subTest(arguments):
                done = subprocess.run([NERFIT, "serve", "--port", "0", *arguments], capture_output=True, text=True,
                                      timeout=PATIENCE)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stderr, pattern)


class Load(ModelCase):
    def test_soak(self):
        """Many more clients than may wait: every answer is right or 429, nothing is lost, memory stays."""
        seconds = 600 if LONG else 5
        service = Service(self, "--max_concurrent_requests", "8")
        stop, lock = threading.Event(), threading.Lock()
        counts = {200: 0, 429: 0}

        def rss():
            return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{service.process.pid}/status").read_text())[1])

        def ask(seed):
            draw, c = random.Random(seed), service.connect()
            self.addCleanup(c.close)
            while not stop.is_set():
                words = [draw.choice(WORDS) for _ in range(20)]
                status, headers, found = service.ask("POST", "/predict", {"inputs": " ".join(words)}, None, c)
                wanted = [w for w in words if w in ("nine", "ten", "rome", "paris", "anna")]
                right = [e["text"] for e in found] == wanted if status == 200 else int(headers["Retry-After"]) >= 1
                with lock:
                    counts[status] = counts.get(status, 0) + 1
                    if not right:
                        counts["wrong"] = counts.get("wrong", 0) + 1

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(32)]
        for t in threads:
            t.start()
        time.sleep(seconds * 0.4)
        before = rss()
        time.sleep(seconds * 0.6)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(set(counts), {200, 429}, counts)
        self.assertGreater(counts[200], 100)
        self.assertLess(rss(), before * 1.1 + 4096)
        self.assertEqual(service.metric("text_count"), counts[200])
        self.assertEqual(service.metric("request_overloaded"), counts[429])


if __name__ == "__main__":
    unittest.main(verbosity=1)
