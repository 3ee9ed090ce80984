"""Builds the C library and the program with make, and puts them into the package.

From a checkout the sources are beside this folder; a source distribution carries them in `source`.
"""

import ctypes
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import ExecError

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source" if (HERE / "source").exists() else HERE.parent
SOURCES = ("Makefile", "run", "LICENSE", "include", "src", "cli", "adapters")


def version() -> str:
    header = (SOURCE / "include" / "nerfit.h").read_text()
    return re.search(r'#define NERFIT_VERSION "(.*)"', header).group(1)


def missing_packages() -> str:
    """The Debian packages that ./run builds with; only those missing, where dpkg can tell."""
    listed = re.search(r"^PACKAGES=\((.*)\)", (SOURCE / "run").read_text(), re.M).group(1).split()
    if not shutil.which("dpkg-query"):
        return "what these Debian packages hold: " + " ".join(listed)
    status = {
        name: subprocess.run(
            ["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True
        ).stdout
        for name in listed
    }
    missing = [name for name in listed if "ok installed" not in status[name]]
    return "apt-get install " + " ".join(missing) if missing else ""


def make() -> Path:
    """Builds the library; the folder where it is."""
    # a newer compiler's new warning is no reason to have no package
    command = ["make", f"-j{os.cpu_count()}", "BUILD=build", "WERROR=", "all"]
    try:
        done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True)
        failed, told = done.returncode != 0, done.stdout[-500:] + done.stderr[-3000:]
    except FileNotFoundError:
        failed, told = True, "make is not here"
    if failed:
        missing = missing_packages()
        advice = f"\n\nnerfit's C library needs more than is installed here:\n\n    {missing}\n"
        lines = [line for line in told.splitlines() if line.strip()]
        raise ExecError("\n".join(lines[-12:]) + (advice if missing else ""))
    return SOURCE / "build"


# ------------------------------------------------------------------ types of the options

STUB = """# Made by setup.py from the table of options in src/recipe/options.c.
import os
from typing import (
    Any, Dict, Generic, List, Literal, Mapping, Optional, Tuple, TypeVar, Union, overload
)

from ._data import Annotations, Ent2Emb

T = TypeVar("T")

class _Pair(Generic[T]):  # read: (stage 1, stage 2); set: one value does for both
    @overload
    def __get__(self, instance: None, owner: Any) -> _Pair[T]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> Tuple[T, T]: ...
    def __set__(self, instance: object, value: Union[T, Tuple[T, T], None]) -> None: ...

Path = Union[str, "os.PathLike[str]"]

class TrainingArguments:
{attributes}
    def __init__(
        self,
        model_name: Path,
        train_annotations: Annotations,
        val_annotations: Optional[Annotations] = ...,
        ent2emb: Optional[Ent2Emb] = ...,
        *,
{parameters}
    ) -> None: ...
    def to_dict(self) -> Dict[str, Any]: ...
    @classmethod
    def from_dict(
        cls, arguments: Mapping[str, Any], ignore_extra: bool = ...
    ) -> TrainingArguments: ...
    @classmethod
    def from_yaml(cls, path: Path, **options: Any) -> TrainingArguments: ...
    def copy(self) -> TrainingArguments: ...
    def update(
        self, arguments: Mapping[str, Any], ignore_extra: bool = ...
    ) -> TrainingArguments: ...
    def to_json_string(self) -> str: ...
    def to_sanitized_dict(self) -> Dict[str, Any]: ...
    def _config(self) -> Any: ...
"""

TYPES = {"bool": "bool", "int": "int", "real": "float", "names": "List[str]",
         "paths": "List[str]", "weights": "Union[List[str], Dict[str, float]]"}
FIRST = {
    "model_name": "str",
    "train_annotations": "Annotations",
    "val_annotations": "Optional[Annotations]",
    "ent2emb": "Optional[Ent2Emb]",
}


def stub(library: Path) -> str:
    """_arguments.pyi, for editors and type checkers: every option with its type."""
    options = ctypes.CDLL(str(library)).nerfit_config_options
    options.restype = ctypes.c_char_p
    table = json.loads(options())
    rows = {row["name"]: row for row in table if "within" not in row}
    attributes, parameters = dict(FIRST), {}
    for name, row in rows.items():
        if name in FIRST:
            continue
        one = TYPES.get(row["type"], "str")
        if row["type"] == "choice":
            one = f"Literal[{', '.join(map(repr, row['choices']))}]"
        attributes[name] = f"_Pair[{one}]" if row["pair"] else one
        taken = f"Union[{one}, Tuple[{one}, {one}]]" if row["pair"] else one
        if row["type"] == "path":
            taken = taken.replace("str", "Path")
        if row["default"] is None and not row["pair"]:
            attributes[name] = f"Optional[{attributes[name]}]"
        parameters[name] = f"Optional[{taken}]"
    if "test_annotations" in parameters:
        attributes["test_annotations"] = parameters["test_annotations"] = "Optional[Annotations]"
    for mapping in {row["within"]: None for row in table if "within" in row}:
        attributes[mapping] = parameters[mapping] = "Optional[Dict[str, Any]]"
    # what transformers alone has is checked by value: nerfit/_transformers.py
    rows_of_transformers = (HERE / "nerfit" / "_transformers.py").read_text()
    for name in re.findall(r'^    "(\w+)": \(', rows_of_transformers, re.M):
        parameters[name] = "Any"
    return STUB.format(
        attributes="\n".join(f"    {n}: {t}" for n, t in attributes.items()),
        parameters="\n".join(f"        {n}: {t} = ...," for n, t in parameters.items()),
    )


# ------------------------------------------------------------------ commands


class BuildPython(build_py):
    def run(self) -> None:
        super().run()
        package = HERE / "nerfit" if self.editable_mode else Path(self.build_lib) / "nerfit"
        built = make()
        (package / "bin").mkdir(parents=True, exist_ok=True)
        for name, folder in (("libnerfit.so", package), ("nerfit", package / "bin")):
            shutil.copy2(built / name, folder / name)
            if shutil.which("strip"):
                subprocess.run(["strip", "--strip-unneeded", str(folder / name)], check=True)
        (package / "_arguments.pyi").write_text(stub(package / "libnerfit.so"))


class Wheel(bdist_wheel):
    """For one machine, but any Python: nothing is linked with it."""

    def get_tag(self) -> tuple:
        return "py3", "none", super().get_tag()[2]


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir: str, files: list) -> None:
        super().make_release_tree(base_dir, files)
        for name in SOURCES:
            place = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy2
            os.makedirs(os.path.join(base_dir, "source"), exist_ok=True)
            place(SOURCE / name, os.path.join(base_dir, "source", name))


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    version=version(),
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildPython, "bdist_wheel": Wheel, "sdist": SourceDistribution},
)
