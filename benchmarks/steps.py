"""A pretraining step of BERT base and Transformer base: tokens per second, and the share of the processor's peak.

    python -m benchmarks.steps [--models bert-base transformer-base] [--rows 8] [--length 128] [--steps 6] [--rounds 3]

On a GPU where there is one (then `--rows 64 --length 512 --steps 50`), else on the CPU; in bf16 where that pays. Rows
of random words, all of one length, so that nobody pads; masked words for BERT (15 % hidden), a source and a target for
the Transformer; AdamW and clipping on both sides. The peer is transformers with its fused attention, and on a GPU
compiled too. The peak is that of the best of some matrix products; the work is what a step needs at least, the
same for everybody: 6 operations per weight and token, those of attention, and no logits of words that are not hidden.
Systems alternate, each time in a fresh process that has taken steps before the clock starts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SHARE = 0.15  # of the words that are hidden from BERT
MASK = 103  # what stands in their place
PRODUCTS = {  # (tokens, read, made) of those of which the fastest is the peak
    "cpu": ((1024, 768, 768), (4096, 768, 3072), (2048, 2048, 2048)),
    "cuda": ((32768, 768, 3072), (8192, 8192, 8192), (16384, 16384, 16384)),
}
WARM_UP = 2  # steps, of the clock's own shape


@dataclass(frozen=True, slots=True)
class Shape:
    """What a step reads: `rows` sources, and as many targets where there are any, of `length` tokens each."""

    rows: int
    length: int
    steps: int

    def words(self, vocab_size: int, seed: int) -> np.ndarray:
        """(steps, rows, length) ids, none of them special."""
        drawn = np.random.default_rng(seed).integers(1000, vocab_size, (self.steps, self.rows, self.length))
        return drawn.astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["bert-base", "transformer-base"])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help="print the seconds of a step of this system, in this process")
    options = parser.parse_args()
    shape = Shape(options.rows, options.length, options.steps)
    if options.one:
        print(SYSTEMS[options.one](options.models[0], shape))
        return
    peak = peak_flops()
    print(
        f"{device()}, {'bf16' if bf16() else 'fp32'}: at most {peak / 1e12:.2f} TFLOP/s in a matrix product\n"
    )
    print("| a step of | system | tokens/s (median, range) | of the peak | gradatim is |")
    print("|---|---|---:|---:|---:|")
    systems = [name for name in SYSTEMS if device() == "cuda" or "compiled" not in name]
    for model in options.models:
        rates: dict[str, list[float]] = {system: [] for system in systems}
        for _ in range(options.rounds):
            for system in systems:
                rates[system].append(num_tokens(model, shape) / _fresh(system, model, options))
        ours = statistics.median(rates["gradatim"])
        for system, found in rates.items():
            rate = statistics.median(found)
            share = rate * flops(model, shape) / num_tokens(model, shape) / peak
            ratio = "" if system == "gradatim" else f"{ours / rate:.2f} x"
            print(
                f"| {model} | {system} | {rate:,.0f} ({min(found):,.0f}-{max(found):,.0f}) | {share:.0%} | {ratio} |",
                flush=True,
            )


def _fresh(system: str, model: str, options: argparse.Namespace) -> float:
    sizes = [f"--{name}={getattr(options, name)}" for name in ("rows", "length", "steps")]
    command = [sys.executable, "-m", "benchmarks.steps", "--one", system, "--models", model, *sizes]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def bf16() -> bool:
    from gradatim.train.precision import bf16_pays

    return bf16_pays(device())


def peak_flops() -> float:
    """Floating-point operations a second of the fastest of a few products: square ones, and such as layers make."""
    import torch

    kind = torch.bfloat16 if bf16() else torch.float32
    best = 0.0
    for tokens, read, made in PRODUCTS[device()]:
        x = torch.randn(tokens, read, device=device()).to(kind)
        weight = torch.randn(made, read, device=device()).to(kind)
        seconds = min(clocked(lambda x=x, w=weight: torch.nn.functional.linear(x, w)) for _ in range(20))
        best = max(best, 2 * tokens * read * made / seconds)
    return best


def clocked(call: Callable[[], Any]) -> float:
    """Seconds until what was called is done, on a GPU too."""
    import torch

    wait = torch.cuda.synchronize if device() == "cuda" else (lambda: None)
    wait()
    began = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - began


def num_tokens(model: str, shape: Shape) -> int:
    """What a step reads, sources and targets."""
    return shape.rows * shape.length * (1 if model.startswith("bert") else 2)


def flops(model: str, shape: Shape) -> float:
    """The operations of a step, forward and backward: of weights, attention and the logits asked for."""
    from gradatim.models.presets import SIZES

    sizes = SIZES[model]
    width, tokens, length = sizes.width, shape.rows * shape.length, shape.length
    projections, feed_forward = 4 * width**2, 2 * width * sizes.ffn_width
    mixing = 4 * length * width  # scores and the mix of a token, both read forward
    encoder = 2 * (projections + feed_forward) + mixing
    if model.startswith("bert"):
        hidden = 2 * (width**2 + width * sizes.vocab_size)
        return 3 * tokens * (sizes.num_layers * encoder + SHARE * hidden)
    seen = mixing / 2 + mixing  # half of its own row, all of the source
    decoder = 2 * (2 * projections + feed_forward) + seen
    return 3 * tokens * (sizes.num_layers * (encoder + decoder) + 2 * width * sizes.vocab_size)


def gradatim_step(model: str, shape: Shape) -> float:
    """Seconds of a step of our loop."""
    from gradatim.models.inputs import PackedTexts
    from gradatim.models.presets import SIZES
    from gradatim.train.loop import train
    from gradatim.train.processes import Launched, Processes
    from gradatim.train.recipe import Recipe
    from gradatim.types import Encoded

    def texts(steps: int, seed: int) -> PackedTexts:
        ids = Shape(shape.rows, shape.length, steps).words(SIZES[model].vocab_size, seed).reshape(-1)
        rows = np.arange(steps * shape.rows)
        return PackedTexts(
            Encoded({"ids": ids, "lengths": np.full(len(rows), shape.length)}, rows, len(rows))
        )

    network, objective = _masked(model) if model.startswith("bert") else _translator(model)
    recipe = Recipe(epochs=1, batch_size=shape.rows, max_tokens=num_tokens(model, shape), log_every=10**6)
    processes = Launched() if device() == "cuda" else Processes()
    train(network, objective(texts, WARM_UP), recipe, processes=processes)
    timed = objective(texts, shape.steps)
    return clocked(lambda: train(network, timed, recipe, processes=processes)) / shape.steps


def _masked(model: str) -> tuple[Any, Any]:
    from gradatim.models.backbone import Backbone
    from gradatim.models.heads import MaskedHead
    from gradatim.models.language import LanguageModel
    from gradatim.models.presets import SIZES, bert
    from gradatim.objectives.masked import MaskedLanguage, Masking

    body = Backbone(bert(SIZES[model]))
    head = MaskedHead(body.embedding.words)
    masking = Masking(mask_id=MASK, vocab_size=SIZES[model].vocab_size, share=SHARE)
    return LanguageModel(body, head), lambda texts, steps: MaskedLanguage(texts(steps, 0), masking)


def _translator(model: str) -> tuple[Any, Any]:
    from gradatim.models.language import Seq2Seq
    from gradatim.models.presets import SIZES, decoder, transformer
    from gradatim.objectives.seq2seq import SequenceToSequence

    config = transformer(SIZES[model])
    return Seq2Seq(config, decoder(config)), lambda texts, steps: SequenceToSequence(
        texts(steps, 0), texts(steps, 1), start_id=0
    )


def transformers_step(model: str, shape: Shape, *, compiled: bool = False) -> float:
    """Seconds of a step of the same network in transformers, as fast as it goes without changing it."""
    import torch

    network = _their_bert(model) if model.startswith("bert") else _their_marian(model)
    network = network.to(device()).train()
    vocab_size = network.config.vocab_size
    # Ours clips and decays too. Fused where the device has that.
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-5, weight_decay=0.01, fused=True)
    called = torch.compile(network) if compiled else network

    def step(ids: torch.Tensor, others: torch.Tensor) -> None:
        if model.startswith("bert"):
            hidden = torch.rand_like(ids, dtype=torch.float32) < SHARE
            given = {"input_ids": ids.masked_fill(hidden, MASK), "labels": ids.masked_fill(~hidden, -100)}
        else:
            given = {"input_ids": ids, "labels": others}
        with torch.autocast(device(), torch.bfloat16, enabled=bf16()):
            loss = called(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    def steps(count: int) -> None:
        sides = (Shape(shape.rows, shape.length, count).words(vocab_size, seed) for seed in (0, 1))
        for ids, others in zip(*sides, strict=True):
            step(*(torch.from_numpy(side).to(device()) for side in (ids, others)))

    steps(WARM_UP)
    return clocked(lambda: steps(shape.steps)) / shape.steps


def _their_bert(model: str) -> Any:
    from transformers import BertConfig, BertForMaskedLM

    assert model == "bert-base"
    return BertForMaskedLM(BertConfig(attn_implementation="sdpa"))


def _their_marian(model: str) -> Any:
    from transformers import MarianConfig, MarianMTModel

    from gradatim.models.presets import SIZES

    sizes = SIZES[model]
    layers = {f"{side}_layers": sizes.num_layers for side in ("encoder", "decoder")}
    heads = {f"{side}_attention_heads": sizes.num_heads for side in ("encoder", "decoder")}
    widths = {f"{side}_ffn_dim": sizes.ffn_width for side in ("encoder", "decoder")}
    return MarianMTModel(
        MarianConfig(
            vocab_size=sizes.vocab_size, d_model=sizes.width, **layers, **heads, **widths, pad_token_id=0,
            decoder_start_token_id=0, eos_token_id=0, activation_function="relu", activation_dropout=0.0,
            scale_embedding=True, attn_implementation="sdpa",
        )
    )  # fmt: skip


SYSTEMS: dict[str, Callable[[str, Shape], float]] = {
    "gradatim": gradatim_step,
    "transformers": transformers_step,
    "transformers, compiled": lambda model, shape: transformers_step(model, shape, compiled=True),
}


if __name__ == "__main__":
    main()
