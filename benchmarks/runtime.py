"""What the base installation costs: disk, import, cold start and memory, in a fresh environment.

    python benchmarks/runtime.py model.gradatim [--json] [--runs 5] [--keep FOLDER]

Builds a virtual environment with `pip install .` alone and measures there. Exits with 1 if torch can be
imported in it, or if a figure is above its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = "an unexpected delight"
HEAVY = ("torch", "transformers", "sklearn", "scipy", "datasets", "onnx")
# Disk in MiB: of the 200, onnxruntime and numpy were counted as 140, which is what they are in MiB (146 in 10^6 bytes).
LIMITS = {"disk_mib": 200.0, "import_s": 0.15, "cold_start_s": 0.6, "peak_mb": 200.0}

_IMPORT = "import time; t = time.perf_counter(); import gradatim; print(time.perf_counter() - t)"
_PRESENT = f"import importlib.util as u; print(*[m for m in {HEAVY} if u.find_spec(m)])"


def main() -> int:
    """Measure, print, and say with the exit code whether all is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a .gradatim file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=5, help="cold starts to take the median of")
    parser.add_argument(
        "--keep", type=Path, help="build the environment here and keep it; reuse it if it exists"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gradatim-runtime-") as folder:
        python = build(options.keep or Path(folder) / "venv")
        figures = measure(python, options.model.resolve(), options.runs)
        present = ask(python, _PRESENT).split()
    if options.json:
        print(json.dumps({**figures, "heavy_modules": present, "limits": LIMITS, **machine()}, indent=1))
    else:
        for name, figure in figures.items():
            print(f"{name:14}{figure:9.3f}" + (f"   limit {LIMITS[name]:g}" if name in LIMITS else ""))
    faults = [
        f"{name} {figures[name]:.3f} is above {most:g}"
        for name, most in LIMITS.items()
        if figures[name] > most
    ]
    faults += [f"the base installation contains {name}" for name in present]
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return int(bool(faults))


def build(folder: Path) -> Path:
    """The interpreter of an environment that holds gradatim's base installation and nothing else."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        for command in (["install", str(ROOT)], ["uninstall", "--yes", "setuptools", "pip"]):
            done = subprocess.run([*pip, *command], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"pip {command[0]} failed:\n{done.stderr}")
    return python


def measure(python: Path, model: Path, runs: int) -> dict[str, float]:
    """Medians over several runs; the first cold start, which fills the disk cache, is left out.

    `disk_mib` (2^20 bytes) and `disk_mb` (10^6) are site-packages as pip leaves it, `bytecode_mb` the part
    of it that Python could make again.
    """
    site = Path(ask(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    sizes = {path: path.stat().st_size for path in site.rglob("*") if path.is_file()}
    starts = [cold_start(python, model) for _ in range(runs + 1)][1:]
    return {
        "disk_mib": sum(sizes.values()) / 2**20,
        "disk_mb": sum(sizes.values()) / 1e6,
        "bytecode_mb": sum(size for path, size in sizes.items() if path.suffix == ".pyc") / 1e6,
        "import_s": statistics.median(float(ask(python, _IMPORT)) for _ in range(runs)),
        "cold_start_s": statistics.median(seconds for seconds, _ in starts),
        "peak_mb": max(peak for _, peak in starts),
    }


def cold_start(python: Path, model: Path) -> tuple[float, float]:
    """Seconds from the start of `gradatim predict` to its answer, and its peak memory in 10^6 bytes."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [python, "-m", "gradatim", "predict", model, TEXT], stdout=subprocess.PIPE, cwd="/"
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    elapsed = time.perf_counter() - start
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode != 0 or b"\t" not in line:
        sys.exit(f"gradatim predict failed with code {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return elapsed, usage.ru_maxrss * unit / 1e6


def ask(python: Path, code: str) -> str:
    """What a line of code prints in the environment."""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


def machine() -> dict[str, object]:
    """Where this was measured."""
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main())
