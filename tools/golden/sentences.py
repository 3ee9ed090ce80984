"""Sentence embeddings from sentence-transformers: of a real encoder, and of tiny random ones for
every pooling mode.

Writes tests/golden/minilm-embeddings.json and tests/golden/sentence-*/: see tests/golden/README.md.
Usage: NERFIT_ENCODER=FOLDER sentences.py OUT_FOLDER [NAME...] (FOLDER: all-MiniLM-L6-v2; NAME: cls,
mean, ..., minilm)
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
from transformers import (AlbertConfig, AlbertModel, BertConfig, BertModel, BertTokenizerFast,
                          DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel,
                          XLMRobertaConfig, XLMRobertaModel)

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
# padding has the id 1, as XLM-RoBERTa wants it
PADDED_WORDS = WORDS.replace("[PAD] [UNK]", "[UNK] [PAD]")
TINY = {
    "cls": [Dense(16, OUTPUTS, activation_function=torch.nn.Tanh()), Normalize()],
    "mean": [Dense(16, OUTPUTS, activation_function=torch.nn.GELU()), Normalize()],
    "max": [Dense(16, OUTPUTS, bias=False, activation_function=torch.nn.Identity())],
}
SMALL = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24)
CASED = ["The CAT sat", "a Dog RAN", "Éß İ"]


def legacy_files(out):
    """The files as LaBSE has them, which sentence-transformers 0.4 wrote."""
    write_json(out / "modules.json", [
        {"idx": i, "name": str(i), "path": "" if i == 0 else f"{i}_{kind}",
         "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(["Transformer", "Pooling", "Dense", "Normalize"])])
    write_json(out / "1_Pooling/config.json", {
        "word_embedding_dimension": 16, "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False})
    write_json(out / "2_Dense/config.json", {
        "in_features": 16, "out_features": 16, "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh"})
    write_json(out / "sentence_bert_config.json", {"max_seq_length": 20, "do_lower_case": False})
    (out / "config_sentence_transformers.json").unlink()


def set_lower_case(out):
    path = out / "sentence_bert_config.json"
    write_json(path, {**json.loads(path.read_text()), "do_lower_case": True})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


# Other architectures and settings; what is not given is as in TINY.
MORE = {
    "labse": dict(mode="cls", modules=[Dense(16, 16), Normalize()], change=legacy_files),
    "distilbert": dict(mode="mean", model=lambda n: DistilBertModel(DistilBertConfig(
        vocab_size=n, dim=16, n_layers=1, n_heads=2, hidden_dim=24, max_position_embeddings=32)),
        modules=[Dense(16, OUTPUTS, activation_function=torch.nn.ReLU(), use_residual=True),
                 Dense(OUTPUTS, OUTPUTS, activation_function=torch.nn.SiLU(), use_residual=True)]),
    "xlm-roberta": dict(mode="mean_sqrt_len_tokens", words=PADDED_WORDS,
                        model=lambda n: XLMRobertaModel(XLMRobertaConfig(
                            vocab_size=n, **SMALL, max_position_embeddings=34, pad_token_id=1,
                            type_vocab_size=1))),
    "albert": dict(mode=["max", "cls", "lasttoken", "weightedmean"],
                   model=lambda n: AlbertModel(AlbertConfig(
                       vocab_size=n, **{**SMALL, "num_hidden_layers": 2}, embedding_size=8,
                       max_position_embeddings=32)),
                   modules=[Normalize(), Dense(64, OUTPUTS)]),
    "prompt": dict(mode=["mean", "cls", "weightedmean", "max"], include_prompt=False,
                   prompts={"query": "not the road ", "passage": "x"}, prompt="query"),
    "cased": dict(mode="mean", lower=False, change=set_lower_case, sentences=CASED),
    "mpnet": dict(mode="mean", words=PADDED_WORDS, modules=[Normalize()],
                  model=lambda n: MPNetModel(MPNetConfig(
                      vocab_size=n, **SMALL, max_position_embeddings=34, pad_token_id=1))),
}


def rounded(embeddings):
    return [[float(f"{value:.6g}") for value in row] for row in embeddings.tolist()]


def write(path, sentences, model, **more):
    embeddings = model.encode(sentences, convert_to_numpy=True, **more)
    rows = ",\n".join(json.dumps({"text": text, "embedding": row}, ensure_ascii=False)
                      for text, row in zip(sentences, rounded(embeddings)))
    path.write_text(f'{{"versions": {json.dumps(VERSIONS)},\n"sentences": [\n{rows}\n]}}\n',
                    encoding="utf-8")


def tokenizer(words=WORDS, lower=True):
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = words.split() + letters + ["##" + c for c in letters] + list(".,!?()'-")
    vocabulary = list(dict.fromkeys(words))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(vocabulary) + "\n")
        made = BertTokenizerFast.from_pretrained(folder, model_max_length=24, do_lower_case=lower)
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


def default_model(n):
    return BertModel(BertConfig(vocab_size=n, **SMALL, max_position_embeddings=32))


def more(out, seed, mode, words=WORDS, lower=True, model=default_model, modules=(), change=None,
         include_prompt=True, prompts=None, prompt=None, sentences=()):
    shutil.rmtree(out, ignore_errors=True)
    tokens, vocabulary = tokenizer(words, lower)
    encoder = model(len(vocabulary))
    for seeded in (encoder, *modules):
        randomize(seeded, seed)
    with tempfile.TemporaryDirectory() as folder:
        encoder.save_pretrained(folder)
        tokens.save_pretrained(folder)
        chain = [Transformer(folder), Pooling(16, mode, include_prompt=include_prompt), *modules]
    SentenceTransformer(modules=chain, device="cpu", prompts=prompts, default_prompt_name=prompt) \
        .save(str(out), create_model_card=False)
    if change:
        change(out)
    (out / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    write(out / "embeddings.json", [*TINY_SENTENCES, *sentences],
          SentenceTransformer(str(out), device="cpu"))


def main(out, names):
    if not names or "minilm" in names:
        encoder = SentenceTransformer(os.environ["NERFIT_ENCODER"], device="cpu")
        write(out / "minilm-embeddings.json", SENTENCES, encoder, normalize_embeddings=True)
    for seed, (mode, extra) in enumerate(TINY.items()):
        if not names or mode in names:
            tiny(mode, extra, out / f"sentence-{mode}", seed)
    for seed, (name, options) in enumerate(MORE.items(), 20):
        if not names or name in names:
            more(out / f"sentence-{name}", seed, **options)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
    print(json.dumps(VERSIONS))
