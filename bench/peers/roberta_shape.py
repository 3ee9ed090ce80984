"""Makes an encoder folder of roberta-base's shape with random weights, and roberta-base's tokenizer.

    roberta_shape.py FOLDER TOKENIZER_FOLDER
"""
import os
import shutil
import sys

import torch
from transformers import RobertaConfig, RobertaModel

folder, tokenizer = sys.argv[1:]
torch.manual_seed(1)
RobertaModel(RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1,
                           layer_norm_eps=1e-5)).save_pretrained(folder)
for name in ("tokenizer.json", "tokenizer_config.json"):
    shutil.copyfile(os.path.join(tokenizer, name), os.path.join(folder, name))
