"""Annotations and ent2emb in every form that Python has, and what is said of mistakes."""

import array
import ctypes

import numpy
import pytest

from nerfit import Entity, Trainer, TrainingArguments, _data
from nerfit.errors import ArgumentError, FileError, FormatError, NerfitError

from conftest import ANNOTATIONS, DESCRIPTIONS, EMBEDDINGS

VALUES = [0.5, -2.0, 1.25]


class LikeTorch:
    def tolist(self):
        return [list(VALUES)]


@pytest.mark.parametrize(
    "value",
    [
        VALUES,
        tuple(VALUES),
        [VALUES],
        array.array("f", VALUES),
        numpy.array(VALUES),
        numpy.array(VALUES, dtype="float16"),
        numpy.array([VALUES], dtype="float32"),
        numpy.array(VALUES, dtype=">f8"),
        numpy.array([*VALUES, *VALUES])[:3],
        list(numpy.array(VALUES)),
        memoryview(array.array("d", VALUES)),
        (ctypes.c_double * 3)(*VALUES),  # a buffer without tolist
        map(float, VALUES),
        LikeTorch(),
    ],
    ids=lambda v: f"{type(v).__name__}",
)
def test_embeddings(value):
    assert _data.vector("time", value) == VALUES


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    for tensor in (
        torch.tensor(VALUES),
        torch.tensor(VALUES, dtype=torch.bfloat16),
        torch.tensor([VALUES], requires_grad=True),
        torch.tensor([[v, 0] for v in VALUES]).T[0],
    ):
        assert _data.vector("time", tensor) == VALUES


def trainer_of(options, **changes):
    return Trainer(TrainingArguments(**{**options, **changes}), progress=False)


@pytest.mark.parametrize(
    "ent2emb, message",
    [
        ({}, "ent2emb: holds nothing"),
        ({1: [1.0]}, "ent2emb: expected a label (a text), not 1"),
        ({**EMBEDDINGS, "song": "music"}, 'label "song" has a description, but "time" an embedding'),
        ({**DESCRIPTIONS, "place": [1.0]}, 'label "place" has an embedding, but "time" a description'),
        ({**EMBEDDINGS, "song": None}, 'label "song" has None; expected a description'),
        ({**EMBEDDINGS, "song": {"a": 1}}, "label \"song\" has {'a': 1}; expected"),
        ({**EMBEDDINGS, "song": ["a"]}, "label \"song\" has ['a']; expected"),
        ({**EMBEDDINGS, "song": b"abcd"}, "label \"song\" has b'abcd'; expected"),
        ({**EMBEDDINGS, "song": [1.0]}, 'the embedding of "song" has 1 values, that of "time" 4'),
        ({**EMBEDDINGS, "song": [0, 0, float("inf"), 0]}, 'value 3 of the embedding of "song" is not finite'),
        ({"time": []}, 'the embedding of "time" has 0 values'),
        ({k: v for k, v in EMBEDDINGS.items() if k != "song"}, 'ent2emb: has nothing for label "song"'),
        ({**DESCRIPTIONS, "song": " "}, 'ent2emb: label "song" has an empty description'),
        (DESCRIPTIONS, "st_model_name is not given, and its default cannot be had: sentence-tr"),
        (None, "ent2emb is missing"),
    ],
)  # fmt: skip
def test_mistakes_in_ent2emb(options, ent2emb, message):
    trainer = trainer_of(options, ent2emb=ent2emb)
    with pytest.raises((ArgumentError, FormatError, FileError)) as caught:
        trainer.train()
    assert message in str(caught.value)


def test_descriptions_are_the_same_from_a_file_and_from_memory(options, encoder, tmp_path):
    labels = tmp_path / "labels.yaml"
    labels.write_text("".join(f"{k}: {v}\n" for k, v in DESCRIPTIONS.items()))
    models = []
    for i, ent2emb in enumerate((DESCRIPTIONS, labels)):
        output = tmp_path / f"run{i}"
        changes = dict(ent2emb=ent2emb, st_model_name=encoder, output_dir=output)
        trainer_of(options, **changes).train()
        models.append((output / "best" / "model.safetensors").read_bytes())
    assert models[0] == models[1]


DICTIONARIES = [
    {"text": "wake me up at nine", "entities": [[14, 18, "time"]]},
    {"text": "play jazz in madrid", "entities": [
        {"start": 5, "end": 9, "label": "song"}, {"start": 13, "end": 19, "label": "place"}]},
    {"text": "please wake me up"},
    '{"text": "bob is in rome", "entities": [[0, 3, "person"], [10, 14, "place"]]}',
]  # fmt: skip


def test_forms_of_annotations():
    texts = [ANNOTATIONS[0], ANNOTATIONS[1], ANNOTATIONS[3], ANNOTATIONS[4], "  "]
    assert len(_data.fill(texts, "x", list, None_log())) == 4  # blank lines hold no text
    assert len(_data.fill(DICTIONARIES, "x", list, None_log())) == 4
    assert len(_data.fill(["a : b"], "x", list, None_log(), "brackets")) == 1
    assert len(_data.fill(["wake O\nnine B-time\n"], "x", list, None_log(), "conll")) == 1


def None_log():
    from nerfit._library import LogFunction

    return LogFunction()


@pytest.mark.parametrize(
    "annotation, message",  # which follows "train_annotations[1]"
    [
        (3, ': expected {"text": ..., "entities": [[start, end, label], ...]} or a text, not 3'),
        ({"txt": "a"}, ':1:1: has no "text"'),
        ({"text": "a", "entities": [[0, 1]]}, ": entity 1 is [0, 1]; expected [start, end, "),
        ({"text": "a", "entities": [[0, 1, 2]]}, ": entity 1 is [0, 1, 2]"),
        ({"text": "a", "entities": [["0", 1, "x"]]}, ": entity 1 is ['0', 1, 'x']"),
        ({"text": "a", "entities": [{"start": 0, "label": "x"}]}, ":1:28: entity 1: its end is missing"),
        ({"text": "a", "entities": [[0, 5, "x"]]}, ': entity 1 ("x", 0..5) ends past the text '),
        ({"text": "a", "entities": [[0, 2**63, "x"]]}, ": entity 1 ('x', 0..9223372036854775808) is not in the text"),
        ({"text": "a", "entities": [[0, 1, ""]]}, ": entity 1 (\"\", 0..1) has an empty label"),
        ({"text": "a", "entities": [[0, 1, "x\0"]]}, ": entity 1: label: a text with a NUL character"),
        ({"text": "a\ud800"}, ": character 1 is U+D800, half a surrogate pair"),
        ({"text": "a\0b"}, ": the text holds a NUL character"),
        ("wake [ : nine]", ":1:"),
        ('{"text": 3}', ":1"),
    ],
)  # fmt: skip
def test_mistakes_in_annotations(options, annotation, message):
    with pytest.raises(NerfitError) as caught:
        trainer_of(options, train_annotations=[ANNOTATIONS[0], annotation])
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith("train_annotations[1]" + message)


class Own(Trainer):
    """text|start|end|label"""

    @staticmethod
    def _parse_annotation(annotations):
        parsed = []
        for line in annotations:
            text, start, end, label = line.split("|")
            parsed.append({"text": text, "entities": [(int(start), int(end), label)]})
        return parsed


class Broken(Trainer):
    def _parse_annotation(self, annotations):
        return None


def test_a_format_of_ones_own(options, tmp_path):
    lines = ["wake me at nine|11|15|time", "play jazz|5|9|song"]
    path = tmp_path / "own.txt"
    path.write_text("\n".join(lines))
    models = []
    for given in (lines, path):
        changes = dict(train_annotations=given, val_annotations=given)
        args = TrainingArguments(**{**options, **changes, "overwrite_output_dir": True})
        trainer = Own(args, progress=False)
        result = trainer.train()
        assert result.report_of == "validation"
        assert trainer.evaluate(given).details == trainer.evaluate().details
        models.append((tmp_path / "run" / "best" / "model.safetensors").read_bytes())
    assert models[0] == models[1]

    path.write_text("wake me at nine|11|15|time\nplay jazz|5|99|song")
    with pytest.raises(FormatError) as caught:
        Own(TrainingArguments(**{**options, "train_annotations": path}))
    assert str(caught.value).startswith(f'{path}:2: entity 1 ("song", 5..99) ends past the text')
    with pytest.raises(FormatError, match="_parse_annotation gave None; expected a list"):
        Broken(TrainingArguments(**options))


def test_files(options, tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\n".join(ANNOTATIONS))
    from_file = trainer_of(options, train_annotations=path, val_annotations=path)
    in_memory = trainer_of(options, output_dir=tmp_path / "other")
    a, b = (trainer.train().model_folder for trainer in (from_file, in_memory))
    assert (
        open(f"{a}/model.safetensors", "rb").read() == open(f"{b}/model.safetensors", "rb").read()
    )
    details = [trainer.evaluate().details for trainer in (from_file, in_memory)]
    for one in details:
        for mistake in one["errors"]["list"]:
            del mistake["file"], mistake["line"]
    assert details[0] == details[1]

    path.write_text('{"text": "wake me"}\n{"text": 3}')
    with pytest.raises(FormatError) as caught:
        trainer_of(options, train_annotations=path, output_dir=tmp_path / "third").train()
    assert str(caught.value).startswith(f"{path}:2:")
    assert (caught.value.file, caught.value.line) == (str(path), 2)
    path.write_bytes(b"\xff")
    with pytest.raises(FormatError, match="is not valid UTF-8 at byte 1"):
        Own(TrainingArguments(**{**options, "train_annotations": path}))


@pytest.mark.parametrize(
    "row",
    [
        {"text": "wake me at nine", "label": [[11, 15, "time"]]},  # doccano
        {"text": "wake me at nine", "spans": [{"start": 11, "end": 15, "label": "time"}]},  # Prodigy
        {"tokenized_text": ["wake", "me", "at", "nine"], "ner": [[3, 3, "time"]]},  # GLiNER
        ("wake me at nine", {"entities": [(11, 15, "time")]}),  # spaCy
        {"tokens": ["wake", "me", "at", "nine"], "ner_tags": ["O", "O", "O", "B-time"]},
        {"text": "wake me at nine", "entities": [Entity(11, 15, "time", "nine", 0.5)]},
        '{"text": "wake me at nine", "label": [[11, 15, "time"]]}',
    ],
)
def test_rows_of_other_tools(row):
    """Rows in memory are read as the program reads them from a file."""
    (read,) = _data.fill([row], "x", list, None_log())
    assert read["text"] == "wake me at nine"
    entity = read["entities"][0]
    start, end, label = entity[:3] if isinstance(entity, list) else list(entity.values())[:3]
    assert (start, end, label) == (11, 15, "time")


def test_what_entities_have_beside_is_kept():
    """Also their own text, which is compared with what stands at their place."""
    given = {"start": 0, "end": 1, "label": "x", "weight": 0.5, "by": "me"}
    (read,) = _data.fill([{"text": "a b", "entities": [given]}], "x", list, None_log())
    assert read["entities"] == [given]
    with pytest.raises(FormatError, match='"a" in the text, but says of itself that it is "b"'):
        _data.fill([{"text": "a b", "entities": [{**given, "text": "b"}]}], "x", list, None_log())
