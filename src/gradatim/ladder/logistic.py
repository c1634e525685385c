"""Logistic regressions for every shape of task, refitted at growing strength, and what is said without features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gradatim.types import Array, Examples, Task


def log_prior(task: Task, examples: Examples) -> Array:
    """Logits (labels,) of the label frequencies, each counted once more than seen (Laplace).

    ln p(label), or ln of the odds of the label for a multi-label task.
    """
    if task.multi_label:
        counts = examples.targets.sum(axis=0)
        odds: Array = (counts + 1) / (len(examples) - counts + 1)
        return np.log(odds)
    counts = np.bincount(examples.targets, minlength=len(task.labels))
    shares: Array = (counts + 1) / (len(examples) + len(counts))
    return np.log(shares)


class Regressions:
    """One multinomial regression for a task of several classes, else one per two-way decision.

    With `bayes` each decision's features are scaled by their naive Bayes log-count ratio (Wang &
    Manning 2012, NBSVM, without its interpolation); the scale ends up in the weights. `prior`
    (labels,) are the logits of a label of which the training texts show only one side.
    """

    def __init__(self, task: Task, features: Any, targets: Array, prior: Array, *, bayes: bool) -> None:
        from sklearn.linear_model import LogisticRegression

        self.features, self.prior = features, prior
        self.multi_label = task.multi_label
        self.columns = list(targets.T) if task.multi_label else [targets]
        self.scales = [log_count_ratio(features, column > 0) if bayes else None for column in self.columns]
        # Every strength starts from the weights of the one before.
        self.solvers = [LogisticRegression(max_iter=300, tol=1e-5, warm_start=True) for _ in self.columns]

    def fit(self, strength: float) -> tuple[Array, Array]:
        """Weights (features, labels) and bias (labels,) at C = `strength`."""
        weights = np.zeros((self.features.shape[1], len(self.prior)), dtype=np.float32)
        bias = np.array(self.prior, dtype=np.float32)
        for number, (column, scale, solver) in enumerate(
            zip(self.columns, self.scales, self.solvers, strict=True)
        ):
            if self.features.shape[1] == 0 or (column == column[0]).all():
                continue
            solver.C = strength
            coefficients, intercepts = _solve(solver, self.features, column, scale)
            if self.multi_label:
                weights[:, number], bias[number] = coefficients[0], intercepts[0]
                continue
            if len(solver.classes_) == 2:  # two logits that differ by the one of the regression
                coefficients, intercepts = (
                    np.stack([-half, half]) for half in (coefficients[0] / 2, intercepts[0] / 2)
                )
            bias += intercepts.min()  # a label never seen stays below those that were
            weights[:, solver.classes_], bias[solver.classes_] = coefficients.T, intercepts
        return weights, bias


def log_count_ratio(features: Any, positive: Array) -> Array:
    """r = ln((p / |p|) / (q / |q|)), (features,); p and q: 1 plus the sums over positive and other rows."""
    p = 1 + np.asarray(features[positive].sum(axis=0)).ravel()
    q = 1 + np.asarray(features[~positive].sum(axis=0)).ravel()
    ratio: Array = np.log((p / p.sum()) / (q / q.sum()))
    return ratio.astype(np.float32)


def _solve(solver: Any, features: Any, column: Array, scale: Array | None) -> tuple[Array, Array]:
    from scipy.sparse import diags
    from sklearn.exceptions import ConvergenceWarning

    scaled = features if scale is None else (features @ diags(scale)).tocsr()
    with warnings.catch_warnings():  # an early stop is no fault: what comes out is judged on dev
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(scaled, column)
    coefficients = solver.coef_ if scale is None else solver.coef_ * scale
    return coefficients, solver.intercept_
