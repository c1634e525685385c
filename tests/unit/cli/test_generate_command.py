"""`gradatim lm generate` on words that were counted and on a network: drawn, greedy, by beams, while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.cli import app
from gradatim.models.presets import recurrent
from gradatim.text.tokenizer import preset, train_tokenizer

LINES = [f"the {animal} {verb} on the {place} ." for animal in ("cat", "dog", "owl") for verb in ("sat", "ran")
         for place in ("mat", "roof", "hill")]  # fmt: skip


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["lm", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An n-gram model, a network, and the file that it becomes."""
    folder = tmp_path_factory.mktemp("generate")
    (folder / "corpus.txt").write_text("\n".join(LINES))
    found = {
        "ngram": folder / "ngram.gradatim",
        "folder": folder / "model",
        "file": folder / "lstm.gradatim",
    }
    run("train", folder / "corpus.txt", "--order", 3, "--out", found["ngram"])
    tokenizer = train_tokenizer(LINES, preset("word"), 50)
    torch.manual_seed(0)
    body = recurrent("lstm", vocab_size=tokenizer.get_vocab_size(), width=8, hidden_width=8)
    model = ModelConfig(kind="causal", body=body).build()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    save_model(
        model, found["folder"], config=ModelConfig.of(model, special={"eos": tokenizer.token_to_id("</s>")})
    )
    (found["folder"] / "tokenizer.json").write_text(tokenizer.to_str())
    run("convert", found["folder"], found["file"])
    return found


@pytest.mark.parametrize("name", ["ngram", "file"])
def test_texts_are_drawn_as_they_are_asked_for(models: dict[str, Path], name: str) -> None:
    def generate(*words: object) -> list[str]:
        return run("generate", models[name], "--prompt", "the owl", "--max-words", 12, *words).splitlines()

    drawn = generate("--seed", 7)
    assert len(drawn) == 5
    assert all(text.startswith("the owl") for text in drawn)
    assert drawn == generate("--seed", 7) == generate("--seed", 7, "--stream")
    assert len(set(generate("--count", 20))) > 3
    greedy = generate("--temperature", 0)
    assert len(greedy) == 1
    assert (
        greedy
        == generate("--top-k", 1, "--count", 1)
        == generate("--top-p", 0.0001, "--stream", "--count", 1)
    )
    assert len(set(generate("--beams", 4, "--count", 3))) == 3
    [varied] = generate("--no-repeat", 1, "--temperature", 0, "--repetition", 1.2, "--max-words", 4)
    assert len(set(varied.split())) == len(varied.split())


def test_a_file_writes_what_its_folder_writes(models: dict[str, Path]) -> None:
    for words in (["--seed", 3], ["--beams", 3], ["--temperature", 0, "--stream"]):
        assert run("generate", models["file"], *words) == run("generate", models["folder"], *words)


@pytest.mark.parametrize(("words", "said"), [
    (["--beams", "2", "--stream"], "2 beams"),
    (["--temperature", "0", "--count", "2"], "all would be the same"),
    (["--beams", "2", "--temperature", "0.5"], "sample with beams"),
    (["--top-p", "0"], "top_p"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_here(models: dict[str, Path], words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["lm", "generate", str(models["ngram"]), *words])
    assert result.exit_code != 0
    assert said in f"{result.output}{result.exception}"
