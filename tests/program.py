"""For tests of the program from outside: its path, the first argument of the test, and a case that calls it in a
folder of its own, without the settings of who runs the test."""

import collections
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

NERFIT = Path(sys.argv.pop(1)).resolve()
Told = collections.namedtuple("Told", "stdout stderr")


class ProgramCase(unittest.TestCase):
    """root: the folder, where the program runs; environment: its variables."""

    secrets = ()  # what no output may hold

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        settings = r"(?i)(HF_|HUGGING|TRANSFORMERS_|XDG_|.*_proxy$|.*_API_|.*_BASE_URL$)"
        self.environment = {k: v for k, v in os.environ.items() if not re.match(settings, k)}
        self.environment.update(HOME=str(self.root / "home"), NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")

    def start(self, *arguments, **environment):
        return subprocess.Popen([NERFIT, *map(str, arguments)], cwd=self.root, env={**self.environment, **environment},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_it(self, *arguments, status=0, expect="", **environment):
        """What it printed, after it ended with that status; `expect`: a pattern that is in it."""
        process = self.start(*arguments, **environment)
        told = Told(*process.communicate(timeout=300))
        self.assertEqual(process.returncode, status, f"{arguments}: {told.stdout}{told.stderr}")
        self.assertRegex("".join(told), expect or "(?s).*")
        for secret in self.secrets:
            self.assertNotIn(secret, "".join(told))
        return told
