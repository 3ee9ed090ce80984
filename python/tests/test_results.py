"""What tagging gives beside the entities themselves: tables, notebooks, transformers' form, streams
that are asynchronous, labels of a call."""

import asyncio
import copy
import json
import pickle
import re
import subprocess
from pathlib import Path

import pytest

import nerfit
from nerfit import Entities, Entity, Predictions
from nerfit.errors import ArgumentError

from conftest import ANNOTATIONS, DESCRIPTIONS

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "gliner"

TEXTS = ["play jazz in madrid", "please", "wake me up at nine"]


def test_lists_that_know_their_texts(trained):
    found = trained.predict(TEXTS)
    assert isinstance(found, Predictions) and isinstance(found[0], Entities)
    assert found == [list(entities) for entities in found] and found[1] == []
    assert [entities.source for entities in found] == TEXTS
    assert pickle.loads(pickle.dumps(found)) == found == copy.deepcopy(found)
    assert pickle.loads(pickle.dumps(found))[0].source == TEXTS[0]
    assert repr(found[0]) == repr(list(found[0]))
    many = Predictions([found[0]] * 1000)
    assert len(repr(many)) < 20_000 and repr(many).endswith(", and 950 more]")


def test_tables(trained):
    pandas = pytest.importorskip("pandas")
    found = trained.predict(TEXTS)
    table = found.to_pandas()
    assert list(table.columns) == ["row", "start", "end", "label", "text", "score"]
    assert list(table["row"]) == [0, 0, 2] and list(table["label"]) == ["song", "place", "time"]
    assert list(found[1].to_pandas().columns) == list(Entity._fields) and len(found[1].to_pandas()) == 0
    report = trained.evaluate(ANNOTATIONS)
    scores = report.to_pandas().set_index("type")
    assert scores.loc["micro", "f1"] == pytest.approx(report.f1) and "song" in scores.index
    history = trained.result.to_pandas()
    assert {"stage", "step", "loss"} <= set(history.columns) and (history["stage"] == 2).any()
    assert isinstance(history, pandas.DataFrame)


def test_notebooks(trained, program, tmp_path):
    """The marks are those of the program's page."""
    texts = ["play jazz in madrid", "ünd <please> wake me up at nine \N{OX}"]
    found = trained.predict(texts)
    page = found._repr_html_()
    assert page.count('<mark class="entity hue') == 3 == page.count("</mark>")
    assert "ünd &lt;please&gt; wake" in page and "<small>song</small></mark>" in page
    (tmp_path / "texts.txt").write_text("".join(text + "\n" for text in texts), "utf-8")
    command = [program, "predict", trained.result.model_folder, str(tmp_path / "texts.txt")]
    told = subprocess.run([*command, "--format", "html", "--precision", "f32", "--threads", "1"],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    marks = re.findall(r"<mark[^>]*>\w+<small>\w+</small></mark>", page)
    assert len(marks) == 3 and all(one in told for one in marks)
    assert found[0]._repr_html_().count("<mark") == 2
    crossing = Entities(
        [Entity(0, 4, "x", "play", 0.5), Entity(2, 9, "y", "ay jazz", 0.5)], "play jazz"
    )
    assert crossing._repr_html_().count("<mark") == 3  # one in two pieces
    with pytest.raises(ArgumentError, match="entity 1 .*0..4.* is not in the text"):
        Entities([Entity(0, 4, "x", "play", 0.5)], "pl")._repr_html_()
    many = Predictions([found[0]] * 60)._repr_html_()
    assert many.count("<div") == 50 and "and 10 more texts" in many


def test_as_transformers_pipelines(trained):
    (song, place) = trained.model(TEXTS[0])
    assert song.keys() == {"entity_group", "score", "word", "start", "end"}
    assert (song["entity_group"], song["word"], song["start"]) == ("song", "jazz", 5)
    assert [len(one) for one in trained.model(TEXTS)] == [2, 0, 1]


def test_streams_with_contexts(trained):
    pairs = [(text, number) for number, text in enumerate(TEXTS)]
    found = list(trained.model.pipe(iter(pairs), batch_size=2, as_tuples=True))
    assert [context for _, context in found] == [0, 1, 2]
    assert [entities for entities, _ in found] == trained.predict(TEXTS)
    with pytest.raises(ArgumentError, match=r"'please'; expected \(text, context\)"):
        list(trained.model.pipe(["please"], as_tuples=True))
    with pytest.raises(ArgumentError, match="batch_size: 0"):
        list(trained.model.pipe(TEXTS, batch_size=0))


def test_asynchronous(trained):
    expected = trained.predict(TEXTS)

    async def stream():
        for text in TEXTS:
            await asyncio.sleep(0)
            yield text

    async def run():
        model = trained.model
        assert await model.predict_async(TEXTS) == expected
        assert await model.predict_async(TEXTS[0], threshold=1.0) == []
        both = await asyncio.gather(*(model.predict_async(text) for text in TEXTS))
        assert both == expected
        for source in (stream(), iter(TEXTS)):
            assert [e async for e in model.pipe_async(source, batch_size=2)] == expected
        with pytest.raises(ArgumentError, match="not one text"):
            [e async for e in model.pipe_async("please")]

    asyncio.run(run())


def test_labels_of_a_call(encoder, tmp_path):
    """A model whose labels are embedded takes others in a call as if it were loaded with them."""
    texts = tmp_path / "set.txt"
    texts.write_text("\n".join(ANNOTATIONS) + "\n")
    labels = tmp_path / "set.json"
    labels.write_text(json.dumps(DESCRIPTIONS))
    folder = nerfit.pretrain(
        encoder, texts, labels, output_dir=tmp_path / "out", max_steps=4, st_model_name=encoder,
        precision="f32", threads=1, progress=False,
    ).model_folder  # fmt: skip
    options = dict(threads=1, precision="f32")
    model = nerfit.load(folder, labels={"time": "a time of day"}, **options)
    others = {"song": "a kind of music", "place": "a city"}
    expected = nerfit.load(folder, labels=others, **options).predict(TEXTS, 0)
    assert model.predict(TEXTS, 0, labels=others) == expected
    assert list(model.pipe(TEXTS, 0, labels=others)) == expected
    assert {e.label for one in expected for e in one} <= {"song", "place"}
    for number in range(10):
        model.predict("x", labels=[f"label {number}"])
    assert len(model._others) == model._KEPT
    assert model.types == ["time"]


def test_descriptions_of_a_call():
    """GLiNER models read them in place of the names."""
    model = nerfit.load(GOLDEN / "markerv0", threads=1, precision="f32")
    plain = model.predict("Alice met Bob", {"a human": 0.0, None: 1.0}, labels=["a human", "x"])
    named = model.predict(
        "Alice met Bob", {"person": 0.0, None: 1.0}, labels={"person": "a human", "other": "x"}
    )
    assert plain and {e.label for e in named} == {"person"}
    assert [(e.start, e.end, e.score) for e in named] == [(e.start, e.end, e.score) for e in plain]
    assert named.types == ["person", "other"]
    with pytest.raises(ArgumentError, match="each with its own"):
        model.predict("Alice", labels={"a": "one", "b": "one"})


def test_a_trained_model_has_its_labels(trained):
    with pytest.raises(ArgumentError, match="has labels of its own"):
        trained.model.predict(TEXTS, labels=["time"])
