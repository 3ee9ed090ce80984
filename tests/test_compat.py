"""Folders of an earlier version (tools/golden/compat.py): whole models, adapters, pre-trained encoders give
the same results, and its runs go on from their checkpoints and from stage 1 to the same model.

Usage: test_compat.py NERFIT
"""
import json
import shutil
import unittest
from pathlib import Path

from program import ProgramCase

GOLDEN = Path(__file__).resolve().parent / "golden"


def differ(ours, theirs, path="", most=2e-4):
    """Where two JSON values differ; numbers by more than `most`."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        return next(filter(None, (differ(ours[k], theirs[k], f"{path}.{k}", most) for k in ours)), None)
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs))
        return next(filter(None, (differ(a, b, f"{path}[{i}]", most) for i, (a, b) in pairs)), None)
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return None if abs(ours - theirs) < most else f"{path}: {ours}, then {theirs}"
    return None if ours == theirs else f"{path}: {ours!r}, then {theirs!r}"


class Compat(ProgramCase):
    def setUp(self):
        super().setUp()
        self.root /= "files"
        self.environment.update(HF_HUB_OFFLINE="1", LC_ALL="C.UTF-8")

    def same(self, out, expected, what):
        ours = [json.loads(line) for line in out.splitlines()]
        theirs = [json.loads(line) for line in expected.splitlines()]
        self.assertIsNone(differ(ours, theirs), what)

    def predict(self, model):
        return self.run_it("predict", model, "texts.txt", "--output", "tokens", "--backend", "ref").stdout

    def check(self, golden):
        shutil.copytree(golden, self.root)
        expected = json.loads((golden / "expected.json").read_text())
        embedded = self.run_it("embed", "encoder", "texts.txt", "--backend", "ref").stdout
        self.same(embedded, expected["embed"], "embed")
        # a label's text was its description; now it is by default a mean with its name
        new_labels = self.run_it("predict", "pretrained", "texts.txt", "--labels", "labels.yaml",
                                 "--label_text", "description", "--st_model_name", "encoder",
                                 "--output", "tokens", "--backend", "ref").stdout
        # ... and O of T labels weighs 16 / T times as much (4a155c5); its neighbours add a little to that
        theirs = [json.loads(line) for line in expected["new_labels"].splitlines()]
        for token in (token for text in theirs for token in text["tokens"]):
            self.assertEqual(token["label"], "O")
            weight = token["score"] * 16 / 3
            token["score"] = weight / (weight + 1 - token["score"])
        ours = [json.loads(line) for line in new_labels.splitlines()]
        self.assertIsNone(differ(ours, theirs, most=3e-2), "new labels")
        for model, tokens in expected["tokens"].items():
            self.same(self.predict(model), tokens, model)
        for name, command in expected["commands"].items():
            for without in ("", "stage2", "stage1"):
                shutil.rmtree(self.root / name)
                shutil.copytree(golden / name, self.root / name)
                if without and not (self.root / name / without).exists():
                    continue
                if without == "stage2" and not (self.root / name / "stage1").exists():
                    continue
                for part in ("best", "adapter", without):
                    if part:
                        shutil.rmtree(self.root / name / part, ignore_errors=True)
                self.run_it(*command, "--resume_from_checkpoint", "true")
                for model, tokens in expected["tokens"].items():
                    if model.startswith(f"{name}/"):
                        self.same(self.predict(model), tokens, f"{model}, resumed without {without}")

    def test_folders(self):
        found = sorted(GOLDEN.glob("compat-*"))
        self.assertTrue(found)
        for golden in found:
            with self.subTest(golden.name):
                self.check(golden)


if __name__ == "__main__":
    unittest.main()
