"""Every architecture against the reference implementation, on tiny random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from reference_models import CASES, PAD, reference
from torch import Tensor

from gradatim.checkpoint.config import ROWS, TOKENS
from gradatim.checkpoint.folder import (
    FAMILIES,
    Checkpoint,
    family_of,
    load_backbone,
    read_model,
    save_model,
)
from gradatim.checkpoint.rules import to_theirs
from gradatim.errors import CheckpointError
from gradatim.models.inputs import Inputs
from gradatim.nn.packed import Layout
from gradatim.nn.stack import Trace

# Other people's deprecations, raised while the reference is imported and built.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

LENGTHS, TARGETS = [7, 2, 13, 7, 1, 11], [5, 9, 1, 5, 3, 2]
TOLERANCE = 1e-5


@dataclass
class Pair:
    """The same model twice: theirs, and ours as read from what theirs wrote."""

    theirs: Any
    ours: Checkpoint

    @property
    def kind(self) -> str:
        return self.ours.config.kind

    @property
    def body(self) -> Any:
        model = self.ours.model
        return getattr(model, "encoder", getattr(model, "body", model))


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    theirs = reference(request.param)
    folder = tmp_path_factory.mktemp("reference")
    theirs.save_pretrained(folder)
    return Pair(theirs, read_model(folder))


def tokens(lengths: list[int], highest: int = 97, seed: int = 1) -> Tensor:
    return torch.randint(3, highest, (sum(lengths),), generator=torch.Generator().manual_seed(seed))


def segments_of(pair: Pair) -> Tensor | None:
    count = pair.ours.config.body.embedding.num_segments
    return tokens(LENGTHS, seed=2) % count if count > 1 else None


def grid(values: Tensor, lengths: list[int], fill: int = 0) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(values.split(lengths)), batch_first=True, padding_value=fill)


def flat(padded: Tensor, lengths: list[int]) -> Tensor:
    return torch.cat([padded[i, :n] for i, n in enumerate(lengths)])


def farthest(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def run_theirs(pair: Pair, **more: Any) -> Any:
    """Their outputs of the padded batch; the rows of a choice are the choices of one question."""
    ids = tokens(LENGTHS)
    batch = {"input_ids": grid(ids, LENGTHS, PAD), "attention_mask": grid(torch.ones_like(ids), LENGTHS)}
    if (segments := segments_of(pair)) is not None:
        batch["token_type_ids"] = grid(segments, LENGTHS)
    if pair.kind == "choice":
        batch = {name: values[None] for name, values in batch.items()}
    if pair.kind == "seq2seq":
        target = tokens(TARGETS, seed=3)
        batch["decoder_input_ids"] = grid(target, TARGETS, PAD)
        batch["decoder_attention_mask"] = grid(torch.ones_like(target), TARGETS)
    return pair.theirs(**batch, **more)


def their_logits(pair: Pair, out: Any) -> Tensor:
    if pair.kind == "choice":
        return out.logits.T
    if pair.kind in ROWS:
        return out.logits
    if pair.kind == "span":
        return flat(torch.stack([out.start_logits, out.end_logits], -1), LENGTHS)
    name = {"body": "last_hidden_state", "pretraining": "prediction_logits"}.get(pair.kind, "logits")
    return flat(out[name], TARGETS if pair.kind == "seq2seq" else LENGTHS)


def our_logits(pair: Pair, waste: float = 0.25, trace: Trace | None = None) -> Tensor:
    ids, layout, segments = tokens(LENGTHS), Layout.of(LENGTHS, waste=waste), segments_of(pair)
    model = pair.ours.model
    if pair.kind == "seq2seq":
        return model(ids, layout, tokens(TARGETS, seed=3), Layout.of(TARGETS, waste=waste), trace)
    if pair.kind in (*ROWS, *TOKENS):
        rows = torch.arange(len(LENGTHS))
        return model(Inputs(ids, layout, segments, rows, len(LENGTHS), len(ids)), trace)
    return model(ids, layout, segments, trace)


@pytest.mark.parametrize("waste", [0.0, 0.25, 1.0])
def test_logits_are_theirs_however_the_batch_is_packed(pair: Pair, waste: float) -> None:
    with torch.no_grad():
        mine, known = our_logits(pair, waste), their_logits(pair, run_theirs(pair))
    assert known.std() > 0.01  # there is something to compare
    assert farthest(mine, known) <= TOLERANCE


def test_hidden_states_and_attention_weights_are_theirs(pair: Pair) -> None:
    with torch.no_grad():
        out = run_theirs(pair, output_hidden_states=True, output_attentions=True)
        trace = Trace([], [])
        our_logits(pair, 1.0, trace)
        if pair.kind == "seq2seq":
            compare(trace, out.decoder_hidden_states, out.decoder_attentions, TARGETS)
            for (mine,), known in zip(trace.cross_weights, out.cross_attentions, strict=True):
                for row, (n, m) in enumerate(zip(TARGETS, LENGTHS, strict=True)):
                    assert farthest(mine[row, :, :n, :m], known[row, :, :n, :m]) <= TOLERANCE
            trace = Trace([], [])
            pair.body(tokens(LENGTHS), Layout.of(LENGTHS, waste=1.0), None, trace)
            hidden, attentions = out.encoder_hidden_states, out.encoder_attentions
        else:
            hidden, attentions = out.hidden_states, out.attentions
        compare(trace, hidden, attentions, LENGTHS)


def compare(trace: Trace, hidden: Any, attentions: Any, lengths: list[int]) -> None:
    """Rows stand in one group, in order."""
    for a, b in zip(trace.hidden, hidden, strict=True):
        assert farthest(a, flat(b, lengths)) <= TOLERANCE
    assert trace.weights is not None
    for (a,), b in zip(trace.weights, attentions, strict=True):
        for row, n in enumerate(lengths):
            assert farthest(a[row, :, :n, :n], b[row, :, :n, :n]) <= TOLERANCE


def test_gradients_of_one_loss_are_theirs(pair: Pair) -> None:
    mine, known = our_logits(pair), their_logits(pair, run_theirs(pair))
    direction = torch.randn(known.shape, generator=torch.Generator().manual_seed(4)) / known.numel()
    for model, logits in ((pair.ours.model, mine), (pair.theirs, known)):
        model.zero_grad()
        (logits * direction).sum().backward()
    config = pair.ours.config
    family = FAMILIES[family_of(config)]
    table = family.table(config, family.architectures[type(pair.theirs).__name__])
    weights = dict(pair.ours.model.named_parameters())
    grads = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in weights.items()}
    compared = 0
    converted = to_theirs(grads, table)
    for name, parameter in pair.theirs.named_parameters():
        if parameter.grad is not None:
            assert farthest(converted[name], parameter.grad) <= TOLERANCE, name
            compared += int(parameter.grad.abs().max() > 1e-4)
    assert compared > len(converted) / 2


def test_the_reference_opens_what_we_save(pair: Pair, tmp_path: Path) -> None:
    config = pair.ours.config
    save_model(pair.ours.model, tmp_path, family=family_of(config), config=config, max_shard_bytes=30_000)
    bare = type(pair.theirs).__name__ in ("BertModel", "RobertaModel", "MPNetModel")
    theirs, report = type(pair.theirs).from_pretrained(
        tmp_path, output_loading_info=True, **({"add_pooling_layer": False} if bare else {})
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.no_grad():
        known = their_logits(pair, run_theirs(Pair(theirs.eval(), pair.ours)))
        assert farthest(our_logits(pair), known) <= TOLERANCE
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1


def test_our_own_folder_and_the_body_alone_lose_nothing(pair: Pair, tmp_path: Path) -> None:
    config = pair.ours.config
    save_model(pair.ours.model, tmp_path / "own", config=config)
    again = read_model(tmp_path / "own")
    assert again.config == config
    with torch.no_grad():
        assert torch.equal(our_logits(Pair(None, again)), our_logits(pair))
    pair.theirs.save_pretrained(tmp_path / "theirs")
    for folder in ("own", "theirs"):
        body = load_backbone(tmp_path / folder)
        assert body.config == pair.body.config
        assert all(torch.equal(a, b) for a, b in zip(body.parameters(), pair.body.parameters(), strict=True))


def test_relations_of_a_pretrained_bert_are_theirs(tmp_path: Path) -> None:
    theirs = reference("BertForPreTraining")
    theirs.save_pretrained(tmp_path)
    pair = Pair(theirs, read_model(tmp_path))
    model = pair.ours.model
    layout = Layout.of(LENGTHS)
    with torch.no_grad():
        firsts = pair.body(tokens(LENGTHS), layout, segments_of(pair)).index_select(0, layout.offsets)
        assert farthest(model.relation(firsts), run_theirs(pair).seq_relationship_logits) <= TOLERANCE


@pytest.mark.parametrize("later", [False, True])
def test_an_output_matrix_of_its_own_is_read_and_written(tmp_path: Path, later: bool) -> None:
    """T5 v1.1 as published has its own output matrix; later versions of the reference say it is tied."""
    from safetensors.torch import load_file, save_file

    theirs = reference("t5 v1.1")
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors["shared.weight"].flip(0).contiguous()
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    if not later:
        config = (tmp_path / "config.json").read_text()
        config = config.replace('"tie_word_embeddings": true', '"tie_word_embeddings": false')
        (tmp_path / "config.json").write_text(config.replace('"scale_decoder_outputs": false,', ""))
    ours = read_model(tmp_path)
    assert (ours.config.tied, ours.config.scale) == (False, 1.0)
    save_model(ours.model, tmp_path / "again", family="t5", config=ours.config)
    for folder in (tmp_path, tmp_path / "again"):
        pair = Pair(type(theirs).from_pretrained(folder).eval(), ours)
        with torch.no_grad():
            assert farthest(our_logits(pair), their_logits(pair, run_theirs(pair))) <= TOLERANCE


def test_the_activation_that_the_reference_goes_by_is_ours_too(tmp_path: Path) -> None:
    """Beside `feed_forward_proj` a T5's config.json holds what follows from it, and that decides."""
    import json

    theirs = reference("t5 v1.1")
    theirs.save_pretrained(tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**fields, "dense_act_fn": "silu"}))
    pair = Pair(type(theirs).from_pretrained(tmp_path).eval(), read_model(tmp_path))
    with torch.no_grad():
        assert farthest(our_logits(pair), their_logits(pair, run_theirs(pair))) <= TOLERANCE


def test_a_bias_that_the_reference_has_no_place_for_is_refused(tmp_path: Path) -> None:
    reference("gpt2 of rows").save_pretrained(tmp_path / "theirs")
    ours = read_model(tmp_path / "theirs")
    torch.nn.init.ones_(ours.model.head.linear.bias)
    with pytest.raises(CheckpointError, match=r"head\.linear\.bias"):
        save_model(ours.model, tmp_path / "back", family="gpt2", config=ours.config)
    assert not (tmp_path / "back").exists()
