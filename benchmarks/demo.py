"""The main job as a new user meets it: labelled text and a budget in, one small file out, used without torch.

    python -m benchmarks.demo [--max-train-min MINUTES]

Climbs the ladder on real sentences with a real encoder, both fetched by name (no hub needed), writes
`model.gradatim` and `report.html` into the current folder, and predicts with the heavy libraries blocked.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

DATA = "movie-snippets"
BUDGET = ("--max-ms", "2", "--max-mb", "25")
TRAIN_MIN = 3.3  # with about a minute of measuring, the whole stays below 5 minutes on two cores
SENTENCES = (
    "An unexpected delight, funny and warm to the last frame.",
    "Two hours of my life that I will never get back.",
    "Not half as bad as the posters made me fear.",
)
# Runs in a process of its own, in which whatever asks for one of these modules is refused on the spot.
PREDICT = """
import sys, time

BLOCKED = ("torch", "transformers", "sklearn", "scipy", "datasets", "onnx")

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked in this process")

sys.meta_path.insert(0, Refuse())
for name in BLOCKED:
    try:
        __import__(name)
    except ImportError as error:
        print(f"  import {name}: {error}")
    else:
        sys.exit(f"{name} could be imported: the block does not work")

began = time.perf_counter()
import gradatim
model = gradatim.load(sys.argv[1])
answers = model(sys.argv[2:])
elapsed_ms = 1e3 * (time.perf_counter() - began)
for text, answer in zip(sys.argv[2:], answers, strict=True):
    print(f"  {answer.label:>8} {answer.score:4.0%}  {text}")
print(f"  imported, loaded and answered in {elapsed_ms:.0f} ms")
"""


def main() -> int:
    """Run the demo; the exit code is that of the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-train-min", type=float, default=TRAIN_MIN, help="minutes of training")
    parser.add_argument("--picture", type=Path, help="also write the picture of the front, PNG")
    options = parser.parse_args()
    model, report = Path("model.gradatim"), Path("report.html")
    fit = ["fit", DATA, *BUDGET, "--max-train-min", f"{options.max_train_min:g}"]
    if options.picture:
        fit += ["--picture", str(options.picture)]
    began = time.perf_counter()
    print(f"$ gradatim {shlex.join(fit)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "gradatim", *fit], check=False).returncode
    if code:
        return code
    fitted_s = time.perf_counter() - began
    print(f"\nThree sentences, in a process without the libraries that made {model}:", flush=True)
    code = subprocess.run([sys.executable, "-c", PREDICT, str(model), *SENTENCES], check=False).returncode
    if code:
        return code
    size_mb = model.stat().st_size / 1e6
    print(f"\nModel:  {model.resolve()} ({size_mb:.1f} MB)")
    print(f"Report: {report.resolve().as_uri()}")
    print(f"Took:   {fitted_s:.0f} s to climb, {time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
