"""A model as ONNX, and its entities from onnxruntime:

    pip install nerfit torch transformers onnx onnxruntime
    python onnx_export.py runs/alarm/best alarm.onnx "wake me at nine"

What goes along is the network: the folder is in transformers' format, and torch exports it. What stays
outside is all that nerfit does around it: the decoder with its learned transitions (nerfit.json), the
calibration of scores and least_probability, windows over long texts, word shapes (a folder with
word_shape.safetensors is refused). So entities are read off each sub-word's best label here, as
`nerfit predict --decoder labels --threshold 0` does; models whose decoder matters find others. A PEFT
adapter is merged by PEFT first; GLiNER's package has an export of its own.
"""

import os
import sys

import nerfit
import numpy


def export(folder, path):
    import torch
    from transformers import AutoModelForTokenClassification

    if os.path.exists(os.path.join(folder, "word_shape.safetensors")):
        raise SystemExit(f"{folder}: was trained with word shapes, which transformers does not know")
    model = AutoModelForTokenClassification.from_pretrained(folder, attn_implementation="eager")
    model = model.eval().float()
    ids = torch.ones(2, 5, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": axes},
        dynamo=False,
    )


class OnnxTagger:
    """Sub-words by nerfit's tokenizer, logits by onnxruntime, entities by the labels' B- and I-."""

    def __init__(self, folder, path):
        import json

        import onnxruntime

        self.tokenizer = nerfit.Tokenizer(folder)
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            names = json.load(file)["id2label"]
        self.labels = [names[str(i)] for i in range(len(names))]

    def tokens(self, text):
        """(start, end, label, probability) of every sub-word of a text."""
        encoded = self.tokenizer.encode(text)
        ids = numpy.array([encoded["ids"]], dtype=numpy.int64)
        (logits,) = self.session.run(
            ["logits"], {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}
        )
        powers = numpy.exp(logits[0] - logits[0].max(-1, keepdims=True))
        chances = powers / powers.sum(-1, keepdims=True)
        return [
            (start, end, self.labels[row.argmax()], float(row.max()))
            for (start, end), row in zip(encoded["offsets"], chances)
            if start < end  # special tokens have no place
        ]

    def predict(self, text):
        """[start, end, label, text] of every entity."""
        found, open_ = [], None
        for start, end, label, _ in self.tokens(text):
            prefix, _, kind = label.partition("-")
            if prefix == "I" and kind == open_:
                found[-1][1] = end
            elif prefix in ("B", "I"):
                found.append([start, end, kind])
            open_ = kind if prefix in ("B", "I") else None
        return [(start, end, kind, text[start:end]) for start, end, kind in found]


if __name__ == "__main__":
    export(sys.argv[1], sys.argv[2])
    tagger = OnnxTagger(sys.argv[1], sys.argv[2])
    for text in sys.argv[3:]:
        print(text, tagger.predict(text))
