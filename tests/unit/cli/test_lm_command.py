"""`gradatim lm train` and `score`: scores that are no probabilities, what contradicts, a table in 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gradatim.cli import app

LINES = [f"the {animal} {verb} on a {place} ." for animal in ("cat", "dog", "owl") for verb in ("sat", "ran")
         for place in ("mat", "roof", "hill")]  # fmt: skip


def lm(*words: object) -> Result:
    return CliRunner().invoke(app, ["lm", *map(str, words)])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(LINES))
    return path


@pytest.mark.parametrize("form", ["gradatim", "arpa"])
def test_scores_that_are_no_probabilities_have_no_perplexity(corpus: Path, form: str) -> None:
    model = corpus.with_name(f"lm.{form}")
    trained = lm("train", corpus, "--order", 3, "--smoothing", "stupid", "--dev", corpus, "--out", model)
    assert trained.exit_code == 0, trained.output
    shown = lm("score", model, corpus)
    for told in (trained.stdout, shown.stdout):
        assert "no probabilities" in told
        assert "perplexity 1" not in told
    found = json.loads(lm("score", model, corpus, "--json").stdout)
    assert found["mean_score"] < 0
    measures = ("perplexity", "word_perplexity", "known_perplexity", "bits_per_character")
    assert [found[name] for name in measures] == [None] * 4
    for way in ("--each", "--words"):
        assert "no probabilities" in lm("score", model, corpus, way).stderr


def test_probabilities_have_their_perplexity(corpus: Path) -> None:
    model = corpus.with_name("lm.arpa")
    told = lm("train", corpus, "--order", 3, "--dev", corpus, "--out", model)
    assert "perplexity" in told.stdout
    for result in (told, lm("score", model, corpus, "--each")):
        assert "no probabilities" not in result.output
    assert json.loads(lm("score", model, corpus, "--json").stdout)["perplexity"] > 1


def test_words_are_not_carried_from_sentence_to_sentence(corpus: Path) -> None:
    model = corpus.with_name("lm.gradatim")
    assert lm("train", corpus, "--order", 2, "--out", model).exit_code == 0
    told = lm("score", model, corpus, "--words", "--carried")
    assert told.exit_code == 2
    assert "--carried" in told.stderr
    assert not told.stdout


def test_the_table_fits_in_80_columns(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = lm("train", corpus, "--order", 3, "--dev", corpus, "--out", corpus.with_name("lm.gradatim"))
    assert told.exit_code == 0, told.output
    assert "…" not in told.stderr
    assert {"n-grams", "impossible"} <= set(told.stderr.split())
