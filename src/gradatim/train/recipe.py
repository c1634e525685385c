"""The settings of one training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gradatim.errors import ConfigError, did_you_mean
from gradatim.train.schedule import SCHEDULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is trained.

    epochs          passes over the data; a fraction is a share of the batches
    batch_size      examples of one optimiser step, over all processes; fewer where they are long:
    max_tokens      tokens of one optimiser step
    accumulate      parts in which each process computes its share of a step; changes memory, not results
    rate            the peak learning rate; `head_rate` is the head's own
    beta2           decay of AdamW's average of squared gradients (0.98 in Vaswani et al. 2017, section 5.3)
    optimizer       adamw; sgd: with `trigger`, the averaged SGD of AWD-LSTM (Merity et al. 2018, section 3); adafactor,
                    whose `rate` is a share of each weight's size (Shazeer & Stern 2018, algorithm 4)
    schedule        how the rate goes: see `train.schedule`; `warmup` is the share of steps it rises
    layer_decay     factor on the rate per block below the top (Howard & Ruder 2018, section 3.2)
    unfreeze        the head trains alone first, and one more block from the top each epoch (same, 3.3); with each the
                    schedule begins anew, the last time for all epochs that are left
    clip            the largest norm of the gradient
    average         share of final steps whose weights are averaged (0 keeps the last)
    ema             decay of a running average of the weights over all steps, in place of `average`
    trigger         evaluations without a new best score after which the weights of all steps are averaged, to the end
                    (0: never; Merity et al. 2018, algorithm 1); from then on the average is what is evaluated
    evaluate_every  steps between evaluations (0: after each epoch), where there is something to evaluate
    patience        evaluations without a new best score before the run stops (0: it never does)
    save_every      steps between checkpoints (0: by time alone); `save_every_s` seconds between them
    log_every       steps between lines of the log
    """

    epochs: float = 3.0
    batch_size: int = 32
    max_tokens: int = 8192
    accumulate: int = 1
    rate: float = 5e-5
    head_rate: float | None = None
    beta2: float = 0.999
    optimizer: Literal["adamw", "sgd", "adafactor"] = "adamw"
    schedule: str = "linear"
    warmup: float = 0.1
    layer_decay: float = 1.0
    unfreeze: bool = False
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.0
    ema: float = 0.0
    trigger: int = 0
    evaluate_every: int = 0
    patience: int = 0
    save_every: int = 0
    save_every_s: float = 300.0
    log_every: int = 10
    seed: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"

    def __post_init__(self) -> None:
        above_zero = ("epochs", "batch_size", "max_tokens", "accumulate", "rate", "head_rate", "clip")
        for name in (*above_zero, "layer_decay", "log_every", "save_every_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:  # so written, NaN is refused too
                raise ConfigError(f"{name} must be above 0, not {value}")
        for name in ("epochs", "rate", "head_rate", "layer_decay", "weight_decay"):
            if getattr(self, name) == math.inf:
                raise ConfigError(f"{name} must be a number with an end, not inf")
        for name in ("weight_decay", "trigger", "evaluate_every", "patience", "save_every", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("warmup", "average", "ema", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is a share in [0, 1), not {getattr(self, name)}")
        if sum(map(bool, (self.average, self.ema, self.trigger))) > 1:
            raise ConfigError("average, ema and trigger are ways to average the weights: set but one of them")
        if self.schedule not in SCHEDULES:
            raise ConfigError(
                f"unknown schedule '{self.schedule}'{did_you_mean(self.schedule, SCHEDULES)}; "
                f"known: {', '.join(SCHEDULES)}"
            )
        if self.optimizer not in ("adamw", "sgd", "adafactor"):
            raise ConfigError(f"optimizer is adamw, sgd or adafactor, not '{self.optimizer}'")
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ConfigError(f"precision is auto, bf16 or fp32, not '{self.precision}'")

    def factor(self, step: int, total: int) -> float:
        """The factor on the peak rate at `step` of `total`."""
        return SCHEDULES[self.schedule](step, total, self.warmup)

    def bf16(self, device: str = "cpu") -> bool:
        """Whether to compute in bfloat16: asked for, or this machine is faster with it."""
        from gradatim.train.precision import bf16_pays

        return self.precision == "bf16" or (self.precision == "auto" and bf16_pays(device))
