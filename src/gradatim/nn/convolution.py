"""Convolutions along packed rows, and the gated blocks that are made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gradatim.nn.attention import attend
from gradatim.nn.dropout import Dropout
from gradatim.nn.packed import Group, Layout
from gradatim.nn.stack import Trace

HALF = math.sqrt(0.5)  # on a sum of two, so that it varies like one (Gehring et al. 2017, section 3.4)


class Convolution(nn.Module):
    """One linear map of every window of `kernel` tokens, side by side (Gehring et al. 2017, section 3.2).

    A `causal` window ends with its token; any other has it in the middle, or left of it where the kernel is even. What
    lies outside of the row is zero. The weight (out_width, kernel * width) is that of torch's conv1d,
    (out_width, width, kernel), with its last two axes swapped.
    """

    def __init__(self, width: int, out_width: int, kernel: int, *, causal: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(kernel * width, out_width)
        self.kernel = kernel
        self.before = kernel - 1 if causal else (kernel - 1) // 2

    def forward(self, x: Float[Tensor, "tokens width"], layout: Layout) -> Float[Tensor, "tokens out_width"]:
        """All tokens of a packed batch; no window reaches into another row."""
        steps = torch.arange(self.kernel, device=x.device) - self.before
        inside = layout.positions[:, None] + steps
        outside = (inside < 0) | (inside >= layout.lengths[layout.rows, None])
        places = torch.where(outside, len(x), layout.offsets[layout.rows, None] + inside)
        # The last row is what lies outside.
        windows = F.pad(x, (0, 0, 0, 1)).index_select(0, places.flatten())
        return self.linear(windows.view(len(x), -1))  # type: ignore[no-any-return]

    def advance(
        self, x: Float[Tensor, "rows width"], past: Float[Tensor, "rows before width"]
    ) -> tuple[Float[Tensor, "rows out_width"], Float[Tensor, "rows before width"]]:
        """One more token for every row, after the `kernel` - 1 of its `past`; and the past of the next."""
        window = torch.cat([past, x[:, None]], dim=1)
        return self.linear(window.flatten(1)), window[:, 1:]


@dataclass(frozen=True, slots=True)
class Source:
    """What a decoder looks at, a grid of rows: keys z, values z + e, and the mask that tells them from padding."""

    keys: Float[Tensor, "rows 1 source width"]
    values: Float[Tensor, "rows 1 source width"]
    mask: Bool[Tensor, "rows 1 1 source"] | None

    @classmethod
    def of(
        cls, keys: Float[Tensor, "source width"], values: Float[Tensor, "source width"], group: Group
    ) -> Source:
        """The rows of a group, from flat tokens."""
        return cls(group.take(keys)[:, None], group.take(values)[:, None], group.mask)

    def reorder(self, rows: Int[Tensor, " kept"]) -> Source:
        """These rows, which may come back more than once or not at all."""
        mask = None if self.mask is None else self.mask.index_select(0, rows)
        return Source(self.keys.index_select(0, rows), self.values.index_select(0, rows), mask)

    def attended(
        self, queries: Float[Tensor, "rows queries width"], *, need_weights: bool
    ) -> tuple[Float[Tensor, "rows queries width"], Float[Tensor, "rows 1 queries source"] | None]:
        """The context of each query, and the weights that it was made with."""
        q = queries[:, None].to(self.keys.dtype)
        mixed, weights = attend(
            q, self.keys, self.values, mask=self.mask, scale=1.0, need_weights=need_weights
        )
        return mixed[:, 0], weights


class GatedBlock(nn.Module):
    """x -> x + h, h = glu(conv(x)), glu([A B]) = A * sigmoid(B) (Gehring et al. 2017, section 3.2).

    With `cross` it is a decoder's: causal, and a context c is added to h. Where g embeds the token that is read,
        d = W h + b + g             (eq. 1)
        c = softmax(d z^T) (z + e)  (eq. 2)
    Every sum of two, d too, is multiplied by sqrt(0.5).
    """

    def __init__(self, width: int, kernel: int, *, cross: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.convolution = Convolution(width, 2 * width, kernel, causal=cross)
        self.query = nn.Linear(width, width) if cross else None

    def forward(
        self,
        x: Float[Tensor, "tokens width"],
        layout: Layout,
        embedded: Float[Tensor, "tokens width"],
        *,
        sources: Sequence[Source] = (),
        weights: list[Tensor] | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """All tokens at once; `sources` are those of the layout's groups, whose attention is appended to `weights`."""
        h = F.glu(self.convolution(self.dropout(x), layout), dim=-1)
        if self.query is not None:
            queries, parts = (self.query(h) + embedded) * HALF, []
            for group, source in zip(layout.groups, sources, strict=True):
                context, seen = source.attended(group.take(queries), need_weights=weights is not None)
                parts.append(group.put(context))
                if weights is not None and seen is not None:
                    weights.append(seen)
            h = (h + layout.join(parts)) * HALF
        return (x + h) * HALF

    def advance(
        self,
        x: Float[Tensor, "rows width"],
        past: Float[Tensor, "rows before width"],
        embedded: Float[Tensor, "rows width"],
        source: Source,
    ) -> tuple[Tensor, Tensor, Float[Tensor, "rows source"]]:
        """One more token for every row of a decoder: its state, the past of the next, and where it looked."""
        assert self.query is not None
        made, past = self.convolution.advance(x, past)
        h = F.glu(made, dim=-1)
        queries = (self.query(h) + embedded) * HALF
        context, seen = source.attended(queries[:, None], need_weights=True)
        assert seen is not None
        h = (h + context[:, 0]) * HALF
        return (x + h) * HALF, past, seen[:, 0, 0]


class GatedStack(nn.Module):
    """Gated blocks one after another, with a linear map before the first and after the last of them.

    Fresh weights have the variance 1 / inputs, those of what is gated 4 p / inputs, as a gate halves and dropout, which
    keeps the share p, enlarges what passes (Gehring et al. 2017, section 3.5).
    """

    def __init__(
        self, width: int, kernel: int, num_layers: int, *, cross: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        blocks = [GatedBlock(width, kernel, cross=cross, dropout=dropout) for _ in range(num_layers)]
        gated = {block.convolution.linear for block in blocks}
        self.blocks, self.cross = nn.ModuleList(blocks), cross
        for part in self.modules():
            if isinstance(part, nn.Linear):
                share = 4 * (1 - dropout) if part in gated else 1.0
                nn.init.normal_(part.weight, std=math.sqrt(share / part.in_features))
                nn.init.zeros_(part.bias)

    def forward(
        self,
        embedded: Float[Tensor, "tokens width"],
        layout: Layout,
        *,
        sources: Sequence[Source] = (),
        trace: Trace | None = None,
    ) -> Float[Tensor, "tokens width"]:
        """States of all tokens; `trace` gets the states of every block and (rows, 1, longest, source) weights."""
        x = self.enter(embedded)
        if trace is not None:
            trace.hidden.append(x)
        for block in self.blocks:
            weights: list[Tensor] | None = None
            if self.cross and trace is not None and trace.weights is not None:
                trace.cross_weights.append(weights := [])
            x = block(x, layout, embedded, sources=sources, weights=weights)
            if trace is not None:
                trace.hidden.append(x)
        x = self.leave(x)
        if trace is not None:
            trace.hidden[-1] = x
        return x  # type: ignore[no-any-return]

    def advance(
        self, embedded: Float[Tensor, "rows width"], past: Sequence[Tensor], source: Source
    ) -> tuple[Float[Tensor, "rows width"], list[Tensor], Float[Tensor, "rows source"]]:
        """One more token for every row of a decoder: its state, the past of the next of every block, and where it
        looked, the mean over blocks."""
        x, after, looked = self.enter(embedded), [], []
        for block, before in zip(self.blocks, past, strict=True):
            x, kept, seen = block.advance(x, before, embedded, source)  # type: ignore[operator]
            after.append(kept)
            looked.append(seen)
        return self.leave(x), after, torch.stack(looked).mean(0)
