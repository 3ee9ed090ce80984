"""Loaded models: offsets in Python's units, threads, scores, what is said of mistakes."""

import threading

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
