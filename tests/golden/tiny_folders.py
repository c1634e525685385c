"""Tiny model folders that are the same in every environment: files written from numpy's numbers, without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

WORDS = """the a film was good bad not very great dull and of in on anna berlin paris lives works who where is it cat
sat mat house garden walked to . , ! ?""".split()  # noqa: SIM905
Shapes = dict[str, tuple[int, ...]]


def reader(folder: Path) -> Path:
    """A BERT that marks spans, with word pieces."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(97, 123)]
    words = [*specials, *WORDS, *letters[1:], *("##" + letter for letter in letters)]
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##")
    made.add_special_tokens(specials)
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    width, inner, layers = 24, 40, 2
    shapes: Shapes = {
        "bert.embeddings.word_embeddings.weight": (len(words), width),
        "bert.embeddings.position_embeddings.weight": (128, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
        **_norm("bert.embeddings.LayerNorm", width), **_linear("qa_outputs", width, 2),
    }  # fmt: skip
    for layer in range(layers):
        stem = f"bert.encoder.layer.{layer}"
        for name in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ):
            shapes |= _linear(f"{stem}.{name}", width, width)
        shapes |= _linear(f"{stem}.intermediate.dense", width, inner) | _linear(
            f"{stem}.output.dense", inner, width
        )
        shapes |= _norm(f"{stem}.attention.output.LayerNorm", width) | _norm(
            f"{stem}.output.LayerNorm", width
        )
    config = {
        "architectures": ["BertForQuestionAnswering"], "model_type": "bert", "vocab_size": len(words),
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 3, "intermediate_size": inner,
        "max_position_embeddings": 128, "pad_token_id": 0,
    }  # fmt: skip
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return _write(folder, config, shapes, made, {**names, "model_max_length": 128}, spread=0.4)


def writer(folder: Path) -> Path:
    """A T5 with a vocabulary of words."""
    words = ["<pad>", "</s>", "<oov>", *WORDS, "summarize:", "translate:"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<oov>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(words[:3])
    made.post_processor = TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    width, inner, heads, of_head = 24, 40, 3, 8
    shapes: Shapes = {"shared.weight": (len(words), width)}
    for side, parts in (("encoder", 2), ("decoder", 3)):
        shapes[f"{side}.final_layer_norm.weight"] = (width,)
        for block in range(2):
            stem = f"{side}.block.{block}.layer"
            for part, name in list(enumerate(("SelfAttention", "EncDecAttention")))[: parts - 1]:
                for matrix in "qkvo":
                    shape = (width, heads * of_head) if matrix == "o" else (heads * of_head, width)
                    shapes[f"{stem}.{part}.{name}.{matrix}.weight"] = shape
            shapes[f"{stem}.{parts - 1}.DenseReluDense.wi.weight"] = (inner, width)
            shapes[f"{stem}.{parts - 1}.DenseReluDense.wo.weight"] = (width, inner)
            shapes |= {f"{stem}.{part}.layer_norm.weight": (width,) for part in range(parts)}
        shapes[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = (32, heads)
    config = {
        "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "vocab_size": len(words),
        "d_model": width, "d_kv": of_head, "d_ff": inner, "num_layers": 2, "num_decoder_layers": 2, "num_heads": heads,
        "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "is_encoder_decoder": True,
        "n_positions": 64,
        "task_specific_params": {
            "summarization": {"prefix": "summarize: ", "num_beams": 2, "length_penalty": 2.0, "min_length": 5},
            "translation_en_to_fr": {"prefix": "translate: ", "num_beams": 3, "early_stopping": True},
        },
    }  # fmt: skip
    names = {"pad_token": "<pad>", "unk_token": "<oov>", "eos_token": "</s>"}
    return _write(folder, config, shapes, made, {**names, "model_max_length": 64}, spread=0.6)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _write(
    folder: Path,
    config: dict[str, Any],
    shapes: Shapes,
    tokenizer: Tokenizer,
    settings: dict[str, Any],
    spread: float,
) -> Path:
    generator, tensors = np.random.default_rng(11), {}
    for name in sorted(shapes):
        values = generator.normal(0, spread, shapes[name])
        if "norm" in name.lower() and name.endswith("weight"):
            values = 1 + values / 4
        tensors[name] = values.astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    inputs = ["input_ids", "token_type_ids", "attention_mask"][:: 1 if "cls_token" in settings else 2]
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": inputs, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
