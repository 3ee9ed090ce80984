"""nerfit predict --shard: whatever the number of shards, in whatever order, killed and started again,
the pieces are what one process writes.

Usage: test_shards.py NERFIT
"""
import random
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import made_model
from program import NERFIT, ProgramCase

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "examples" / "recipes"
WORDS = ["wake", "me", "at", "nine", "play", "jazz", "in", "rome"]


class Shards(ProgramCase):
    def setUp(self):
        super().setUp()
        (self.root / "model").mkdir()
        made_model.lookup(self.root / "model", ",".join(WORDS), "O,B-time,I-time,B-song,I-song",
                          "nine=B-time", "jazz=B-song", "rome=I-song")  # fmt: skip
        random.seed(7)
        self.texts = [" ".join(random.choices(WORDS, k=random.randint(0, 30))) for _ in range(999)]
        (self.root / "texts.txt").write_text("\n".join(self.texts) + "\n")

    def nerfit(self, *arguments, code=0):
        return self.run_it("predict", "model", *arguments, "--threads", "1", status=code)

    def pieces(self, folder="found"):
        return sorted(p for p in (self.root / folder).rglob("*") if p.is_file() and p.name[0] != ".")

    def joined(self, folder="found"):
        return b"".join(p.read_bytes() for p in self.pieces(folder))

    def test_lines(self):
        whole = self.nerfit("texts.txt").stdout.encode()
        for count in (1, 2, 7, 40):
            out = f"found{count}"
            for number in random.sample(range(1, count + 1), count):
                self.nerfit("texts.txt", "--shard", f"{number}/{count}", "--output", out)
            self.assertEqual(self.joined(out), whole, count)
            self.assertEqual(len(self.pieces(out)), count)

    def test_few_lines(self):
        """More shards than lines, without a line break at the end, empty lines, CRLF."""
        for text in ("", "jazz", "jazz\n\n\nwake me at nine", "nine\r\nrome\r\n", "\n"):
            (self.root / "few.txt").write_bytes(text.encode())
            whole = self.nerfit("few.txt").stdout.encode()
            for number in range(1, 10):
                self.nerfit("few.txt", "--shard", f"{number}/9", "--output", "few")
            self.assertEqual(self.joined("few"), whole, repr(text))
            shutil.rmtree(self.root / "few")

    def test_resumed(self):
        self.nerfit("texts.txt", "--shard", "2/3", "--output", "found")
        (piece,) = self.pieces()
        before = piece.stat().st_mtime_ns
        told = self.nerfit("texts.txt", "--shard", "2/3", "--output", "found").stderr
        self.assertIn("shard 2/3: 0 files written, 1 were there", told)
        self.assertEqual(piece.stat().st_mtime_ns, before)

    def test_folders(self):
        folder = self.root / "in"
        for number in range(20):
            path = folder / f"{number % 3}" / f"text {number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(self.texts[number * 5 : number * 5 + 5]) + "\n")
        (folder / ".hidden").write_text("rome\n")
        (folder / "0" / "empty.txt").write_text("")
        told = self.nerfit("in", "--output", "in/whole").stderr  # the output lies in the input
        self.assertIn("21 files written, 0 were there", told)
        self.assertIn("1 hidden files and folders were left out", told)
        for number in (3, 1, 2):
            self.nerfit("in", "--shard", f"{number}/3", "--output", "parts")
        # found/whole, which is no longer the output, would be read: it is moved out first
        names = lambda out: [str(p.relative_to(self.root / out)) for p in self.pieces(out)]
        ours = [n for n in names("parts") if not n.startswith("whole/")]
        self.assertEqual(ours, names("in/whole"))
        for name in ours:
            self.assertEqual((self.root / "parts" / name).read_bytes(),
                             (self.root / "in" / "whole" / name).read_bytes())  # fmt: skip
        alone = self.nerfit("in/1/text 4.txt").stdout
        self.assertEqual((self.root / "parts" / "1" / "text 4.txt.jsonl").read_text(), alone)

    def test_added_files(self):
        """A file that comes later moves no other to another shard."""
        folder = self.root / "in"
        folder.mkdir()
        for number in range(12):
            (folder / f"{number}.txt").write_text("nine\n")
        for number in (1, 2, 3):
            self.nerfit("in", "--shard", f"{number}/3", "--output", "found")
        (folder / "00.txt").write_text("jazz\n")
        told = [self.nerfit("in", "--shard", f"{n}/3", "--output", "found").stderr for n in (1, 2, 3)]
        self.assertEqual(sum(int(re.search(r"(\d+) files written", t)[1]) for t in told), 1)
        self.assertEqual(len(self.pieces()), 13)

    def test_killed(self):
        """Killed at any time a piece is whole or not there, and what is left is done later."""
        whole = self.nerfit("texts.txt").stdout.encode()
        command = [NERFIT, "predict", "model", "texts.txt", "--threads", "1", "--output", "found"]
        killed = 0
        for attempt in range(60):
            number = attempt % 6 + 1
            run = subprocess.Popen([*command, "--shard", f"{number}/6"], cwd=self.root,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
            time.sleep(random.random() * 0.08)
            run.send_signal(signal.SIGKILL)
            killed += run.wait() == -signal.SIGKILL
            for piece in self.pieces():
                if ".nerfit-" not in piece.name:
                    self.assertEqual(piece.read_bytes().count(b"\n"),
                                     self.part(int(piece.name.split(".")[2][0])))  # fmt: skip
        self.assertGreater(killed, 0)
        for number in range(1, 7):
            self.nerfit("texts.txt", "--shard", f"{number}/6", "--output", "found")
        done = [p for p in self.pieces() if ".nerfit-" not in p.name]
        self.assertEqual(b"".join(p.read_bytes() for p in done), whole)

    def part(self, number):
        """How many lines begin in the number-th sixth."""
        size = (self.root / "texts.txt").stat().st_size
        begin, starts = 0, []
        for text in self.texts:
            starts.append(begin)
            begin += len(text) + 1
        return sum(size * (number - 1) // 6 <= s < size * number // 6 for s in starts)

    def test_other_calls_are_not_mixed(self):
        self.nerfit("texts.txt", "--shard", "1/2", "--output", "found")
        told = self.nerfit("texts.txt", "--shard", "2/2", "--output", "found", "--threshold", "0.5", code=1).stderr
        self.assertIn("found: holds what another call made", told)
        self.assertIn("threshold: 0.5", told)
        with open(self.root / "model" / "config.json", "a") as file:
            file.write(" \n")
        self.nerfit("texts.txt", "--shard", "2/2", "--output", "found", code=1)

    def test_wrong_calls(self):
        (self.root / "wide.txt").write_bytes("nine\n".encode("utf-16"))
        for arguments, message in (
            (["texts.txt", "--shard", "3", "--output", "o"], "expected I/N, I from 1 to N"),
            (["texts.txt", "--shard", "0/2", "--output", "o"], '--shard "0" is not a whole number from 1 to 2'),
            (["texts.txt", "--shard", "3/2", "--output", "o"], '--shard "3" is not'),
            (["texts.txt", "--shard", "1/2x", "--output", "o"], '--shard "2x" is not'),
            (["texts.txt", "--shard", "1/2"], "--shard takes --output FOLDER"),
            (["-", "--shard", "1/2", "--output", "o"], "not standard input"),
            (["texts.txt", "--from", "conll", "--shard", "1/2", "--output", "o"], "divides files of lines"),
            (["wide.txt", "--shard", "1/2", "--output", "o"], "is UTF-16"),
            (["model"], "a folder of files takes --output FOLDER"),
        ):
            with self.subTest(arguments):
                self.assertIn(message, self.nerfit(*arguments, code=2).stderr)
        self.nerfit("nothing.txt", "--shard", "1/2", "--output", "o", code=1)

    def variables(self, **more):
        return {**self.environment, "NERFIT": str(NERFIT), "MODEL": "model", "INPUT": "texts.txt", "OUTPUT": "found",
                **more}  # fmt: skip

    def test_gnu_parallel(self):
        if not shutil.which("parallel"):
            print("skipped: GNU parallel is not here")
            return
        variables = self.variables(SHARDS="5", JOBS="2")
        subprocess.run(["sh", str(RECIPES / "shards.parallel.sh")], cwd=self.root, check=True,
                       env=variables, stderr=subprocess.DEVNULL)  # fmt: skip
        self.assertEqual(self.joined(), self.nerfit("texts.txt").stdout.encode())

    def test_slurm_and_kubernetes(self):
        """Their scripts, with the variables that they set."""
        for number in (1, 2, 3):
            variables = self.variables(SLURM_ARRAY_TASK_ID=str(number), SLURM_ARRAY_TASK_COUNT="3",
                                           SLURM_CPUS_PER_TASK="1")  # fmt: skip
            subprocess.run(["bash", str(RECIPES / "shards.sbatch")], cwd=self.root, check=True, env=variables)
        whole = self.nerfit("texts.txt").stdout.encode()
        self.assertEqual(self.joined(), whole)
        job = (RECIPES / "shards.kubernetes.yaml").read_text()
        script = " ".join(re.search(r"- (exec nerfit.*?)resources:", job, re.S)[1].split())
        script = script.replace("nerfit", str(NERFIT), 1).replace("/data/texts", "texts.txt")
        script = script.replace("/data/model", "model").replace("/data/found", "pods")
        for number in range(64):
            variables = self.variables(JOB_COMPLETION_INDEX=str(number))
            subprocess.run(["sh", "-c", script], cwd=self.root, check=True, env=variables)
        self.assertEqual(self.joined("pods"), whole)


if __name__ == "__main__":
    unittest.main(verbosity=0)
