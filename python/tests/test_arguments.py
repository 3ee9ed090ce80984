"""TrainingArguments: the original's fields and defaults, ours, and what is said of mistakes."""

import copy
import enum
import inspect
import json
import pickle
import re
from pathlib import Path

import numpy
import pytest

from nerfit import Trainer, TrainingArguments
from nerfit._arguments import _CHOSEN
from nerfit.errors import ArgumentError

# The original's fields (nerfit/args.py at ef22edd) with their defaults, in order. Two differ: it
# takes LaBSE for st_model_name, as we do if model_name is no sentence encoder; and its stage 1 never saves, whatever
# it is told.
ORIGINAL = {
    "model_name": inspect.Parameter.empty,
    "train_annotations": inspect.Parameter.empty,
    "val_annotations": None,
    "ent2emb": None,
    "st_model_name": None,
    "llm": "no",
    "peft_lora": False,
    "peft_config": None,
    "output_dir": "output_dir",
    "dataloader_num_workers": (4, 4),
    "per_device_train_batch_size": (8, 8),
    "per_device_eval_batch_size": (16, 16),
    "learning_rate": (1e-4, 1e-4),
    "weight_decay": (1e-2, 1e-2),
    "lr_scheduler_type": ("cosine", "cosine"),
    "warmup_steps": (500, 500),
    "fp16": (True, True),
    "gradient_accumulation_steps": (1, 1),
    "max_grad_norm": (1.0, 1.0),
    "seed": (123, 123),
    "max_steps": (1500, 1500),
    "eval_strategy": ("steps", "steps"),
    "eval_steps": (250, 250),
    "logging_strategy": ("steps", "steps"),
    "logging_steps": (250, 250),
    "save_strategy": ("no", "steps"),
    "save_steps": (250, 250),
    "report_to": "none",
}

TEXTS = ["wake me at [time : nine]"]


def make(**options):
    return TrainingArguments("encoder", TEXTS, **options)


def test_the_originals_fields_and_defaults():
    signature = inspect.signature(TrainingArguments)
    args = make()
    for name, default in ORIGINAL.items():
        assert signature.parameters[name].default == default, name
        if default is not inspect.Parameter.empty:
            assert getattr(args, name) == default, name
    assert list(signature.parameters)[:4] == list(ORIGINAL)[:4]
    assert args.model_name == "encoder" and args.train_annotations == TEXTS


def test_every_option_is_documented():
    for name in inspect.signature(TrainingArguments).parameters:
        assert f" {name}: " in TrainingArguments.__doc__, name
    assert " lora_r: " in TrainingArguments.__doc__


class Strategy(str, enum.Enum):
    EPOCH = "epoch"


@pytest.mark.parametrize(
    "name, given, understood",
    [
        ("seed", 7, (7, 7)),
        ("learning_rate", (5e-5, 1e-5), (5e-5, 1e-5)),
        ("learning_rate", [5e-5, 1e-5], (5e-5, 1e-5)),
        ("learning_rate", "5e-5,1e-5", (5e-5, 1e-5)),
        ("learning_rate", 0.1 + 0.2, (0.1 + 0.2,) * 2),
        ("learning_rate", numpy.float32(0.5), (0.5, 0.5)),
        ("max_steps", numpy.array([10, 20]), (10, 20)),
        ("max_steps", 3.0, (3, 3)),
        ("fp16", True, (True, True)),
        ("bf16", (True, False), (True, False)),
        ("eval_strategy", Strategy.EPOCH, ("epoch", "epoch")),
        ("output_dir", Path("a") / "b,c", "a/b,c"),
        ("resume_from_checkpoint", True, "true"),
        ("seed", None, (123, 123)),
        ("val_annotations", [], None),
        ("val_annotations", (t for t in TEXTS), TEXTS),
        ("val_annotations", Path("dev.txt"), "dev.txt"),
        ("ent2emb", "labels.yaml", "labels.yaml"),
    ],
)
def test_values(name, given, understood):
    args = make(**{name: given})
    assert getattr(args, name) == understood
    again = make()
    if inspect.isgenerator(given):
        return
    setattr(again, name, given)
    assert getattr(again, name) == understood


@pytest.mark.parametrize(
    "options, kind, message",
    [
        (
            {"learning_rat": 1},
            TypeError,
            'unknown option "learning_rat"; did you mean "learning_rate"?',
        ),
        ({"lora_r": 4}, TypeError, '"lora_r" belongs into peft_config'),
        (
            {"peft_config": {"lora_rank": 4}},
            TypeError,
            'peft_config: unknown option "lora_rank"; did you mean "lora_',
        ),
        ({"peft_config": {"seed": 4}}, TypeError, "peft_config: seed is an option of its own"),
        ({"peft_config": 3}, ArgumentError, "peft_config: 3 is not a mapping"),
        ({"peft_config": {"lora_r": 0}}, ArgumentError, 'lora_r: "0" is not a whole number from 1'),
        ({"seed": "x"}, ArgumentError, 'seed: "x" is not a whole number'),
        ({"seed": (1, 2, 3)}, ArgumentError, 'seed: "3 values" is not one value or a pair'),
        ({"seed": ()}, ArgumentError, "seed: () is not a value"),
        ({"seed": object}, ArgumentError, "is not a value of an option"),
        ({"seed": float("nan")}, ArgumentError, 'seed: "nan" is not a whole number'),
        ({"max_steps": 2.5}, ArgumentError, 'max_steps: "2.5" is not a whole number'),
        ({"max_steps": True}, ArgumentError, 'max_steps: "true" is not a whole number'),
        (
            {"lr_scheduler_type": "cosinus"},
            ArgumentError,
            'lr_scheduler_type: "cosinus" is not one of linear|cosine|',
        ),
        ({"output_dir": "a\0b"}, ArgumentError, "output_dir: a text with a NUL character"),
        ({"ent2emb": ["time"]}, ArgumentError, "ent2emb: expected a dictionary"),
        (
            {"val_annotations": b"x"},
            ArgumentError,
            "val_annotations: expected a list or a file, not bytes",
        ),
        (
            {"val_annotations": 3},
            ArgumentError,
            "val_annotations: expected a list or a file, not int",
        ),
    ],
)
def test_mistakes(options, kind, message):
    with pytest.raises(kind) as caught:
        make(**options)
    assert message in str(caught.value)


def test_unknown_attributes_are_refused():
    args = make()
    with pytest.raises(AttributeError, match='did you mean "max_steps"'):
        args.max_step = 3
    with pytest.raises(AttributeError, match='did you mean "max_steps"'):
        _ = args.max_step
    assert not hasattr(args, "_max_steps")


def test_dictionaries():
    args = make(seed=(1, 2), peft_config={"lora_r": 4}, ent2emb={"time": numpy.array([0.5, 2])})
    values = args.to_dict()
    assert list(values) == [
        n for n in values if n in inspect.signature(TrainingArguments).parameters
    ]
    assert values["seed"] == (1, 2) and values["train_annotations"] == TEXTS
    assert TrainingArguments.from_dict(values).to_dict() == values

    with pytest.raises(TypeError, match="did you mean"):
        TrainingArguments.from_dict({**values, "sed": 3})
    assert TrainingArguments.from_dict({**values, "sed": 3}, ignore_extra=True).seed == (1, 2)

    changed = args.update({"seed": 9})
    assert changed.seed == (9, 9) and args.seed == (1, 2) and changed.peft_config == {"lora_r": 4}
    with pytest.raises(TypeError, match="did you mean"):
        args.update({"sed": 3})
    assert args.update({"sed": 3}, ignore_extra=True).to_dict() == values

    for other in (args.copy(), copy.copy(args), pickle.loads(pickle.dumps(args))):
        assert repr(other) == repr(args) and other == args
        other.seed = 5
        assert args.seed == (1, 2) and other != args

    read = json.loads(args.to_json_string())
    assert read["seed"] == [1, 2] and read["ent2emb"] == {"time": [0.5, 2.0]}
    assert args.to_sanitized_dict()["seed"] == "(1, 2)"
    assert args.to_sanitized_dict()["llm"] == "no"


def test_equal_by_value():
    """As the original's dataclass; a default that is given trains as one that is not."""
    assert make() == make() and make(seed=123) == make() and make(seed=7) != make()
    assert make() != make().to_dict() and make() != make(max_steps=1500)  # the recipe chooses steps
    vectors = [make(ent2emb={"time": numpy.array(v)}) for v in ([0.5, 2], [0.5, 2], [0.5, 3], [1.0])]
    assert vectors[0] == vectors[1] and vectors[0] != vectors[2] and vectors[0] != vectors[3]
    assert vectors[0] != make(ent2emb={"time": [0.5, 2]}) and vectors[0] != make()
    assert make(peft_config={"lora_r": 4}) == make(peft_config={"lora_r": 4}) != make()
    with pytest.raises(TypeError, match="unhashable"):
        hash(make())


@pytest.mark.parametrize("value", ["banana", ["wandb", "banana"], {"all", "x"}, 5, b"wandb"])
def test_report_to(value):
    with pytest.raises(ArgumentError, match="report_to: "):
        make(report_to=value)
    args = make(report_to=["none"])
    with pytest.raises(ArgumentError, match="report_to: "):
        args.report_to = value
    assert make(report_to=None) == make(report_to=[]) == make(report_to="none")


def test_only_what_was_given_is_shown():
    args = make(seed=3, learning_rate=(1e-3, 1e-4))
    assert repr(args) == (
        "TrainingArguments(model_name='encoder', train_annotations=<1 items>, "
        "learning_rate=(0.001, 0.0001), seed=3)"
    )
    args.seed = None
    assert "seed" not in repr(args)


def test_config_files(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "model_name: encoder\ntrain_annotations: train.txt\nseed: [1, 2]\n"
        "peft_lora: true\npeft_config: {lora_r: 4}\n"
    )
    assert TrainingArguments.from_yaml(config).model_name == "encoder"  # a name, on the hub
    (tmp_path / "encoder").mkdir()
    args = TrainingArguments.from_yaml(config, learning_rate=1e-3)
    assert args.model_name == str(tmp_path / "encoder")  # paths count from the file's folder
    assert args.seed == (1, 2) and args.learning_rate == (1e-3, 1e-3)
    assert args.peft_lora is True and args.peft_config == {"lora_r": 4}
    config.write_text("model_name: encoder\nmax_steps: 1500\n")  # a default, yet given
    assert "max_steps=1500" in repr(TrainingArguments.from_yaml(config))
    config.write_text("model_name: encoder\nsed: 3\n")
    with pytest.raises(ArgumentError) as caught:
        TrainingArguments.from_yaml(config)
    assert str(caught.value) == f'{config}:2: unknown option "sed"; did you mean "seed"?'
    assert (caught.value.file, caught.value.line) == (str(config), 2)


def trains_like(args):
    """What the library would be told."""
    return args._config().given()


def test_round_trips():
    """The recipe chooses as much as before: not what a default stands for."""
    for options in (
        {},
        {"max_steps": 1500, "seed": 5},  # a default, yet given
        {"recipe": "original"},
        {"peft_lora": True, "peft_config": {"lora_r": 8}},
    ):
        args = make(ent2emb={"time": "a time"}, **options)
        chosen = set(trains_like(args)) & _CHOSEN
        for other in (
            TrainingArguments.from_dict(args.to_dict()),
            TrainingArguments(**args.to_dict()),
            TrainingArguments.from_dict(json.loads(args.to_json_string())),
            TrainingArguments.from_dict({**args.to_dict(), "output_dir": "other"}),
            pickle.loads(pickle.dumps(args)),
        ):
            given = set(trains_like(other)) & _CHOSEN
            assert given == chosen or options.get("recipe") == "original"
            for name in _CHOSEN - {"lora_r", "lora_alpha", "target_modules"}:
                assert getattr(other, name) == getattr(args, name)
        assert TrainingArguments.from_dict(args.to_dict()).to_dict() == args.to_dict()
    assert make().to_dict()["max_steps"] is None and make().to_dict()["seed"] == (123, 123)
    assert make(recipe="original").to_dict()["max_steps"] == (1500, 1500)
    assert make(max_steps=(0, 5)).to_dict()["max_steps"] == (0, 5)
    changed = TrainingArguments.from_dict({**make().to_dict(), "max_steps": 1500})
    assert "max_steps" in trains_like(changed)


def test_documentation_names_the_recipes_choices():
    text = " ".join(TrainingArguments.__doc__.split())
    assert "20 for every 8 texts, 200 to 500, in stage 2" in text
    assert "recipe original: 1500)" in text


@pytest.mark.parametrize(
    "name, hint",
    [
        ("evaluation_strategy", '; here it is "eval_strategy"'),
        ("lr", '; here it is "learning_rate"'),
        ("learning_rte", '; did you mean "learning_rate"?'),
        ("leraning_rate", '; did you mean "learning_rate"?'),
        ("max-step", '; did you mean "max_steps"?'),
    ],
)
def test_names_of_other_libraries(name, hint):
    with pytest.raises(TypeError) as caught:
        make(**{name: 1})
    assert str(caught.value) == f'unknown option "{name}"{hint}'
    with pytest.raises(TypeError, match='peft_config: unknown option "r"; here it is "lora_r"'):
        make(peft_config={"r": 4})


def test_arguments_of_transformers(options):
    """What transformers alone has is taken where it says what happens, and refused with what does."""
    args = TrainingArguments(
        **options, optim="adamw_torch", use_cpu=True, push_to_hub=False, disable_tqdm=True, tf32=None
    )
    assert args.optim == "adamw_torch" and args.use_cpu is True
    assert not Trainer(args).progress and Trainer(args, progress=True).progress
    again = TrainingArguments.from_dict(args.to_dict())
    assert again.to_dict() == args.to_dict() and "use_cpu=True" in repr(args)
    for name, value, words in (
        ("optim", "sgd", "the optimizer is AdamW: adam_beta1"),
        ("push_to_hub", True, 'trainer.push_to_hub("owner/name")'),
        ("use_cpu", 1, "expected True or False"),
        ("per_gpu_eval_batch_size", 8, "give per_device_eval_batch_size"),
        ("gradient_checkpointing", True, "per_device_train_batch_size"),
        ("lr_scheduler_kwargs", {"power": 2}, "lr_power"),
        ("deepspeed", "ds.json", "mpirun"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(words)):
            TrainingArguments(**options, **{name: value})
    args.disable_tqdm = False
    assert Trainer(args).progress


def test_every_argument_of_transformers(options):
    """Each is an option of nerfit's or has its row, and its default can be given."""
    transformers = pytest.importorskip("transformers")
    theirs = pytest.importorskip("dataclasses").fields(transformers.TrainingArguments)
    from nerfit import _arguments, _transformers

    for field in theirs:
        if not field.init or field.name in _arguments._NAMES:
            continue
        assert field.name in _transformers.ARGUMENTS
        if field.name not in ("include_for_metrics", "local_rank"):
            setattr(TrainingArguments(**options), field.name, field.default)
