"""How much of what a student imitates."""

from __future__ import annotations

from dataclasses import dataclass

from gradatim.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How much of what is imitated.

    soft, hard   the teacher's outputs, at `temperature`, and the wrapped objective's own targets
    cosine       the direction of the last hidden states (Sanh et al. 2019, section 2)
    hidden       the hidden states after each of `layers` (Jiao et al. 2020, eq. 8), over their variance
    attention    the attention weights in each of `layers` (Jiao et al. 2020, eq. 7)
    layers       the teacher's block for each of the student's
    """

    temperature: float = 2.0
    soft: float = 1.0
    hard: float = 0.0
    cosine: float = 0.0
    hidden: float = 0.0
    attention: float = 0.0
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")
        if (self.hidden or self.attention) and not self.layers:
            raise ConfigError("matching hidden states or attention needs `layers`")
        if not (self.soft or self.hard or self.inner):
            raise ConfigError("a student must imitate something: give soft, hard or another part a weight")

    @property
    def inner(self) -> bool:
        """Whether anything inside the teacher is imitated."""
        return bool(self.cosine or self.hidden or self.attention)
