"""A small attributor without a model: a conditional logit on the `signs` of a step, learned from other logs' labels.

It assumes that one step of a log is to blame, that the odds between two steps depend on their own signs alone, that
signs weigh the same in every log, and that the humans who labelled the other logs judge this one alike. It is a
description of what humans call the decisive step, and no counterfactual: nothing says that another reply at that step
would have saved the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ifonly.scenarios.whowhen.blame import Attributor, Blame, by_probability
from ifonly.scenarios.whowhen.logit import Logit
from ifonly.scenarios.whowhen.rules import Rule
from ifonly.scenarios.whowhen.signs import SIGNS, signs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ifonly.scenarios.whowhen.logs import Labelled, Log

__all__ = ["PENALTY", "Signs"]

PENALTY = 1.0
"""Set beforehand: a sign moves the log odds by about one for each standard deviation."""


@dataclass
class Signs:
    """The learner; it computes the signs of a log, by its id, once."""

    _known: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def learn(self, logs: Sequence[Labelled]) -> Attributor:
        """See `Learner`. Without logs all steps are alike."""
        if not logs:
            return Rule(lambda log: by_probability([1 / len(log)] * len(log), log))
        fit = self.fitted(logs)

        def says(log: Log) -> Blame:
            return by_probability(fit.probabilities(self._signs(log)).tolist(), log)

        return Rule(says)

    def fitted(self, logs: Sequence[Labelled]) -> Logit:
        """The law that these logs teach."""
        return Logit([self._signs(one.log) for one in logs], [one.label.step for one in logs], PENALTY)

    def weights(self, logs: Sequence[Labelled]) -> dict[str, float]:
        """What each sign adds to the log odds by one standard deviation, largest first."""
        weights = dict(zip(SIGNS, self.fitted(logs).scaled.tolist(), strict=True))
        return dict(sorted(weights.items(), key=lambda item: -abs(item[1])))

    def _signs(self, log: Log) -> NDArray[np.float64]:
        if log.id not in self._known:
            self._known[log.id] = signs_of(log)
        return self._known[log.id]
