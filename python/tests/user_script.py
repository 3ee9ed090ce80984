"""What users write, for the type checkers of ./run test --long (mypy, pyright; both strict); never run."""

# pyright: strict

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import nerfit
import nerfit.ray
import nerfit.spark
from nerfit import Entities, Entity, Event, Model, Predictions, Report, Trainer, TrainingArguments


def watch(event: Event) -> bool | None:
    if event.kind == "evaluate":
        print(event.metrics["eval_loss"])
    return event.step < 10_000


def train() -> str:
    args = TrainingArguments(
        model_name="roberta-base",
        train_annotations=["wake me up at [time : nine]"],
        val_annotations="validation.txt",
        ent2emb={"time": "a time of day"},
        output_dir="runs/alarm",
        max_steps=(100, 200),
        learning_rate=1e-4,
        peft_lora=True,
        bf16=True,
        report_to=["tensorboard"],
    )
    trainer = Trainer(args, callbacks=[watch], progress=False)
    result = trainer.train(resume_from_checkpoint=True)
    report: Report | None = result.report
    if report is not None and report.f1 > 0.5:
        print(report, result.options["chosen_by_recipe"])
    found: Entities = trainer.predict("wake me up at nine")
    many: Predictions = trainer.predict(["wake me up at nine"])
    print(found[0].label, many[0][0].score, trainer.evaluate().recall)
    nerfit.pretrain("roberta-base", ["a.txt"], ["a.yaml"], output_dir="out", max_steps=10)
    return result.model_folder


def texts() -> Iterator[str]:
    yield "wake me up at nine"


def tag(folder: str) -> None:
    model: Model = nerfit.load(folder, precision="bf16", threads=2)
    one: Entity = model.predict("wake me up at nine")[0]
    start: int = one.start
    score: float = one.score
    print(start, one.end, one.text, score)
    for entities in model.pipe(texts(), batch_size=8):
        for entity in entities:
            print(entity.label, entity.text)
    model.predict(["a"], threshold={"time": 0.5, None: 0.3})
    model.predict("a", labels={"time": "a time of day"})
    frame = model.predict(["a"]).to_pandas()
    print(frame, model.labels, model.evaluate("test.txt").f1)


async def later(model: Model) -> None:
    print(await model.predict_async("wake me up at nine"))


def data() -> None:
    corpus = nerfit.read("train.jsonl", overlap="longest")
    for finding in corpus.check():
        print(finding.line, finding.message)
    for row in corpus:
        print(row["text"])
    first, second = corpus.split([0.8, 0.2])
    first.write("first.conll")
    print(len(second), second.statistics())


def clusters() -> None:
    tagger = nerfit.spark.tagger("/models/alarm", threads=1)
    print(tagger, nerfit.ray.Tagger("/models/alarm").entities)


if __name__ == "__main__":
    tag(train())
    asyncio.run(later(nerfit.load("runs/alarm/best")))
    data()
    clusters()
