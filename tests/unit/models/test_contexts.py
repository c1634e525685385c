"""A word's vectors by context: where it stands, of which layer, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import save_model
from gradatim.cli.vectors import app
from gradatim.errors import ConfigError, DataError
from gradatim.models.backbone import BackboneConfig
from gradatim.models.contexts import occurrences
from gradatim.models.elmo import ElmoConfig
from gradatim.models.encoders import encoder_for, with_capitals
from gradatim.models.inputs import Inputs
from gradatim.models.presets import Sizes, bert
from gradatim.nn.stack import Trace
from gradatim.text.tokenizer import preset, train_tokenizer

TEXTS = ["the film is good. The FILM!", "no such word", "filmed", "a good film", "film"]
WORDS = train_tokenizer(TEXTS, preset("elmo"), 30).to_str()
BODIES = {
    "elmo": ElmoConfig(vocab_size=30, width=6, filters=((1, 4), (2, 4))),
    "bert": bert(Sizes(vocab_size=80, num_layers=2, width=8, num_heads=2, ffn_width=8, max_length=24)),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_a_vector_is_that_of_the_word_in_its_text(kind: str, layer: int, tokenizer_json: str) -> None:
    torch.manual_seed(0)
    body = BODIES[kind].build().eval()
    encoder = encoder_for(BODIES[kind], WORDS if kind == "elmo" else tokenizer_json, max_length=24)
    found = occurrences(body, encoder, TEXTS, "film", layer=layer)
    assert [one.text for one in found] == [0, 0, 3, 4]
    assert [one.around for one in found] == [
        "the FILM is good. The",
        "is good. The FILM!",
        "a good FILM",
        "FILM",
    ]
    arrays = encoder.encode([TEXTS[3]], spans=True).arrays
    trace = Trace([])
    inputs = Inputs.of({name: arrays[name] for name in ("ids", "segments", "lengths")})
    with torch.no_grad():
        body(inputs.ids, inputs.layout, inputs.segments, trace)
    own = (arrays["starts"] >= 7) & (arrays["ends"] > 0)
    wanted = trace.hidden[layer][: len(own)][own].mean(0).numpy()
    np.testing.assert_allclose(found[2].vector, wanted, atol=1e-5)
    one, other = found[2].vector, found[3].vector
    if kind == "elmo":
        assert np.allclose(one, other, atol=1e-6) == (layer == 0)  # the embedding knows no context
    assert occurrences(body, encoder, TEXTS, "fil") == []
    with pytest.raises(ConfigError, match="no layer 7"):
        occurrences(body, encoder, TEXTS, "film", layer=7)


def test_a_body_is_told_of_capitals(tokenizer_json: str) -> None:
    torch.manual_seed(0)
    config = with_capitals(cast(BackboneConfig, BODIES["bert"]))
    body, encoder = config.build().eval(), encoder_for(config, tokenizer_json, max_length=24)
    small, large = (
        occurrences(body, encoder, [text], "film", layer=0)[0].vector for text in ("a film", "a Film")
    )
    assert not np.allclose(small, large, atol=1e-3)


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig(kind="both_ways", body=BODIES["elmo"])
    save_model(config.build(), tmp_path / "model", config=config)
    (tmp_path / "model" / "tokenizer.json").write_text(WORDS)
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    out = tmp_path / "contexts.png"
    command = ["contexts", str(tmp_path / "model"), "film", str(tmp_path / "a.txt"), "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "4 times" in done.output
    assert out.read_bytes().startswith(b"\x89PNG")
    command[2] = "absent"
    assert isinstance(CliRunner().invoke(app, command).exception, DataError)
