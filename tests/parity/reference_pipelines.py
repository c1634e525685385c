"""Model folders as the reference writes them, with a tokenizer, for pipelines of both libraries to open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

WORDS = """the a film was good bad not very great dull and of in on anna berlin paris lives works who where is this
example about sports news from to . , ! ? ' - s t""".split()  # noqa: SIM905
LETTERS = [chr(code) for code in (*range(97, 123), *range(48, 58), 228, 233, 252)]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*dict.fromkeys([*SPECIALS, *WORDS, *LETTERS, *("##" + letter for letter in LETTERS), "##ing"])]
SIZES = {
    "vocab_size": len(VOCABULARY), "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 40, "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip


def tokenizer() -> Tokenizer:
    """Word pieces as BERT has them."""
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##")
    made.add_special_tokens(SPECIALS)
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return made


def write_tokenizer(folder: Path) -> None:
    """The tokenizer's files."""
    tokenizer().save(str(folder / "tokenizer.json"))
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **names}
    settings["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_model(folder: Path, head: str, **fields: Any) -> Path:
    """A tiny BERT with this head and random weights large enough to tell inputs apart."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(5)
    model = getattr(transformers, f"Bert{head}")(transformers.BertConfig(**SIZES, **fields)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.normal_(std=0.35)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_language(folder: Path) -> Path:
    """A tiny GPT-2 over single characters and a few words, and its tokenizer, which adds nothing to a text."""
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(2)
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(["<|endoftext|>", "Ġ", *LETTERS])}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|endoftext|>"])
    sizes = {"n_positions": 64, "n_embd": 24, "n_layer": 2, "n_head": 3, "vocab_size": made.get_vocab_size()}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ln_" not in name:
                parameter.normal_(std=0.4)
    model.save_pretrained(folder)
    made.save(str(folder / "tokenizer.json"))
    names = {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
