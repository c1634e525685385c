"""Real encoders of the catalog against the reference implementation."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gradatim.checkpoint.folder import family_of, load_backbone, read_model, save_model, tokenizer_json
from gradatim.errors import SourceError
from gradatim.nn.packed import Layout
from gradatim.text.pieces import PieceEncoder

# Other people's deprecations, raised while the reference is imported and built.
pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
TOLERANCE = 1e-5

WORDS = [
    "a", "the", "film", "was", "very", "good", "bad", "not", "unbelievable", "thriller", "1984", "résumé",
    "naïve", "München", "Übermut", "北京", "東京タワー", "кино", "фильм", "سينما", "उत्कृष्ट", "👍🏽", "🎬",
    "e\u0301tude", "ﬁne", "\u200b", "don't", "www.site.org", "£5.00", "...", "!?", "#tag",
    "antidisestablishment",
]  # fmt: skip


def mixed_texts(count: int) -> list[str]:
    """Texts of 3 to 500 tokens: empty, one word, several scripts, marks, control characters, long."""
    rng = random.Random(0)
    texts = [
        "",
        " ",
        "good",
        "🎬",
        "x" * 150,
        "\x00\x07 odd \ufffd bytes",
        "ß" * 20,
        "two [SEP] in a text",
    ]
    while len(texts) < count:
        texts.append(" ".join(rng.choices(WORDS, k=rng.choice([1, 3, 8, 20, 20, 45, 90, 170, 300]))))
    rng.shuffle(texts)
    return texts


@pytest.mark.parametrize(
    ("name", "architecture", "count"),
    [
        ("minilm-l6", "BertModel", 100),
        pytest.param("mpnet-base", "MPNetModel", 16, marks=pytest.mark.slow),  # 400 MB to fetch
    ],
)
def test_a_real_encoder_is_theirs_on_mixed_texts(
    name: str, architecture: str, count: int, tmp_path: Path
) -> None:
    import transformers

    from gradatim.data.catalog import fetch

    try:
        folder = fetch(name)
    except SourceError as error:
        pytest.skip(f"{name} cannot be fetched: {error}")
    encoder = PieceEncoder(tokenizer_json(folder), max_length=500, truncate=True)
    arrays = encoder.encode(mixed_texts(count)).arrays
    lengths = arrays["lengths"].tolist()
    assert len(lengths) == count
    assert min(lengths) <= 3
    assert max(lengths) == 500
    ids = torch.from_numpy(np.asarray(arrays["ids"]))
    body = load_backbone(folder)
    save_model(body, tmp_path, family=family_of(read_model(folder).config))
    load: Callable[..., Any] = getattr(transformers, architecture).from_pretrained
    with torch.inference_mode():
        mine = body(ids, Layout.of(lengths)).split(lengths)
        # What is written is the same network, or it is not.
        for place, some in ((folder, count), (tmp_path, 8)):
            theirs = load(place, add_pooling_layer=False, attn_implementation="eager").eval()
            rows = zip(mine[:some], ids.split(lengths)[:some], strict=True)
            worst = max(
                float((row - theirs(input_ids=i[None]).last_hidden_state[0]).abs().max()) for row, i in rows
            )
            assert worst <= TOLERANCE
