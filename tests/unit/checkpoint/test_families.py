"""Configurations there and back, and what a family refuses to read or to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from gradatim.checkpoint.config import ModelConfig
from gradatim.checkpoint.folder import FAMILIES, family_of, find_family
from gradatim.errors import CheckpointError
from gradatim.models.backbone import Backbone, BackboneConfig
from gradatim.models.classifier import Classifier, Tagger
from gradatim.models.heads import LanguageHead, MaskedHead, RowHead
from gradatim.models.language import LanguageModel, Seq2Seq
from gradatim.models.presets import (
    Sizes,
    bert,
    decoder,
    distilbert,
    gpt,
    gpt2,
    marian,
    mpnet,
    roberta,
    t5,
    transformer,
)

SIZES = Sizes(vocab_size=31, num_layers=2, width=14, num_heads=2, ffn_width=56, max_length=11)
BODIES: dict[str, BackboneConfig] = {
    "bert": bert(SIZES, activation="gelu_tanh", num_segments=3),
    "roberta": roberta(SIZES, activation="relu"),
    "distilbert": distilbert(SIZES),
    "mpnet": mpnet(SIZES, norm_eps=1e-12),
    "openai-gpt": gpt(SIZES),
    "gpt2": gpt2(replace(SIZES, ffn_width=17)),
    "t5": t5(replace(SIZES, head_width=5), buckets=16, max_distance=50, activation="gelu_tanh", gated=True),
}


def seq2seq(body: BackboneConfig, **more: Any) -> ModelConfig:
    return ModelConfig(kind="seq2seq", body=body, decoder=decoder(body, num_layers=3), **more)


@pytest.mark.parametrize("name", BODIES)
def test_the_family_of_a_body_follows_from_its_fields(name: str) -> None:
    config = ModelConfig(kind="body", body=BODIES[name], special={"pad": 1, "eos": 2})
    assert family_of(config) == name
    family = FAMILIES[name]
    fields = family.fields(config)
    assert fields["model_type"] == name
    assert family.config(fields, family.architectures[fields["architectures"][0]]) == config


@pytest.mark.parametrize("shared", [True, False])
def test_the_family_of_an_encoder_with_a_decoder_follows_too(shared: bool) -> None:
    body = marian(SIZES, scaled=False)
    config = seq2seq(body, bias=True, shared=shared, special={"start": 3})
    assert family_of(config) == "marian"
    assert family_of(seq2seq(BODIES["t5"], scale=14**-0.5)) == "t5"
    with pytest.raises(CheckpointError, match=r"marian.*bias is False, not True"):
        family_of(seq2seq(body))


def test_labels_stand_in_a_config_and_invented_ones_do_not_come_back() -> None:
    family = FAMILIES["bert"]
    config = ModelConfig(kind="tagging", body=BODIES["bert"], num_outputs=3, labels=("O", "B", "I"))
    fields = family.fields(config)
    assert fields["id2label"] == {"0": "O", "1": "B", "2": "I"}
    architecture = family.architectures["BertForTokenClassification"]
    assert family.config(fields, architecture) == config
    unnamed = replace(config, labels=())
    assert family.config(family.fields(unnamed), architecture) == unnamed


@pytest.mark.parametrize(
    ("family", "change", "named"),
    [
        ("bert", {"position_embedding_type": "relative_key"}, "relative_key"),
        ("bert", {"hidden_act": "mish"}, "mish"),
        ("bert", {"hidden_act": "geluu"}, "did you mean 'gelu'"),
        ("bert", {"hidden_act": ["gelu"]}, "hidden_act"),
        ("roberta", {"pad_token_id": -1}, "pad_token_id"),
        ("bert", {"is_decoder": True}, "is_decoder"),
        ("bert", {"type_vocab_size": 0}, "type_vocab_size"),
        ("bert", {"hidden_size": "768"}, "hidden_size"),
        ("bert", {"hidden_size": 14.0}, r"hidden_size, which is no 14\.0"),
        ("bert", {"num_hidden_layers": True}, "num_hidden_layers"),
        ("bert", {"layer_norm_eps": float("nan")}, "layer_norm_eps"),
        ("bert", {"pad_token_id": "[PAD]"}, "pad_token_id"),
        ("gpt2", {"eos_token_id": [1, 2]}, "eos_token_id"),
        ("t5", {"dense_act_fn": "mish"}, "dense_act_fn 'mish'"),
        ("bert", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("mpnet", {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("openai-gpt", {"afn": "gelu_new"}, "gelu_new"),
        ("t5", {"feed_forward_proj": "gated-mish"}, "gated-mish"),
    ],
)
def test_what_cannot_be_expressed_is_refused(family: str, change: dict[str, Any], named: str) -> None:
    known = FAMILIES[family]
    fields = known.fields(ModelConfig(kind="body", body=BODIES[family]))
    with pytest.raises(CheckpointError, match=named):
        known.config({**fields, **change}, known.bare)


@pytest.mark.parametrize("names", [["a", "b"], {"x": "a", "y": "b"}, {"1": "a", "2": "b"}])
def test_names_of_labels_that_are_not_counted_from_zero_are_refused(names: Any) -> None:
    known = FAMILIES["bert"]
    fields = known.fields(ModelConfig(kind="tagging", body=BODIES["bert"], num_outputs=2))
    with pytest.raises(CheckpointError, match="id2label"):
        known.config({**fields, "id2label": names}, known.architectures["BertForTokenClassification"])


def test_keys_that_no_model_of_the_family_looks_at_are_known_by_name() -> None:
    known = FAMILIES["bert"]
    fields = known.fields(ModelConfig(kind="body", body=BODIES["bert"]))
    assert known.unread({**fields, "use_cache": True, "num_beams": 4}) == ()
    assert known.unread({**fields, "alibi": True, "layer_norm_epsilon": 0.1}) == (
        "alibi",
        "layer_norm_epsilon",
    )


def test_an_encoder_decoder_that_is_said_to_be_none_is_refused() -> None:
    known = FAMILIES["t5"]
    fields = known.fields(seq2seq(BODIES["t5"]))
    with pytest.raises(CheckpointError, match="is_encoder_decoder"):
        known.config(
            {**fields, "is_encoder_decoder": False}, known.architectures["T5ForConditionalGeneration"]
        )


def test_all_faults_of_a_config_stand_in_one_error_and_null_is_absent() -> None:
    known = FAMILIES["bert"]
    fields = known.fields(ModelConfig(kind="body", body=BODIES["bert"]))
    assert known.config({**fields, "quantization_config": None, "layer_norm_eps": None}, known.bare)
    del fields["hidden_size"]
    with pytest.raises(CheckpointError, match=r"lacks the number hidden_size.*mish.*is_decoder True"):
        known.config({**fields, "hidden_act": "mish", "is_decoder": True}, known.bare)


@pytest.mark.parametrize(
    ("family", "config", "named"),
    [
        ("bert", roberta(SIZES), r"embedding\.first_position is 2, not 0"),
        ("bert", bert(SIZES, window=3), r"block\.window is 3, not None"),
        ("bert", distilbert(SIZES), "type_vocab_size"),
        ("roberta", mpnet(SIZES), "num_segments|type_vocab_size"),
        ("openai-gpt", gpt(replace(SIZES, ffn_width=17)), r"block\.ffn_width is 17, not 56"),
        ("gpt2", gpt2(SIZES, causal=False), r"block\.causal is False, not True"),
        ("t5", t5(SIZES, activation="gelu", gated=True), "activation"),
        ("marian", marian(SIZES), "no model of kind 'body'"),
    ],
)
def test_a_family_writes_nothing_that_it_would_read_otherwise(
    family: str, config: BackboneConfig, named: str
) -> None:
    with pytest.raises(CheckpointError, match=named):
        FAMILIES[family].fields(ModelConfig(kind="body", body=config))


def test_a_model_of_no_family_is_told_what_each_one_lacks() -> None:
    with pytest.raises(CheckpointError, match=r"no Hugging Face architecture") as caught:
        family_of(ModelConfig(kind="body", body=transformer(SIZES)))
    assert all(name in str(caught.value) for name in FAMILIES)


def test_dropout_is_no_reason_to_refuse() -> None:
    FAMILIES["bert"].fields(ModelConfig(kind="body", body=bert(SIZES, activation_dropout=0.3)))


def test_an_unknown_model_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(CheckpointError, match="did you mean 'roberta'"):
        find_family("xlm-roberta")


def models() -> list[tuple[str, nn.Module]]:
    body = Backbone(BODIES["bert"])
    words = body.embedding.words
    masked = MaskedHead(words, activation="relu", norm_eps=1e-5)
    causal, t5_config = Backbone(BODIES["gpt2"]), BODIES["t5"]
    return [
        ("body", body),
        ("masked", LanguageModel(body, masked)),
        ("pretraining", LanguageModel(body, masked, RowHead(14, 2, inner="tanh"))),
        ("causal", LanguageModel(causal, LanguageHead(14, 31, words=causal.embedding.words, scale=0.5))),
        ("causal", LanguageModel(causal, LanguageHead(14, 31, bias=True))),
        ("classification", Classifier(body, 14, 3, pooling=("first", "max"), inner="relu", dropout=0.25)),
        ("tagging", Tagger(body, 14, 5)),
        ("seq2seq", Seq2Seq(t5_config, decoder(t5_config), shared=False, head_scale=0.5)),
        ("seq2seq", Seq2Seq(t5_config, decoder(t5_config), tied=False, head_bias=True)),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "model"), models())
def test_a_model_is_described_and_built_again(kind: str, model: nn.Module) -> None:
    config = ModelConfig.of(model)
    assert config.kind == kind
    again = config.build()
    assert type(again) is type(model)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    assert {name: p.shape for name, p in again.named_parameters()} == shapes
    assert ModelConfig.of(again) == config
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_what_has_no_transformer_body_cannot_be_described() -> None:
    with pytest.raises(CheckpointError, match="Classifier"):
        ModelConfig.of(Classifier(nn.Identity(), 5, 2))
