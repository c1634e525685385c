"""An int8 model on processors without VNNI, emulated by QEMU (Debian: qemu-user): are its answers the same?

    GRADATIM_DATA=... python -m benchmarks.processors INT8.gradatim FP32.gradatim [--texts 100]

Prints how far logits are from those of the fp32 model on this processor, as a share of their deviation, and how many
texts keep their label, for activations in 8 bits and in the 7 that such processors get.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

PROCESSORS = {"this one": [], "Haswell (AVX2)": ["-cpu", "Haswell"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs=2, metavar=("INT8", "FP32"))
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument(
        "--worker", type=int, choices=(7, 8), help="print logits of the first model, in so many bits"
    )
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(logits(options.models[0], json.loads(sys.stdin.readline()), options.worker)))
        return
    from gradatim.data import load_corpus

    dev = load_corpus("sst2").dev
    texts = [dev.texts[i] for i in np.linspace(0, len(dev) - 1, options.texts).astype(int)]
    exact = np.array(logits(options.models[1], texts, 8))
    print("| processor | bits of activations | error | same label |\n|---|---:|---:|---:|")
    for name, flags in PROCESSORS.items():
        for bits in (8, 7):
            emulator = ["qemu-x86_64", *flags] if flags else []
            command = [*emulator, sys.executable, "-m", "benchmarks.processors", "--worker", str(bits)]
            done = subprocess.run(
                [*command, *map(str, options.models)],
                input=json.dumps(texts) + "\n", capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = np.array(json.loads(done.stdout.splitlines()[-1]))
            error = np.sqrt(np.square(found - exact).mean()) / exact.std()
            same = (found.argmax(1) == exact.argmax(1)).mean()
            print(f"| {name} | {bits} | {error:.3f} | {100 * same:.0f} % |", flush=True)


def logits(path: Path, texts: list[str], bits: int) -> list[list[float]]:
    """As if the processor needed so many bits: an emulator shows the flags of the machine that it runs on."""
    from gradatim.engine import processor
    from gradatim.tasks.open import load

    processor.multiplies_bytes_exactly = lambda: bits == 8
    found: list[list[float]] = load(path, threads=1).logits(texts).tolist()
    return found


if __name__ == "__main__":
    main()
