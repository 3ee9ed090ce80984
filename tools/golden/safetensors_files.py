#!/usr/bin/env python3
"""Writes tests/golden/safetensors/: files as the Python package makes them, and what they hold.

Made with safetensors 0.8.0 and torch 2.15.0. `values.json` has every tensor's type, shape and
values (floats as C hexadecimal floats, exactly; f16 and bf16 widened by torch).

    python3 tools/golden/safetensors_files.py [--check FOLDER]

--check reads FOLDER/all.safetensors, written by nerfit (tests/test_safetensors.c leaves it there when
NERFIT_TEST_KEEP names the folder), with the Python package and compares it with the golden file.
"""
import json
import math
import os
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FOLDER = os.path.join(os.path.dirname(__file__), "../../tests/golden/safetensors")
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
         torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
         torch.uint8: "U8", torch.bool: "BOOL"}


def tensors():
    inf, nan = math.inf, math.nan
    # zeros, ones, the largest, the smallest normal and subnormal numbers, values to be rounded
    f16 = [0.0, -0.0, 1.0, -1.0, 65504.0, -65504.0, 2.0**-14, 2.0**-24, 3 * 2.0**-24, 1023 * 2.0**-24,
           0.1, 1 / 3, inf, -inf, nan]
    bf16 = [0.0, -0.0, 1.0, -1.0, 3.3895314e38, 2.0**-126, 2.0**-133, 0.1, 1 / 3, inf, -inf, nan]
    return {
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "f64": torch.tensor([[0.1, -1e308, 5e-324], [inf, nan, 1 / 3]], dtype=torch.float64),
        "f32": torch.tensor([[0.1, -3e38, 1e-45], [inf, nan, 1 / 3]]),
        "f16": torch.tensor(f16, dtype=torch.float16).reshape(3, 5),
        "bf16": torch.tensor(bf16, dtype=torch.bfloat16).reshape(2, 2, 3),
        "i64": torch.tensor([-2**63, 2**63 - 1, 0]),
        "i32": torch.tensor([-2**31, 2**31 - 1], dtype=torch.int32),
        "i16": torch.tensor([-2**15, 2**15 - 1], dtype=torch.int16),
        "i8": torch.tensor([-128, 127, 5], dtype=torch.int8),
        "u8": torch.tensor([0, 255, 7], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "a/naïve \"name\"\n": torch.tensor([1.0, 2.0]),
    }


def describe(tensor):
    floating = tensor.dtype.is_floating_point
    values = (tensor.double() if floating else tensor).flatten().tolist()
    return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
            "values": [v.hex() if floating else int(v) for v in values]}


def write():
    os.makedirs(f"{FOLDER}/sharded", exist_ok=True)
    everything = tensors()
    save_file(everything, f"{FOLDER}/all.safetensors", {"format": "pt"})
    shards = {"model-00001-of-00002.safetensors": {"b.weight": torch.arange(6.0).reshape(2, 3),
                                                   "b.bias": torch.tensor([0.5, -0.5])},
              "model-00002-of-00002.safetensors": {"a.weight": torch.full((4,), 7.0).half()}}
    weight_map, size = {}, 0
    for name, content in shards.items():
        save_file(content, f"{FOLDER}/sharded/{name}", {"format": "pt"})
        weight_map.update({tensor: name for tensor in content})
        size += sum(t.numel() * t.element_size() for t in content.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
    with open(f"{FOLDER}/sharded/model.safetensors.index.json", "w") as file:
        json.dump(index, file, indent=2)
        file.write("\n")
    values = {"all": {k: describe(v) for k, v in everything.items()},
              "sharded": {k: describe(v) for content in shards.values() for k, v in content.items()}}
    with open(f"{FOLDER}/values.json", "w") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def check(folder):
    path = f"{folder}/all.safetensors"
    ours, theirs = load_file(path), load_file(f"{FOLDER}/all.safetensors")
    assert ours.keys() == theirs.keys(), (ours.keys(), theirs.keys())
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype and ours[name].shape == tensor.shape, name
        assert torch.equal(ours[name].contiguous().view(-1).view(torch.uint8),
                           tensor.contiguous().view(-1).view(torch.uint8)), name
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()
    print(f"{path}: {len(ours)} tensors, equal to the golden file")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        write()
