"""TrainingArguments: the options of a training run, as the table in the C library has them."""

from __future__ import annotations

import enum
import inspect
import json
import os
import textwrap
from typing import Any
from collections.abc import Iterator, Mapping

from . import _data, _library, _transformers
from ._callbacks import tracker_names
from .errors import ArgumentError, NerfitError

_TABLE = _library.options_table()
_TYPES = {row["name"]: row["type"] for row in _TABLE}
_WITHIN = {row["name"]: row["within"] for row in _TABLE if "within" in row}
_MAPPINGS = tuple(dict.fromkeys(_WITHIN.values()))  # peft_config
_OPTIONS = {row["name"]: row for row in _TABLE if "within" not in row}
_NAMES = (*_OPTIONS, *_MAPPINGS)
#: What the recipe nerfit chooses by the size of the data where it is not given.
_CHOSEN = {row["name"] for row in _TABLE if "chosen" in row}
_FIRST = (
    "model_name",
    "train_annotations",
    "val_annotations",
    "ent2emb",
)  # as the original has them
_IN_MEMORY = ("train_annotations", "val_annotations", "test_annotations", "ent2emb")


_Names = set[str]  # Config.set hides the type


class Config(_library.Handle):
    """The library's options of one run."""

    kind = "config"

    def set(self, name: str, value: Any) -> None:
        text = _library.encode(_text(name, value), name)
        _library.call("config_set", self.address, name.encode(), text)

    def load(self, path: str | os.PathLike[str]) -> None:
        _library.call("config_load", self.address, os.fsencode(path))

    def given(self) -> _Names:
        """The names of the options that were set."""
        return set(json.loads(_library.take_text(_library.call("config_given", self.address))))

    def values(self) -> dict[str, Any]:
        text = _library.take_text(_library.call("config_values", self.address))
        values: dict[str, Any] = json.loads(text)
        for name, row in _OPTIONS.items():
            if row["pair"]:
                values[name] = tuple(values[name])
        return values


def _text(name: str, value: Any) -> str:
    """A value as the table reads it."""
    if isinstance(value, enum.Enum):  # transformers' IntervalStrategy and SchedulerType
        value = value.value
    if hasattr(value, "tolist"):  # numpy's and torch's numbers
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping) and _TYPES.get(name) == "weights":
        value = [f"{key}={_text(name, number)}" for key, number in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        if name == "report_to" and not value:
            return "none"  # as transformers reads it
        parts = [_text(name, part) for part in value]
        empty = not parts and _TYPES.get(name) not in ("names", "paths", "weights")
        if empty or any("," in part for part in parts):
            raise ArgumentError(f"{name}: {value!r} is not a value or a list of values")
        return ",".join(parts)
    raise ArgumentError(f"{name}: {value!r} is not a value of an option")


def _is_known(name: str) -> bool:
    return name in _NAMES or name in _transformers.ARGUMENTS


def _is_in_memory(name: str, value: Any) -> bool:
    return name in _IN_MEMORY and not isinstance(value, (str, os.PathLike))


def _unknown(name: str) -> str:
    """The library's words on an unknown option, with the nearest known one."""
    if name in _WITHIN:
        within = _WITHIN[name]
        return f'option "{name}" belongs into {within}: {within}={{"{name}": ...}}'
    try:
        Config().set(name, "")
    except NerfitError as error:
        if str(error).startswith("unknown option"):
            return str(error)
    return f'unknown option "{name}"; did you mean "{name.replace("-", "_")}"?'


def _checked_mapping(name: str, given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ArgumentError(f"{name}: {given!r} is not a mapping of options to values")
    config = Config()
    for key, value in given.items():
        if _WITHIN.get(key) != name:
            raise TypeError(
                f"{name}: {key} is an option of its own"
                if key in _OPTIONS
                else f"{name}: {_unknown(str(key))}"
            )
        if value is not None:
            config.set(key, value)
    return dict(given)


class TrainingArguments:
    """The options of a training run: the original package's, with its defaults, and nerfit's own.

    A training argument is one value for both stages or a pair (stage 1, stage 2); the attribute is
    always the pair. ``None`` is the default. Arguments that only transformers has are taken where they
    say what nerfit does, or what Python does for it (``disable_tqdm``, ``run_name``, ``logging_dir``),
    and refused with what does it here. An option that does not exist is a ``TypeError`` that
    names the nearest one; a value out of range is an :class:`~nerfit.errors.ArgumentError`.

    Args:
        model_name: the encoder to train: a folder in Hugging Face format, or a name on the hub
            ("owner/name", "owner/name@revision").
        train_annotations: texts to learn from: a list, or a file in one of nerfit's formats. Items
            of a list are what ``Trainer._parse_annotation`` takes; by default bracket text
            (``"wake me at [time : nine]"``) or ``{"text": ..., "entities": [[start, end, label],
            ...]}`` with offsets into the ``str``, end exclusive.
        val_annotations: the same, to evaluate on while training; chooses the best checkpoint.
        ent2emb: what each label means: a dictionary of descriptions, or of embeddings (tensors,
            arrays or lists of numbers, all of one size), or a file of either (JSON, YAML,
            safetensors). ``None``: the language model `llm` writes descriptions.
        **options: see below.
    """

    _given: _Names  # names; all else is the library's to choose

    def __init__(
        self,
        model_name: str | os.PathLike[str],
        train_annotations: _data.Annotations,
        val_annotations: _data.Annotations | None = None,
        ent2emb: _data.Ent2Emb | None = None,
        **options: Any,
    ) -> None:
        given = {
            "model_name": model_name,
            "train_annotations": train_annotations,
            "val_annotations": val_annotations,
            "ent2emb": ent2emb,
            **options,
        }
        object.__setattr__(self, "_given", set())
        self._set({name: None for name in _NAMES})
        self._set(given)

    def _set(self, given: Mapping[str, Any]) -> None:
        """Checks the values and keeps them as the library understood them."""
        config = Config()
        kept: dict[str, Any] = {}
        for name, value in given.items():
            if name in _MAPPINGS:
                kept[name] = _checked_mapping(name, value)
            elif name in _transformers.ARGUMENTS:
                kept[name] = _transformers.checked(name, value)
            elif name not in _OPTIONS:
                raise TypeError(_unknown(name))
            elif value is not None and _is_in_memory(name, value):
                kept[name] = _checked_data(name, value)
            elif value is not None:
                if name == "report_to":
                    tracker_names(value)
                config.set(name, value)
        understood = config.values()
        for name, value in given.items():
            self.__dict__[name] = kept[name] if name in kept else understood[name]
            (self._given.discard if value is None else self._given.add)(name)

    def __getattr__(self, name: str) -> Any:
        """Only called for what is not there."""
        raise AttributeError(name if name.startswith("_") else _unknown(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if not _is_known(name):
            raise AttributeError(_unknown(name))
        self._set({name: value})

    def _config(self) -> Config:
        """What was given and is not in memory, for the library; the rest is its own to choose."""
        config = Config()
        # trackers are Python's (_callbacks.py), and so is what transformers has beside these
        for name in self._given - {"report_to"} - _transformers.ARGUMENTS.keys():
            value = self.__dict__[name]
            if name in _MAPPINGS:
                for inner, chosen in value.items():
                    if chosen is not None:
                        config.set(inner, chosen)
            elif value is not None and not _is_in_memory(name, value):
                config.set(name, value)
        return config

    # -------------------------------------------------------------- as dictionaries

    def to_dict(self) -> dict[str, Any]:
        """Every option with its value; lists and dictionaries are not copied. What was not given and
        is the recipe's to choose is None: `from_dict` then makes arguments that train the same. (What
        it chose stands in ``TrainResult.options`` and in training_args.json.)"""
        theirs = {name: self.__dict__[name] for name in self._given & _transformers.ARGUMENTS.keys()}
        own = {name: None if self._is_open(name) else self.__dict__[name] for name in _NAMES}
        return {**own, **theirs}

    def _is_open(self, name: str) -> bool:
        """Whether the recipe chooses it."""
        if name in self._given or name not in _CHOSEN:
            return False
        return bool(self.__dict__["recipe"] == "nerfit")

    @classmethod
    def from_dict(
        cls, arguments: Mapping[str, Any], ignore_extra: bool = False
    ) -> TrainingArguments:
        """From a dictionary of options, as `to_dict` gives it or JSON has it; with `ignore_extra`
        unknown ones are passed over. None is for what was not given."""
        if ignore_extra:
            arguments = {n: v for n, v in arguments.items() if _is_known(n)}
        first: dict[str, Any] = {name: arguments.get(name) for name in _FIRST[:2]}
        made = cls(**first)
        # a default that is none of the recipe's choices is the same, given or not
        made._set({n: v for n, v in arguments.items() if n in _CHOSEN or not _is_default(n, v)})
        return made

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **options: Any) -> TrainingArguments:
        """From a config file of ``nerfit train``, or a run's training_args.json, which trains the
        same again; `options` go before the file's."""
        config = Config()
        config.load(path)
        values, given = config.values(), config.given()
        for mapping in _MAPPINGS:
            values[mapping] = {n: v for n, v in values[mapping].items() if n in given} or None
        chosen = {
            name: value
            for name, value in values.items()
            if name in given or (name in _MAPPINGS and value)
        }
        for name in _FIRST[:2]:
            chosen.setdefault(name, None)
        return cls(**{**chosen, **options})

    def copy(self) -> TrainingArguments:
        """A shallow copy."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _given=set(self._given))
        return made

    __copy__ = copy

    def update(self, arguments: Mapping[str, Any], ignore_extra: bool = False) -> TrainingArguments:
        """A copy with some options changed."""
        if ignore_extra:
            arguments = {n: v for n, v in arguments.items() if _is_known(n)}
        made = self.copy()
        made._set(arguments)
        return made

    def to_json_string(self) -> str:
        """Every option as JSON; embeddings become lists of numbers."""
        values = self.to_dict()
        ent2emb = values["ent2emb"]
        if isinstance(ent2emb, Mapping):
            values["ent2emb"] = {
                label: value if isinstance(value, str) else _data.vector(label, value)
                for label, value in ent2emb.items()
            }
        return json.dumps(values, indent=2, ensure_ascii=False, default=str)

    def to_sanitized_dict(self) -> dict[str, Any]:
        """As `to_dict`, but what is no truth value, number or text becomes one."""
        return {
            name: value if isinstance(value, (bool, int, float, str)) else str(value)
            for name, value in self.to_dict().items()
        }

    def __eq__(self, other: object) -> bool:
        """By value, as the original's dataclass: what trains the same is equal."""
        if type(other) is not type(self):
            return NotImplemented
        return _same(self.to_dict(), other.to_dict())

    __hash__ = None  # type: ignore[assignment]  # values may be assigned

    def __repr__(self) -> str:
        shown = []
        for name in (n for n in (*_NAMES, *_transformers.ARGUMENTS) if n in self._given):
            value = self.__dict__[name]
            if value is not None and _is_in_memory(name, value):
                value = f"<{len(value)} items>"
            elif isinstance(value, tuple) and value[0] == value[1]:
                value = repr(value[0])
            else:
                value = repr(value)
            shown.append(f"{name}={value}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _checked_data(name: str, value: Any) -> Any:
    """Annotations as a list, ent2emb as a mapping; a list of nothing is no data at all."""
    if name == "ent2emb":
        if not isinstance(value, Mapping):
            raise ArgumentError(
                f"{name}: expected a dictionary of labels with their descriptions or embeddings, "
                f"or a file, not {type(value).__name__}"
            )
        return value
    return _data.items(value, name) or None


def _same(a: Any, b: Any) -> bool:
    """Equal values; arrays and tensors are, if all their numbers are."""
    if a is b:
        return True
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(_same, a, b))
    shapes = getattr(a, "shape", None), getattr(b, "shape", None)
    if shapes != (None, None):
        return bool(shapes[0] == shapes[1] and (a == b).all())
    return bool(a == b)


def _rows_of(mapping: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((row["name"], row) for row in _TABLE if row.get("within") == mapping)


def _default(name: str) -> Any:
    default = _OPTIONS[name]["default"] if name in _OPTIONS else None
    return tuple(default) if isinstance(default, list) and _OPTIONS[name]["pair"] else default


def _is_default(name: str, value: Any) -> bool:
    """Also of what JSON made of it."""
    if name in _IN_MEMORY or name not in _OPTIONS:
        return value is None
    default = _default(name)
    return value == default if type(value) is type(default) else value == [*default] if (
        isinstance(value, list) and _OPTIONS[name]["pair"]
    ) else False


# ------------------------------------------------------------------ signature and documentation


def _signature() -> inspect.Signature:
    own = inspect.signature(TrainingArguments.__init__).parameters
    parameters = [own[name] for name in _FIRST]
    for name in _NAMES:
        if name not in _FIRST:
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(name))
            )
    return inspect.Signature(parameters)


def _paragraph(row: dict[str, Any], indent: str) -> str:
    default = row["default"]
    if row["pair"] and default[0] == default[1]:
        default = default[0]
    elif row["pair"]:
        default = tuple(default)
    kind = " | ".join(repr(c) for c in row["choices"]) if "choices" in row else row["type"]
    default = repr(default)
    if "chosen" in row:
        default = f"{row['chosen']}; recipe original: {default}"
    text = f"{row['name']}: {row['help']} ({kind}{', pair' if row['pair'] else ''}; {default})"
    return textwrap.fill(text, 96, initial_indent=indent, subsequent_indent=indent + "    ")


def _documentation() -> str:
    lines = ["\n    Options (type; default):\n"]
    lines += [_paragraph(row, " " * 8) for row in _OPTIONS.values()]
    for mapping in _MAPPINGS:
        lines.append(f"        {mapping}: a dictionary of:")
        lines += [_paragraph(row, " " * 12) for _, row in _rows_of(mapping)]
    return "\n".join(lines) + "\n    "


TrainingArguments.__signature__ = _signature()  # type: ignore[attr-defined]
if TrainingArguments.__doc__:  # python -OO leaves it out
    TrainingArguments.__doc__ += _documentation()
