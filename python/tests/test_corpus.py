"""Annotated texts in Python: what `nerfit data` does."""

import json
import pickle
import sys

import pytest

import nerfit
from conftest import ANNOTATIONS
from nerfit.errors import ArgumentError, FormatError


def test_read_write_and_iterate(tmp_path):
    corpus = nerfit.read(ANNOTATIONS)
    assert len(corpus) == len(ANNOTATIONS) and repr(corpus) == "<nerfit.Corpus, 8 texts>"
    first = next(iter(corpus))
    assert first == {"text": "wake me up at nine", "entities": [[14, 18, "time"]]}
    for format in ("jsonl", "conll", "brackets"):
        path = tmp_path / f"texts.{format}"
        corpus.write(path, format)
        assert list(nerfit.read(path, format)) == list(corpus), format
    assert corpus.format("brackets").splitlines()[0] == ANNOTATIONS[0]
    assert list(pickle.loads(pickle.dumps(corpus))) == list(corpus)
    with pytest.raises(ArgumentError, match='"nonsense" is not one of'):
        corpus.format("nonsense")


def test_more_than_text_and_entities_travels():
    texts = [{"text": "bob é", "entities": [{"start": 0, "end": 3, "label": "person", "weight": 0.5}],
              "id": 7}]  # fmt: skip
    (back,) = nerfit.read(texts)
    assert back["id"] == 7 and back["entities"][0]["weight"] == 0.5


def test_characters_that_end_lines_elsewhere():
    text = "bob\u2028and\x85\u2029so"
    (back,) = nerfit.read([{"text": text, "entities": [[0, 3, "person"]]}])
    assert back["text"] == text


def test_findings_instead_of_errors(tmp_path):
    path = tmp_path / "wrong.jsonl"
    right = '{"text": "bob", "entities": [[0, 3, "person"]]}\n'
    path.write_text(right + '{"text": "bob", "entities": [[0, 9, "person"]]}\n' + right)
    with pytest.raises(FormatError, match=r"wrong\.jsonl:2"):
        nerfit.read(path)
    findings = []
    corpus = nerfit.read(path, findings=findings)
    assert len(corpus) == 2
    assert [f.line for f in findings if f.is_error] == [2]
    assert any("wrong.jsonl:2" in str(f) for f in findings)


def test_check_statistics():
    corpus = nerfit.read([*ANNOTATIONS, ANNOTATIONS[0]])
    kinds = {f.kind for f in corpus.check()}
    assert "text given again" in kinds
    found = corpus.statistics(test=nerfit.read(ANNOTATIONS[:2]))
    assert set(found["splits"]) == {"corpus", "test"} and found["overlaps"]


def test_split_and_sample():
    corpus = nerfit.read(ANNOTATIONS * 3)
    parts = corpus.split(["50%", "rest"], seed=3)
    assert sum(map(len, parts)) == len(corpus) and all(map(len, parts))
    again = corpus.split([0.5, "rest"], seed=3)
    assert [list(p) for p in again] == [list(p) for p in parts]
    with pytest.raises(ArgumentError, match="expected a list"):
        corpus.split("50%")
    sample = corpus.sample(1)
    labels = {e[2] for text in sample for e in text["entities"]}
    assert labels == {"time", "song", "place", "person"}


def test_a_corpus_trains(options):
    corpus = nerfit.read(ANNOTATIONS)
    args = nerfit.TrainingArguments(**{**options, "train_annotations": list(corpus)})
    assert nerfit.Trainer(args, progress=False).train().report is not None


def test_formats():
    rows = {row["name"]: row for row in nerfit.formats()}
    assert rows["jsonl"]["is_read"] and ".jsonl" in rows["jsonl"]["endings"]
    assert any(row["advice"] for row in rows.values())


def test_tables():
    pandas = pytest.importorskip("pandas")
    frame = nerfit.read(ANNOTATIONS).to_pandas()
    assert list(frame.columns) == ["text", "entities"] and len(frame) == 8
    assert list(nerfit.read(frame)) == list(nerfit.read(ANNOTATIONS))
    assert isinstance(frame, pandas.DataFrame)


@pytest.mark.parametrize("package", ["pandas", "datasets"])
def test_packages_that_are_not_there(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    corpus = nerfit.read(ANNOTATIONS)
    table = {"pandas": corpus.to_pandas, "datasets": corpus.to_dataset}[package]
    with pytest.raises(ArgumentError, match=f"takes the package {package} "):
        table()
    if package == "pandas":
        with pytest.raises(ArgumentError, match="to_pandas takes"):
            nerfit.FewshotResult([], [], "", "").to_pandas()


def test_parquet(tmp_path, trained):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "words.parquet"
    features = {"tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
                "ner_tags": {"feature": {"names": ["O", "B-time"], "_type": "ClassLabel"},
                             "_type": "List"}}  # fmt: skip
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}

    def write(tags):
        table = pyarrow.table({"tokens": [["wake", "nine"], ["me"]], "ner_tags": tags})
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)

    write([[0, 1], [0]])
    corpus = list(nerfit.read(path))
    assert [t["text"] for t in corpus] == ["wake nine", "me"]
    assert corpus[0]["entities"] == [[5, 9, "time"]]
    assert str(trained.model.evaluate(path)) == str(trained.model.evaluate(corpus))
    write([[0, 7], [0]])
    with pytest.raises(FormatError, match=r"row 0: ner_tags is \[0, 7\]; expected numbers under 2"):
        nerfit.read(path)
    path.write_bytes(b"PAR1 no such file")
    with pytest.raises(nerfit.NerfitError, match="words.parquet"):
        nerfit.read(path)
