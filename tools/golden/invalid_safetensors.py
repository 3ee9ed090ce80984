#!/usr/bin/env python3
"""Writes tests/invalid/safetensors/: broken files, and beside each the exact error expected.

The table below is the source of both. Where the package `safetensors` (0.8.0) is installed, it is
asked too: it must refuse what we refuse, save for the cases named in WE_ARE_STRICTER.

    python3 tools/golden/invalid_safetensors.py
"""
import json
import os
import struct

ROOT = os.path.join(os.path.dirname(__file__), "../..")
FOLDER = "tests/invalid/safetensors"
WE_ARE_STRICTER = {
    "header-leading-space",  # the format's description forbids it
    "json-nul-in-name",  # no C string could hold the name
    "nine-dimensions",  # we hold up to 8
    "dtype-f8", "dtype-u32",  # theirs, but nothing we could compute with
}


def file(header, data=b""):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def without(key):
    return {k: v for k, v in tensor().items() if k != key}


EIGHT = bytes(range(8))

FILES = {
    # the frame
    "empty": (b"", "is not a safetensors file: it has only 0 bytes"),
    "seven-bytes": (b"\x02\0\0\0\0\0\0", "is not a safetensors file: it has only 7 bytes"),
    "header-2-63": (struct.pack("<Q", 1 << 63) + b"{}",
                    "is not a safetensors file: its header would take 9223372036854775808 bytes "
                    "(at most 100000000)"),
    "header-over-limit": (struct.pack("<Q", 100000001) + b"{}",
                          "is not a safetensors file: its header would take 100000001 bytes "
                          "(at most 100000000)"),
    "header-past-end": (struct.pack("<Q", 3) + b"{}",
                        "is cut off or no safetensors file: its header should take 3 bytes, 2 are left"),
    "header-size-0": (struct.pack("<Q", 0) + b"{}",
                      "is not a safetensors file: its header does not begin with '{'"),
    "header-array": (file(b"[]"), "is not a safetensors file: its header does not begin with '{'"),
    "header-leading-space": (file(b" {}"),
                             "is not a safetensors file: its header does not begin with '{'"),
    # the header's JSON
    "json-cut-off": (file(b'{"a":'), ":1:5: is not valid JSON: unexpected token near end of file"),
    "json-after-the-end": (file(b"{}}"), ":1:3: is not valid JSON: end of file expected near '}'"),
    "json-not-utf8": (file(b'{"\xff":{}}'),
                      ":1:2: is not valid JSON: unable to decode byte 0xff near '\"'"),
    "json-nul-in-name": (file({"a\0": tensor()}, EIGHT),
                         ":1:10: is not valid JSON: NUL byte in object key not supported near "
                         "'\"a\\u0000\"'"),
    "json-too-deep": (file(b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"),
                      ":1:2053: is not valid JSON: maximum parsing depth reached near '['"),
    "json-huge-number": (file(b'{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}}'),
                         ": tensor \"a\": a dimension is not a whole number"),
    "name-twice": (file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"xy"),
                   ":1:56: is not valid JSON: duplicate object key near '\"a\"'"),
    "metadata-array": (file({"__metadata__": []}), '"__metadata__" should map texts to texts'),
    "metadata-number": (file({"__metadata__": {"a": "b", "c": 1}}),
                        '"__metadata__" should map texts to texts'),
    # entries
    "entry-number": (file({"a": 1}), 'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "no-dtype": (file({"a": without("dtype")}, EIGHT),
                 'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "no-shape": (file({"a": without("shape")}, EIGHT),
                 'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "no-offsets": (file({"a": without("data_offsets")}, EIGHT),
                   'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "three-offsets": (file({"a": tensor(offsets=(0, 8, 8))}, EIGHT),
                      'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "dtype-number": (file({"a": tensor(dtype=32)}, EIGHT),
                     'tensor "a": expected "dtype", "shape" and two "data_offsets"'),
    "dtype-unknown": (file({"a": tensor(dtype="f32")}, EIGHT), 'tensor "a": dtype f32 is not supported'),
    "dtype-f8": (file({"a": tensor(dtype="F8_E4M3", shape=(8,))}, EIGHT),
                 'tensor "a": dtype F8_E4M3 is not supported'),
    "dtype-u32": (file({"a": tensor(dtype="U32")}, EIGHT), 'tensor "a": dtype U32 is not supported'),
    "nine-dimensions": (file({"a": tensor(shape=[1] * 8 + [2])}, EIGHT),
                        'tensor "a": has 9 dimensions; at most 8 are supported'),
    "dimension-negative": (file({"a": tensor(shape=(-2,))}, EIGHT),
                           'tensor "a": a dimension is not a whole number'),
    "dimension-fraction": (file({"a": tensor(shape=(2.0,))}, EIGHT),
                           'tensor "a": a dimension is not a whole number'),
    "dimension-text": (file({"a": tensor(shape=("2",))}, EIGHT),
                       'tensor "a": a dimension is not a whole number'),
    "shape-overflow": (file({"a": tensor(shape=(1 << 32, 1 << 32, 2))}, EIGHT),
                       'tensor "a": its shape is too large'),
    # 2^62 elements of 4 bytes are 0 bytes modulo 2^64
    "shape-overflow-in-bytes": (file({"a": tensor(shape=(1 << 31, 1 << 31), offsets=(0, 0))}),
                                'tensor "a": its shape is too large'),
    # offsets
    "offsets-reversed": (file({"a": tensor(offsets=(8, 0))}, EIGHT),
                         'tensor "a": its data_offsets are not an ordered pair'),
    "offsets-negative": (file({"a": tensor(offsets=(-8, 0))}, EIGHT),
                         'tensor "a": its data_offsets are not an ordered pair'),
    "offsets-fraction": (file({"a": tensor(offsets=(0.0, 8))}, EIGHT),
                         'tensor "a": its data_offsets are not an ordered pair'),
    "offsets-past-end": (file({"a": tensor()}, EIGHT[:7]),
                         'tensor "a": its data ends at byte 8, the file has 7 bytes of data (cut off?)'),
    "offsets-2-62": (file({"a": tensor(offsets=(1 << 62, (1 << 62) + 8))}, EIGHT),
                     'tensor "a": its data ends at byte 4611686018427387912, the file has 8 bytes of '
                     "data (cut off?)"),
    "too-small-for-shape": (file({"a": tensor(shape=(3,))}, EIGHT),
                            'tensor "a": its data_offsets span 8 bytes, its F32 and shape need 12'),
    "too-large-for-shape": (file({"a": tensor(dtype="BF16")}, EIGHT),
                            'tensor "a": its data_offsets span 8 bytes, its BF16 and shape need 4'),
    "empty-for-shape": (file({"a": tensor(shape=(), offsets=(0, 0))}),
                        'tensor "a": its data_offsets span 0 bytes, its F32 and shape need 4'),
    "hole-at-start": (file({"a": tensor(shape=(1,), offsets=(4, 8))}, EIGHT),
                      'tensor "a": 4 bytes before its data belong to no tensor'),
    "hole-in-the-middle": (file({"b": tensor(shape=(1,), offsets=(5, 9)),
                                 "a": tensor(shape=(1,), offsets=(0, 4))}, EIGHT + b"x"),
                           'tensor "b": 1 bytes before its data belong to no tensor'),
    "overlap": (file({"a": tensor(dtype="U8", shape=(5,), offsets=(0, 5)),
                      "b": tensor(dtype="U8", shape=(4,), offsets=(4, 8))}, EIGHT),
                'tensor "b": its data overlaps with another tensor\'s'),
    "same-data": (file({"a": tensor(), "b": tensor()}, EIGHT),
                  'tensor "b": its data overlaps with another tensor\'s'),
    "bytes-left-over": (file({"a": tensor()}, EIGHT + b"xy"), "2 bytes at its end belong to no tensor"),
    "data-without-tensors": (file({}, EIGHT), "8 bytes at its end belong to no tensor"),
}

# The parts that the indexes below name; valid files.
SHARDS = {"part-1.safetensors": file({"a": tensor()}, EIGHT),
          "part-2.safetensors": file({"b": tensor()}, EIGHT),
          "part-1-again.safetensors": file({"a": tensor()}, EIGHT)}

INDEXES = {
    "not-json": ("weights", ":1:7: is not valid JSON: invalid token near 'weights'"),
    "no-map": ("{}", ': has no object "weight_map"'),
    "array": ("[]", ': has no object "weight_map"'),
    "map-array": ('{"weight_map": []}', ': has no object "weight_map"'),
    "map-number": ('{"weight_map": {"a": 1}}',
                   ': "weight_map": "a" should have the name of a file'),
    "map-empty-name": ('{"weight_map": {"a": ""}}',
                       ': "weight_map": "a" should have the name of a file'),
    "map-outside": ('{"weight_map": {"a": "../part-1.safetensors"}}',
                    ': "weight_map": "a" should have the name of a file'),
    "tensor-missing": ('{"weight_map": {"a": "part-1.safetensors", "c": "part-2.safetensors"}}',
                       ': "weight_map": tensor "c" is not in part-2.safetensors'),
    "tensor-elsewhere": ('{"weight_map": {"b": "part-1.safetensors", "a": "part-2.safetensors"}}',
                         ': "weight_map": tensor "b" is not in part-1.safetensors'),
}
# Errors that lie in another file than the index.
ELSEWHERE = {
    "shard-missing": ('{"weight_map": {"a": "part-9.safetensors"}}',
                      "part-9.safetensors: cannot be opened: No such file or directory"),
    "shard-broken": ('{"weight_map": {"a": "overlap.safetensors"}}',
                     'overlap.safetensors: tensor "b": its data overlaps with another tensor\'s'),
    "tensor-in-two-shards": ('{"weight_map": {"a": "part-1.safetensors", '
                             '"b": "part-2.safetensors", "x": "part-1-again.safetensors"}}',
                             'part-1.safetensors: tensor "a": is there twice'),
}


def write(name, content):
    with open(os.path.join(ROOT, FOLDER, name), "wb") as out:
        out.write(content if isinstance(content, bytes) else content.encode())


def ask_the_package():
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        print("safetensors is not installed: its verdicts are not compared")
        return
    differing = set()
    for case in FILES:
        path = os.path.join(ROOT, FOLDER, f"{case}.safetensors")
        try:
            with safe_open(path, "np"):
                differing.add(case)
        except SafetensorError:
            continue
    assert differing == WE_ARE_STRICTER, differing ^ WE_ARE_STRICTER


def main():
    os.makedirs(os.path.join(ROOT, FOLDER), exist_ok=True)
    for case, (content, error) in FILES.items():
        write(f"{case}.safetensors", content)
        separator = "" if error.startswith(":") else ": "
        write(f"{case}.error", f"{FOLDER}/{case}.safetensors{separator}{error}\n")
    for name, content in SHARDS.items():
        write(name, content)
    for case, (content, error) in INDEXES.items():
        write(f"{case}.index.json", content)
        write(f"{case}.error", f"{FOLDER}/{case}.index.json{error}\n")
    for case, (content, error) in ELSEWHERE.items():
        write(f"{case}.index.json", content)
        write(f"{case}.error", f"{FOLDER}/{error}\n")
    ask_the_package()


if __name__ == "__main__":
    main()
