"""Writes what transformers itself saves for a model of nano's shape: config.json, and names and shapes of all tensors.

python3 -m venv V && V/bin/pip install torch transformers
V/bin/python scripts/transformers/layoutFixture.py packages/exports/test/fixtures/transformers-nano.json
"""
import json
import sys
import tempfile

import transformers
from safetensors import safe_open
from transformers import InternVLConfig, InternVLForConditionalGeneration, Qwen2Config
from transformers.models.internvl.configuration_internvl import InternVLVisionConfig

nano = json.load(open("data/nano/model/config.json"))
tokens = json.load(open("data/nano/model/added_tokens.json"))
vision, language = nano["vision_config"], nano["llm_config"]
side = vision["image_size"]
shared = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"]
config = InternVLConfig(
    vision_config=InternVLVisionConfig(
        **{key: vision[key] for key in [*shared, "norm_type", "layer_norm_eps"]},
        image_size=[side, side],
        patch_size=[vision["patch_size"]] * 2,
        attention_bias=True,
    ),
    text_config=Qwen2Config(
        **{key: language[key] for key in [*shared, "num_key_value_heads", "vocab_size", "rope_theta", "rms_norm_eps", "max_position_embeddings"]},
        max_window_layers=language["num_hidden_layers"],
        tie_word_embeddings=False,
        bos_token_id=tokens["<|endoftext|>"],
        pad_token_id=tokens["<|endoftext|>"],
        eos_token_id=tokens["<|im_end|>"],
    ),
    image_token_id=tokens["<IMG_CONTEXT>"],
    image_seq_length=(side // vision["patch_size"] // 2) ** 2,
    tie_word_embeddings=False,
)
with tempfile.TemporaryDirectory() as directory:
    InternVLForConditionalGeneration(config).save_pretrained(directory)
    saved = json.load(open(f"{directory}/config.json"))
    with safe_open(f"{directory}/model.safetensors", "pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in sorted(file.keys())}
fixture = {"transformers": transformers.__version__, "config": saved, "shapes": shapes}
json.dump(fixture, open(sys.argv[1], "w"), indent=1)
