"""Tables, mappings and columns: read as what they are, or refused with what would be right."""

import collections

import numpy
import pytest

from nerfit import Trainer, TrainingArguments
from nerfit.errors import ArgumentError, FormatError

from conftest import ANNOTATIONS

TEXTS = ["wake me up at nine", "play jazz in madrid"]
ROWS = [
    {"text": "wake me up at nine", "entities": [[14, 18, "time"]]},
    {"text": "play jazz in madrid", "entities": [[5, 9, "song"], [13, 19, "place"]]},
]


class Table:
    """What pandas', polars' and datasets' tables have in common: iterating gives the columns."""

    def __init__(self, **columns):
        self.data = columns

    @property
    def columns(self):
        return list(self.data)

    def __iter__(self):
        return iter(self.data)

    def __len__(self):
        return len(next(iter(self.data.values())))

    def __getitem__(self, name):
        return self.data[name]


class Arrow(Table):
    """pyarrow's: columns is a list of arrays, column_names of names."""

    @property
    def column_names(self):
        return list(self.data)

    @property
    def columns(self):
        return list(self.data.values())


class Rows(list):
    """datasets.Dataset: iterates over rows, and has column_names."""

    @property
    def column_names(self):
        return list(list.__getitem__(self, 0))

    def __getitem__(self, name):
        return [row[name] for row in self] if isinstance(name, str) else list.__getitem__(self, name)


def pandas_forms():
    pandas = pytest.importorskip("pandas")
    return [pandas.DataFrame({"id": [1, 2], "text": TEXTS}), pandas.Series(TEXTS), pandas.Index(TEXTS)]


@pytest.mark.parametrize(
    "given",
    [
        tuple(TEXTS),
        iter(TEXTS),
        dict.fromkeys(TEXTS).keys(),
        numpy.array(TEXTS),
        numpy.array(TEXTS, dtype=object),
        Table(id=[1, 2], text=TEXTS),
        Arrow(text=TEXTS),
        Rows([{"text": t, "id": 1} for t in TEXTS]),
        [{"text": t, "entities": []} for t in TEXTS],
        [collections.UserDict(text=t) for t in TEXTS],
        {"text": TEXTS, "id": [1, 2]},
        collections.UserDict(text=TEXTS),
    ],
    ids=lambda v: type(v).__name__,
)
def test_many_texts(trained, given):
    assert trained.predict(given) == trained.predict(TEXTS)


def test_pandas(trained):
    expected = trained.predict(TEXTS)
    frame, *columns = pandas_forms()
    assert all(trained.predict(form) == expected for form in (frame, *columns))
    assert trained.model.tokens(frame) == trained.model.tokens(TEXTS)
    frame["entities"] = [row["entities"] for row in ROWS]
    assert trained.evaluate(frame).details == trained.evaluate(ROWS).details
    with pytest.raises(ArgumentError, match="a DataFrame with 'id', 'words'; expected a text or a"):
        trained.predict(frame[["id"]].assign(words=TEXTS))
    with pytest.raises(ArgumentError, match=r"texts\[1\]: expected a text, not float"):
        trained.predict(frame["text"].where(frame["id"] == 1))


def test_one_text_in_a_mapping(trained):
    one = trained.predict(TEXTS[0])
    assert one and trained.predict({"text": TEXTS[0]}) == one
    assert trained.predict({"text": TEXTS[0], "entities": []}) == one
    assert trained.model.tokens({"text": TEXTS[0]}) == trained.model.tokens(TEXTS[0])


@pytest.mark.parametrize(
    "given, message",
    [
        ({"sentence": TEXTS[0]}, "texts: a dict with 'sentence'; expected a text or a list of texts"),
        ({}, "texts: a dict with none; expected"),
        (Table(words=TEXTS), "texts: a Table with 'words'; expected"),
        ({"text": TEXTS, "id": [1]}, "texts: its columns have different lengths: {'text': 2, 'id': 1}"),
        (b"wake me", "texts: expected a text or a list of texts, not bytes; decode it first"),
        ([b"wake me"], "texts[0]: expected a text, not bytes; decode it first: value.decode()"),
        (None, "texts: expected a text or a list of texts, not NoneType"),
        (5, "texts: expected a text or a list of texts, not int"),
        (set(TEXTS), "texts: expected a text or a list of texts, not set, which has no order"),
        ([{"txt": "a"}], "texts[0]: a dict with 'txt'; expected a text, or one with \"text\""),
        ([None], "texts[0]: expected a text, not NoneType"),
        ([["wake", "me"]], "texts[0]: expected a text, not list"),
    ],
)  # fmt: skip
def test_what_is_no_text(trained, given, message):
    for use in (trained.predict, trained.model.tokens):
        with pytest.raises(ArgumentError) as caught:
            use(given)
        assert message in str(caught.value)


def test_annotations_in_tables(trained, options, tmp_path):
    table = Table(text=[r["text"] for r in ROWS], entities=[r["entities"] for r in ROWS])
    columns = {"text": table["text"], "entities": table["entities"]}
    expected = trained.evaluate(ROWS).details
    assert expected["micro"]["support"] == 3
    for form in (table, columns, Rows(ROWS)):
        assert trained.evaluate(form).details == expected
    models = []
    for i, form in enumerate((ROWS, table)):
        changes = dict(train_annotations=form, output_dir=tmp_path / str(i), ent2emb={
            label: [float(label == other) for other in ("time", "song", "place")]
            for label in ("time", "song", "place")
        }, val_annotations=None)  # fmt: skip
        result = Trainer(TrainingArguments(**{**options, **changes}), progress=False).train()
        models.append(open(f"{result.model_folder}/model.safetensors", "rb").read())
    assert models[0] == models[1]


@pytest.mark.parametrize(
    "given, message",
    [
        ({"text": "a", "entities": []}, "one dictionary with 'text', 'entities'; expected a list or a file: put it into a list"),
        (Table(sentence=["a"]), 'a Table with \'sentence\'; expected a list or a file, or a table with a column "text"'),
        (b"a", "expected a list or a file, not bytes"),
        ([{"text": "a b", "entities": '[[0, 1, "x"]]'}], "\"entities\" is '[[0, 1, \"x\"]]'; expected [[start, end, label], ...]; json.loads"),
        ([{"text": "a b", "entities": float("nan")}], '"entities" is nan; expected'),
        ([{"text": "a b", "entities": {"start": 0}}], "\"entities\" is {'start': 0}; expected"),
        ([{"text": "a b", "meta": object()}], "object is nothing that JSON has"),
        ([b"wake me at [time : nine]"], "expected {\"text\""),
    ],
)  # fmt: skip
def test_what_is_no_annotation(trained, options, given, message):
    with pytest.raises((ArgumentError, FormatError)) as caught:
        trained.evaluate(given)
    assert message in str(caught.value)
    with pytest.raises((ArgumentError, FormatError)) as caught:
        Trainer(TrainingArguments(**{**options, "train_annotations": given}))
    assert message in str(caught.value)


class One(Trainer):
    def _parse_annotation(self, annotations):
        return {"text": annotations[0], "entities": []}


class Text(Trainer):
    def _parse_annotation(self, annotations):
        return "wake me"


@pytest.mark.parametrize("kind", [One, Text])
def test_what_an_own_format_must_not_give(options, kind):
    with pytest.raises(FormatError, match="_parse_annotation gave .*; expected a list of"):
        kind(TrainingArguments(**options))


class Original(Trainer):
    def _prepare_tokenizer(self):
        return "mine"

    def _compute_metrics(self, eval_preds):
        return {}

    def _helper(self):
        return 1


class Loss(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False):
        return 0


def test_hooks_that_nothing_calls(options, recwarn):
    with pytest.warns(UserWarning) as told:
        Original(TrainingArguments(**options))
    assert [str(w.message).split(" is never")[0] for w in told] == [
        "Original._prepare_tokenizer", "Original._compute_metrics"]  # fmt: skip
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="Loss.compute_loss is never called"):
        Loss(TrainingArguments(**options))
    recwarn.clear()
    Trainer(TrainingArguments(**options))
    assert not recwarn.list


def test_embeddings_of_a_hook(options):
    given = options.pop("ent2emb")

    class Own(Trainer):
        def _prepare_embeddings(self):
            assert self.args.ent2emb is None
            return given

    class Changed(Trainer):
        def _prepare_embeddings(self, ent2emb):
            return {**super()._prepare_embeddings(ent2emb), "time": [0.0, 0.0, 0.0, 9.0]}

    class None_(Trainer):
        def _prepare_embeddings(self, ent2emb):
            return None

    args = TrainingArguments(**options)
    assert Own(args).args.ent2emb is given and args.ent2emb is None
    args.ent2emb = given
    assert Changed(args).args.ent2emb["time"][3] == 9.0 and args.ent2emb is given
    with pytest.raises(ArgumentError, match="_prepare_embeddings gave None; expected a dictionary"):
        None_(args)


@pytest.mark.parametrize(
    "args, extra, message",
    [
        (None, {}, "args: expected TrainingArguments, not None"),
        ({"model_name": "x"}, {}, "args: expected TrainingArguments, not {'model_name'"),
        (True, {"callbacks": [5]}, "callbacks[0]: 5; expected functions of an Event or transformers' TrainerCallbacks, in a list"),
        (True, {"callbacks": print}, "callbacks: <built-in function print> alone; expected"),
        (True, {"callbacks": 3}, "callbacks: 3; expected"),
    ],
)
def test_arguments_of_trainers(args, extra, message, options):
    args = TrainingArguments(**options) if args is True else args
    with pytest.raises(ArgumentError) as caught:
        Trainer(args, **extra)
    assert message in str(caught.value)


def test_annotations_of_one_kind_of_error_name_the_place(trained):
    with pytest.raises(FormatError, match=r"annotations\[1\]"):
        trained.evaluate([ANNOTATIONS[0], {"text": "a", "entities": [[0, 9, "time"]]}])
