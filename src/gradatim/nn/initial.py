"""Fresh weights: all of one size, or each by what it reads."""

from __future__ import annotations

import torch
from torch import nn

from gradatim.nn.multihead import Attention


def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """BERT's and GPT's initialisation, in place: normal weights, zero biases, unit norms."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)


def init_by_width(module: nn.Module, words: nn.Embedding, *, scaled: bool) -> None:
    """T5's, in place: what a layer says is as large as what it reads, a word vector's numbers are about 1.

    A weight's variance is 1 / inputs; queries whose products are not scaled (`scale` 1) are that much smaller.
    `scaled` words are multiplied by width^0.5 when they are read.
    """
    init_normal(module)
    nn.init.normal_(words.weight, std=words.embedding_dim**-0.5 if scaled else 1.0)
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=part.in_features**-0.5)
    for part in module.modules():
        if isinstance(part, Attention) and part.config.scale is not None:
            with torch.no_grad():
                part.queries.div_(part.config.scale * part.config.head_width**0.5)
