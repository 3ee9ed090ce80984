"""Tiny random GLiNER models with the logits and entities that the package `gliner` gives for them.

Writes tests/golden/gliner/NAME/: the folder as `save_pretrained` writes it, with the tokenizer's
tokenizer.json and tokenizer_config.json alone, and golden.json (see tests/golden/README.md).
Usage: gliner_models.py OUT_FOLDER [NAME...]
"""
import itertools
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import gliner  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from gliner import GLiNER  # noqa: E402
from gliner.config import GLiNERConfig  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

VERSIONS = {"gliner": gliner.__version__, "torch": torch.__version__,
            "transformers": transformers.__version__}
TEXTS = [
    "Alice Johnson works at Acme-Corp in New York since 2019.",
    "x",
    "the  quick_brown\tfox's don't --- a-b_c-d!",
    "Müller met 王小明 in Zürich, naïve café\n(not far).",
    "In May the ship left, and in June it came to the city where Emil lived with 3 cats",
]
LABELS = ["person", "organization", "place of birth"]
OTHER_LABELS = ["date", "person", "a city, or a town", "person", "cat"]

WORDS = "the in at a and to person place of cat date city New".split()
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEJMNYZ0123456789éïü王小明"
MARKS = ".,!()'-_<>"


def wordpiece():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *MARKS, *WORDS]
    vocabulary += [c for c in LETTERS if c not in vocabulary] + ["##" + c for c in LETTERS]
    vocabulary += ["##er", "##in", "##s"]
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(dict.fromkeys(vocabulary))},
                                           unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]",
                                   pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                                   mask_token="[MASK]", model_max_length=512)


def unigram(cls="[CLS]", sep="[SEP]", unk="[UNK]", pad="[PAD]"):
    pieces = [(pad, 0.0), (cls, 0.0), (sep, 0.0), (unk, 0.0), ("▁", -2.0)]
    pieces += [("▁" + w, -3.0 - i / 7) for i, w in enumerate(WORDS)]
    pieces += [(c, -4.0 - i / 11) for i, c in enumerate(MARKS + LETTERS) if c not in WORDS]
    pieces += [("a", -4.5), ("er", -5.0), ("in", -5.2)]
    tokenizer = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    ids = [tokenizer.token_to_id(t) for t in (cls, sep)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", special_tokens=[(cls, ids[0]), (sep, ids[1])])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unk, pad_token=pad,
                                   cls_token=cls, sep_token=sep, bos_token=cls, eos_token=sep,
                                   model_max_length=512)


SMALL = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
             attention_probs_dropout_prob=0.0, hidden_dropout_prob=0.0,
             max_position_embeddings=160)
BERT = dict(SMALL, model_type="bert", num_hidden_layers=1)
DEBERTA = dict(SMALL, model_type="deberta-v2", relative_attention=True,
               pos_att_type=["p2c", "c2p"], position_buckets=8, max_relative_positions=32,
               share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False,
               type_vocab_size=0, layer_norm_eps=1e-7)
XLM_ROBERTA = dict(SMALL, model_type="xlm-roberta", type_vocab_size=1, pad_token_id=0,
                   bos_token_id=1, eos_token_id=2, layer_norm_eps=1e-5)
MODERN = dict(model_type="modernbert", hidden_size=8, num_hidden_layers=3, num_attention_heads=2,
              intermediate_size=12, max_position_embeddings=200, local_attention=8,
              global_attn_every_n_layers=3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2)
# a label encoder of another size than the text's
LABEL_BERT = dict(BERT, hidden_size=12)

MODELS = {
    # D unequal to H: a projection; equal: none (pool-mean, token-spans)
    "markerv0": (wordpiece, BERT, dict(span_mode="markerV0", hidden_size=6, max_width=4)),
    # its weights hold a fuser, which a uni-encoder's forward does not use
    "marker": (wordpiece, BERT,
               dict(span_mode="marker", hidden_size=6, max_width=4, num_rnn_layers=2,
                    post_fusion_schema="l2l-l2t")),
    "markerv1": (wordpiece, BERT, dict(span_mode="markerV1", hidden_size=6, max_width=3)),
    "token": (wordpiece, BERT, dict(span_mode="token_level", hidden_size=6)),
    "token-spans": (wordpiece, BERT,
                    dict(span_mode="token_level", hidden_size=8, represent_spans=True)),
    "deberta": (unigram, DEBERTA, dict(span_mode="markerV0", hidden_size=6, max_width=4)),
    "deberta-token": (unigram, DEBERTA, dict(span_mode="token_level", hidden_size=8)),
    "deberta-fused": (unigram, dict(DEBERTA, num_hidden_layers=3),
                      dict(span_mode="markerV0", hidden_size=6, max_width=3, fuse_layers=True,
                           num_rnn_layers=0)),
    "xlm-roberta": (lambda: unigram("<s>", "</s>", "<unk>", "<pad>"), XLM_ROBERTA,
                    dict(span_mode="markerV0", hidden_size=6, max_width=3,
                         embed_ent_token=False)),
    "pool-mean": (wordpiece, BERT, dict(span_mode="markerV0", hidden_size=8, max_width=3,
                                        subtoken_pooling="mean")),
    "pool-max": (wordpiece, BERT, dict(span_mode="token_level", hidden_size=6,
                                       subtoken_pooling="max", num_rnn_layers=0)),
    "pool-last": (wordpiece, MODERN, dict(span_mode="markerV0", hidden_size=8, max_width=3,
                                          subtoken_pooling="last", fuse_layers=True)),
    "bi": (wordpiece, MODERN, dict(span_mode="markerV0", hidden_size=10, max_width=3,
                                   labels_encoder="labels", labels_encoder_config=LABEL_BERT)),
    "bi-token": (wordpiece, DEBERTA,
                 dict(span_mode="token_level", hidden_size=6, num_rnn_layers=0,
                      labels_encoder="labels", labels_encoder_config=LABEL_BERT)),
    "precomputed": (wordpiece, BERT, dict(span_mode="markerV0", hidden_size=6, max_width=3)),
    # kinds whose entity part runs
    "relations": (wordpiece, BERT, dict(span_mode="markerV0", hidden_size=6, max_width=3,
                                        relations_layer="dot")),
}


def randomize(model, seed):
    """Values large enough that every term matters, biases and norms included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm.weight" in name.lower()
            parameter.copy_(1 + 0.2 * noise if is_norm else 0.3 * noise)


def build(name):
    make_tokenizer, encoder, head = MODELS[name]
    tokenizer = make_tokenizer()
    fields = dict(model_name="encoder", max_len=384, dropout=0.0, vocab_size=-1,
                  class_token_index=-1, encoder_config=dict(encoder, vocab_size=len(tokenizer)))
    head = dict(head)
    kwargs = {}
    if "labels_encoder_config" in head:
        labels = wordpiece()
        head["labels_encoder_config"] = dict(head["labels_encoder_config"],
                                             vocab_size=len(labels))
        kwargs["labels_tokenizer"] = labels
    cls = GLiNER._get_gliner_class(GLiNERConfig(**fields, **head))
    config = cls.config_class(**fields, **head)
    model = cls(config, tokenizer=tokenizer, backbone_from_pretrained=False, **kwargs)
    cls._set_tokenizer_spec_tokens(tokenizer)
    cls._resize_token_embeddings(model, config, tokenizer, True)
    randomize(model.model, 1 + sorted(MODELS).index(name))
    model.eval()
    return model


def logits(model, text, labels):
    """Of one text: [words, K, C] (spans that end past the text: 0), or [words, C, 3]."""
    prepared = model.prepare_batch([text], labels)
    batch = model.collate_batch(prepared["input_x"], prepared["entity_types"])
    output = model.run_batch(batch)
    values = output.logits[0].clone()
    if model.config.span_mode != "token_level":
        n, k = values.shape[:2]
        for i, j in itertools.product(range(n), range(k)):
            if i + j >= n:
                values[i, j] = 0
    return values, output


def spread_out(model, wanted, read, weight, bias, direction):
    """Brings the logits that `read` finds in an output to mean -0.5 and a standard deviation of
    `wanted`: the last linear layer's `weight`, and its `bias` along `direction`."""
    def values():
        found = [read(logits(model, t, LABELS)) for t in TEXTS]
        return torch.cat([f for f in found if f.numel()])
    with torch.no_grad():
        factor = wanted / values().std()
        weight *= factor
        bias *= factor
        along = direction()
        bias -= (values().mean() + 0.5) * along / (along @ along)


def rescale(model):
    """Makes the logits such that entities depend on the threshold."""
    inner = model.model

    def prompts():
        return logits(model, TEXTS[0], LABELS)[1].prompts_embedding[0].mean(0).clone()

    if hasattr(inner, "scorer"):
        last = inner.scorer.out_mlp[3]
        for part in range(3):
            spread_out(model, 2, lambda found, part=part: found[0][..., part].flatten(),
                       last.weight[part], last.bias[part:part + 1], lambda: torch.ones(1))
        with torch.no_grad():
            last.bias[2] += 1.5  # words inside are more than starts and ends
    if hasattr(inner, "span_rep_layer"):
        last = inner.span_rep_layer.span_rep_layer.out_project
        last = last[3] if isinstance(last, torch.nn.Sequential) else last
        name = "span_logits" if hasattr(inner, "scorer") else "logits"

        def read(found):
            if name == "logits":
                return found[0][found[0] != 0]
            return found[1].span_logits[0, :int(found[1].span_mask.sum())].flatten()
        spread_out(model, 2, read, last.weight, last.bias, prompts)


def thresholds(model):
    """Two in the middle of a gap between probabilities: a low one and a high one."""
    seen = torch.sigmoid(torch.cat([logits(model, t, LABELS)[0].flatten() for t in TEXTS]))
    seen = seen[seen != 0.5].sort().values
    found = []
    for quantile in ((0.35, 0.6) if hasattr(model.model, "scorer") else (0.75, 0.93)):
        at = int(quantile * len(seen))
        gaps = seen[at + 1:at + 12] - seen[at:at + 11]
        best = at + int(gaps.argmax())
        found.append(round(float(seen[best] + seen[best + 1]) / 2, 5))
    return found


def rounded(tensor):
    return [float(f"{v:.6g}") for v in tensor.flatten().tolist()]


def predict(model, texts, labels, **options):
    found = model.inference(texts, labels, batch_size=1, **options)
    if isinstance(found, tuple):
        found = found[0]
    return [[[e["start"], e["end"], e["label"], float(f"{e['score']:.5g}")] for e in entities]
            for entities in found]


def calls(model):
    low, high = thresholds(model)
    cases = [dict(labels=LABELS, threshold=low), dict(labels=LABELS, threshold=high),
             dict(labels=LABELS, threshold=low, flat_ner=False),
             dict(labels=LABELS, threshold=low, multi_label=True),
             dict(labels=LABELS, threshold=low, flat_ner=False, multi_label=True)]
    if not model.config.precomputed_prompts_mode:
        per_text = [LABELS[:1], LABELS, LABELS[1:], OTHER_LABELS[:2], LABELS[::-1]]
        cases += [dict(labels=OTHER_LABELS, threshold=low), dict(labels=per_text, threshold=low)]
    texts = [*TEXTS, "", " \n"]
    result = []
    for case in cases:
        labels = case["labels"]
        given = labels + [LABELS, LABELS] if isinstance(labels[0], list) else labels
        options = {k: v for k, v in case.items() if k != "labels"}
        result.append({**case, "labels": given, "entities": predict(model, texts, given, **options)})
    return {"texts": texts, "calls": result}


def golden(model):
    result = {"versions": VERSIONS, "labels": LABELS, "texts": []}
    for text in TEXTS:
        prepared = model.prepare_batch([text], LABELS)
        batch = model.collate_batch(prepared["input_x"], prepared["entity_types"])
        values, output = logits(model, text, LABELS)
        row = {"text": text, "ids": batch["input_ids"][0].tolist(),
               "words_mask": batch["words_mask"][0].tolist(),
               "words": [[a, b] for a, b in zip(prepared["start_token_map"][0],
                                                prepared["end_token_map"][0])],
               "logits": rounded(values)}
        if getattr(output, "span_logits", None) is not None and hasattr(model.model, "scorer"):
            count = int(output.span_mask.sum())
            row["spans"] = output.span_idx[0, :count].tolist()
            row["span_logits"] = rounded(output.span_logits[0, :count])
        result["texts"].append(row)
    result["predict"] = calls(model)
    return result


# the others are stored as safetensors
STORED_AS_BIN = ["marker", "bi"]


def save(model, out, name):
    """Only what loading needs: no file that says where it was made."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=name not in STORED_AS_BIN)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                to = out / path.relative_to(folder)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)


def make(name, out):
    torch.manual_seed(0)
    model = build(name)
    rescale(model)
    if name == "precomputed":
        model.compress_prompt_embeddings(TEXTS[:2], LABELS)
    save(model, out, name)
    prompts = model.model.precomputed_prompts
    model = GLiNER.from_pretrained(str(out), local_files_only=True)  # what the folder gives
    if prompts is not None:  # which the package (0.2.29) saves and does not load
        model.model.set_precomputed_prompts(LABELS, prompts)
        model.config.id_to_classes = dict(enumerate(LABELS, 1))  # loaded with texts as keys
    with open(out / "golden.json", "w", encoding="utf-8") as file:
        json.dump(golden(model), file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for model_name in sys.argv[2:] or MODELS:
        shutil.rmtree(folder / model_name, ignore_errors=True)
        (folder / model_name).mkdir(parents=True)
        make(model_name, folder / model_name)
    print(json.dumps(VERSIONS))
