"""An adapter's tensors changed: FILE drop NAME | transpose NAME | double NAME."""
import json
import struct
import sys

path, what, name = sys.argv[1:]
data = open(path, "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
header.pop("__metadata__", None)
out, new, at = b"", {}, 0
for key, entry in header.items():
    begin, end = entry["data_offsets"]
    if name in key and what == "drop":
        continue
    if name in key and what == "transpose":
        entry["shape"].reverse()
    if name in key and what == "double":
        entry["shape"][0] //= 2
        entry["shape"].append(2)
    out += body[begin:end]
    new[key] = {**entry, "data_offsets": [at, at + end - begin]}
    at += end - begin
text = json.dumps(new).encode()
open(path, "wb").write(struct.pack("<Q", len(text)) + text + out)
