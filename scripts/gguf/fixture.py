"""Writes what the package gguf makes of blocks and of a small file, for the tests of packages/exports.

python3 -m venv V && V/bin/pip install gguf
V/bin/python scripts/gguf/fixture.py packages/exports/test/fixtures/gguf-0.19.json
"""
import base64
import json
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

random = np.random.default_rng(1)


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def dequantized(blocks, kind):
    return gguf.quants.dequantize(blocks.reshape(1, -1), kind).astype(np.float32)


def random_blocks(kind, size, halves):
    """Two blocks of random bytes, with scales of a sensible size at these places."""
    blocks = random.integers(0, 256, (2, size), dtype=np.uint8)
    for at in halves:
        scales = (random.standard_normal(2) * 0.05).astype(np.float16)
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(2, 2)
    return {"bytes": encoded(blocks), "weights": encoded(dequantized(blocks, kind))}


def rounded(source):
    blocks = gguf.quants.quantize(source, Type.Q8_0)
    return {"source": encoded(source), "bytes": encoded(blocks), "weights": encoded(dequantized(blocks, Type.Q8_0))}


def small_file(row):
    with tempfile.NamedTemporaryFile() as target:
        writer = gguf.GGUFWriter(target.name, "test")
        writer.add_uint32("count", 7)
        writer.add_float32("eps", 1e-6)
        writer.add_bool("yes", True)
        writer.add_string("name", "书")
        writer.add_array("texts", ["a", "bc"])
        writer.add_array("kinds", [1, -2])
        writer.add_array("means", [0.5, 0.25])
        writer.add_tensor("a.weight", np.arange(6, dtype=np.float32).reshape(2, 3))
        writer.add_tensor("b.weight", gguf.quants.quantize(row, Type.Q8_0), raw_dtype=Type.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with open(target.name, "rb") as written:
            return base64.b64encode(written.read()).decode()


# A row of blocks: small weights, zeros, and one weight that is much larger than its block.
source = (random.standard_normal((1, 128)) * 0.03).astype(np.float32)
source[0, 32:64] = 0
source[0, 70] = 0.9

fixture = {
    "Q8_0": rounded(source),
    "Q4_0": random_blocks(Type.Q4_0, 18, (0,)),
    "Q4_1": random_blocks(Type.Q4_1, 20, (0, 2)),
    "Q3_K": random_blocks(Type.Q3_K, 110, (108,)),
    "file": small_file(source[:, :32]),
}
with open(sys.argv[1], "w") as target:
    target.write(json.dumps(fixture, indent=2) + "\n")
