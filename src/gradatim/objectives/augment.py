"""More text for a student to imitate on: random edits of what there is (Tang et al. 2019, section 3.3).

Differs: what is kept of a text is 2 to 8 words long, there 1 to 5, and no word is replaced by another of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MASK_SHARE = 0.1  # words replaced by the mask
SPAN_CHANCE = 0.25  # texts cut to a random span
SPAN_LENGTHS = (2, 8)  # words


def augment(texts: Sequence[str], copies: int, *, mask: str, whole: bool = False, seed: int = 0) -> list[str]:
    """`copies` edited versions of every text: words masked, or a short span of them kept.

    `mask` is what a tokenizer reads as its mask token; the same seed edits alike whatever it is. `whole`
    texts are only masked: what is said of a pair is said of all of both.
    """
    rng = np.random.default_rng(seed)
    edited = []
    for text in [*texts] * copies:
        words = text.split()
        if not whole and rng.random() < SPAN_CHANCE:
            size = int(rng.integers(SPAN_LENGTHS[0], SPAN_LENGTHS[1] + 1))
            start = int(rng.integers(0, max(1, len(words) - size + 1)))
            words = words[start : start + size]
        hidden = rng.random(len(words)) < MASK_SHARE
        edited.append(" ".join(mask if gone else word for word, gone in zip(words, hidden, strict=True)))
    return edited
