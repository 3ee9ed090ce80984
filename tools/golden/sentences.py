"""Sentence embeddings from sentence-transformers: of a real encoder, and of tiny random ones for
every pooling mode.

Writes tests/golden/minilm-embeddings.json and tests/golden/sentence-*/: see tests/golden/README.md.
Usage: NERFIT_ENCODER=FOLDER sentences.py OUT_FOLDER (FOLDER: all-MiniLM-L6-v2)
"""
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (Dense, Normalize, Pooling,
                                                                Transformer)
from transformers import BertConfig, BertModel, BertTokenizerFast

from models import randomize

VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__,
            "sentence-transformers": sentence_transformers.__version__}
SENTENCES = [
    "set an alarm for two hours from now",
    "",
    "Pon una alarma a las siete y cuarto, por favor.",
    "¿Qué tiempo hará mañana en Almería?",
    "Der Zug nach Köln fährt um 8:30 Uhr von Gleis 4 ab.",
    "Où puis-je acheter des billets pour l'exposition ?",
    "Сколько стоит билет до Санкт-Петербурга?",
    "明日の午前九時に会議を入れてください。",
    "把客厅的灯关掉",
    "내일 비가 올까요?",
    "ما هو الطقس غدا في القاهرة؟",
    "Πόσο κάνει ο καφές;",
    "Çarşamba günü İstanbul'a uçuyoruz",
    "play 🎵 some jazz 🎷 for me 👩‍👩‍👧‍👦",
    "👍",
    "   spaces \t and\ttabs   everywhere  ",
    "ALL CAPITALS, WITH PUNCTUATION!!! (AND BRACKETS) [LIKE THESE]",
    "Email anna.b@example.org or call +34 600 123 456 before 17:45",
    "3.14159 is close to π; e^{iπ} + 1 = 0",
    "naïve café, cafe\u0301, ﬁne ﬂuﬀ, ①②③",  # composed, decomposed, ligatures
    "zero\u200bwidth and soft\u00adhyphen and nbsp\u00a0here",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "a time of day at which something is to happen",
    " ".join(f"Sentence number {i} of a text that is too long for the encoder." for i in range(40)),
]
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog sat ran on mat road and not un ##s ##ed ##ing"
TINY_SENTENCES = ["the cat sat on the mat", "a dog ran", "", "dogs and cats", "the unseen",
                  "cat. dog! (road)", "the cat sat on the mat and the dog ran on the road " * 3]
OUTPUTS = 12
TINY = {
    "cls": [Dense(16, OUTPUTS, activation_function=torch.nn.Tanh()), Normalize()],
    "mean": [Dense(16, OUTPUTS, activation_function=torch.nn.GELU()), Normalize()],
    "max": [Dense(16, OUTPUTS, bias=False, activation_function=torch.nn.Identity())],
}


def rounded(embeddings):
    return [[float(f"{value:.6g}") for value in row] for row in embeddings.tolist()]


def write(path, sentences, model, **more):
    embeddings = model.encode(sentences, convert_to_numpy=True, **more)
    rows = ",\n".join(json.dumps({"text": text, "embedding": row}, ensure_ascii=False)
                      for text, row in zip(sentences, rounded(embeddings)))
    path.write_text(f'{{"versions": {json.dumps(VERSIONS)},\n"sentences": [\n{rows}\n]}}\n',
                    encoding="utf-8")


def tokenizer():
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = WORDS.split() + letters + ["##" + c for c in letters] + list(".,!?()'-")
    vocabulary = list(dict.fromkeys(words))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n")
        made = BertTokenizerFast.from_pretrained(folder, model_max_length=24)
    return made, vocabulary


def tiny(mode, extra, out, seed):
    shutil.rmtree(out, ignore_errors=True)
    words, vocabulary = tokenizer()
    bert = BertModel(BertConfig(vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1,
                                num_attention_heads=2, intermediate_size=24,
                                max_position_embeddings=32))
    randomize(bert, seed)
    with tempfile.TemporaryDirectory() as folder:
        bert.save_pretrained(folder)
        words.save_pretrained(folder)
        modules = [Transformer(folder, max_seq_length=24), Pooling(16, mode), *extra]
    for module in extra:
        randomize(module, seed + 10)
    model = SentenceTransformer(modules=modules, device="cpu")
    model.save(str(out), create_model_card=False)
    (out / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    # what another process loads
    write(out / "embeddings.json", TINY_SENTENCES, SentenceTransformer(str(out), device="cpu"))


def main(out):
    encoder = SentenceTransformer(os.environ["NERFIT_ENCODER"], device="cpu")
    write(out / "minilm-embeddings.json", SENTENCES, encoder, normalize_embeddings=True)
    for seed, (mode, extra) in enumerate(TINY.items()):
        tiny(mode, extra, out / f"sentence-{mode}", seed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    print(json.dumps(VERSIONS))
