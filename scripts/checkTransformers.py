"""Loads an export of the format `hf` in transformers and compares it with what this software computes: ids, pixels, logits.

python3 -m venv V && V/bin/pip install torch transformers pillow jinja2
V/bin/python scripts/checkTransformers.py MODEL --image data/nano/images/0007.png [--question TEXT]

Exit 1 where logits of f32 differ by more than 2e-5, pixels by more than 1e-6, or an id differs. The model should be exported with
`--dtype f32`. The processor of InternVL needs torchvision; without it pictures are prepared by its image processor alone, and the text
is filled in here in the same way.
"""
import argparse
import subprocess
import sys
import tempfile

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--image", required=True)
parser.add_argument("--question", default="Describe the image.")
options = parser.parse_args()

with tempfile.TemporaryDirectory() as directory:
    file = f"{directory}/expected.safetensors"
    command = ["node", "--import", "tsx", "-C", "@speedq/source", "scripts/transformers/expected.ts"]
    subprocess.run([*command, options.model, options.image, options.question, file], check=True)
    expected = load_file(file)

model, loading = AutoModelForImageTextToText.from_pretrained(options.model, dtype=torch.float32, output_loading_info=True)
wrong = {key: names for key, names in loading.items() if names}
print("keys that transformers misses, does not expect, or finds in another shape:", wrong or "none")

picture = Image.open(options.image).convert("RGB")
content = [{"type": "image"}, {"type": "text", "text": options.question}]
messages = [{"role": "user", "content": content}]
try:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(options.model)
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    inputs = processor(images=[picture], text=text, return_tensors="pt")
    ids, pixels = inputs["input_ids"][0], inputs["pixel_values"]
    print("prepared by the whole processor")
except (ImportError, TypeError, ValueError) as error:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    print(f"prepared by image processor and tokenizer, as the processor cannot be made: {str(error).strip().splitlines()[0]}")
    pixels = GotOcr2ImageProcessorPil.from_pretrained(options.model)(picture, return_tensors="pt")["pixel_values"]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    mark = tokenizer.context_image_token
    filled = tokenizer.start_image_token + mark * (model.config.image_seq_length * len(pixels)) + tokenizer.end_image_token
    ids = torch.tensor(tokenizer(text.replace(mark, filled))["input_ids"])

with torch.no_grad():
    logits = model(input_ids=ids[None], pixel_values=pixels).logits[0]

same_ids = ids.tolist() == expected["ids"].tolist()
same_shape = pixels.shape == expected["pixels"].shape
pixel_difference = (pixels - expected["pixels"]).abs().max().item() if same_shape else float("inf")
difference = (logits - expected["logits"]).abs().max().item() if same_ids else float("inf")
print(f"ids: {len(ids)}, {'the same' if same_ids else 'different'}")
print(f"pixels: {list(pixels.shape)}, largest difference {pixel_difference:.2e}")
print(f"logits: largest difference {difference:.2e} of numbers up to {expected['logits'].abs().max().item():.1f}")
sys.exit(bool(wrong) or not same_ids or pixel_difference > 1e-6 or difference > 2e-5)
