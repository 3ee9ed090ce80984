"""GLiNER folders: labels with the call or the text, entities as the package `gliner` finds them."""

import json
from pathlib import Path

import nerfit
import nerfit.errors
import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "gliner"


@pytest.mark.parametrize("name", ["markerv0", "token", "bi", "deberta"])
def test_entities(name):
    model = nerfit.Model(GOLDEN / name, precision="f32")
    golden = json.loads((GOLDEN / name / "golden.json").read_text(encoding="utf-8"))["predict"]
    for call in golden["calls"]:
        found = model.predict(
            golden["texts"],
            call["threshold"],
            labels=call["labels"],
            nested=not call.get("flat_ner", True),
            multi_label=call.get("multi_label", False),
        )
        assert [[(e.start, e.end, e.label) for e in entities] for entities in found] == [
            [(start, end, label) for start, end, label, _ in entities]
            for entities in call["entities"]
        ]


def test_calls():
    model = nerfit.Model(GOLDEN / "markerv0")
    with pytest.raises(nerfit.errors.ArgumentError, match="finds labels that are named"):
        model.predict("Alice")
    with pytest.raises(nerfit.errors.ArgumentError, match="2 lists for 1 texts"):
        model.predict(["Alice"], labels=[["person"], ["place"]])
    with pytest.raises(nerfit.errors.ArgumentError, match="no entity type"):
        model.predict("Alice", {"place": 0.3}, labels=["person"])
    entities = model.predict("Alice met Bob", {"person": 0.0}, labels="person")
    assert entities and {e.label for e in entities} == {"person"}
