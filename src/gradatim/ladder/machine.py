"""The manifest of a climb: data, seeds, versions and processor, so that figures can be judged."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata

from gradatim.engine import processor
from gradatim.ladder.rung import Problem

PACKAGES = ("gradatim", "numpy", "torch", "onnxruntime", "tokenizers", "scikit-learn")
FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "BF16",
    "amx_tile": "AMX",
}


def described() -> str:
    """The processor's name and the instruction sets that matter here."""
    flags = processor.flags()
    present = ", ".join(name for flag, name in FEATURES.items() if flag in flags)
    return f"{processor.name()} ({present or 'no vector extensions known'})"


def manifest(problem: Problem, command: str) -> dict[str, str]:
    """What someone needs in order to repeat the climb, as printed."""
    corpus, settings = problem.corpus, problem.settings
    facts = {
        "command": command,
        "data": f"{corpus.name}, sha256 {corpus.digest}",
        "splits": f"train {len(corpus.train):,}, dev {len(corpus.dev):,}, "
        f"test {len(corpus.test) if corpus.test is not None else 0:,}",
        "licence": corpus.licence,
        "citation": corpus.citation,
        "metric": problem.metric,
        "seed": str(problem.seed),
        "threads": str(problem.threads),
        "encoder": "" if "encoder" in problem.goal.ignores else settings.encoder,
        "processor": described(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return {name: fact for name, fact in facts.items() if fact}


def version(name: str) -> str:
    """That of a package as it is installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
