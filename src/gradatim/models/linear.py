"""The linear tagger while it learns: a table of weights, one row a feature, summed for each word."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gradatim.models.inputs import Inputs
from gradatim.nn.chain import Chain
from gradatim.nn.dropout import Dropout


class LinearTagger(nn.Module):
    """Logits (words, tags) from the numbers of each word's features, `ids` (words, features); number 0 is of those
    without weights. With a chain of tags on it. Features drop out one by one.
    """

    def __init__(self, num_features: int, num_tags: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.weights = nn.Embedding(num_features + 1, num_tags, padding_idx=0)
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(self.weights.weight.new_zeros(num_tags))
        self.chain = Chain(num_tags)
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Inputs) -> Float[Tensor, "words tags"]:
        ids = inputs.ids[: inputs.num_tokens]
        shares = self.dropout(self.bias.new_ones(ids.shape))
        return (self.weights(ids) * shares[:, :, None]).sum(1) + self.bias  # type: ignore[no-any-return]
