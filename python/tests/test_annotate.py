"""nerfit.annotate and nerfit.suggest."""

import pytest

import nerfit


def test_rules(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("time: [nine]\ndose: ['/\\d+ ?mg/']\n")
    done = nerfit.annotate(["wake me at nine", "5 mg\u2028now", {"text": "x", "id": 3}], rules=rules)
    assert [[e["label"] for e in t["entities"]] for t in done.texts] == [["time"], ["dose"], []]
    assert done.texts[0]["labels"] == ["time", "dose"]
    assert (done.report["entities"], done.failed, done.review) == (2, [], [])
    assert "3 of 3 texts annotated" in done.text and done.page.startswith("<!DOCTYPE html>")


def test_rules_beside_a_model(tmp_path, unsure):
    rules = tmp_path / "rules.yaml"
    rules.write_text("clock: [nine]\n'*': {forbid: [wake]}\n")
    model = nerfit.Model(unsure)
    alone = model.predict("wake me up at nine", 0.0)
    assert "clock" not in {e.label for e in alone}
    both = model.predict("wake me up at nine", 0.0, rules=rules)
    assert ("clock", "nine", 1.0) in [(e.label, e.text, e.score) for e in both]
    assert "wake" not in [e.text for e in both]
    assert list(model.pipe(["wake me up at nine"], 0.0, rules=rules)) == [both]
    rules.write_text("hour: [nine]\n")  # read anew
    assert "hour" in {e.label for e in model.predict("wake me up at nine", 0.0, rules=rules)}
    assert model.predict("wake me up at nine", 0.0) == alone
    gold = [{"text": "wake me up at nine", "entities": [[14, 18, "hour"]]}]
    assert model.evaluate(gold, rules=rules).details["types"]["hour"]["recall"] == 1.0
    rules.write_text("hour: [/nine]\n")
    with pytest.raises(nerfit.NerfitError, match="begins with a slash"):
        model.predict("nine", rules=rules)
    assert model.predict("wake me up at nine", 0.0) == alone


def test_suggest(unsure):
    texts = ["wake me up at nine", "play jazz\u2028now", "call bob at ten please"]
    found = nerfit.suggest(texts, unsure, count=2)
    assert len(found) == 2 and {text["text"] for text in found} <= {*texts}
    assert all(text["suggestion"] for text in found)


def test_errors():
    with pytest.raises(nerfit.errors.ArgumentError, match="nobody annotates"):
        nerfit.annotate(["a"])
    with pytest.raises(nerfit.errors.ArgumentError, match="without commas"):
        nerfit.annotate(["a"], ["x,y"], llm="ollama/x")
