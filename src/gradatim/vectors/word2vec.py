"""Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), many words at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradatim.errors import ConfigError, DataError, check_sizes
from gradatim.text.hashing import Ints
from gradatim.types import Array
from gradatim.vectors.table import Floats32
from gradatim.vectors.updates import summed_by_row

BLOCK = 16  # words whose windows make one small product: more where a window is wider than half of it
WORDS = 2048  # between two updates: more are faster, and frequent words overshoot
GROUP = 256  # of them share their negative words,
SHARED = 48  # as many as this, each weighted so that the expected gradient is the paper's
# The longest step of a vector: many updates at once would overshoot where one by one they settle.
FAR = np.float32(0.5)
SLOWEST = 1e-2  # share of the rate at which training ends
POWER = 0.75  # of counts, in the distribution of negative words


@dataclass(frozen=True, slots=True, kw_only=True)
class Word2Vec:
    """What is learned, and how (Mikolov et al. 2013, sections 2.2 and 2.3).

    width      numbers of a vector
    window     words on each side, of which a random number from 1 to all is read
    negatives  words that are not there, for each that is
    sample     words more frequent than this are left out at random, the more so the more frequent they are
    cbow       the mean of the words around gives the word; else (skip-gram) each of them does
    rate       of gradient descent at the start; it falls linearly
    """

    width: int = 100
    window: int = 5
    negatives: int = 5
    sample: float = 1e-3
    cbow: bool = False
    rate: float = 0.025
    epochs: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, "width", "window", "negatives", "epochs")
        if self.window > WORDS // 2:
            raise ConfigError(f"window must be at most {WORDS // 2}, not {self.window}")
        if not (self.sample > 0 and self.rate > 0):
            raise ConfigError(f"sample {self.sample} and rate {self.rate} must be above 0")

    def learn(
        self,
        ids: Ints,
        rows: Ints,
        counts: Ints,
        *,
        threads: int = 1,
        progress: Callable[[float], None] = lambda _share: None,
    ) -> Floats32:
        """Vectors (words, width) from word ids (tokens,) below len(counts), of sentences `rows` (tokens,) ascending.

        Several threads update the same vectors without waiting for each other (Recht et al. 2011): with one
        alone the same seed gives the same vectors.

        Differs: words are taken 2,048 at a time, whose updates are added up (a vector's to a length of 0.5 at most);
        256 in a row share 48 negative words. A pair of skip-gram, whose word around is not of the same 2,048 (one in a
        thousand at a window of 5), has no negative words.
        """
        if len(ids) < 2:
            raise DataError("two words at least are needed to learn vectors")
        rng, *draws = np.random.default_rng(self.seed).spawn(threads + 1)
        run = _Run(self, counts, rng)
        for epoch in range(self.epochs):
            kept = rng.random(len(ids), dtype=np.float32) < run.keep[ids]
            words, sentences = (
                _padded(array.compress(kept), fill, self.window) for array, fill in ((ids, 0), (rows, -1))
            )
            total = len(words) - 2 * self.window

            def rate(begin: int, done: float = epoch, total: int = total) -> float:
                share = (done + begin / total) / self.epochs
                progress(share)
                return self.rate * max(SLOWEST, 1 - share)

            def work(number: int, words: Ints = words, sentences: Ints = sentences) -> None:
                for begin in range(number * WORDS, len(words) - 2 * self.window, threads * WORDS):
                    part = slice(begin, begin + WORDS + 2 * self.window)
                    run.update(words[part], sentences[part], rate(begin), draws[number])

            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
        return run.inputs.copy()


class _Run:
    """The two tables of vectors while they are learned."""

    def __init__(self, settings: Word2Vec, counts: Ints, rng: np.random.Generator) -> None:
        self.settings = settings
        size, width = len(counts), settings.width
        self.table: Floats32 = np.zeros((2 * size, width), dtype=np.float32)  # v of every word, then u
        self.inputs, self.outputs = self.table[:size], self.table[size:]
        self.inputs[:] = (rng.random((size, width), dtype=np.float32) - np.float32(0.5)) / np.float32(width)
        share = np.maximum(counts, 1) / counts.sum()
        keep = np.sqrt(settings.sample / share) + settings.sample / share  # as word2vec's code has it
        self.keep = keep.astype(np.float32)
        self.noise = np.cumsum(share**POWER)
        self.noise /= self.noise[-1]
        window = settings.window
        self.block = max(BLOCK, 1 << (2 * window - 1).bit_length())  # a share of WORDS
        self.distance = np.abs(np.arange(self.block + 2 * window) - np.arange(self.block)[:, None] - window)

    def update(self, words: Ints, sentences: Ints, rate: float, rng: np.random.Generator) -> None:
        """One step for `WORDS` words; `words` has as many more on both sides as the window is wide."""
        window, size = self.settings.window, len(self.inputs)
        drawn = rng.random(WORDS // GROUP * SHARED)
        negative = np.minimum(np.searchsorted(self.noise, drawn), len(self.noise) - 1)
        rows = np.concatenate([words, size + words[window : window + WORDS], size + negative])
        around, centres, noise = np.split(self.table[rows], [len(words), len(words) + WORDS])
        near = self._near(sentences, rng)
        learn = self._cbow if self.settings.cbow else self._skip_gram
        _add(self.table, rows, np.concatenate(learn(around, centres, noise, near, np.float32(rate))))

    def _near(self, sentences: Ints, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """(blocks, block, block + 2 window): which words around stand in the window of each, in its sentence."""
        window = self.settings.window
        own = sentences[window : window + WORDS].reshape(-1, self.block, 1)
        reach = rng.integers(1, window + 1, own.shape)
        inside = (self.distance <= reach) & (self.distance > 0)
        found: npt.NDArray[np.bool_] = inside & (self._windows(sentences)[:, None] == own) & (own >= 0)
        return found

    def _skip_gram(
        self, around: Floats32, centres: Floats32, negative: Floats32, near: Array, rate: np.float32
    ) -> tuple[Floats32, Floats32, Floats32]:
        """log s(u_w . v_c) + sum log s(-u_n . v_c) for every word c around a word w (eq. 4); steps up its gradient."""
        window, own = self.settings.window, centres.reshape(-1, self.block, centres.shape[1])
        windows = self._windows(around)
        wrong = np.where(near, rate * _sigmoid(-(own @ windows.transpose(0, 2, 1))), np.float32(0))
        d_around = self._overlapped(wrong.transpose(0, 2, 1) @ own, len(around))
        inner = slice(window, -window)
        # Of each word as v_c.
        pairs = self._overlapped(near.sum(1, dtype=np.float32)[..., None], len(around))[inner]
        d_inner, d_negative = self._away(around[inner], negative, rate * pairs)
        d_around[inner] += d_inner
        return d_around, (wrong @ windows).reshape(centres.shape), d_negative

    def _cbow(
        self, around: Floats32, centres: Floats32, negative: Floats32, near: Array, rate: np.float32
    ) -> tuple[Floats32, Floats32, Floats32]:
        """log s(u_w . h) + sum log s(-u_n . h), h being the mean of the vectors around w; steps up its gradient.

        Differs, as word2vec's code does: each vector of the mean takes the whole step of h, not its share.
        """
        there = near.astype(np.float32)
        size = there.sum(2).reshape(-1, 1)
        h = (there @ self._windows(around)).reshape(centres.shape) / np.maximum(size, 1)
        rates = rate * (size > 0)
        wrong = rates * _sigmoid(-np.einsum("ij,ij->i", centres, h))[:, None]
        d_h, d_negative = self._away(h, negative, rates)
        d_h += wrong * centres
        d_around = there.transpose(0, 2, 1) @ d_h.reshape(-1, self.block, centres.shape[1])
        return self._overlapped(d_around, len(around)), wrong * h, d_negative

    def _away(self, h: Floats32, negative: Floats32, rates: Floats32) -> tuple[Floats32, Floats32]:
        """Steps of h (words, width) and of the negative words away from each other, at a rate of each word's own."""
        grouped, noise = h.reshape(-1, GROUP, h.shape[1]), negative.reshape(-1, SHARED, h.shape[1])
        taken = _sigmoid(grouped @ noise.transpose(0, 2, 1))
        taken *= rates.reshape(-1, GROUP, 1) * np.float32(-self.settings.negatives / SHARED)
        return (taken @ noise).reshape(h.shape), (taken.transpose(0, 2, 1) @ grouped).reshape(negative.shape)

    def _windows(self, array: Array) -> Array:
        """(blocks, block + 2 window, ...): what each block of words sees, as a view."""
        block, margin, step = self.block, 2 * self.settings.window, array.strides[0]
        shape = ((len(array) - margin) // block, block + margin, *array.shape[1:])
        strides = (block * step, step, *array.strides[1:])
        view: Array = np.lib.stride_tricks.as_strided(array, shape, strides, writeable=False)
        return view

    def _overlapped(self, parts: Array, size: int) -> Array:
        """The inverse of `_windows`: what overlaps is added up, (size, ...)."""
        block, margin = self.block, 2 * self.settings.window
        result = np.zeros((size, parts.shape[2]), dtype=np.float32)
        whole = result[: size - margin].reshape(-1, block, parts.shape[2])
        whole += parts[:, :block]
        after = result[block : size - margin].reshape(-1, block, parts.shape[2])
        after[:, :margin] += parts[:-1, block:]
        result[size - margin :] += parts[-1, block:]
        return result


def _add(table: Floats32, rows: Ints, values: Floats32) -> None:
    """Add values to rows, of which some come more than once; no row goes further than `FAR`."""
    rows, step = summed_by_row(rows, values)
    length = np.sqrt(np.einsum("ij,ij->i", step, step))
    far = np.flatnonzero(length > FAR)
    step[far] *= (FAR / length[far])[:, None]
    table[rows] += step


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, in the place of x."""
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += 1
    x *= np.float32(0.5)
    return x


def _padded(array: Ints, fill: int, window: int) -> Ints:
    """A window on both sides, and as much at the end as makes whole steps."""
    missing = -len(array) % WORDS
    return np.pad(array.astype(np.int64), (window, window + missing), constant_values=fill)
