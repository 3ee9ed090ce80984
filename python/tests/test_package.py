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
from nerfit._transformers import ARGUMENTS

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
    (stub,) = [n for n in tree.body if getattr(n, "name", "") == "TrainingArguments"]
    attributes = [n.target.id for n in stub.body if isinstance(n, ast.AnnAssign)]
    assert sorted(attributes) == sorted(inspect.signature(nerfit.TrainingArguments).parameters)
    methods = {n.name: n for n in stub.body if isinstance(n, ast.FunctionDef)}
    given = methods["__init__"].args
    parameters = [a.arg for a in given.args[1:] + given.kwonlyargs]
    assert sorted(parameters) == sorted({*attributes, *ARGUMENTS})
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


def test_the_source_distribution_builds(tmp_path):
    """Unpacked elsewhere, with nothing of the checkout beside it."""
    pytest.importorskip("setuptools.command.bdist_wheel")
    source = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "python", "src", "include", "cli", "adapters", "Makefile",
         "run", "LICENSE"], capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).exists():  # removed, not yet committed
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "sdist", "-d", tmp_path], cwd=source / "python",
        check=True, capture_output=True,
    )  # fmt: skip
    (archive,) = tmp_path.glob("nerfit-*.tar.gz")
    shutil.rmtree(source)
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    (folder,) = (tmp_path / "unpacked").iterdir()
    compiler = ["CC=ccache gcc"] if shutil.which("ccache") else []
    built = subprocess.run(
        ["make", "-j4", "OPT=-O0", "CFLAGS=", "WERROR=", *compiler, "all"], cwd=folder / "source",
        capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    shown = subprocess.run([folder / "source/build/nerfit", "--version"], capture_output=True, text=True)
    assert shown.stdout == f"nerfit {nerfit.__version__}\n"
    assert (folder / "nerfit" / "_model.py").exists() and (folder / "nerfit" / "py.typed").exists()
