"""Files of torch.save, each with the same tensors in a safetensors file beside it, and broken ones.

Writes tests/golden/torch/ and tests/invalid/torch/, and tests/golden/bert/adapter-bin/ of
adapter-lora. Usage: torch_files.py TESTS_FOLDER
"""
import collections
import io
import json
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def state():
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(6, 4, generator=generator)
    return collections.OrderedDict(
        weight=base.clone(), bias=torch.randn(3, generator=generator), tied=base,
        half=torch.randn(2, 5, generator=generator).half(),
        bf16=torch.randn(5, generator=generator).bfloat16(),
        double=torch.randn(2, 2, 2, generator=generator).double(),
        long=torch.arange(4), bool=torch.tensor([True, False, True]),
        int8=torch.tensor([-3, 5], dtype=torch.int8), scalar=torch.tensor(2.5), empty=torch.zeros(0, 3))


def expected(path, tensors):
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, path,
              metadata={"torch": torch.__version__})


def golden(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    plain = state()
    torch.save(plain, out / "plain.bin")
    torch.save(plain, out / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(dict(plain), out / "protocol4.bin", pickle_protocol=4)
    for name in ("plain", "legacy", "protocol4"):
        expected(out / f"{name}.safetensors", plain)
    # one storage under several tensors: tied, turned, cut, widened
    strided = collections.OrderedDict(whole=plain["tied"], turned=plain["tied"].t(),
                                      columns=plain["tied"][:, 1:3], rows=plain["tied"][2:5],
                                      every_other=plain["tied"][::2, ::2],
                                      widened=plain["bias"][:, None].expand(3, 2))
    for name, new in (("strided", True), ("strided-legacy", False)):
        torch.save(strided, out / f"{name}.bin", _use_new_zipfile_serialization=new)
        expected(out / f"{name}.safetensors", strided)
    module = torch.nn.Linear(3, 2)
    torch.manual_seed(1)
    torch.nn.init.normal_(module.weight)
    torch.nn.init.normal_(module.bias)
    parameters = {"weight": module.weight, "bias": module.bias}
    torch.save(parameters, out / "parameters.bin")
    torch.save(module.state_dict(), out / "module.bin")  # with _metadata
    torch.save({"epoch": 3, "lr": 1e-3, "state_dict": module.state_dict(), "args": None},
               out / "nested.bin")
    torch.save({f"_orig_mod.{k}": v for k, v in module.state_dict().items()}, out / "compiled.bin")
    torch.save({f"module.{k}": v for k, v in module.state_dict().items()}, out / "parallel.bin")
    for name in ("parameters", "module", "nested", "compiled", "parallel"):
        expected(out / f"{name}.safetensors", module.state_dict())
    # a folder as transformers divided large models
    folder = out / "sharded"
    folder.mkdir()
    names = list(plain)
    parts = {"pytorch_model-00001-of-00002.bin": names[:4], "pytorch_model-00002-of-00002.bin": names[4:]}
    for file, part in parts.items():
        torch.save({name: plain[name] for name in part}, folder / file)
    index = {"metadata": {"total_size": 0},
             "weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    expected(out / "sharded.safetensors", plain)


class Evil:
    def __reduce__(self):
        return os.system, ("echo run",)


def repack(data, change):
    """The archive of torch.save with its parts changed: change(name, bytes) -> bytes or None."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = change(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
    return out.getvalue()


def invalid(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(6.0).reshape(2, 3)}, buffer)
    good = buffer.getvalue()

    def pickled(replace, by):
        return repack(good, lambda name, data: data.replace(replace, by) if name.endswith("data.pkl")
                      else data)

    evil = io.BytesIO()
    torch.save({"a": torch.zeros(1), "b": Evil()}, evil)
    whole = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), whole)
    deflated = io.BytesIO()
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2) * 20)
    nothing = io.BytesIO()
    torch.save({"a": 1}, nothing)
    files = {
        "evil": evil.getvalue(),
        "module": whole.getvalue(),
        "deflated": deflated.getvalue(),
        "no-tensors": nothing.getvalue(),
        "plain-pickle": pickle.dumps({"a": [1, 2]}, 2),
        "cut": good[:-30],
        "no-pickle": repack(good, lambda name, data: None if name.endswith("data.pkl") else data),
        "no-storage": repack(good, lambda name, data: None if name.endswith("data/0") else data),
        "short-storage": repack(good, lambda name, data: data[:20] if name.endswith("data/0") else data),
        "big-endian": repack(good, lambda name, data: b"big" if name.endswith("byteorder") else data),
        "past-storage": pickled(b"K\x02K\x03\x86", b"K\x03K\x03\x86"),
        "past-offset": pickled(b"K\x00K\x02K\x03", b"K\x05K\x02K\x03"),
        "unknown-opcode": pickled(b"\x86", b"\x81"),
        "cut-pickle": repack(good, lambda name, data: data[:30] if name.endswith("data.pkl") else data),
        "tar": b"sys_info".ljust(257, b"\0") + b"ustar".ljust(800, b"\0"),
    }
    for name, content in files.items():
        (out / f"{name}.bin").write_bytes(content)


def adapter(bert):
    folder = bert / "adapter-bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(bert / "adapter-lora" / "adapter_config.json", folder)
    torch.save(load_file(bert / "adapter-lora" / "adapter_model.safetensors"),
               folder / "adapter_model.bin")


if __name__ == "__main__":
    tests = Path(sys.argv[1])
    golden(tests / "golden" / "torch")
    invalid(tests / "invalid" / "torch")
    adapter(tests / "golden" / "bert")
    print(torch.__version__)
