#!/usr/bin/env python3
"""What a training takes beside its steps: the memory of its checkpoints, and how often the encoder is read.

Usage: test_resources.py NERFIT
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

import made_model
from program import ProgramCase

WORDS = "wake,me,up,at,nine"
TOKENS = 60_000  # with 64 numbers each: weights of 15 MB, and twice that for AdamW's moments
TRAIN = ("train", "--quiet", "--model_name", "encoder", "--st_model_name", "encoder", "--train_annotations", "data.txt", "--threads",
         "1", "--ent2emb", "labels.yaml", "--max_steps", "3", "--warmup_steps", "0", "--calibration", "none")  # fmt: skip


class Training(ProgramCase):
    def setUp(self):
        super().setUp()
        # by a process of its own: what this one takes counts as the peak of those that it starts
        subprocess.run([sys.executable, made_model.__file__, "encoder", self.root / "encoder", WORDS, str(TOKENS)], check=True)
        (self.root / "labels.yaml").write_text("a: the first\nb: the second\nc: the last\n")
        (self.root / "data.txt").write_text("wake [b : me] up\n[a : nine] at [c : nine]\n" * 20)

    def peak(self, *options):
        """Peak memory of a training in bytes."""
        process = self.start(*TRAIN, *options)
        process.stdout.close()
        told = process.stderr.read()
        process.stderr.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, told)
        return used.ru_maxrss * 1024

    def test_memory_of_checkpoints(self):
        """Values and moments are written from where they are: a copy would be three times the weights."""
        weights = 4 * 64 * TOKENS
        none = self.peak("--output_dir", "none", "--save_strategy", "no")
        each = self.peak("--output_dir", "each", "--save_strategy", "steps", "--save_steps", "1")
        self.assertLess(each - none, weights)

    def test_readings_of_the_encoder(self):
        """To tell which adapter belongs to it, by the model, and for checkpoints' fingerprints of model and sentence
        encoder: the first and the last read pieces."""
        shim, counts = self.root / "shim.so", self.root / "counts"
        source = Path(__file__).with_name("fault_shim.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"], check=True)
        self.run_it(*TRAIN, "--output_dir", "out", LD_PRELOAD=str(shim), FAULT_COUNTS=str(counts),
                    FAULT_READ="model.safetensors")  # fmt: skip
        found = dict(line.split() for line in counts.read_text().splitlines())
        self.assertEqual(found["reading"], "4")


if __name__ == "__main__":
    unittest.main()
