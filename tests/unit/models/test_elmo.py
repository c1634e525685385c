"""ELMo: letters to words, two directions that see only their own side, and its use by recipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.errors import ConfigError
from gradatim.models.elmo import ElmoConfig
from gradatim.models.inputs import Inputs
from gradatim.models.language import LanguageModel
from gradatim.nn.characters import CharacterCNN, distinct_rows
from gradatim.nn.stack import Trace
from gradatim.objectives.base import IGNORED
from gradatim.objectives.both_ways import BothWays
from gradatim.text.characters import (
    CLOSES,
    LETTERS,
    NOTHING,
    OPENS,
    SYMBOLS,
    CharacterEncoder,
    letters_of,
)
from gradatim.text.pieces import PieceEncoder
from gradatim.text.spelled import number_words
from gradatim.text.tokenizer import preset, train_tokenizer, word_tokenizer
from gradatim.train.job import run
from gradatim.train.recipe_file import read_recipe

CONFIG = ElmoConfig(vocab_size=20, width=6, filters=((1, 4), (3, 8)), dropout=0.0)


def spelled(row: list[int]) -> bytes:
    assert row[0] == OPENS
    end = row.index(CLOSES)
    assert set(row[end + 1 :]) <= {NOTHING}
    return bytes(row[1:end])


@given(st.lists(st.text(max_size=40), max_size=20))
def test_a_word_is_its_bytes(words: list[str]) -> None:
    places: dict[str, int] = {}
    numbers = number_words(words, places)
    table = letters_of(places)
    for word, number in zip(words, numbers.tolist(), strict=True):
        data, found = word.encode("utf-8", "replace"), spelled(table[number].tolist())
        if len(data) <= LETTERS - 2:
            assert found == data
        else:
            assert len(found) == LETTERS - 2
            assert data.startswith(found[:24])
            assert data.endswith(found[24:])


@pytest.mark.parametrize("pairs", [None, ["film", "", "good"]])
def test_words_stand_where_pieces_do(pairs: list[str] | None) -> None:
    texts = ["good film, bad", "", "  naïve"]
    tokenizer = train_tokenizer(["good film"] * 3, preset("elmo"), 20).to_str()
    words, pieces = (
        kind(tokenizer, max_length=8).encode(texts, pairs, spans=True)
        for kind in (CharacterEncoder, PieceEncoder)
    )
    for name in ("starts", "ends", "origins", "lengths"):
        np.testing.assert_array_equal(words.arrays[name], pieces.arrays[name])
    sides = (texts, pairs or texts)
    owners = np.repeat(words.owners, words.arrays["lengths"])
    for row, owner, *span, origin in zip(
        words.arrays["ids"].tolist(),
        owners,
        *(words.arrays[n] for n in ("starts", "ends", "origins")),
        strict=True,
    ):
        assert spelled(row) == (b"" if origin > 1 else sides[origin][owner][slice(*span)].encode())
    assert set(CharacterEncoder(tokenizer, max_length=8).encode(texts).arrays) == {
        "ids",
        "segments",
        "lengths",
    }


def test_equal_words_are_read_once_and_alike() -> None:
    torch.manual_seed(0)
    rows = torch.from_numpy(letters_of(["a", "ab", "b"]).astype(np.int64))
    every = rows[[0, 1, 0, 2, 1]]
    own, places = distinct_rows(every)
    assert len(own) == 3
    assert torch.equal(own[places], every)
    cnn = CharacterCNN(SYMBOLS, 5, ((1, 3), (4, 6)), num_highways=2)
    torch.testing.assert_close(cnn(every), torch.cat([cnn(row[None]) for row in every]))
    assert cnn(every[:0]).shape == (0, 5)


@given(st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=12))
def test_filters_find_what_they_find_in_whole_words(words: list[list[int]]) -> None:
    """Whatever it is that words end in."""
    torch.manual_seed(0)
    rows = torch.tensor(words)
    cnn = CharacterCNN(4, 5, ((1, 3), (4, 6)), num_highways=0)
    symbols = cnn.symbols(rows).transpose(1, 2)
    found = torch.cat([torch.relu(part(symbols).amax(-1)) for part in cnn.filters], dim=-1)
    torch.testing.assert_close(cnn(rows), cnn.linear(found))


def test_the_right_word_is_told_among_those_of_the_batch() -> None:
    net, rng = model(), np.random.default_rng(0)
    targets = np.append(rng.permutation(np.repeat(np.arange(8), np.arange(1, 9) ** 2)), [IGNORED, 7])
    counts = np.bincount(targets[targets != IGNORED])
    letters = letters_of([f"w{i}" for i in range(8)])
    words = np.maximum(targets, 0)
    sizes = np.full(len(targets) // 2, 2)
    whole, sampled = (BothWays(letters, words, targets, sizes, 9, sampled=how) for how in (False, True))
    batch = sampled.collate(np.arange(0, len(sizes), 9))
    torch.testing.assert_close(sampled.loss(net, batch).value, whole.loss(net, batch).value)
    net.train()
    head, states = net.head.linear, sampled.states(net, batch)
    wanted = torch.zeros(())
    for name, told in batch.targets.items():
        known = told != IGNORED
        own = sorted(set(told[known].tolist()))
        there = 1 - (1 - counts / counts.sum()) ** int(known.sum())
        logits = (states[name][known] @ head.weight.T + head.bias)[:, own] - torch.from_numpy(
            there[own]
        ).log()
        right = torch.tensor([own.index(word) for word in told[known].tolist()])
        wanted = wanted + torch.nn.functional.cross_entropy(logits.float(), right)
    assert len(own) < 8  # not all words are in the batch
    torch.testing.assert_close(sampled.loss(net, batch).value, wanted)
    for told in batch.targets.values():
        told.fill_(IGNORED)
    assert float(sampled.loss(net, batch).value.detach()) == 0


def model() -> LanguageModel:
    torch.manual_seed(0)
    made = ModelConfig(kind="both_ways", body=CONFIG).build().eval()
    assert isinstance(made, LanguageModel)
    return made


def states(words: list[list[str]], net: LanguageModel) -> list[torch.Tensor]:
    """All layers of packed rows, each (tokens, 2 width)."""
    flat = [word for row in words for word in row]
    places: dict[str, int] = {}
    numbers = number_words(flat, places)
    inputs = Inputs.of({"ids": letters_of(places)[numbers], "lengths": np.array([len(row) for row in words])})
    trace = Trace([])
    with torch.no_grad():
        net.body(inputs.ids, inputs.layout, None, trace)
    return [layer[: len(flat)] for layer in trace.hidden]


def test_each_direction_sees_its_side_only() -> None:
    net, width = model(), CONFIG.width
    one, other = (states([["a", "b", word, "d", "e"]], net) for word in ("c", "changed"))
    for layer, (before, after) in enumerate(zip(one, other, strict=True)):
        same = torch.isclose(before, after, atol=1e-6).all(-1)
        forward, backward = (
            torch.isclose(before[:, half], after[:, half], atol=1e-6).all(-1)
            for half in (slice(width), slice(width, None))
        )
        if layer:
            assert forward.tolist() == [True, True, False, False, False]
            assert backward.tolist() == [False, False, False, True, True]
        else:
            assert same.tolist() == [True, True, False, True, True]


def test_rows_do_not_see_each_other() -> None:
    net, rows = model(), [["a", "b", "c"], ["d"], ["e", "f", "g", "h"]]
    together = states(rows, net)
    alone = [states([row], net) for row in rows]
    for layer, whole in enumerate(together):
        torch.testing.assert_close(whole, torch.cat([parts[layer] for parts in alone]))


def test_a_word_is_predicted_from_what_does_not_hold_it() -> None:
    words = ["a", "b", "c", "d", "e", "f"]
    places: dict[str, int] = {}
    numbers = number_words(words, places)
    targets = np.array([1, 2, IGNORED, 4, 5, 6])

    def seen(change: int | None) -> dict[str, torch.Tensor]:
        spelled = [word if i != change else "other" for i, word in enumerate(words)]
        objective = BothWays(letters_of(spelled), numbers, targets, np.array([4, 2]), 10)
        batch = objective.collate(np.array([0, 1]))
        wanted = {name: found.tolist() for name, found in batch.targets.items()}
        assert wanted == {
            "forward": [IGNORED, 2, IGNORED, 4, IGNORED, 6],
            "backward": [1, 2, IGNORED, IGNORED, 5, IGNORED],
        }
        with torch.no_grad():
            return objective.states(net, batch)

    net = model()
    before = seen(None)
    for k in range(6):
        after = seen(k)
        for name in before:
            torch.testing.assert_close(before[name][k], after[name][k])
    with pytest.raises(ConfigError, match="two words"):
        BothWays(letters_of(words), numbers, targets, np.ones(6, dtype=np.int64), 10)


def test_it_is_saved_and_read(tmp_path: Path) -> None:
    net = model()
    save_model(net, tmp_path)
    stored = read_model(tmp_path)
    assert stored.config.body == CONFIG
    assert ModelConfig.of(stored.model).kind == "both_ways"
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, stored.model.state_dict()[name])
    with pytest.raises(ConfigError, match="at least 1"):
        ElmoConfig(vocab_size=5, width=4, filters=((0, 3),))


RECIPE = """
[model]
{model}
[data]
source = "{source}"
max_length = 12
dev_share = 0.2
{tokenizer}
[objective]
{objective}
[train]
epochs = {epochs}
batch_size = 8
rate = 1e-2
precision = "fp32"
"""


def test_pretrained_by_recipe_it_gives_features_for_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    rng, lines = np.random.default_rng(0), []
    sentences = [
        [str(word) for word in rng.choice(["walked", "talked", "house", "garden"], 5)] for _ in range(80)
    ]
    (tmp_path / "text.txt").write_text("\n".join(" ".join(words) for words in sentences))
    for words in sentences:
        lines += [f"{word} {'B-V' if word.endswith('ed') else 'O'}" for word in words] + [""]
    (tmp_path / "tags.txt").write_text("\n".join(lines))
    (tmp_path / "words.json").write_text(
        train_tokenizer(["walked house garden"] * 3, preset("elmo"), 9).to_str()
    )
    (tmp_path / "a.toml").write_text(RECIPE.format(
        model='preset = "elmo"\nwidth = 8', source="text.txt", objective='kind = "both_ways"', epochs=1,
        tokenizer='tokenizer = "words.json"\nlines = true',
    ))  # fmt: skip
    (tmp_path / "b.toml").write_text(RECIPE.format(
        model='from = "elmo/model"', source="tags.txt", tokenizer="", epochs=30,
        objective='kind = "tagging"\nlayers = "scalar mix"\nrecurrent_width = 8',
    ))  # fmt: skip
    run(read_recipe(tmp_path / "a.toml"), tmp_path / "elmo")
    run(read_recipe(tmp_path / "b.toml"), tmp_path / "tags")
    assert json.loads((tmp_path / "tags" / "metrics.json").read_text())["f1"] > 0.95
    stored = read_model(tmp_path / "tags" / "model").model.state_dict()
    before = read_model(tmp_path / "elmo" / "model").model.state_dict()
    for name, tensor in before.items():
        if name.startswith("body."):
            assert torch.equal(stored[name.replace("body.", "body.body.", 1)], tensor)
    with pytest.raises(ConfigError, match="preset elmo"):
        run(read_recipe(tmp_path / "a.toml", ["model.preset=lstm", "model.hidden_width=8"]), tmp_path / "c")


def test_static_vectors_are_features_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glove.txt").write_text("good 1 0 0\nbad 0 1 0\nfilm 0 0 1\n")
    lines = [
        f"{['The', 'unseen'][i % 3 > 0]} {word} film {i},{word}"
        for i in range(60)
        for word in [["good", "bad"][i % 2]]
    ]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "a.toml").write_text(RECIPE.format(
        model='preset = "static"\nvectors = "glove.txt"\npooling = "max"', source="a.csv", tokenizer="", epochs=20,
        objective='kind = "classification"\nlayers = "last"\nrecurrent_width = 4',
    ))  # fmt: skip
    run(read_recipe(tmp_path / "a.toml"), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["accuracy"] > 0.9
    table = read_model(tmp_path / "run" / "model").model.state_dict()["body.body.words.weight"]
    assert table.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    for change in ("data.tokenizer=x.json", "model.preset=lstm"):
        with pytest.raises(ConfigError, match="static"):
            run(read_recipe(tmp_path / "a.toml", [change]), tmp_path / "other")


def test_a_tokenizer_of_words_has_their_order_and_case() -> None:
    lower, mixed = word_tokenizer(["b", "a"]), word_tokenizer(["b", "A"])
    assert lower.encode("A b c").ids == [2, 1, 0]
    assert mixed.encode("A b a").ids == [2, 1, 0]
