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


def test_errors():
    with pytest.raises(nerfit.errors.ArgumentError, match="nobody annotates"):
        nerfit.annotate(["a"])
    with pytest.raises(nerfit.errors.ArgumentError, match="without commas"):
        nerfit.annotate(["a"], ["x,y"], llm="ollama/x")
