"""From Label Studio to a model, and its proposals back into Label Studio:

    pip install nerfit
    python label_studio.py train export.json all-MiniLM-L6-v2 runs/alarm     # an export as JSON
    python label_studio.py propose runs/alarm/best texts.txt tasks.json      # to be imported

For proposals while people annotate, `nerfit serve` is a backend that Label Studio asks (docs/serve.md).
"""

import json
import sys

import nerfit


def train(export, encoder, output_dir):
    """On the annotated tasks of an export; every fifth text is kept for validation."""
    train, validation = nerfit.read(export, "label-studio").split(["80%", "rest"])
    train.write(f"{output_dir}.train.jsonl")
    validation.write(f"{output_dir}.validation.jsonl")
    args = nerfit.TrainingArguments(
        encoder, f"{output_dir}.train.jsonl", f"{output_dir}.validation.jsonl", output_dir=output_dir
    )
    return nerfit.Trainer(args).train()


def utf16(text, index):
    """A place as JavaScript counts."""
    return index + sum(letter > "\uffff" for letter in text[:index])


def proposal(model, text, entities, from_name="label", to_name="text"):
    """A task with what the model found; from_name and to_name are those of the labelling setup."""
    result = [
        {
            "from_name": from_name,
            "to_name": to_name,
            "type": "labels",
            "score": e.score,
            "value": {
                "start": utf16(text, e.start),
                "end": utf16(text, e.end),
                "text": e.text,
                "labels": [e.label],
            },
        }
        for e in entities
    ]
    score = min((e.score for e in entities), default=1.0)  # least sure first: order tasks by it
    prediction = {"model_version": model.folder, "score": score, "result": result}
    return {"data": {"text": text}, "predictions": [prediction]}


def propose(folder, texts, path):
    model = nerfit.load(folder)
    with open(texts, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    tasks = [proposal(model, t, found) for t, found in zip(lines, model.pipe(lines))]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tasks, file, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    {"train": train, "propose": propose}[sys.argv[1]](*sys.argv[2:])
