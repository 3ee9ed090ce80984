"""spaCy, Presidio, scikit-learn, pandas, Spark, Ray, Dask: each is skipped where it is not installed."""

import pickle
import subprocess
import sys

import pytest

import nerfit
from conftest import ANNOTATIONS, EMBEDDINGS

TEXTS = ["wake me up at nine", "play jazz in madrid", "", "call bob"]


@pytest.fixture(scope="module")
def folder(trained):
    return trained.result.model_folder


@pytest.fixture(scope="module")
def expected(folder):
    return nerfit.load(folder, threads=1).predict(TEXTS)


# ------------------------------------------------------------------ spaCy


@pytest.fixture
def nlp(folder):
    spacy = pytest.importorskip("spacy")
    import nerfit.spacy  # noqa: F401  # an installed package is found by its entry point

    nlp = spacy.blank("en")
    nlp.add_pipe("nerfit", config={"model": folder, "threads": 1, "spans_key": "found"})
    return nlp


def test_spacy(nlp, expected):
    docs = list(nlp.pipe(TEXTS, batch_size=2))
    for doc, entities in zip(docs, expected):
        assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
            (e.start, e.end, e.label) for e in entities
        ]
        assert [e._.nerfit_score for e in doc.ents] == [e.score for e in entities]
        assert len(doc.spans["found"]) == len(entities)
    assert set(nlp.get_pipe("nerfit").labels) == set(EMBEDDINGS)


def test_spacy_on_disk_and_in_processes(nlp, tmp_path, expected):
    import spacy

    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    found = [[e.label_ for e in doc.ents] for doc in again.pipe(TEXTS, n_process=2)]
    assert found == [[e.label for e in entities] for entities in expected]


def test_spacy_keeps_what_was_there(folder):
    spacy = pytest.importorskip("spacy")
    import nerfit.spacy  # noqa: F401

    for overwrite, label in ((True, "time"), (False, "HOUR")):
        nlp = spacy.blank("en")
        ruler = nlp.add_pipe("entity_ruler")
        ruler.add_patterns([{"label": "HOUR", "pattern": "nine"}, {"label": "PRON", "pattern": "me"}])
        nlp.add_pipe("nerfit", config={"model": folder, "threads": 1, "overwrite": overwrite})
        found = {e.text: e.label_ for e in nlp("wake me up at nine").ents}
        assert found == {"me": "PRON", "nine": label}


def test_spacy_without_a_model():
    spacy = pytest.importorskip("spacy")
    import nerfit.spacy  # noqa: F401

    nlp = spacy.blank("en")
    nlp.add_pipe("nerfit")
    with pytest.raises(ValueError, match="there is no model"):
        nlp("wake me")


# ------------------------------------------------------------------ Presidio, scikit-learn


def test_presidio(folder):
    pytest.importorskip("presidio_analyzer")
    from nerfit.presidio import NerfitRecognizer

    recognizer = NerfitRecognizer(folder, {"person": "PERSON", "place": "LOCATION"})
    assert recognizer.supported_entities == ["PERSON", "LOCATION"]
    (found,) = recognizer.analyze("wake bob in rome", ["PERSON"])
    assert (found.entity_type, found.start, found.end) == ("PERSON", 5, 8) and 0 < found.score <= 1
    (found,) = recognizer.analyze("wake bob in rome", ["LOCATION"])
    assert (found.entity_type, found.start, found.end) == ("LOCATION", 12, 16)


def test_sklearn(encoder):
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_score

    from nerfit.sklearn import NerfitTagger

    texts = [t["text"] for t in nerfit.read(ANNOTATIONS * 2)]
    entities = [t["entities"] for t in nerfit.read(ANNOTATIONS * 2)]
    options = dict(recipe="original", max_steps=(0, 30), learning_rate=1e-2, warmup_steps=2,
                   eval_strategy="no", save_strategy="no", load_best_model_at_end=False,
                   precision="f32", threads=1)  # fmt: skip
    tagger = NerfitTagger(str(encoder), EMBEDDINGS, options=options)
    scores = cross_val_score(clone(tagger), texts, entities, cv=2)
    assert scores.shape == (2,) and (scores >= 0).all()
    fitted = tagger.fit(texts, entities)
    assert fitted.classes_ == sorted(EMBEDDINGS)
    assert len(fitted.predict(TEXTS)) == len(TEXTS) and 0 <= fitted.score(texts, entities) <= 1


# ------------------------------------------------------------------ frames


def as_dictionaries(expected):
    return [[e._asdict() for e in entities] for entities in expected]


def test_frames(folder, expected):
    pandas = pytest.importorskip("pandas")
    from nerfit._frames import FrameTagger

    tagger = pickle.loads(pickle.dumps(FrameTagger(folder)))
    frame = pandas.DataFrame({"id": range(6), "text": [*TEXTS, None, float("nan")]})
    tagged = tagger(frame)
    assert list(tagged["entities"]) == [*as_dictionaries(expected), None, None]
    assert list(frame.columns) == ["id", "text"]
    with pytest.raises(ValueError, match='no column "text" among id'):
        tagger(frame[["id"]])
    with pytest.raises(ValueError, match="7 is no text"):
        tagger(pandas.DataFrame({"text": [7]}))


def test_dask(folder, expected):
    pandas = pytest.importorskip("pandas")
    dataframe = pytest.importorskip("dask.dataframe")
    import nerfit.dask

    frame = dataframe.from_pandas(pandas.DataFrame({"text": TEXTS}), npartitions=2)
    tagged = nerfit.dask.tag(frame, folder).compute(scheduler="threads")
    assert list(tagged["entities"]) == as_dictionaries(expected)


def test_spark(folder, expected, monkeypatch):
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    import nerfit.spark

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    try:
        frame = session.createDataFrame(list(enumerate(TEXTS)), ["id", "text"]).repartition(2)
        tagger = nerfit.spark.tagger(folder)
        rows = frame.mapInPandas(tagger, tagger.schema(frame)).orderBy("id").collect()
        assert [[e.asDict() for e in row.entities] for row in rows] == as_dictionaries(expected)
    finally:
        session.stop()


def test_ray(folder, expected):
    pytest.importorskip("ray")
    code = f"""
import json, ray, nerfit.ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
rows = [{{"id": i, "text": t}} for i, t in enumerate({TEXTS!r})]
tagged = ray.data.from_items(rows).repartition(2).map_batches(
    nerfit.ray.Tagger, fn_constructor_args=[{folder!r}], batch_format="pandas", concurrency=1)
found = sorted(tagged.take_all(), key=lambda row: row["id"])
print("FOUND" + json.dumps([[e["label"] for e in row["entities"]] for row in found]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    assert eval(line[5:]) == [[e.label for e in entities] for entities in expected]
