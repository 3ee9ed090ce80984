"""Plays safetensors.torch where torch is not installed: as much of it as the README's program uses.
Its tensors have what torch's have and nerfit needs: a shape and tolist."""

import json
import struct


class Tensor:
    def __init__(self, values, shape):
        self._values, self.shape = values, shape

    def tolist(self):
        return list(self._values)


class safe_open:
    def __init__(self, path, framework, device="cpu"):
        assert framework == "pt"
        with open(path, "rb") as file:
            data = file.read()
        (size,) = struct.unpack_from("<Q", data)
        self._header = json.loads(data[8 : 8 + size])
        self._header.pop("__metadata__", None)
        self._data = data[8 + size :]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def keys(self):
        return list(self._header)

    def get_tensor(self, name):
        entry = self._header[name]
        assert entry["dtype"] == "F32" and len(entry["shape"]) == 1
        start, end = entry["data_offsets"]
        values = struct.unpack(f"<{(end - start) // 4}f", self._data[start:end])
        return Tensor(values, tuple(entry["shape"]))
