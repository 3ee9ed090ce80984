#!/usr/bin/env python3
"""The program against a hub and language models' providers that are played on 127.0.0.1.

    python3 tests/test_net.py NERFIT [unittest's arguments]

Needs no downloads; compares with Python's huggingface_hub where that is installed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import made_model
import net_servers as net
from program import ProgramCase

GOLDEN = Path(__file__).resolve().parent / "golden"
WORDS = ["wake", "me", "up", "at", "nine"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = "".join(f"{w}\n" for w in [*SPECIAL, *WORDS, *(f"[unused{i}]" for i in range(90))]).encode()
TOKEN = "hf_TheSecretTokenOfThisTest"
KEY = "sk-TheSecretKeyOfThisTest"


def files_of(folder, **more):
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {**found, **{name.replace("__", "."): data for name, data in more.items()}}


TAGGER = files_of(
    GOLDEN / "bert" / "token-classification",
    vocab__txt=VOCABULARY,
    README__md=b"not needed",
    pytorch_model__bin=b"not needed",
)


class Case(ProgramCase):
    secrets = (TOKEN, KEY, "secret-of-the-store")

    def setUp(self):
        super().setUp()
        (self.root / "texts.txt").write_text("wake me up at nine\n")
        self.environment.setdefault("NERFIT_LLM_TIMEOUT", "60")


class HubTest(Case):
    def setUp(self):
        super().setUp()
        self.hub = net.Hub()
        self.addCleanup(self.hub.close)
        self.environment["HF_ENDPOINT"] = self.hub.url + "/"
        self.cache = self.root / "home" / ".cache" / "huggingface" / "hub"

    def predict(self, name="acme/tagger", **more):
        return self.run_it("predict", name, "texts.txt", "--output", "tokens", **more)

    def downloads(self):
        return len(self.hub.seen("store", "GET"))

    def weights(self, name="acme/tagger"):
        folder = self.cache / ("models--" + name.replace("/", "--"))
        return next(folder.glob("snapshots/*/model.safetensors"))

    def test_a_model_is_downloaded_once_and_laid_out_as_the_hub_does(self):
        commit = self.hub.add("acme/tagger", TAGGER)
        _, err = self.predict(expect='"wake"')
        self.assertIn("acme/tagger: fetching model.safetensors", err)
        folder = self.cache / "models--acme--tagger"
        self.assertEqual((folder / "refs" / "main").read_text(), commit)
        snapshot = folder / "snapshots" / commit
        self.assertEqual(
            sorted(p.name for p in snapshot.iterdir()),
            ["config.json", "model.safetensors", "vocab.txt"],
        )
        for path in snapshot.iterdir():
            link = os.readlink(path)
            self.assertTrue(link.startswith("../../blobs/"), link)
            self.assertEqual(path.read_bytes(), TAGGER[path.name])
        self.assertEqual(
            (folder / "blobs" / net.git_sha1(VOCABULARY)).read_bytes(), VOCABULARY
        )
        self.assertEqual(list(folder.glob("blobs/*.incomplete")), [])
        before = len(self.hub.seen())
        self.predict()
        self.assertEqual(len(self.hub.seen()), before)  # the hub is not asked again
        self.predict(HF_HUB_OFFLINE="1")
        self.run_it("tokenize", "acme/tagger", "texts.txt", HF_HUB_OFFLINE="1", expect="wake")

    def test_download(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.add("acme/sentences", files_of(GOLDEN / "sentence-mean"))
        out, _ = self.run_it("download", "acme/tagger", "--quiet")
        self.assertEqual(out.strip(), str(self.weights().parent))
        out, _ = self.run_it("download", "acme/sentences", "--kind", "tokenizer")
        self.assertNotIn("model.safetensors", os.listdir(out.strip()))
        out, _ = self.run_it("download", "acme/sentences", "--kind", "sentence")
        self.assertIn("1_Pooling", os.listdir(out.strip()))
        self.run_it("embed", "acme/sentences", "texts.txt", HF_HUB_OFFLINE="1")
        self.run_it("download", "./nowhere", status=1, expect="neither a folder nor a model's name")
        self.run_it("download", "a/b", "--kind", "x", status=1, expect="not one of model, sentence")
        self.run_it("download", status=2, expect="NAME is missing")

    def test_gliner(self):
        """Weights and gliner_config.json from the model's place, the encoder's files from its own."""
        tiny = files_of(GOLDEN / "gliner" / "deberta")
        config = json.loads(tiny["gliner_config.json"])
        encoder = config.pop("encoder_config")
        config["model_name"] = "acme/encoder"
        own = {
            "gliner_config.json": json.dumps(config).encode(),
            "model.safetensors": tiny["model.safetensors"],
            "README.md": b"not needed",
        }
        self.hub.add("acme/gliner", own)
        self.hub.add(
            "acme/encoder",
            {
                "config.json": json.dumps(encoder).encode(),
                "tokenizer.json": tiny["tokenizer.json"],
                "tokenizer_config.json": tiny["tokenizer_config.json"],
                "model.safetensors": b"not needed",
            },
        )
        out, _ = self.run_it("download", "acme/gliner", "--quiet")
        self.assertEqual(
            sorted(os.listdir(out.strip())), ["gliner_config.json", "model.safetensors"]
        )
        fetched = self.downloads()
        asked = ["predict", "acme/gliner", "texts.txt", "--labels", "person, city", "--threshold", "0"]
        out, _ = self.run_it(*asked, HF_HUB_OFFLINE="1")
        self.assertEqual(self.downloads(), fetched)
        whole = self.root / "whole"
        whole.mkdir()
        for name, data in tiny.items():
            if "/" not in name:
                (whole / name).write_bytes(data)
        self.assertEqual(out, self.run_it("predict", whole, *asked[2:])[0])
        self.hub.add("acme/bare", own | {"gliner_config.json": own["gliner_config.json"].replace(
            b"acme/encoder", b"acme/nowhere")})
        self.run_it("download", "acme/bare", status=1, expect="the tokenizer of .*none of its own")

    def test_where_the_cache_is(self):
        self.hub.add("acme/tagger", TAGGER)
        for name, value, place in [
            ("HF_HUB_CACHE", "a", "a"),
            ("HUGGINGFACE_HUB_CACHE", "b", "b"),
            ("HF_HOME", "c", "c/hub"),
            ("HF_HOME", "~/d", "home/d/hub"),
            ("XDG_CACHE_HOME", "e", "e/huggingface/hub"),
        ]:
            value = value if value[0] == "~" else str(self.root / value)
            self.predict(**{name: value})
            self.assertTrue((self.root / place / "models--acme--tagger").is_dir(), place)

    def test_a_folder_goes_first(self):
        self.hub.add("acme/tagger", TAGGER)
        (self.root / "acme" / "tagger").mkdir(parents=True)
        for name in ("config.json", "model.safetensors", "vocab.txt"):
            (self.root / "acme" / "tagger" / name).write_bytes(TAGGER[name])
        self.predict()
        self.assertEqual(self.hub.seen(), [])

    def test_names_of_old_and_redirects(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.renamed["tagger-base"] = "acme/tagger"
        self.predict("tagger-base")
        self.assertTrue((self.cache / "models--tagger-base" / "refs" / "main").exists())

    def test_a_mirror_that_redirects_to_the_hub(self):
        self.hub.add("acme/tagger", TAGGER)
        self.predict(HF_ENDPOINT=self.hub.mirror.url, HF_TOKEN=TOKEN)
        sent = {r[0]: set() for r in self.hub.seen()}
        for server, _, _, headers, _ in self.hub.seen():
            sent[server].add(headers.get("Authorization"))
        self.assertEqual(
            sent, {"mirror": {f"Bearer {TOKEN}"}, "hub": {None}, "store": {None}}
        )

    def test_revisions(self):
        other = {**TAGGER, "vocab.txt": VOCABULARY.replace(b"wake", b"walk")}
        first = self.hub.add("acme/tagger", TAGGER)
        self.hub.add("acme/tagger", other, "refs/pr/3")
        out, _ = self.predict("acme/tagger@refs/pr/3")
        self.assertNotIn('"wake"', re.sub(r'"text": ?"wake[^"]*"', "", out))
        self.predict(f"acme/tagger@{first}")
        self.assertTrue((self.cache / "models--acme--tagger" / "refs/refs/pr/3").exists())
        self.assertFalse((self.cache / "models--acme--tagger" / "refs/main").exists())
        self.assertEqual(self.downloads(), 1)  # the same weights are one blob
        self.predict("acme/tagger@nowhere", status=1, expect='has no revision "nowhere"')

    def test_the_token_goes_to_the_hub_alone(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.tokens["acme/tagger"] = TOKEN
        self.predict(status=1, expect="or it is private .*without a token; set HF_TOKEN")
        self.predict(HF_TOKEN="hf_wrong", status=1, expect="asked with the token given")
        self.hub.gated.add("acme/tagger")
        self.predict(status=1, expect="is gated: accept its terms at .*/acme/tagger")
        (self.root / "home" / ".cache" / "huggingface").mkdir(parents=True)
        (self.root / "home" / ".cache" / "huggingface" / "token").write_text(TOKEN + "\n")
        self.predict()
        hub = [r[3].get("Authorization") for r in self.hub.seen("hub")]
        self.assertIn(f"Bearer {TOKEN}", hub)
        self.assertTrue(self.downloads())
        for _, _, _, headers, _ in self.hub.seen("store"):
            self.assertNotIn("Authorization", headers)
        self.predict(HF_TOKEN="hf a", HF_HOME=str(self.root / "x"), status=1, expect="has a space")

    def test_cut_transfers_are_gone_on_with(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.faults += [net.cut_after(30000), net.status(503, Retry_After=0), net.cut_after(9)]
        self.predict(expect="trying again in")
        ranges = [r[3].get("Range") for r in self.hub.seen("store", "GET")]
        self.assertEqual(ranges, [None, "bytes=30000-", "bytes=30000-", "bytes=30009-"])
        self.assertEqual(self.weights().read_bytes(), TAGGER["model.safetensors"])

    def test_a_server_without_ranges(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.faults += [net.cut_after(30000), net.without_ranges]
        self.predict()
        self.assertEqual(self.weights().read_bytes(), TAGGER["model.safetensors"])

    def test_what_an_earlier_process_left(self):
        self.hub.add("acme/tagger", TAGGER)
        data = TAGGER["model.safetensors"]
        blob = net.hashlib.sha256(data).hexdigest()
        blobs = self.cache / "models--acme--tagger" / "blobs"
        for left, requests in [
            (data[:50000], ["bytes=50000-"]),
            (data, []),  # whole, but not in its place
            (b"x" * 50000, ["bytes=50000-", None]),  # of something else
            (b"x" * len(data), [None]),
            (data + b"more", [f"bytes={len(data) + 4}-", None]),  # 416
        ]:
            shutil.rmtree(self.cache, ignore_errors=True)
            blobs.mkdir(parents=True)
            (blobs / f"{blob}.incomplete").write_bytes(left)
            before = self.downloads()
            self.predict()
            ranges = [r[3].get("Range") for r in self.hub.seen("store", "GET")[before:]]
            self.assertEqual(ranges, requests, len(left))
            self.assertEqual(self.weights().read_bytes(), data)

    def test_a_wrong_checksum(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.faults += [net.damaged]
        self.predict(status=1, expect="model.safetensors came damaged: the checksum .SHA-256. is")
        blobs = self.cache / "models--acme--tagger" / "blobs"
        self.assertEqual([p.name for p in blobs.iterdir() if "incomplete" in p.name], [])
        self.predict()

    def test_a_download_is_no_larger_than_announced(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.faults += [net.endless]
        self.predict(status=1, expect="more bytes came than were announced")
        blobs = self.cache / "models--acme--tagger" / "blobs"
        self.assertEqual([p.name for p in blobs.iterdir() if "incomplete" in p.name], [])
        self.predict()

    def test_a_download_that_does_not_reach_the_disk(self):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            self.skipTest("no compiler")
        (self.root / "sync.c").write_text(
            "#include <errno.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
            "int fsync(int fd) {\n"
            "    char link[64], path[4096];\n"
            '    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);\n'
            "    ssize_t n = readlink(link, path, sizeof path - 1);\n"
            "    path[n < 0 ? 0 : n] = 0;\n"
            '    if (strstr(path, ".incomplete")) return errno = EIO, -1;\n'
            "    return 0;\n}\n"
        )
        library = self.root / "sync.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, self.root / "sync.c"], check=True)
        self.hub.add("acme/tagger", TAGGER)
        self.predict(status=1, expect="incomplete: cannot be written: Input/output error",
                     LD_PRELOAD=str(library))
        self.assertEqual(list(self.cache.glob("models--acme--tagger/snapshots/*/model.safetensors")), [])
        self.predict()

    def test_a_killed_download(self):
        self.hub.add("acme/tagger", TAGGER)

        def stall(h, data):
            h.send(200, b"", Content_Length=len(data))
            h.wfile.write(data[:40000])
            h.wfile.flush()
            time.sleep(20)

        self.hub.faults += [stall]
        process = self.start("predict", "acme/tagger", "texts.txt")
        incomplete = []
        for _ in range(200):
            incomplete = list(self.cache.glob("models--acme--tagger/blobs/*.incomplete"))
            if incomplete and incomplete[0].stat().st_size == 40000:
                break
            time.sleep(0.05)
        self.assertTrue(incomplete)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.predict(status=1, HF_HUB_OFFLINE="1", expect="nor is the model .* in the cache")
        self.predict()
        self.assertEqual(self.hub.seen("store", "GET")[-1][3]["Range"], "bytes=40000-")

    def test_two_processes_download_once(self):
        self.hub.add("acme/tagger", TAGGER)

        def late(h, data):
            time.sleep(1)
            net.serve(h, data)

        self.hub.faults += [late]
        processes = [self.start("predict", "acme/tagger", "texts.txt") for _ in range(3)]
        for process in processes:
            out, err = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.downloads(), 1)

    def test_a_busy_hub(self):
        self.hub.add("acme/tagger", TAGGER)
        self.hub.hub_faults += [net.status(429, Retry_After=0), net.status(500)]
        self.predict(expect="HTTP status 429; trying again in 0.0 s")
        self.hub.add("acme/other", TAGGER)
        self.hub.hub_faults += [net.status(429, Retry_After=4000)]
        self.predict("acme/other", status=1, expect="too many requests from here .*set HF_TOKEN")

    def test_a_hub_that_is_not_there(self):
        self.hub.add("acme/tagger", TAGGER)
        expect = "acme/tagger is not a folder, and the hub cannot be asked"
        self.predict(status=1, HF_ENDPOINT="http://127.0.0.1:9", expect=expect)
        self.predict("acme/nothing", status=1, expect="acme/nothing is not a folder, and .* has no")
        self.predict("./acme/tagger", status=1, expect="is not a folder")

    def test_no_hub_at_all(self):
        self.hub.hub_faults += [lambda h: h.send(200, b"<html>Log in</html>")]
        self.predict(status=1, expect="is not valid JSON")
        self.hub.hub_faults += [lambda h: h.send(200, {"sha": "../../x", "siblings": []})]
        self.predict(status=1, expect="gave no list of files")

    def test_names_of_files_stay_in_the_snapshot(self):
        evil = {**TAGGER, "../../../evil/config.json": b"{}", "/tmp/evil/vocab.txt": b"x"}
        self.hub.add("acme/tagger", evil)
        self.predict()
        self.assertEqual(list(self.root.rglob("evil*")), [])

    def test_files_of_torch(self):
        pickled = {k: v for k, v in TAGGER.items() if k != "model.safetensors"}
        tensors = (GOLDEN / "torch" / "module.bin").read_bytes()
        evil = (GOLDEN.parent / "invalid" / "torch" / "evil.bin").read_bytes()
        self.hub.add("acme/tagger", {**pickled, "pytorch_model.bin": tensors})
        self.predict(status=1, expect="pytorch_model.bin: has no tensor")  # read, and another model's
        self.hub.add("acme/evil", {**pickled, "pytorch_model.bin": evil})
        self.predict("acme/evil", status=1, expect="asks for posix.system")
        self.hub.add("acme/nothing", {k: v for k, v in pickled.items() if "model" not in k})
        self.predict("acme/nothing", status=1, expect="neither model.safetensors nor pytorch_model.bin")
        adapter = files_of(GOLDEN / "bert" / "adapter-bin")
        config = json.loads(adapter["adapter_config.json"])
        config["base_model_name_or_path"] = "acme/base"
        adapter["adapter_config.json"] = json.dumps(config).encode()
        self.hub.add("acme/adapter", adapter)
        self.hub.add("acme/base", files_of(GOLDEN / "bert", vocab__txt=VOCABULARY))
        self.predict("acme/adapter")

    def test_shards(self):
        shards = files_of(GOLDEN / "bert" / "sharded", vocab__txt=VOCABULARY)
        self.assertTrue(any(name.startswith("model-0000") for name in shards))
        self.hub.add("acme/shards", {**shards, "model-00009-of-00009.safetensors": b"not named"})
        self.predict("acme/shards")
        snapshot = next(self.cache.glob("models--acme--shards/snapshots/*"))
        self.assertEqual(
            {p.name for p in snapshot.iterdir()},
            {n for n in shards if n != "hidden.safetensors" and "/" not in n},
        )

    def test_adapters_find_their_base_model(self):
        config = json.loads((GOLDEN / "bert" / "adapter-lora" / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = "acme/base"
        adapter = files_of(
            GOLDEN / "bert" / "adapter-lora", adapter_config__json=json.dumps(config).encode()
        )
        self.hub.add("acme/adapter", {**adapter, "base.safetensors": b"not needed"})
        self.hub.add("acme/base", files_of(GOLDEN / "bert", vocab__txt=VOCABULARY))
        self.predict("acme/adapter")
        self.assertTrue((self.cache / "models--acme--base").is_dir())
        del self.hub.models["acme/base"]
        shutil.rmtree(self.cache / "models--acme--base")
        self.predict("acme/adapter", status=1, expect="base model of the adapter .*acme/base")
        # PEFT's revision of it
        self.hub.add("acme/base", {"config.json": b"of another revision"})
        base = files_of(GOLDEN / "bert", vocab__txt=VOCABULARY)
        config["revision"] = self.hub.add("acme/base", base, "refs/pr/1")
        adapter["adapter_config.json"] = json.dumps(config).encode()
        self.hub.add("acme/revised", adapter)
        self.predict("acme/revised")
        snapshots = self.cache / "models--acme--base" / "snapshots"
        self.assertEqual([p.name for p in snapshots.iterdir()], [config["revision"]])

    def test_what_is_nerfits_own_comes_along(self):
        own = ("nerfit.json", "word_shape.safetensors", "description_head.safetensors")
        self.hub.add("acme/ours", {**TAGGER, **{name: b"not one" for name in own}})
        self.predict("acme/ours", status=1, expect="word_shape.safetensors")
        snapshot = next(self.cache.glob("models--acme--ours/snapshots/*"))
        self.assertLessEqual(set(own), {p.name for p in snapshot.iterdir()})

    def test_sentence_encoders(self):
        encoder = files_of(GOLDEN / "sentence-mean")
        self.hub.add("acme/sentences", encoder)
        embed = ("embed", "acme/sentences", "texts.txt", "--precision", "f32")
        expected, _ = self.run_it("embed", GOLDEN / "sentence-mean", *embed[2:])
        self.assertEqual(self.run_it(*embed)[0], expected)
        before = len(self.hub.seen())
        self.assertEqual(self.run_it(*embed)[0], expected)
        self.assertEqual(len(self.hub.seen()), before)
        pooling = next(self.cache.glob("models--acme--sentences/snapshots/*/1_Pooling/config.json"))
        self.assertTrue(os.readlink(pooling).startswith("../../../blobs/"))
        # as Python leaves it when only the encoder was wanted: without the modules
        for path in ("modules.json", "1_Pooling/config.json"):
            (pooling.parent.parent / path).unlink()
        self.run_it(*embed, HF_HUB_OFFLINE="1", expect="has no modules.json")
        self.assertEqual(self.run_it(*embed)[0], expected)

    def test_training_by_names(self):
        self.hub.add("acme/encoder", files_of(GOLDEN / "bert", vocab__txt=VOCABULARY))
        self.hub.add("acme/sentences", files_of(GOLDEN / "sentence-mean"))
        (self.root / "conf").mkdir()
        (self.root / "conf" / "train.txt").write_text("[a : wake] me up\nwake me at [b : nine]\n")
        (self.root / "conf" / "labels.yaml").write_text("a: one thing\nb: another\n")
        (self.root / "conf" / "config.yaml").write_text(
            "model_name: acme/encoder\nst_model_name: acme/sentences\n"
            "train_annotations: train.txt\nent2emb: labels.yaml\noutput_dir: out\n"
            "max_steps: [1, 1]\n"
        )
        self.run_it("train", "conf/config.yaml", "--threads", 1, expect="The model is in")
        args = json.loads((self.root / "conf" / "out" / "training_args.json").read_text())
        self.assertEqual(args["model_name"], "acme/encoder")
        # a model that is no sentence encoder is remembered as one
        marks = [p.name for p in self.cache.glob("models--acme--encoder/.no_exist/*/*")]
        self.assertEqual(marks, [])
        few = ("fewshot", "conf/config.yaml", "--test_annotations", "conf/train.txt", "--k", 1)
        few += ("--seeds", 1, "--recipes", "plain:max_steps=0,1", "--output_dir", "few")
        self.run_it(*few, HF_HUB_OFFLINE="1", expect="plain")
        few = [v.replace("=0,1", "=1,1") if isinstance(v, str) else v for v in few]
        (self.root / "conf" / "config.yaml").write_text(
            (self.root / "conf" / "config.yaml").read_text().replace("ent2emb: labels.yaml", "llm: gpt-4o")
        )
        self.run_it(*few, HF_HUB_OFFLINE="1", status=1, expect="no language model is asked here")

    def test_interrupted(self):
        self.hub.add("acme/encoder", files_of(GOLDEN / "bert", vocab__txt=VOCABULARY))
        (self.root / "train.txt").write_text("[a : wake] me up\n")
        stalled = threading.Event()

        def stall(h, data):
            h.send(200, b"", Content_Length=len(data))
            h.wfile.write(data[:1000])
            h.wfile.flush()
            stalled.set()
            time.sleep(20)

        self.hub.faults += [stall]
        process = self.start("train", "--model_name", "acme/encoder", "--train_annotations",
                             "train.txt", "--max_steps", "0,1")  # fmt: skip
        self.assertTrue(stalled.wait(30))
        process.send_signal(signal.SIGINT)
        began = time.time()
        _, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, err)
        self.assertLess(time.time() - began, 15)  # the server goes on after 20

    def test_shared_with_python(self):
        try:
            import huggingface_hub
        except ImportError:
            self.skipTest("huggingface_hub is not installed")
        self.hub.add("acme/tagger", TAGGER)
        self.predict()
        program = (
            "import sys, huggingface_hub as h\n"
            "for f in ('config.json', 'vocab.txt', 'model.safetensors'):\n"
            "    print(h.hf_hub_download('acme/tagger', f))\n"
            "print(len(h.scan_cache_dir().repos), h.scan_cache_dir().warnings)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**self.environment, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 []", done.stdout)
        self.assertIn(str(self.weights()), done.stdout)
        # and the other way round
        shutil.rmtree(self.cache)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**self.environment, "HF_HUB_DISABLE_XET": "1"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        before = len(self.hub.seen())
        self.predict(HF_HUB_OFFLINE="1")
        self.predict()
        self.assertEqual(len(self.hub.seen()), before)
        print("with huggingface_hub", huggingface_hub.__version__, file=sys.stderr)


class LlmTest(Case):
    def setUp(self):
        super().setUp()
        self.providers = net.Providers()
        self.addCleanup(self.providers.close)
        (self.root / "train.txt").write_text(
            "[a : wake] me up\nwake me at [b : nine]\n[a : wake] up [b : me]\n"
        )
        self.environment.update(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=self.providers.url + "/v1")

    def describe(self, *arguments, llm="gpt-4o-mini", **more):
        return self.run_it("describe", "train.txt", "--llm", llm, *arguments, **more)

    def test_labels_are_described(self):
        self.providers.text = " Ein Wort: mit \"Zeichen\"\nund Zeilen. \U0001f600 "
        out, err = self.describe("-o", "labels.yaml")
        self.assertIn('description of "a" by gpt-4o-mini: Ein Wort', err)
        text = (self.root / "labels.yaml").read_text()
        self.assertTrue(text.startswith("# Descriptions of the labels, written by gpt-4o-mini."))
        for _, _, path, headers, _ in self.providers.requests:
            self.assertEqual(path, "/v1/chat/completions")
            self.assertEqual(headers["Authorization"], f"Bearer {KEY}")
        bodies = self.providers.questions()
        self.assertEqual([b["model"] for b in bodies], ["gpt-4o-mini"] * 2)
        question = bodies[0]["messages"][1]["content"]
        self.assertEqual(bodies[0]["messages"][0]["role"], "system")
        self.assertIn('the label "a"', question)
        self.assertIn('* wake me up ("wake")\n* wake up me ("wake")\n', question)
        self.assertNotIn("nine", question)
        # what is there stays, comments included; only what is missing is asked for
        edited = "# mine\na: my own words # so\n"
        (self.root / "labels.yaml").write_text(edited)
        self.describe("-o", "labels.yaml")
        self.assertEqual(len(self.providers.questions()), 3)
        text = (self.root / "labels.yaml").read_text()
        self.assertTrue(text.startswith(edited) and "\nb: " in text, text)
        self.describe("-o", "labels.yaml", OPENAI_API_KEY="")  # takes no key
        self.run_it("data", "check", "train.txt", "--ent2emb", "labels.yaml", expect="0 errors")
        out, _ = self.describe("--quiet")
        self.assertRegex(out, r"^a: ")
        self.describe("-o", "labels.json", "--seed", 7)
        self.assertEqual(
            json.loads((self.root / "labels.json").read_text())["a"], self.providers.text.strip()
        )

    def test_ten_samples_a_label_by_the_seed(self):
        lines = [f"number{i} [a : wake]" for i in range(30)] * 2
        (self.root / "train.txt").write_text("\n".join(lines) + "\n")
        for seed in (1, 1, 2):
            self.describe("--seed", seed)
        questions = [b["messages"][1]["content"] for b in self.providers.questions()]
        self.assertEqual(questions[0], questions[1])
        self.assertNotEqual(questions[0], questions[2])
        numbers = re.findall(r"\* number(\d+) wake", questions[0])
        self.assertEqual(len(set(numbers)), 10)
        self.assertEqual(numbers, sorted(numbers, key=int))

    def test_every_provider(self):
        url = self.providers.url
        for llm, environment, path, model, header in [
            ("openai/gpt-4o", {}, "/v1/chat/completions", "gpt-4o", f"Bearer {KEY}"),
            ("gpt-4o", {"OPENAI_BASE_URL": "", "OPENAI_API_BASE": url + "/b/"}, "/b/chat/completions", "gpt-4o", 0),
            ("claude-3-5-haiku", {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_API_BASE": url}, "/v1/messages", "claude-3-5-haiku", 0),
            ("anthropic/claude-x", {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url + "/v1/"}, "/v1/messages", "claude-x", 0),
            ("azure/my-gpt", {"AZURE_API_KEY": KEY, "AZURE_API_BASE": url, "AZURE_API_VERSION": "2024-06-01"}, "/openai/deployments/my-gpt/chat/completions?api-version=2024-06-01", "my-gpt", 0),
            ("gemini/gemini-2.0-flash", {"GEMINI_API_KEY": KEY, "GEMINI_API_BASE": url}, "/v1beta/openai/chat/completions", "gemini-2.0-flash", f"Bearer {KEY}"),
            ("mistral/mistral-small", {"MISTRAL_API_KEY": KEY, "MISTRAL_API_BASE": url + "/v1"}, "/v1/chat/completions", "mistral-small", f"Bearer {KEY}"),
            ("groq/llama3", {"GROQ_API_KEY": KEY, "GROQ_API_BASE": url}, "/chat/completions", "llama3", f"Bearer {KEY}"),
            ("openrouter/meta/llama:free", {"OPENROUTER_API_KEY": KEY, "OPENROUTER_API_BASE": url}, "/chat/completions", "meta/llama:free", 0),
            ("deepseek/deepseek-chat", {"DEEPSEEK_API_KEY": KEY, "DEEPSEEK_API_BASE": url}, "/chat/completions", "deepseek-chat", 0),
            ("together_ai/a/b", {"TOGETHERAI_API_KEY": KEY, "TOGETHER_AI_API_BASE": url}, "/chat/completions", "a/b", 0),
            ("ollama/llama3", {"OLLAMA_API_BASE": url}, "/v1/chat/completions", "llama3", None),
            ("hosted_vllm/a/b", {"HOSTED_VLLM_API_BASE": url + "/v1"}, "/v1/chat/completions", "a/b", None),
            ("huggingface/a/b", {"HF_TOKEN": KEY, "HUGGINGFACE_API_BASE": url + "/v1"}, "/v1/chat/completions", "a/b", f"Bearer {KEY}"),
        ]:  # fmt: skip
            with self.subTest(llm):
                self.describe(llm=llm, **environment, expect="A description.")
                _, _, got_path, headers, body = self.providers.requests[-1]
                body = json.loads(body)
                self.assertEqual((got_path, body["model"]), (path, model))
                if header != 0:
                    self.assertEqual(headers.get("Authorization"), header)
                if "claude" in llm:
                    self.assertEqual(headers["x-api-key"], KEY)
                    self.assertEqual(headers["anthropic-version"], "2023-06-01")
                    self.assertNotIn("Authorization", headers)
                    self.assertTrue(body["max_tokens"] and body["system"])
                if "azure" in llm:
                    self.assertEqual(headers["api-key"], KEY)

    def test_missing_keys_and_unknown_names(self):
        for llm, expect in [
            ("gpt-4o", "gpt-4o needs a key: set the environment variable OPENAI_API_KEY"),
            ("anthropic/claude", "variable ANTHROPIC_API_KEY"),
            ("gemini-2.0-flash", "variable GEMINI_API_KEY or GOOGLE_API_KEY"),
            ("azure/x", "needs an address: set the environment variable AZURE_API_BASE"),
            ("hosted_vllm/x", "needs an address: .*HOSTED_VLLM_API_BASE"),
            ("llama3", '"llama3" is no model that is known here; expected gpt-.*ollama/'),
            ("acme/x", '"acme/x" is no model that is known here'),
            ("no", "llm is missing"),
        ]:
            self.describe(llm=llm, status=1, expect=expect, OPENAI_API_KEY="")
        self.describe(status=1, OPENAI_API_KEY="a b", expect="the key of gpt-4o-mini has a space")
        self.assertEqual(self.providers.requests, [])

    def test_answers_that_will_not_do(self):
        cut = net.says(net.openai("An unfinished", "length"))
        for step, llm, expect in [
            (cut, "gpt-4o", "answer was cut off at the model's limit of tokens .length"),
            (net.says(net.openai("", "content_filter")), "gpt-4o", "filtered or refused"),
            (net.says(net.openai(None, refusal="I cannot.")), "gpt-4o", "refused.*I cannot"),
            (net.says(net.openai(" \n")), "gpt-4o", "the answer is empty"),
            (net.says(b"<html>"), "gpt-4o", "is not valid JSON"),
            (net.says(b'{"choices": [{"mess'), "gpt-4o", "is not valid JSON"),
            (net.says({"choices": []}), "gpt-4o", "not of the form expected"),
            (net.says([1, 2]), "gpt-4o", "not of the form expected"),
            (net.says(net.anthropic("x", "max_tokens")), "claude-x", "cut off"),
            (net.says(net.anthropic("", "refusal")), "claude-x", "filtered or refused"),
            (net.says({"error": {"message": f"Incorrect API key: {KEY}"}}, 401), "gpt-4o",
             r"refused the key .HTTP status 401.; check OPENAI_API_KEY: Incorrect API key: .key.$"),
            (net.says({"error": {"message": "no such model"}}, 404), "gpt-4o", "404.: no such model"),
            (net.says({"error": "bad"}, 400), "gpt-4o", "HTTP status 400: bad"),
            (net.says({"error": {"message": "no credit"}}), "gpt-4o", ": no credit"),
            (net.says(net.openai(None, refusal=f"no {KEY} \x1b[2J")), "gpt-4o", r"refused.*no .key. [^\x1b]*$"),
            (net.says([{"error": {"message": "an array"}}], 400), "gpt-4o", "400: an array"),
            (net.says(b"", 302, Location="http://127.0.0.1:9/"), "gpt-4o", "HTTP status 302"),
        ]:  # fmt: skip
            with self.subTest(expect):
                self.providers.script = [step]
                before = len(self.providers.requests)
                self.describe(
                    llm=llm, status=1, expect="(?s)description of \"a\": llm: .*" + expect.rstrip("$"),
                    ANTHROPIC_API_KEY=KEY, ANTHROPIC_API_BASE=self.providers.url,
                )  # fmt: skip
                self.assertEqual(len(self.providers.requests), before + 1)

    def test_what_may_pass_is_tried_again(self):
        self.providers.script = [
            net.says({}, 429, Retry_After="0"),
            net.broken_off,
            net.hung_up,
            net.says({}, 503),
        ]
        _, err = self.describe()
        self.assertEqual(len(self.providers.requests), 6)
        self.assertEqual(err.count("trying again in"), 4)

    def test_it_is_not_tried_for_ever(self):
        self.providers.script = [net.says({"error": {"message": "quota"}}, 429, Retry_After="0")] * 9
        self.describe(status=1, expect="quota is used up .HTTP status 429.: quota")
        self.assertEqual(len(self.providers.requests), 5)

    def test_a_slow_answer(self):
        self.providers.script = [net.slow(1.5, net.says(net.openai("late")))]
        self.describe(NERFIT_LLM_TIMEOUT="0.5", expect="Operation timed out.*trying again")

    def test_interrupted_answers_are_kept(self):
        arrived = threading.Event()

        def stall(h):
            arrived.set()
            time.sleep(20)

        self.providers.script = [None, stall]
        process = self.start("describe", "train.txt", "--llm", "gpt-4o", "-o", "labels.yaml")
        self.assertTrue(arrived.wait(30))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, err)
        text = (self.root / "labels.yaml").read_text()
        self.assertTrue("\na: " in text and "\nb: " not in text, text)

    def test_training_with_an_llm(self):
        encoder = self.root / "encoder"
        encoder.mkdir()
        made_model.bert(encoder, ",".join(WORDS))
        train = ("train", "--model_name", "encoder", "--train_annotations", "train.txt")
        train += ("--output_dir", "out", "--max_steps", "2,2", "--threads", 1, "--llm", "gpt-4o")
        self.run_it(*train, status=1, expect="st_model_name is not given.*LaBSE", HF_HUB_OFFLINE="1")
        self.assertEqual(self.providers.requests, [])
        train += ("--st_model_name", GOLDEN / "sentence-mean")
        self.run_it(*train, expect='description of "b" by gpt-4o: A description')
        saved = self.root / "out" / "descriptions.yaml"
        self.assertEqual(len(self.providers.requests), 2)
        self.run_it(*train, status=1, expect="holds an earlier run")
        saved.write_text(saved.read_text().replace("A description.", "My words.", 1))
        _, err = self.run_it(*train, "--overwrite_output_dir", "true")
        self.assertIn("2 descriptions are there already", err)
        self.run_it(*train, "--resume_from_checkpoint", "true")
        self.assertEqual(len(self.providers.requests), 2)
        self.assertIn("My words.", saved.read_text())
        self.run_it(*train[:-2], "--st_model_name", "encoder", "--output_dir", "b", "--max_steps",
                    "0,1", "--llm", "gpt-4o", "--recipe", "original")  # fmt: skip
        self.assertEqual(len(self.providers.requests), 2)  # without stage 1 none is needed
        self.run_it("train", *train[1:-4], "--llm", "no", "--output_dir", "c", "--recipe", "original",
                    status=1, expect="ent2emb is missing.*or an llm")  # fmt: skip

    def test_proxies_are_left_out_where_no_proxy_says_so(self):
        self.describe(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9")


if __name__ == "__main__":
    unittest.main()
