"""Tiny random models with their hidden states and logits, from transformers.

Writes tests/golden/{bert,roberta,distilbert,...}/: see tests/golden/README.md.
Usage: models.py OUT_FOLDER [MODEL...]
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import (AlbertConfig, AlbertForTokenClassification, AlbertModel, BertConfig,
                          BertForTokenClassification, BertModel, CamembertConfig,
                          CamembertForTokenClassification, CamembertModel, DistilBertConfig,
                          DebertaV2Config, DebertaV2ForTokenClassification, DebertaV2Model,
                          DistilBertForTokenClassification, DistilBertModel, ElectraConfig,
                          ElectraForTokenClassification, ElectraModel, EuroBertConfig,
                          EuroBertForTokenClassification, EuroBertModel, ModernBertConfig,
                          ModernBertForTokenClassification, ModernBertModel, MPNetConfig,
                          MPNetForTokenClassification, MPNetModel, RobertaConfig,
                          RobertaForTokenClassification, RobertaModel, XLMRobertaConfig,
                          XLMRobertaForTokenClassification, XLMRobertaModel)

LENGTHS = [3, 30, 11, 7, 18]
LABELS = ["O", "B-a", "I-a", "B-b", "I-b", "B-c", "I-c"]
SIZES = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
             intermediate_size=48, attention_probs_dropout_prob=0.0, hidden_dropout_prob=0.0)
# smaller ones for those that share their blocks with the first two
SMALL = dict(SIZES, hidden_size=16, num_attention_heads=2, intermediate_size=24)
PAST_PADDING = dict(max_position_embeddings=42, type_vocab_size=1, pad_token_id=1, bos_token_id=0,
                    eos_token_id=2, layer_norm_eps=1e-5)
DEBERTA = dict(SMALL, max_position_embeddings=100, relative_attention=True)
MODERN = dict(vocab_size=100, hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
              intermediate_size=24, max_position_embeddings=100, local_attention=8,
              global_attn_every_n_layers=3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2)
EURO = dict(vocab_size=100, hidden_size=16, num_hidden_layers=3, num_attention_heads=4,
            intermediate_size=24, max_position_embeddings=600, pad_token_id=1, bos_token_id=0,
            eos_token_id=2, mask_token_id=3)
# a further text, longer than what a model's relative positions tell apart, or than its window
LONGER = {"mpnet": 140, "deberta-v3": 90, "deberta-v2": 90, "modernbert": 90, "modernbert-bias": 20,
          "eurobert": 530, "eurobert-bias": 40}
VERSIONS = {"torch": torch.__version__, "transformers": transformers.__version__}
MODELS = {
    "bert": (BertConfig(**SIZES, max_position_embeddings=40), BertModel,
             BertForTokenClassification),
    "roberta": (RobertaConfig(**SIZES, **PAST_PADDING), RobertaModel,
                RobertaForTokenClassification),
    "xlm-roberta": (XLMRobertaConfig(**SMALL, **PAST_PADDING), XLMRobertaModel,
                    XLMRobertaForTokenClassification),
    "camembert": (CamembertConfig(**SMALL, **PAST_PADDING), CamembertModel,
                  CamembertForTokenClassification),
    "distilbert": (DistilBertConfig(vocab_size=100, dim=16, n_layers=2, n_heads=2, hidden_dim=24,
                                    dropout=0.0, attention_dropout=0.0,
                                    max_position_embeddings=40),
                   DistilBertModel, DistilBertForTokenClassification),
    "electra": (ElectraConfig(**SMALL, embedding_size=12, max_position_embeddings=40),
                ElectraModel, ElectraForTokenClassification),
    # no projection where the sizes are equal
    "electra-equal": (ElectraConfig(**SMALL, embedding_size=16, max_position_embeddings=40),
                      ElectraModel, ElectraForTokenClassification),
    "albert": (AlbertConfig(**{**SMALL, "num_hidden_layers": 3}, embedding_size=12,
                            max_position_embeddings=40, classifier_dropout_prob=0.0),
               AlbertModel, AlbertForTokenClassification),
    "mpnet": (MPNetConfig(**SMALL, max_position_embeddings=152), MPNetModel,
              MPNetForTokenClassification),
    # as the published v3 models are: buckets, shared projections, a norm over the positions
    "deberta-v3": (DebertaV2Config(**DEBERTA, pos_att_type=["p2c", "c2p"], position_buckets=16,
                                   max_relative_positions=64, share_att_key=True,
                                   norm_rel_ebd="layer_norm", position_biased_input=False,
                                   type_vocab_size=0),
                   DebertaV2Model, DebertaV2ForTokenClassification),
    # and all of that otherwise
    "deberta-v2": (DebertaV2Config(**DEBERTA, pos_att_type="c2p|p2c", max_relative_positions=12,
                                   position_biased_input=True, type_vocab_size=2),
                   DebertaV2Model, DebertaV2ForTokenClassification),
    "modernbert": (ModernBertConfig(**MODERN), ModernBertModel, ModernBertForTokenClassification),
    "modernbert-bias": (ModernBertConfig(**MODERN, norm_bias=True, attention_bias=True,
                                         mlp_bias=True, classifier_bias=True,
                                         global_rope_theta=500.0, local_rope_theta=50.0),
                        ModernBertModel, ModernBertForTokenClassification),
    # two heads of the query for one of key and value, as the larger published ones have three
    "eurobert": (EuroBertConfig(**EURO, num_key_value_heads=2,
                                rope_parameters={"rope_type": "default", "rope_theta": 250000.0}),
                 EuroBertModel, EuroBertForTokenClassification),
    "eurobert-bias": (EuroBertConfig(**EURO, num_key_value_heads=1, attention_bias=True,
                                     mlp_bias=True, hidden_act="gelu", rms_norm_eps=1e-3),
                      EuroBertModel, EuroBertForTokenClassification),
}


def randomize(model, seed):
    """Values large enough that every term matters, biases and norms included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm.weight" in name.lower()
            parameter.copy_(1 + 0.2 * noise if is_norm else 0.2 * noise)


def sequences(seed, name):
    generator = torch.Generator().manual_seed(seed)
    lengths = LENGTHS + [LONGER[name]] * (name in LONGER)
    return [torch.randint(3, SIZES["vocab_size"], (n,), generator=generator) for n in lengths]


def packed(texts):
    ids = torch.cat(texts).to(torch.int32)
    ends = torch.cumsum(torch.tensor([0] + [len(t) for t in texts]), 0)
    return {"ids": ids, "cu_seqlens": ends.to(torch.int32)}


def make(name, out):
    config, base_class, head_class = MODELS[name]
    head_config = type(config)(**{**config.to_dict(), "id2label": dict(enumerate(LABELS)),
                                  "label2id": {label: i for i, label in enumerate(LABELS)}})
    base = base_class(config)
    randomize(base, 1)
    base.eval().save_pretrained(out)
    head = head_class(head_config)
    randomize(head, 2)
    head.eval().save_pretrained(out / "token-classification")
    if name == "bert":
        head.save_pretrained(out / "sharded", max_shard_size="40KB")
        head_class.from_pretrained(out / "token-classification").to(torch.bfloat16) \
            .save_pretrained(out / "bf16")
        head_class.from_pretrained(out / "token-classification").to(torch.float16) \
            .save_pretrained(out / "f16")
    texts = sequences(3, name)
    values = packed(texts)
    with torch.no_grad():
        outputs = [base(t[None], output_hidden_states=True) for t in texts]
        for layer in range(len(outputs[0].hidden_states)):
            values[f"hidden.{layer}"] = torch.cat(
                [o.hidden_states[layer][0] for o in outputs]).contiguous()
        values["logits"] = torch.cat([head(t[None]).logits[0] for t in texts])
        if name == "bert":
            for kind, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
                rounded = head_class.from_pretrained(out / kind).to(torch.float32).eval()
                values[f"logits.{kind}"] = torch.cat([rounded(t[None]).logits[0] for t in texts])
    save_file(values, out / "hidden.safetensors", metadata=VERSIONS)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for model in sys.argv[2:] or MODELS:
        (folder / model).mkdir(parents=True, exist_ok=True)
        make(model, folder / model)
    print(json.dumps(VERSIONS))
