"""What to search for, and what is found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from gradatim.errors import ConfigError, check_sizes
from gradatim.types import Array

Stop = Literal["first", "likely", "sure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the next token is chosen, and when a text has ended.

    end               the token that ends a text
    max_length        of what is written, in tokens, the end included
    min_length        before it the end is not chosen; one more than max_length: it never is
    beams             1 is greedy (or sampled); more keep that many texts of each row (Graves 2012)
    best              how many texts of each row are wanted, at most `beams`
    length_penalty    a finished text scores ln p / length^length_penalty: above 0 favours long ones
    coverage          weight of sum_j ln min(1, sum_i attention_ij) in that score (Wu et al. 2016, eq. 14)
    stop              when the beams of a row end: "first", once `beams` texts have ended; "likely", once none of
                      them would be passed by the best unfinished one, ended now; "sure", once none can be passed
    sample            draw the token instead of taking the best
    temperature       logits are divided by it before a draw
    top_k, top_p      draw from that many tokens; from the fewest that hold this share (Holtzman et al. 2020)
    repetition        above 1 tokens already written score less (Keskar et al. 2019, section 4.1), below 1 more
    no_repeat         no run of this many tokens comes twice (Paulus et al. 2018, section 2.5); 0: any may
    banned            tokens that are never written
    seed              of the draws; row i of a batch has draws of its own
    """

    end: int
    max_length: int = 128
    min_length: int = 0
    beams: int = 1
    best: int = 1
    length_penalty: float = 1.0
    coverage: float = 0.0
    stop: Stop = "likely"
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    repetition: float = 1.0
    no_repeat: int = 0
    banned: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self, "max_length", "beams", "best")
        for name in ("min_length", "top_k", "no_repeat", "coverage"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.best > self.beams:
            raise ConfigError(
                f"best {self.best} of {self.beams} beams: ask for at most as many as there are beams"
            )
        if self.sample and self.beams > 1:
            raise ConfigError("sample with beams is not offered: draw several texts, or search with beams")
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature must be above 0, not {self.temperature}: for the likeliest token draw none"
            )
        if not self.repetition > 0:
            raise ConfigError(f"repetition must be above 0, not {self.repetition}")
        if self.stop not in get_args(Stop):
            raise ConfigError(f"unknown stop '{self.stop}'; known: {', '.join(get_args(Stop))}")
        if not math.isfinite(self.length_penalty):
            raise ConfigError(f"length_penalty must be a number, not {self.length_penalty}")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.min_length > self.max_length + 1:
            raise ConfigError(f"min_length {self.min_length} is more than max_length {self.max_length}")

    def candidates(self, written: int, before: int, vocab_size: int) -> int:
        """How many candidates a row needs after so many tokens, so that what is ruled out is made up for."""
        # What was written may be raised from anywhere, and a draw may be of any.
        if self.repetition < 1 or (self.sample and not self.top_k):
            return vocab_size
        chosen = self.top_k if self.sample else 2 * self.beams if self.beams > 1 else 1
        history = before + written if self.no_repeat or self.repetition != 1 else 0
        return min(vocab_size, chosen + history + len(self.banned) + (written + 1 < self.min_length))


@dataclass(frozen=True, slots=True)
class Written:
    """One text that was found: its tokens without the end, ln p of them with it, and the score it was ranked by.

    `ended` is False where `max_length` cut it off. `attention` (tokens, source) has a row for each token.
    """

    ids: Array
    log_prob: float
    score: float
    ended: bool
    attention: Array | None = None
