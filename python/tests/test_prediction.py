"""Loaded models: offsets in Python's units, threads, scores, what is said of mistakes."""

import os
import signal
import threading
import time

import pytest

import nerfit
from nerfit import Entity
from nerfit.errors import ArgumentError, FormatError, NerfitError

from conftest import ANNOTATIONS


def test_training_texts_are_known(trained):
    assert trained.evaluate(ANNOTATIONS).f1 > 0.9
    (entity,) = trained.predict("wake me up at nine")
    assert entity[:4] == (14, 18, "time", "nine")
    assert isinstance(entity, Entity) and 0 < entity.score <= 1
    assert [e.label for e in trained.predict("play jazz in madrid")] == ["song", "place"]


@pytest.mark.parametrize(
    "before",
    ["é ", "e\u0301 ", "👩‍👩‍👧 ", "שלום ", "１２ ", "你好 ", "\U0001d54f\t", " \u00a0\r\n"],
)
def test_offsets_are_indices_of_the_str(trained, before):
    text = before + "wake me up at nine"
    for entity in trained.predict(text):
        assert text[entity.start : entity.end] == entity.text
    for token in trained.model.tokens(text):
        assert text[token.start : token.end] == token.text
    nine = [t for t in trained.model.tokens(text) if t.text == "nine"]
    assert [(t.start, t.end) for t in nine] == [(len(before) + 14, len(before) + 18)]


def test_one_text_and_many(trained):
    model = nerfit.load(trained.result.model_folder, precision="f32", threads=1)
    texts = ["wake me up at nine", "", "play jazz now"]
    many = model.predict(texts)
    assert many == [model.predict(text) for text in texts] and many[1] == []
    assert model.predict(tuple(texts)) == many and model.predict([]) == []
    assert model.tokens(texts) == [model.tokens(text) for text in texts]
    assert [t.text for t in model.tokens(texts[0])] == ["wake", "me", "up", "at", "nine"]
    assert model.tokens(texts[0])[4].label == "B-time"
    assert model.labels[:3] == ["O", "B-time", "I-time"]
    model._CHUNK = 2
    assert model.predict(texts * 3) == many * 3
    assert "9 labels" in repr(model)


def test_models_share_weights(trained):
    folder, texts = trained.result.model_folder, ["wake me up at nine", "play jazz now"]
    alone = nerfit.load(folder, precision="f32", threads=1)
    weights = nerfit.Weights(precision="f32", threads=1)
    models = [nerfit.load(folder, weights=weights) for _ in range(3)]
    del weights, models[0]
    assert all(model.predict(texts) == alone.predict(texts) for model in models)
    weights = nerfit.Weights(precision="f32", threads=1)
    with pytest.raises(ArgumentError, match="those of the shared weights"):
        nerfit.load(folder, precision="bf16", weights=weights)
    with pytest.raises(ArgumentError, match="is no nerfit.Weights"):
        nerfit.load(folder, weights=folder)


def test_long_texts_are_covered(trained):
    text = "wake me up at nine " * 200  # the encoder takes 40 tokens
    entities = trained.predict(text)
    assert {e.text for e in entities} == {"nine"}
    assert len(entities) > 100 and entities[-1].start > len(text) * 0.9


def test_threads_share_a_model(trained):
    texts = ["wake me up at nine", "play jazz in madrid", "call bob at ten please"] * 20
    expected = trained.predict(texts)
    found = {}

    def work(number):
        for _ in range(5):
            found[number] = trained.predict(texts)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[i] == expected for i in range(4))


def test_evaluation_of_files_and_lists(trained, tmp_path):
    path = tmp_path / "dev.txt"
    path.write_text("\n".join(ANNOTATIONS))
    model = trained.model
    for words in (False, True):
        from_file = model.evaluate(path, words=words)
        assert from_file == model.evaluate(ANNOTATIONS, words=words)
    assert set(from_file.details["types"]) == {"time", "song", "place", "person"}
    strict = model.evaluate(path, mode="iob2", format="brackets")
    assert 0 <= strict.f1 <= 1 and strict.precision <= 1 and strict.recall <= 1
    conll = tmp_path / "dev.conll"
    conll.write_text("wake O\nme O\nup O\nat O\nnine B-time\n")
    assert model.evaluate(conll).details["types"]["time"]["support"] == 1


def test_thresholds(trained):
    model = nerfit.load(trained.result.model_folder, precision="f32", threads=1)
    texts = ["wake me up at nine", "play jazz in madrid"]

    def found(**options):
        return [entity for entities in model.predict(texts, **options) for entity in entities]

    every = found()
    assert [e.label for e in every] == ["time", "song", "place"]
    scores = sorted(e.score for e in every)
    assert scores[0] < scores[1]
    assert found(threshold=scores[1]) == [e for e in every if e.score >= scores[1]]
    assert [e.label for e in found(threshold={"time": 1.0})] == ["song", "place"]
    assert [e.label for e in found(threshold={"song": 0, None: 1})] == ["song"]
    assert found() == every  # what an earlier call set does not stay
    assert model.evaluate(ANNOTATIONS, threshold=1.0).recall == 0
    assert model.evaluate(ANNOTATIONS).recall > 0.9
    for wrong in (1.5, -0.1, {"tiem": 0.5}):
        with pytest.raises(ArgumentError, match="threshold"):
            model.predict(texts, threshold=wrong)
    assert found() == every


def test_evaluation_tells_of_mistakes(trained):
    report = trained.evaluate(["wake me up at [song : nine]", "play jazz in [place : madrid]"])
    wrong, spurious = report.details["errors"]["list"]
    assert wrong["kind"] == "wrong type" and wrong["line"] == 1
    assert wrong["gold"]["label"] == "song" and wrong["predicted"]["label"] == "time"
    assert spurious["kind"] == "spurious" and spurious["predicted"]["text"] == "jazz"
    assert report.details["semeval"]["overall"]["exact"]["correct"] == 2
    assert report.details["confusion"]["types"] == ["place", "song", "time"]
    assert "SemEval" in report.analysis and "threshold" in report.scores


def test_mistakes(trained, tmp_path):
    model = trained.model
    with pytest.raises(ArgumentError, match=r"texts\[1\]: expected a text, not int"):
        model.predict(["a", 3])
    with pytest.raises(FormatError, match=r"texts\[0\]: character 1 is U\+DC80"):
        model.predict("a\udc80")
    with pytest.raises(ArgumentError, match='mode "nothing" is not one of default'):
        model.evaluate(ANNOTATIONS, mode="nothing")
    with pytest.raises(FormatError, match=r"annotations\[0\]:1:"):
        model.evaluate(['{"text": 3}'])
    with pytest.raises(NerfitError, match="nowhere"):
        nerfit.load(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match="precision"):
        nerfit.load(trained.result.model_folder, precision="f64")
    with pytest.raises(OSError):
        model.evaluate(tmp_path / "nowhere.txt")


def interrupted(work, after=0.3):
    """Seconds from SIGINT, `after` seconds into the work, to its KeyboardInterrupt."""
    sent = []

    def send():
        time.sleep(after)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    seconds = time.monotonic() - sent[0]
    thread.join()
    return seconds


def test_a_long_list_can_be_interrupted(trained):
    model = nerfit.load(trained.result.model_folder, backend="ref", threads=1)
    few, many = ["wake me up at nine"] * 3, ["wake me up at nine " * 300] * 20000
    whole = model.predict(few)
    for work in (model.predict, model.tokens):
        # with all texts at once it would take minutes
        assert interrupted(lambda work=work: work(many)) < 10
    long = "wake me up at nine " * 100000
    assert interrupted(lambda: model.predict(long)) < 10
    annotations = [{"text": text, "entities": []} for text in many[:2000]]
    assert interrupted(lambda: model.evaluate(annotations), after=1) < 10
    assert model.predict(few) == whole


def test_streams(trained):
    texts = ["wake me up at nine", "play jazz in madrid"] * 3
    taken = []

    def source():
        for text in texts:
            taken.append(text)
            yield text

    stream = trained.model.pipe(source(), batch_size=2)
    assert next(stream) == trained.predict(texts[0])
    assert len(taken) == 2
    assert list(stream) == trained.predict(texts[1:])
    assert list(trained.model.pipe([])) == []
    with pytest.raises(ArgumentError, match="not one text"):
        next(trained.model.pipe("wake me"))


def test_what_a_notebook_shows(trained):
    report = trained.evaluate(ANNOTATIONS)
    assert len(repr(report)) < 120 and len(repr(trained.result)) < 400
    page = report._repr_html_()
    assert page.startswith("<table>") and page.count("<tr>") == 6 and "<td>song</td>" in page
    assert trained.result.model_folder in trained.result._repr_html_()


def test_labels_that_the_model_lacks(trained, caplog):
    trained.evaluate(["wake me up at [hour : nine]", "play [song : jazz]"])
    (record,) = [r for r in caplog.records if r.name == "nerfit"]
    assert record.getMessage() == 'the model has no label "hour" (1 annotated); it counts as missed'


def test_a_runs_folder_is_no_model(trained):
    run = os.path.dirname(trained.result.model_folder)
    with pytest.raises(ArgumentError) as caught:
        nerfit.load(run)
    assert str(caught.value) == f"{run}: is the folder of a run; its model is in {run}/best"
    for threads in (-1, "2", True, None):
        with pytest.raises(ArgumentError, match="threads: .* is not a number of threads"):
            nerfit.load(trained.result.model_folder, threads=threads)


@pytest.mark.parametrize(
    "labels, message",
    [
        ({"time": 3}, "labels: 'time': 3; expected a dictionary of labels to descriptions"),
        ({}, "has no"),
        ([], "labels: holds nothing"),
        (["a,b"], "labels: 'a,b' is not the name of a label"),
        (5, "labels: expected a dictionary of labels to descriptions, a list of labels, or a file, not int"),
    ],
)  # fmt: skip
def test_labels_that_are_none(encoder, labels, message):
    with pytest.raises(NerfitError) as caught:
        nerfit.load(encoder, labels=labels)
    if labels != {}:
        assert message in str(caught.value)


def test_labels_in_memory_and_in_files(encoder, tmp_path):
    """What they are good for is tried elsewhere; here, that they arrive."""
    found = []
    (tmp_path / "labels.json").write_text('{"time": "a time of day", "song": "a title"}')
    for labels in ({"time": "a time of day", "song": "a title"}, tmp_path / "labels.json",
                   ["time", "song"], "time,song"):  # fmt: skip
        with pytest.raises(NerfitError) as caught:
            nerfit.load(encoder, labels=labels)
        found.append(str(caught.value))
    assert len(set(found)) == 1 and "TypeError" not in found[0], found
