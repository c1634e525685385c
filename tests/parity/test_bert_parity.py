"""Our BERT against the reference implementation, on tiny random weights and on the real ones."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gradatim.checkpoint.folder import load_bert, save_bert, tokenizer_json
from gradatim.errors import SourceError
from gradatim.models.backbone import Backbone
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Trace
from gradatim.text.pieces import PieceEncoder

# Other people's deprecations, raised while the reference is imported and built.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

LENGTHS = [7, 2, 13, 7, 1, 11]
TOLERANCE = 1e-5


def reference(**changes: Any) -> Any:
    from transformers import BertConfig, BertModel

    sizes = {
        "vocab_size": 101, "hidden_size": 33, "num_hidden_layers": 3, "num_attention_heads": 3,
        "intermediate_size": 47, "max_position_embeddings": 17, "type_vocab_size": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(**{**sizes, **changes}, attn_implementation="eager")
    model = BertModel(config).eval()
    for name, parameter in model.named_parameters():  # the usual start hides mistakes: zeros and ones
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.2)
    return model


@pytest.fixture(scope="module")
def theirs() -> Any:
    return reference()


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tmp_path_factory.mktemp("reference")
    theirs.save_pretrained(folder)
    return load_bert(folder)


def packed() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(101, (sum(LENGTHS),), generator=draw)
    return ids, torch.randint(2, (sum(LENGTHS),), generator=draw)


def padded(ids: Tensor, segments: Tensor, lengths: list[int]) -> dict[str, Tensor]:
    def pad(values: Tensor) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(list(values.split(lengths)), batch_first=True)

    inside = pad(torch.ones_like(ids))
    return {"input_ids": pad(ids), "token_type_ids": pad(segments), "attention_mask": inside}


def unpad(grid: Tensor, lengths: list[int]) -> Tensor:
    return torch.cat([grid[i, :n] for i, n in enumerate(lengths)])


def farthest(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def test_every_hidden_state_and_attention_weight_is_theirs(ours: Backbone, theirs: Any) -> None:
    ids, segments = packed()
    layout, trace = Layout.of(LENGTHS), Trace([], [])
    with torch.no_grad():
        last = ours(ids, layout, segments, trace)
        known = theirs(**padded(ids, segments, LENGTHS), output_hidden_states=True, output_attentions=True)
    assert len(trace.hidden) == len(known.hidden_states) == 4
    for mine, grid in zip(trace.hidden, known.hidden_states, strict=True):
        assert farthest(mine, unpad(grid, LENGTHS)) <= TOLERANCE
    assert farthest(last, unpad(known.last_hidden_state, LENGTHS)) <= TOLERANCE
    assert trace.weights is not None
    for mine, grid in zip(trace.weights, known.attentions, strict=True):
        for weights, group in zip(mine, layout.groups, strict=True):
            for row, member in enumerate(group.members.tolist()):
                n = LENGTHS[member]
                assert farthest(weights[row, :, :n, :n], grid[member, :, :n, :n]) <= TOLERANCE


@pytest.mark.parametrize("waste", [0.0, 0.25, 1.0])
def test_packed_any_way_is_their_padded_batch(ours: Backbone, theirs: Any, waste: float) -> None:
    ids, segments = packed()
    with torch.no_grad():
        mine = ours(ids, Layout.of(LENGTHS, waste=waste), segments)
        grid = theirs(**padded(ids, segments, LENGTHS)).last_hidden_state
    assert farthest(mine, unpad(grid, LENGTHS)) <= TOLERANCE


def test_gradients_of_one_loss_are_theirs(ours: Backbone, theirs: Any) -> None:
    ids, segments = packed()
    direction = torch.randn(sum(LENGTHS), 33, generator=torch.Generator().manual_seed(2))
    (ours(ids, Layout.of(LENGTHS), segments) * direction).mean().backward()
    grid = theirs(**padded(ids, segments, LENGTHS)).last_hidden_state
    (unpad(grid, LENGTHS) * direction).mean().backward()
    self = theirs.encoder.layer[1].attention.self
    pairs = [
        (ours.embedding.words.weight.grad, theirs.embeddings.word_embeddings.weight.grad),
        (ours.embedding.positions.weight.grad, theirs.embeddings.position_embeddings.weight.grad),
        (ours.embedding.segments.weight.grad, theirs.embeddings.token_type_embeddings.weight.grad),
        (ours.stack.blocks[0].ffn.up.weight.grad, theirs.encoder.layer[0].intermediate.dense.weight.grad),
        (
            ours.stack.blocks[1].attention.qkv.weight.grad,
            torch.cat([part.weight.grad for part in (self.query, self.key, self.value)]),
        ),
    ]
    ours.zero_grad()
    theirs.zero_grad()
    for mine, known in pairs:
        assert known.abs().max() > 1e-3  # there is something to compare
        assert farthest(mine, known) <= TOLERANCE


@pytest.mark.parametrize("hidden_act", ["gelu_new", "relu", "silu"])
def test_other_activations_are_theirs(hidden_act: str, tmp_path: Path) -> None:
    theirs = reference(hidden_act=hidden_act, layer_norm_eps=1e-5, num_hidden_layers=1)
    theirs.save_pretrained(tmp_path)
    ids, segments = packed()
    with torch.no_grad():
        mine = load_bert(tmp_path)(ids, Layout.of(LENGTHS), segments)
        grid = theirs(**padded(ids, segments, LENGTHS)).last_hidden_state
    assert farthest(mine, unpad(grid, LENGTHS)) <= TOLERANCE


def test_the_reference_opens_what_we_save(ours: Backbone, tmp_path: Path) -> None:
    from transformers import BertModel

    save_bert(ours, tmp_path)
    theirs, report = BertModel.from_pretrained(tmp_path, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    ids, segments = packed()
    with torch.no_grad():
        mine = ours(ids, Layout.of(LENGTHS), segments)
        grid = theirs.eval()(**padded(ids, segments, LENGTHS)).last_hidden_state
    assert farthest(mine, unpad(grid, LENGTHS)) <= TOLERANCE


def test_a_headed_checkpoint_of_theirs_is_read(tmp_path: Path) -> None:
    from transformers import BertForPreTraining

    theirs = BertForPreTraining(reference(num_hidden_layers=1).config).eval()
    theirs.save_pretrained(tmp_path)
    ids, segments = packed()
    with torch.no_grad():
        mine = load_bert(tmp_path)(ids, Layout.of(LENGTHS), segments)
        grid = theirs.bert(**padded(ids, segments, LENGTHS)).last_hidden_state
    assert farthest(mine, unpad(grid, LENGTHS)) <= TOLERANCE


WORDS = [
    "a", "the", "film", "was", "very", "good", "bad", "not", "unbelievable", "thriller", "1984", "résumé",
    "naïve", "München", "Übermut", "北京", "東京タワー", "кино", "фильм", "سينما", "उत्कृष्ट", "👍🏽", "🎬",
    "e\u0301tude", "ﬁne", "\u200b", "don't", "www.site.org", "£5.00", "...", "!?", "#tag",
    "antidisestablishment",
]  # fmt: skip


def mixed_texts() -> list[str]:
    """100 texts of 3 to 500 tokens: empty, one word, several scripts, marks, control characters, long."""
    rng = random.Random(0)
    texts = [
        "",
        " ",
        "good",
        "🎬",
        "x" * 150,
        "\x00\x07 odd \ufffd bytes",
        "ß" * 20,
        "[SEP] [MASK] in a text",
    ]
    while len(texts) < 100:
        count = rng.choice([1, 3, 8, 20, 20, 45, 90, 170, 300])
        texts.append(" ".join(rng.choices(WORDS, k=count)))
    rng.shuffle(texts)
    return texts


@pytest.mark.network
def test_the_real_encoder_is_theirs_on_100_mixed_texts() -> None:
    from transformers import BertModel

    from gradatim.data.catalog import fetch

    try:
        folder = fetch("minilm-l6")
    except SourceError as error:
        pytest.skip(f"minilm-l6 cannot be fetched: {error}")
    encoder = PieceEncoder(tokenizer_json(folder), max_length=500, truncate=True)
    arrays = encoder.encode(mixed_texts()).arrays
    lengths = arrays["lengths"].tolist()
    assert len(lengths) == 100
    assert min(lengths) <= 3
    assert max(lengths) == 500
    ids, segments = (torch.from_numpy(np.asarray(arrays[name])) for name in ("ids", "segments"))
    theirs = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    with torch.inference_mode():
        mine = load_bert(folder)(ids, Layout.of(lengths), segments).split(lengths)
        rows = zip(mine, ids.split(lengths), segments.split(lengths), strict=True)
        worst = max(
            farthest(row, theirs(input_ids=i[None], token_type_ids=s[None]).last_hidden_state[0])
            for row, i, s in rows
        )
    assert worst <= TOLERANCE
