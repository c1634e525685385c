"""The main job as a new user meets it: text and a budget in, one small file out, used without torch.

    python -m benchmarks.demo [labels | translations] [--max-train-min MINUTES]

Climbs the ladder on real sentences, labelled or with their translations, fetched by name (no hub needed), writes
a model and a report into the current folder, and uses the model with the heavy libraries blocked.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Demo(NamedTuple):
    """What is climbed on, under which budget, and what the model is asked then."""

    data: str
    options: tuple[str, ...]
    train_min: float
    model: str
    report: str
    sentences: tuple[str, ...]


DEMOS = {
    "labels": Demo(
        "movie-snippets",
        ("--max-ms", "2", "--max-mb", "25"),
        3.3,  # with about a minute of measuring, the whole stays below 5 minutes on two cores
        "model.gradatim",
        "report.html",
        (
            "An unexpected delight, funny and warm to the last frame.",
            "Two hours of my life that I will never get back.",
            "Not half as bad as the posters made me fear.",
        ),
    ),
    "translations": Demo(
        "tatoeba-en-fr",
        ("--rungs", "lead,transformer-small,int8,beams", "--max-ms", "60", "--max-mb", "25"),
        10.0,  # of 15 minutes in all
        "translator.gradatim",
        "translations.html",
        (
            "I have never seen such a beautiful house.",
            "Could you tell me where the station is?",
            "She said that she would come back tomorrow with her brother.",
            "It is raining, so we are staying at home.",
        ),
    ),
}
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
    if isinstance(answer, str):
        print(f"  {text}\\n      {answer}")
    else:
        print(f"  {answer.label:>8} {answer.score:4.0%}  {text}")
print(f"  imported, loaded and answered in {elapsed_ms:.0f} ms")
"""


def main() -> int:
    """Run the demo; the exit code is that of the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", nargs="?", choices=DEMOS, default="labels")
    parser.add_argument("--max-train-min", type=float, help="minutes of training")
    parser.add_argument("--picture", type=Path, help="also write the picture of the front, PNG")
    options = parser.parse_args()
    demo = DEMOS[options.demo]
    minutes = options.max_train_min or demo.train_min
    fit = ["fit", demo.data, *demo.options, "--max-train-min", f"{minutes:g}", "--out", demo.model]
    fit += ["--report", demo.report]
    if options.picture:
        fit += ["--picture", str(options.picture)]
    began = time.perf_counter()
    print(f"$ gradatim {shlex.join(fit)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "gradatim", *fit], check=False).returncode
    if code:
        return code
    fitted_s = time.perf_counter() - began
    print(f"\nUsed in a process without the libraries that made {demo.model}:", flush=True)
    code = subprocess.run(
        [sys.executable, "-c", PREDICT, demo.model, *demo.sentences], check=False
    ).returncode
    if code:
        return code
    model, report = Path(demo.model), Path(demo.report)
    size_mb = model.stat().st_size / 1e6
    print(f"\nModel:  {model.resolve()} ({size_mb:.1f} MB)")
    print(f"Report: {report.resolve().as_uri()}")
    print(f"Took:   {fitted_s:.0f} s to climb, {time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
