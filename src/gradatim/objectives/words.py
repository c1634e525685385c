"""What objectives with a vocabulary share: the loss without all of its logits."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from torch import Tensor, nn

from gradatim.models.heads import LanguageHead, MaskedHead
from gradatim.models.language import EncoderDecoder, LanguageModel
from gradatim.nn.stack import Trace
from gradatim.nn.vocabulary import vocabulary_cross_entropy
from gradatim.objectives.base import IGNORED, Batch, Loss, Scored

W = TypeVar("W", LanguageModel, EncoderDecoder)


class WordScored(Scored[W]):
    """An objective that scores words: it names the states that heads read, and gets logits and loss of them."""

    @abstractmethod
    def states(self, model: W, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        """(targets, width) for each part of the loss, one row per target."""

    def head(self, model: W, name: str) -> nn.Module:
        """What reads the states of this part."""
        return model.head

    def logits(self, model: W, batch: Batch, trace: Trace | None = None) -> dict[str, Tensor]:
        states = self.states(model, batch, trace)
        return {name: self.head(model, name)(read).float() for name, read in states.items()}

    def loss(self, model: W, batch: Batch) -> Loss:
        """As `judge` has it of `logits`."""
        means = {}
        for name, read in self.states(model, batch).items():
            head, targets = self.head(model, name), batch.targets[name]
            if isinstance(head, LanguageHead | MaskedHead):
                output = head.output
                summed = vocabulary_cross_entropy(
                    head.features(read),
                    output.weight,
                    output.bias,
                    targets,
                    ignored=IGNORED,
                    smoothing=self.smoothing,
                )
            else:
                summed = self.score(head(read).float(), targets)
            means[name] = summed / max(1, batch.counts[name])
        return Loss(means, {name: batch.counts[name] for name in means})
