"""`gradatim lm` as a user meets it: train, score, generate, convert, and what goes wrong."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

LINES = [f"the {animal} {verb} on the {place} ." for animal in ("cat", "dog", "owl") for verb in ("sat", "ran")
         for place in ("mat", "roof", "hill")]  # fmt: skip


def gradatim(*args: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gradatim", "lm", *map(str, args)], input=given, capture_output=True, text=True
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(LINES))
    return path


def test_train_score_generate_and_convert(corpus: Path, tmp_path: Path) -> None:
    model, arpa = tmp_path / "lm.gradatim", tmp_path / "lm.arpa"
    done = gradatim("train", corpus, "--order", 3, "--dev", corpus, "--out", model)
    assert done.returncode == 0, done.stderr
    assert "144 words of 18 sentences" in done.stderr
    assert "perplexity" in done.stdout
    scored = json.loads(gradatim("score", model, corpus, "--json").stdout)
    assert (scored["sentences"], scored["words"], scored["unknown"]) == (18, 144, 0)
    assert 1 < scored["perplexity"] < 4
    assert gradatim("convert", model, arpa).returncode == 0
    again = json.loads(gradatim("score", arpa, corpus, "--json").stdout)
    assert again["perplexity"] == pytest.approx(scored["perplexity"], rel=1e-4)
    each = gradatim("score", model, "-", "--each", given="the cat sat\nzebra\n\n").stdout.splitlines()
    assert [line.split("\t")[1:] for line in each] == [["4", "0"], ["2", "1"], ["1", "0"]]
    windows = tmp_path / "windows.txt"
    windows.write_bytes("\r\n".join(LINES).encode())
    assert json.loads(gradatim("score", model, windows, "--json").stdout) == scored
    words = gradatim("score", model, "-", "--words", given="the zebra\n").stdout.splitlines()
    assert [line.split("\t")[0] for line in words] == ["the", "<unk>", "</s>"]
    first, second = (gradatim("generate", model, "--prompt", "the owl", "--seed", 7).stdout for _ in range(2))
    assert first == second
    assert all(line.startswith("the owl") for line in first.splitlines())


def test_nothing_is_left_behind(corpus: Path, tmp_path: Path) -> None:
    assert (
        gradatim("train", corpus, "--order", 2, "--memory", 64, "--out", tmp_path / "a.arpa").returncode == 0
    )
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt", "a.arpa"}


def test_sparsity_is_reported(corpus: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.txt"
    dev.write_text("the cat sat on the mat .\nthe mat sat on the cat .\n")
    done = gradatim(
        "train", corpus, "--order", 2, "--dev", dev, "--smoothing", "mle", "--out", tmp_path / "m.gradatim"
    )
    rows = [line.split() for line in done.stderr.splitlines() if line.strip()[:1].isdigit()]
    # "the mat sat" and "the cat ." are not in the corpus: 3 of 16 bigrams, and one sentence of two
    assert rows[1][-5:-3] == ["12.5%", "50.0%"]
    assert "perplexity inf" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["train", "EMPTY", "--out", "m.gradatim"], "no words"),
        (["train", "missing.txt", "--out", "m.gradatim"], "missing.txt"),
        (["train", "CORPUS", "--order", "12", "--out", "m.gradatim"], "at most 9"),
        (["train", "CORPUS", "--out", "m.bin"], ".gradatim or .arpa"),
        (["train", "CORPUS", "--out", "nowhere/m.arpa"], "no such folder"),
        (["train", "CORPUS", "--smoothing", "katzz", "--out", "m.arpa"], "did you mean 'katz'"),
        (["train", "CORPUS", "--prune", "1", "--out", "m.arpa"], "begin with 0"),
        (["train", "CORPUS", "--prune", "a", "--out", "m.arpa"], "--prune lists"),
        (["score", "CORPUS", "CORPUS"], "not a gradatim model"),
        (["score", "missing.gradatim", "CORPUS"], "no such file"),
    ],
)
def test_what_goes_wrong_is_said(corpus: Path, tmp_path: Path, args: list[str], said: str) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    places = {"CORPUS": str(corpus), "EMPTY": str(empty)}
    shown = [places.get(arg, str(tmp_path / arg) if "." in arg or "/" in arg else arg) for arg in args]
    done = gradatim(*shown)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


LIMITED = """
import resource, sys
from gradatim.ngram.arpa import write_arpa
from gradatim.ngram.build import build
from gradatim.text.space import IN_MEMORY
from gradatim.ngram.model import NgramModel
from gradatim.text.space import Space
import numpy as np, re
from pathlib import Path

folder, lines, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def blocks(lines=lines, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(lines // 1000):
        words = rng.zipf(1.3, (1000, 20)) % 5000
        yield "made", "\\n".join(" ".join(map(str, row)) for row in words.tolist()).encode()

list(zip(blocks(), range(2)))  # libraries have taken what they take
used = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + (int(sys.argv[4]) << 20),) * 2)
space = Space(folder, 1 << 16) if kind == "disk" else IN_MEMORY
built = build(blocks(), order=4, dev=blocks(1000, 1), space=space)
model = NgramModel.of(built.table, built.vocabulary, space)
write_arpa(folder / "lm.arpa", built.table, built.vocabulary)
print(built.words, sum(count for count, _ in model.sizes), built.sparsity[3].unseen)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as Linux does")
def test_a_corpus_larger_than_memory_is_counted_on_disk(tmp_path: Path) -> None:
    """With 32 MB to spare, text whose counts take several times that; in memory the same is refused."""

    def run(kind: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", LIMITED, str(tmp_path), "40000", kind, "32"],
            capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    on_disk, in_memory = run("disk"), run("memory")
    assert on_disk.returncode == 0, on_disk.stderr
    words, ngrams, unseen = map(float, on_disk.stdout.split())
    assert words == 40_000 * 21
    assert ngrams > 1_000_000
    assert 0.1 < unseen < 1
    with (tmp_path / "lm.arpa").open() as lines:
        assert sum(1 for _ in lines) > ngrams
    (tmp_path / "lm.arpa").unlink()
    assert in_memory.returncode != 0
    assert "MemoryError" in in_memory.stderr
    assert math.isclose(sum(1 for _ in tmp_path.iterdir()), 0)


RECIPE = """
[model]
preset = "{preset}"
width = 16
hidden_width = 16
[data]
source = "corpus.txt"
dev = "corpus.txt"
lines = true
tokenizer = "words.json"
max_length = 8
[objective]
kind = "causal"
[train]
epochs = 40
batch_size = 4
rate = 0.02
precision = "fp32"
"""


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["lstm", "window"])
def test_a_neural_model_is_scored_by_the_same_command(corpus: Path, tmp_path: Path, preset: str) -> None:
    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gradatim", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    (tmp_path / "recipe.toml").write_text(RECIPE.format(preset=preset))
    words = ("tokenizer", "train", corpus, "--kind", "word", "--size", 50, "--out", "words.json")
    assert run(*words).returncode == 0
    done = run("train", "recipe.toml", "--out", "run")
    assert done.returncode == 0, done.stderr
    scored = json.loads(gradatim("score", tmp_path / "run" / "model", corpus, "--json", "--carried").stdout)
    assert (scored["sentences"], scored["words"], scored["tokens"]) == (18, 144, 144)
    assert 1.43 < scored["perplexity"] < 3  # 18 sentences, all as likely: at best 18^(1/8)
    written = gradatim("generate", tmp_path / "run" / "model", "--prompt", "the owl", "--temperature", 0)
    assert written.stdout.startswith(("the owl sat on the", "the owl ran on the"))
