"""What the wheel holds besides the modules: the program, the types of the options."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nerfit

from conftest import ROOT

PACKAGE = Path(nerfit.__file__).parent


def needs_wheel():
    if os.environ.get("NERFIT_LIBRARY"):
        pytest.skip("not installed from a wheel")


def test_the_program_comes_along(tmp_path):
    needs_wheel()
    commands = ([sys.executable, "-m", "nerfit"], [str(Path(sys.executable).parent / "nerfit")])
    for command in commands:
        shown = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, cwd=tmp_path
        )
        assert shown.stdout == f"nerfit {nerfit.__version__}\n", shown
        wrong = subprocess.run([*command, "no-such-command"], capture_output=True, cwd=tmp_path)
        assert wrong.returncode == 2


def test_types_of_the_options():
    needs_wheel()
    assert (PACKAGE / "py.typed").exists()
    tree = ast.parse((PACKAGE / "_arguments.pyi").read_text())
    (stub,) = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    attributes = [n.target.id for n in stub.body if isinstance(n, ast.AnnAssign)]
    assert sorted(attributes) == sorted(inspect.signature(nerfit.TrainingArguments).parameters)
    methods = {n.name: n for n in stub.body if isinstance(n, ast.FunctionDef)}
    given = methods["__init__"].args
    parameters = [a.arg for a in given.args[1:] + given.kwonlyargs]
    assert sorted(parameters) == sorted(attributes)
    public = {n for n in vars(nerfit.TrainingArguments) if not n.startswith("_")}
    assert public == {n for n in methods if not n.startswith("_")}


def test_nothing_heavy_is_imported():
    code = "import sys, nerfit; print({'torch', 'numpy', 'transformers'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout == "set()\n", shown


def test_what_is_missing_for_building_is_named(tmp_path):
    """setup.py where make fails and dpkg knows of one package only."""
    pytest.importorskip("setuptools.command.bdist_wheel")
    for name in ("python/setup.py", "python/pyproject.toml", "python/README.md", "run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "include").mkdir()
    shutil.copy(ROOT / "include" / "nerfit.h", tmp_path / "include")
    (tmp_path / "python" / "nerfit").mkdir()
    tools = tmp_path / "tools"
    tools.mkdir()
    scripts = {
        "make": "echo 'dnnl.h: No such file or directory' >&2; exit 2",
        "dpkg-query": 'case "$*" in *libdnnl-dev) exit 1;; *) echo "install ok installed";; esac',
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build"],
        cwd=tmp_path / "python",
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "dnnl.h: No such file or directory" in done.stderr
    assert "needs more than is installed here:\n\n    apt-get install libdnnl-dev\n" in done.stderr
