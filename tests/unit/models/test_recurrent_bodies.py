"""Recurrent bodies and the window of words: one pass, one token at a time, and a state that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gradatim.checkpoint.config import BodyConfig, ModelConfig
from gradatim.checkpoint.folder import read_model, save_model
from gradatim.errors import ConfigError
from gradatim.models.presets import RECURRENT, recurrent
from gradatim.models.recurrent import RecurrentConfig, WindowConfig
from gradatim.nn.packed import Layout

VOCABULARY = 23
SIZES = {"vocab_size": VOCABULARY, "width": 8, "hidden_width": 12}
CONFIGS: dict[str, BodyConfig] = {
    **{name: recurrent(name, **SIZES) for name in ("rnn", "relu", "gru", "lstm", "awd-lstm")},
    "window": WindowConfig(**SIZES, context=3, dropout=0.2),
    "one word": WindowConfig(**SIZES, context=1),
}
LENGTHS = [5, 1, 7]
bodies = pytest.mark.parametrize("name", CONFIGS)


def ids(count: int = sum(LENGTHS)) -> torch.Tensor:
    return torch.randint(VOCABULARY, (count,), generator=torch.Generator().manual_seed(1))


@bodies
def test_a_token_at_a_time_is_all_at_once(name: str) -> None:
    torch.manual_seed(0)
    body = CONFIGS[name].build().eval()
    words = ids(14).view(2, 7)
    whole = body(words.flatten(), Layout.of([7, 7])).view(2, 7, -1)
    state = body.begin(2)
    for at in range(7):
        torch.testing.assert_close(body.advance(words[:, at], state), whole[:, at], atol=1e-6, rtol=1e-5)


@bodies
def test_rows_go_on_from_a_state(name: str) -> None:
    torch.manual_seed(0)
    body = CONFIGS[name].build().eval()
    words = ids(18).view(2, 9)
    whole = body(words.flatten(), Layout.of([9, 9])).view(2, 9, -1)
    state = body.begin(2)
    parts = [body(part.flatten(), Layout.of([part.shape[1]] * 2), state=state).view(2, part.shape[1], -1)
             for part in words.split([2, 6, 1], 1)]  # fmt: skip
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-6, rtol=1e-5)
    again = body.advance(words[:, 0], state.reorder(torch.tensor([1, 0])))
    torch.testing.assert_close(again.flip(0), body.advance(words[:, 0].flip(0), state), atol=1e-6, rtol=1e-5)


@bodies
def test_no_row_sees_another(name: str) -> None:
    torch.manual_seed(0)
    body, words = CONFIGS[name].build().eval(), ids()
    packed = body(words, Layout.of(LENGTHS))
    alone = [body(row, Layout.of([len(row)])) for row in words.split(LENGTHS)]
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-6, rtol=1e-5)


def test_the_window_is_its_equation() -> None:
    """Bengio et al. 2003, eq. 1: tanh(d + H x), x the vectors of the words before, side by side."""
    body = CONFIGS["window"].build().eval()
    words, table = ids(4), body.embedding.words.weight
    found = body(words, Layout.of([4]))
    zero = torch.zeros(8)
    for at in range(4):
        x = torch.cat([table[words[i]] if i >= 0 else zero for i in range(at - 2, at + 1)])
        expected = torch.tanh(body.linear.bias + body.linear.weight @ x)
        torch.testing.assert_close(found[at], expected)


@bodies
@pytest.mark.parametrize("kind", ["causal", "classification"])
def test_a_folder_gives_the_model_back(name: str, kind: str, tmp_path: Path) -> None:
    tied = CONFIGS[name].output_width == CONFIGS[name].width
    config = ModelConfig(kind=kind, body=CONFIGS[name], tied=tied, num_outputs=3 if kind != "causal" else 0)  # type: ignore[arg-type]
    model = config.build().eval()
    save_model(model, tmp_path, config=config)
    read = read_model(tmp_path)
    assert read.config == config
    for name_of, tensor in model.state_dict().items():
        assert torch.equal(tensor, read.model.state_dict()[name_of])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_layers must be at least 1"):
        RecurrentConfig(**SIZES, num_layers=0)
    for share in ("dropout", "hidden_dropout", "word_dropout", "weight_drop"):
        with pytest.raises(ConfigError, match=share):
            RecurrentConfig(**SIZES, **{share: 1.0})
    with pytest.raises(ConfigError, match="context must be at least 1"):
        WindowConfig(**SIZES, context=0)
    with pytest.raises(ConfigError, match="not tied"):
        ModelConfig(kind="causal", body=CONFIGS["window"]).build()


def test_the_published_sizes() -> None:
    def parameters(name: str, tied: bool) -> int:
        model = ModelConfig(
            kind="causal", body=recurrent(name, vocab_size=10_000), tied=tied, bias=True
        ).build()
        return sum(p.numel() for p in model.parameters())

    assert set(RECURRENT) >= {"lstm-medium", "awd-lstm"}
    # 20 M (Zaremba et al. 2014).
    assert parameters("lstm-medium", tied=False) == pytest.approx(19.8e6, rel=0.01)
    assert parameters("awd-lstm", tied=True) == pytest.approx(24.2e6, rel=0.01)  # 24 M (Merity et al. 2018)
