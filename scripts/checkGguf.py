"""Reads an export of the format `gguf` with the package gguf, and compares its weights with those of the model and with its certificate.

python3 -m venv V && V/bin/pip install gguf
V/bin/python scripts/checkGguf.py EXPORT MODEL

MODEL is the same run exported with `--format fake-quant --dtype f32`, in the hub's original layout. Exit 1 where a tensor is missing or too
many, or where the largest difference or relative error is not the certificate's. Version 0.19 of the package does not know Q2_0.
"""
import json
import re
import sys

import gguf
import numpy as np

export, model = sys.argv[1:]
renamed = [
    ("language_model.model.embed_tokens.", "token_embd."),
    ("language_model.lm_head.", "output."),
    ("language_model.model.norm.", "output_norm."),
    ("language_model.model.layers.", "blk."),
    ("input_layernorm.", "attn_norm."),
    (r"self_attn\.([qkv])_proj\.", r"attn_\1."),
    (r"self_attn\.([qk])_norm\.", r"attn_\1_norm."),
    ("self_attn.o_proj.", "attn_output."),
    ("post_attention_layernorm.", "ffn_norm."),
    (r"mlp\.(gate|up|down)_proj\.", r"ffn_\1."),
    ("vision_model.embeddings.class_embedding", "v.class_embd"),
    ("vision_model.embeddings.position_embedding", "v.position_embd.weight"),
    ("vision_model.embeddings.patch_embedding.", "v.patch_embd."),
    ("vision_model.encoder.layers.", "v.blk."),
    ("attn.proj.", "attn_out."),
    ("mlp.fc1.", "ffn_up."),
    ("mlp.fc2.", "ffn_down."),
    (r"norm([12])\.", r"ln\1."),
    (r"\.ls([12])$", r".ls\1.weight"),
    (r"^mlp1\.", "mm.model.mlp."),
]


def tensors_of(file):
    """The tensors of a safetensors file in f32."""
    with open(file, "rb") as source:
        header = json.loads(source.read(int.from_bytes(source.read(8), "little")))
        data = source.read()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        raw = data[slice(*entry["data_offsets"])]
        if entry["dtype"] == "BF16":
            numbers = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = np.frombuffer(raw, {"F32": np.float32, "F16": np.float16}[entry["dtype"]]).astype(np.float32)
        yield name, numbers.reshape(entry["shape"])


def expected_tensors():
    """Names and numbers that the export should have, but for the rounding of its types."""
    for name, numbers in tensors_of(f"{model}/model.safetensors"):
        for old, new in renamed:
            name = re.sub(old if "\\" in old or "^" in old else re.escape(old), new, name)
        if "attn.qkv." in name:
            for part, rows in zip("qkv", np.split(numbers, 3)):
                yield name.replace("attn.qkv.", f"attn_{part}."), rows
        else:
            yield name, numbers


readers = [gguf.GGUFReader(f"{export}/{name}.gguf") for name in ("model", "mmproj")]
found = {tensor.name: tensor for reader in readers for tensor in reader.tensors}
largest, relative, wrong, types = 0.0, 0.0, [], {}
for name, numbers in expected_tensors():
    if name not in found:
        wrong.append(name)
        continue
    tensor = found.pop(name)
    types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + 1
    written = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(-1)
    if name == "v.position_embd.weight" and "unrolled" not in export:
        numbers = np.roll(numbers.reshape(-1, numbers.shape[-1]), -1, 0)
    numbers = numbers.reshape(-1)
    error = np.abs(written - numbers)
    largest = max(largest, float(error.max()))
    if error.any():
        norms = [np.linalg.norm(values.astype(np.float64)) for values in (written - numbers, numbers)]
        relative = max(relative, norms[0] / norms[1])

certificate = json.load(open(f"{export}/quantization.json"))
same = np.isclose([largest, relative], [certificate["maxAbsErr"], certificate["relErr"]], rtol=1e-5, atol=0).all()
print("types:", ", ".join(f"{count} {name}" for name, count in sorted(types.items())))
print("missing or too many:", ", ".join([*wrong, *found]) or "none")
print(f"largest difference {largest:.3e}, relative error {relative:.3e};", "as certified" if same else "NOT as certified")
sys.exit(bool(wrong or found or not same))
