"""Tiny models of the reference implementation, one of every class that we read and write."""

from __future__ import annotations

from typing import Any

import torch

VOCABULARY, PAD = 101, 1

ENCODER = {
    "vocab_size": VOCABULARY, "hidden_size": 33, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 47, "max_position_embeddings": 17, "pad_token_id": PAD,
}  # fmt: skip
DISTIL = {
    "vocab_size": VOCABULARY, "dim": 33, "n_layers": 2, "n_heads": 3, "hidden_dim": 47,
    "max_position_embeddings": 17, "pad_token_id": PAD,
}  # fmt: skip
DECODER = {
    "vocab_size": VOCABULARY,
    "n_positions": 17,
    "n_embd": 33,
    "n_layer": 2,
    "n_head": 3,
    "pad_token_id": PAD,
}
T5 = {
    "vocab_size": VOCABULARY, "d_model": 33, "d_kv": 7, "d_ff": 47, "num_layers": 2, "num_decoder_layers": 3,
    "num_heads": 3, "decoder_start_token_id": 0, "pad_token_id": PAD,
}  # fmt: skip
MARIAN = {
    "vocab_size": VOCABULARY, "d_model": 30, "encoder_layers": 2, "decoder_layers": 3, "pad_token_id": PAD,
    "encoder_attention_heads": 3, "decoder_attention_heads": 5, "encoder_ffn_dim": 47, "decoder_ffn_dim": 41,
    "max_position_embeddings": 17, "decoder_start_token_id": 0, "eos_token_id": 2, "forced_eos_token_id": 2,
}  # fmt: skip
SPECIAL = {"bos_token_id": 0, "eos_token_id": 2}
HEADS = ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"]
HEADS += ["ForQuestionAnswering", "ForMultipleChoice"]
ENCODERS = {"Bert": ENCODER, "Roberta": ENCODER, "MPNet": ENCODER, "DistilBert": DISTIL}

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {  # name -> class, class of its configuration, fields
    **{
        f"{stem}{head}": (f"{stem}{head}", f"{stem}Config", sizes)
        for stem, sizes in ENCODERS.items()
        for head in HEADS
    },
    "BertForPreTraining": ("BertForPreTraining", "BertConfig", ENCODER),
    "BertForNextSentencePrediction": ("BertForNextSentencePrediction", "BertConfig", ENCODER),
    "bert with other axes": (
        "BertForMaskedLM",
        "BertConfig",
        {**ENCODER, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5, "type_vocab_size": 3},
    ),
    "distilbert from sinusoids": ("DistilBertModel", "DistilBertConfig", {**DISTIL, "sinusoidal_pos_embds": True}),
    "gpt": ("OpenAIGPTModel", "OpenAIGPTConfig", DECODER),
    "gpt language model": ("OpenAIGPTLMHeadModel", "OpenAIGPTConfig", DECODER),
    "gpt of rows": ("OpenAIGPTForSequenceClassification", "OpenAIGPTConfig", {**DECODER, "num_labels": 3}),
    "gpt2": ("GPT2Model", "GPT2Config", {**DECODER, **SPECIAL}),
    "gpt2 language model": ("GPT2LMHeadModel", "GPT2Config", {**DECODER, **SPECIAL}),
    "gpt2 tags": ("GPT2ForTokenClassification", "GPT2Config", {**DECODER, **SPECIAL}),
    "gpt2 of rows": (
        "GPT2ForSequenceClassification",
        "GPT2Config",
        {**DECODER, **SPECIAL, "problem_type": "single_label_classification"},
    ),
    "gpt2 spans": ("GPT2ForQuestionAnswering", "GPT2Config", {**DECODER, **SPECIAL}),
    "gpt2 untied": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {**DECODER, **SPECIAL, "tie_word_embeddings": False, "n_inner": 29},
    ),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
    "t5 encoder": ("T5EncoderModel", "T5Config", T5),
    "t5 tags": ("T5ForTokenClassification", "T5Config", T5),
    "t5 v1.1": (
        "T5ForConditionalGeneration",
        "T5Config",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "marian": ("MarianMTModel", "MarianConfig", {**MARIAN, "activation_function": "swish", "scale_embedding": True}),
    "marian with two vocabularies": (
        "MarianMTModel",
        "MarianConfig",
        {**MARIAN, "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 97},
    ),
}  # fmt: skip


def reference(name: str) -> Any:
    """A model of theirs with weights that hide no mistake: the usual start is all zeros and ones."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    architecture, config, fields = CASES[name]
    torch.manual_seed(0)
    config = getattr(transformers, config)(**fields, attn_implementation="eager")
    model = getattr(transformers, architecture)(config).eval()
    spread = 0.1 if architecture.startswith("T5") else 0.2  # its scores are not scaled down
    tensors = [
        *model.named_parameters(),
        *((n, b) for n, b in model.named_buffers() if n == "final_logits_bias"),
    ]
    for name, tensor in tensors:
        if tensor.requires_grad or name == "final_logits_bias":
            norm = "norm" in name.lower() or "ln_" in name
            torch.nn.init.normal_(tensor, 1.0 if norm and name.endswith("weight") else 0.0, spread)
    return model
