"""What objectives with a vocabulary share: the loss without all of its logits."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from gradatim.models.heads import LanguageHead, MaskedHead
from gradatim.models.language import EncoderDecoder, LanguageModel
from gradatim.nn.stack import Trace
from gradatim.nn.vocabulary import Taught, vocabulary_cross_entropy
from gradatim.objectives.base import IGNORED, Batch, Loss, Scored
from gradatim.objectives.match import Match

W = TypeVar("W", LanguageModel, EncoderDecoder)
Words: TypeAlias = LanguageHead | MaskedHead


class Teaching(NamedTuple):
    """A teacher's head and states for one part of the loss, and how much they count."""

    head: nn.Module
    states: Tensor
    match: Match

    @torch.no_grad()
    def of_words(self) -> Taught:
        """What it says of words, its logits not yet made."""
        head, match = self.head, self.match
        assert isinstance(head, Words)  # a teacher has the kind of its student
        return Taught(
            states=head.features(self.states), weight=head.output.weight, bias=head.output.bias,
            temperature=match.temperature, soft=match.soft, hard=match.hard,
        )  # fmt: skip

    @torch.no_grad()
    def logits(self) -> Tensor:
        logits: Tensor = self.head(self.states).float()
        return logits


class WordScored(Scored[W]):
    """An objective that scores words: it names the states that heads read, and gets logits and loss of them."""

    @abstractmethod
    def states(self, model: W, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        """(targets, width) for each part of the loss, one row per target."""

    def head(self, model: W, name: str) -> nn.Module:
        """What reads the states of this part."""
        return model.head

    def among(
        self, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Weights and bias of the words among which the right one is told in training, and which of them that is."""
        return weight, bias, targets

    def logits(self, model: W, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        states = self.states(model, batch, trace)
        return {name: self.head(model, name)(read).float() for name, read in states.items()}

    def loss(self, model: W, batch: Batch) -> Loss:
        """As `judge` has it of `logits`."""
        states = self.states(model, batch)
        means = {name: self._mean(self.head(model, name), read, batch, name) for name, read in states.items()}
        return Loss(means, {name: batch.counts[name] for name in means})

    def imitated(
        self, model: W, teacher: W, batch: Batch, match: Match, traces: tuple[Trace | None, Trace | None]
    ) -> dict[str, Tensor]:
        """The mean of each part, in which the teacher's words and the targets count as `match` weighs them."""
        states = self.states(model, batch, traces[0])
        with torch.no_grad():
            wanted = self.states(teacher, batch, traces[1])
        if not (match.soft or match.hard):
            return {}
        means = {}
        for name, read in states.items():
            teaching = Teaching(self.head(teacher, name), wanted[name], match)
            means[name] = self._mean(self.head(model, name), read, batch, name, teaching)
        return means

    def _mean(
        self, head: nn.Module, states: Tensor, batch: Batch, name: str, teaching: Teaching | None = None
    ) -> Tensor:
        targets = batch.targets[name]
        if isinstance(head, Words):
            told: tuple[Tensor, Tensor | None, Tensor] = (head.output.weight, head.output.bias, targets)
            if teaching is None and head.training:
                told = self.among(*told)
            summed = vocabulary_cross_entropy(
                head.features(states),
                *told,
                ignored=IGNORED,
                smoothing=self.smoothing,
                taught=None if teaching is None else teaching.of_words(),
            )
        else:
            logits = head(states).float()
            summed = self.score(logits, targets)
            if teaching is not None:
                match = teaching.match
                soft = self.imitation(logits, teaching.logits(), match.temperature)
                summed = match.hard * summed + match.soft * soft
        return summed / max(1, batch.counts[name])
