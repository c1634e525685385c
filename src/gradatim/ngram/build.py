"""From a corpus to a model: read, count, estimate, pack, under a bound on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gradatim.errors import ConfigError
from gradatim.ngram.counts import count_ngrams
from gradatim.ngram.estimate import KNESER_NEY, estimate
from gradatim.ngram.smoothing import Smoothing
from gradatim.ngram.sparsity import Sparsity, sparsity
from gradatim.ngram.table import NgramTable
from gradatim.text.hashing import Ints
from gradatim.text.space import Space
from gradatim.text.vocabulary import START, Vocabulary, read_text
from gradatim.wording import count

Blocks = Iterable[tuple[str, bytes]]  # whole lines, and where they stand


@dataclass(frozen=True, slots=True)
class Built:
    """A model with what was learned on the way; `words` counts ends of sentences too."""

    table: NgramTable
    vocabulary: Vocabulary
    words: int
    sentences: int
    sparsity: list[Sparsity]


def build(
    blocks: Blocks,
    *,
    order: int,
    smoothing: Smoothing = KNESER_NEY,
    prune: Sequence[int] = (),
    min_count: int = 1,
    dev: Blocks | None = None,
    space: Space,
    say: Callable[[str], None] = lambda _stage: None,
) -> Built:
    """Estimate an n-gram model of `order` from text; `say` is told what begins.

    Raises ConfigError for an order that no sentence is long enough for, DataError as `read_text`.
    """
    say("reading")
    text = read_text(blocks, min_count=min_count, space=space)
    held_out: Ints | None = None
    if dev is not None:
        held_out = read_text(dev, known=text.vocabulary, space=space).ids
    say(f"counting {count(text.num_words, 'word')}")
    levels = count_ngrams(text.ids, vocabulary=len(text.vocabulary), start=START, order=order, space=space)
    longest = next((n for n, level in enumerate(levels) if not len(level)), order)
    if longest < order:
        raise ConfigError(
            f"order {order} is too high: the longest sentence has {count(longest, 'word')}, its two ends included; "
            f"take at most {longest}"
        )
    say("estimating")
    table = estimate(levels, start=START, smoothing=smoothing, prune=prune, space=space)
    return Built(
        table, text.vocabulary, text.num_words, text.num_sentences, sparsity(levels, held_out, space)
    )
