"""What PyTorch reaches on the same GPU: products in f32, TF32 and bf16, and steps of stage 3 at InternVL3-1B shapes in f32, TF32 and
under autocast to bf16, as the reference trains. Prints one JSON document a line.
  python3 torchCeilings.py products|steps [--small]
`--small` takes little work, and the processor where there is no GPU: it tries the script, and measures nothing.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

small = "--small" in sys.argv
device = "cpu" if small and not torch.cuda.is_available() else "cuda"
SHAPES = [
    ("cube", 4096, 4096, 4096), ("q_proj", 512, 896, 896), ("k_proj", 512, 896, 128), ("up_proj", 512, 896, 4864),
    ("down_proj", 512, 4864, 896), ("up_proj, 2048 tokens", 2048, 896, 4864), ("fc1 of the tower", 1025, 1024, 4096),
    ("lm_head, 64 answers", 64, 896, 151674)]
HIDDEN, HEADS, KEY_HEADS, INNER, VOCABULARY = 896, 14, 2, 4864, 512 if small else 151674
GROUP, SCALE_GROUP, BITS = 16, 16, 2


def say(part, **row):
    print(json.dumps({"part": f"torch-{part}", "torch": torch.__version__, "device": name(), **row}), flush=True)


def name():
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def wait():
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(work, runs):
    for _ in range(2):
        work()
    wait()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(runs):
            work()
        wait()
        times.append((time.perf_counter() - start) / runs)
    return statistics.median(times)


def products():
    for label, m, k, n in [("cube", 64, 64, 64)] if small else SHAPES:
        for kind, dtype, tf32 in [("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)]:
            torch.backends.cuda.matmul.allow_tf32 = tf32
            a, b = (torch.randn(*shape, device=device, dtype=dtype) for shape in ((m, k), (n, k)))
            took = seconds(lambda: a @ b.T, max(1, min(200, int(5e12 / (2 * m * k * n)))) if not small else 1)
            say("products", name=label, m=m, k=k, n=n, kind=kind, ms=1e3 * took, teraflops=2 * m * k * n / took / 1e12)


class FakeQuant(torch.autograd.Function):
    """Bilevel, as the reference has it: scales of groups are quantized to 4 bits in groups of their own; gradient straight through."""

    @staticmethod
    def forward(ctx, weight):
        rows = weight.reshape(-1, GROUP)
        low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        scale = (high - low).clamp_min(1e-8) / (2**BITS - 1)
        zero = torch.round(-low / scale).clamp(0, 15)
        scales = scale.reshape(-1, SCALE_GROUP)
        least = scales.amin(1, keepdim=True)
        step = (scales.amax(1, keepdim=True) - least).clamp_min(1e-12) / 15
        scale = (torch.round((scales - least) / step) * step + least).reshape(-1, 1)
        codes = torch.round(rows / scale.clamp_min(1e-9) + zero)
        ctx.save_for_backward((codes >= 0) & (codes <= 2**BITS - 1))
        return (scale * (codes.clamp(0, 2**BITS - 1) - zero)).reshape(weight.shape)

    @staticmethod
    def backward(ctx, gradient):
        (inside,) = ctx.saved_tensors
        return gradient * inside.reshape(gradient.shape)


class Norm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


class Layer(torch.nn.Module):
    def __init__(self, quantized):
        super().__init__()
        self.quantized, self.width = quantized, HIDDEN // HEADS
        linear = lambda i, o, bias=False: torch.nn.Linear(i, o, bias=bias)
        self.q, self.k, self.v = (linear(HIDDEN, heads * self.width, True) for heads in (HEADS, KEY_HEADS, KEY_HEADS))
        self.o, self.gate, self.up, self.down = linear(HIDDEN, HIDDEN), linear(HIDDEN, INNER), linear(HIDDEN, INNER), linear(INNER, HIDDEN)
        self.before, self.between = Norm(), Norm()

    def apply_linear(self, layer, x):
        return F.linear(x, FakeQuant.apply(layer.weight) if self.quantized else layer.weight, layer.bias)

    def turn(self, x, cosine, sine):
        a, b = x.chunk(2, -1)
        return x * cosine + torch.cat((-b, a), -1) * sine

    def forward(self, x, cosine, sine):
        rows, tokens, _ = x.shape
        heads = lambda y, count: y.reshape(rows, tokens, count, self.width).transpose(1, 2)
        y = self.before(x)
        q, k, v = (heads(self.apply_linear(each, y), count) for each, count in ((self.q, HEADS), (self.k, KEY_HEADS), (self.v, KEY_HEADS)))
        q, k = self.turn(q, cosine, sine).to(v.dtype), self.turn(k, cosine, sine).to(v.dtype)
        k, v = (each.repeat_interleave(HEADS // KEY_HEADS, 1) for each in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(rows, tokens, HIDDEN)
        x = x + self.apply_linear(self.o, mixed)
        y = self.between(x)
        return x + self.apply_linear(self.down, F.silu(self.apply_linear(self.gate, y)) * self.apply_linear(self.up, y))


class Decoder(torch.nn.Module):
    def __init__(self, layers, quantized):
        super().__init__()
        self.layers, self.last = torch.nn.ModuleList(Layer(quantized) for _ in range(layers)), Norm()

    def forward(self, x, cosine, sine):
        for layer in self.layers:
            x = layer(x, cosine, sine)
        return self.last(x)


def steps_of(kind, tokens, layers, answer):
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
    autocast = torch.autocast(device, torch.bfloat16, enabled=kind == "bf16")
    student, teacher = Decoder(layers, True).to(device), Decoder(layers, False).to(device).requires_grad_(False)
    head = torch.randn(VOCABULARY, HIDDEN, device=device) * 0.02
    optimizer = torch.optim.AdamW(student.parameters(), lr=8e-6, weight_decay=0.01, fused=device == "cuda")
    width = HIDDEN // HEADS
    angles = torch.outer(torch.arange(tokens), 1e6 ** (-torch.arange(0, width, 2) / width)).repeat(1, 2).to(device)
    cosine, sine = angles.cos(), angles.sin()
    x, labels = torch.randn(1, tokens, HIDDEN, device=device), torch.randint(0, VOCABULARY, (answer,), device=device)
    times, beta = [], 0.5
    for _ in range(2 if small else 6):
        wait()
        start = time.perf_counter()
        optimizer.zero_grad()
        with autocast:
            with torch.no_grad():
                taught = F.linear(teacher(x, cosine, sine)[:, -answer:], head)
            logits = F.linear(student(x, cosine, sine)[:, -answer:], head)
        own, wanted = F.log_softmax(logits.float(), -1)[0], F.log_softmax(taught.float(), -1)[0]
        forward_kl, reverse_kl = (wanted.exp() * (wanted - own)).sum(-1).mean(), (own.exp() * (own - wanted)).sum(-1).mean()
        loss = beta * reverse_kl + (1 - beta) * forward_kl + F.cross_entropy(logits.float()[0], labels, label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        wait()
        times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    say("steps", kind=kind, tokens=tokens, layers=layers, ms=1e3 * statistics.median(times[1:]), first=1e3 * times[0], peakGib=peak, loss=float(loss))


def steps():
    for tokens in (16,) if small else (512, 2048):
        for kind in ("f32", "tf32", "bf16"):
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            steps_of(kind, tokens, 1 if small else 24, 2 if small else 64)


{"products": products, "steps": steps}[sys.argv[1]]()
