"""What the package `gliner` makes of training steps of the tiny models in tests/golden/gliner.

Writes tests/golden/gliner-training.json: losses and gradients in double for several settings of the
loss, and the losses of 20 steps. A gradient is written as its norm and its product with sin(1), sin(2),
... (see tests/golden/README.md). Usage: gliner_training.py GOLDEN_FOLDER [MODEL...]
"""
import json
import os
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import gliner  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from gliner import GLiNER  # noqa: E402

VERSIONS = {"gliner": gliner.__version__, "torch": torch.__version__,
            "transformers": transformers.__version__}
# texts, their labels, and their entities: words from .. to, the last one included
TEXTS = [
    ("Alice Johnson works at Acme-Corp in New York since 2019.",
     ["person", "organization", "city"], [[0, 1, "person"], [4, 4, "organization"], [6, 7, "city"],
                                          [0, 0, "city"]]),
    ("the  quick_brown\tfox's don't --- a-b_c-d!", ["date", "a city, or a town"], []),
    ("Müller met 王小明 in Zürich, naïve café\n(not far).", ["person", "cat", "place of birth"],
     [[0, 0, "person"], [2, 2, "person"], [4, 6, "cat"]]),
]
MODELS = ["markerv0", "marker", "markerv1", "token", "token-spans", "deberta", "deberta-token",
          "deberta-fused", "xlm-roberta", "pool-mean", "pool-max", "pool-last", "bi", "bi-token"]
# means over padding depend on what else is in the batch
ALONE = ["markerv1", "deberta-fused", "pool-last"]
PLAIN = dict(alpha=-1.0, gamma=0.0, prob_margin=0.0, label_smoothing=0.0, reduction="sum")
FOCAL = dict(alpha=0.75, gamma=2.0, prob_margin=0.05, label_smoothing=0.1, reduction="mean")
# of a bi-encoder's spans the package takes the label smoothing for the margin (0.2.29)
FOCAL_BI = dict(FOCAL, prob_margin=0.0, label_smoothing=0.0)


def load(folder, name):
    model = GLiNER.from_pretrained(str(folder / name), local_files_only=True)
    model.model.double()
    model.config.neg_spans_ratio = 0  # of spans that are drawn at random
    return model


def batch_of(model, bi):
    """The three texts as the model's own collator makes them."""
    examples, labels = [], []
    for text, own, entities in TEXTS:
        words = [word for word, _, _ in model.data_processor.words_splitter(text)]
        examples.append({"tokenized_text": words, "ner": [tuple(e) for e in entities]})
        labels.append(own)
    collator = model.data_collator_class(model.config, data_processor=model.data_processor,
                                         prepare_labels=True)
    everything = list(dict.fromkeys(label for own in labels for label in own))
    return examples, ([everything] * len(labels) if bi else labels), collator


def batches(model, name):
    bi = name.startswith("bi")
    examples, labels, collator = batch_of(model, bi)
    if name in ALONE:
        return [collator([e], entity_types=[own])
                for e, own in zip(examples, labels)]
    return [collator(examples, entity_types=labels)]


def loss_of(model, batch, options):
    return model.model(**batch, negatives=1.0, masking="none", **options).loss


def gradients(model):
    out = {}
    for key, parameter in model.model.named_parameters():
        if parameter.grad is None:
            continue
        g = parameter.grad.double().flatten()
        along = torch.sin(torch.arange(1, len(g) + 1, dtype=torch.float64))
        out[key] = [float(g.norm()), float(g @ along)]
    return out


def one_step(model, name, options):
    model.model.train()
    model.model.zero_grad(set_to_none=True)
    losses = []
    for batch in batches(model, name):
        loss = loss_of(model, batch, options)
        loss.backward()
        losses.append(float(loss))
    return {"options": options, "losses": losses, "gradients": gradients(model)}


def steps(model, name, count=20):
    """AdamW in the package's two groups: the encoder's rate and the others'."""
    model.model.train()
    encoder = [p for n, p in model.model.named_parameters() if "bert_layer" in n]
    others = [p for n, p in model.model.named_parameters() if "bert_layer" not in n]
    optimizer = torch.optim.AdamW([{"params": encoder, "lr": 1e-3}, {"params": others, "lr": 3e-3}],
                                  weight_decay=0.0)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = sum(loss_of(model, batch, PLAIN) for batch in batches(model, name))
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


def make(folder, name):
    torch.manual_seed(0)
    model = load(folder, name)
    focal = FOCAL_BI if name == "bi" else FOCAL
    out = {"lessons": [one_step(model, name, options) for options in (PLAIN, focal)]}
    out["steps"] = steps(model, name)
    return out


if __name__ == "__main__":
    where = Path(sys.argv[1])
    chosen = sys.argv[2:] or MODELS
    result = {"versions": VERSIONS,
              "texts": [{"text": t, "labels": own, "entities": e} for t, own, e in TEXTS],
              "models": {name: make(where / "gliner", name) for name in chosen}}
    with open(where / "gliner-training.json", "w", encoding="utf-8") as file:
        json.dump(result, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    print(json.dumps(VERSIONS))
