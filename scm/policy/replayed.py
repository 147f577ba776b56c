"""Policies valued by abduction: every logged run, had the target policy chosen in it, averaged over the log.

For each run the noise of its choices is inferred from what was logged, and the run is played again under the target
policy with that noise (Oberst and Sontag 2019, "Counterfactual off-policy evaluation with Gumbel-max structural causal
models", section 3); here in closed form, as P(success | do(pi), log_i) of `ifonly.scm.credit_chain`, for failed and
successful runs alike. Runs being drawn from the logging policy, by the law of total probability

    E over logs of P(success | do(pi), log) = P(success | do(pi)) = V(pi),

whatever the coupling of noise between worlds, as long as it does not look at what was logged: the value is
interventional, and the coupling that no data can test moves its variance alone. What it does assume is that the laws of
choices are right, and that the logging policy threw its own dice, or followed nothing but what is in the log. Where the
policy does what was logged, a run gives back its own outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.contamination import Contamination
    from ifonly.scm.credit_chain import CreditChain
    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Replay", "replayed"]

_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class Replay:
    """A logged run, and how its choices move under the target policy.

    Attributes:
        chain: the run.
        ratios: f_k / p_k of the options taken, shape (steps,); see `ifonly.scm.contamination`.
        moves: M_k of each step under the target policy, shape (states, options).
    """

    chain: CreditChain
    ratios: Floats
    moves: tuple[Floats, ...]

    def success(self, contamination: Contamination) -> float:
        """Return P(success | do(pi) at every step, log).

        Args:
            contamination: how faults fall.
        """
        chain = replace(self.chain, hazards=contamination.hazards(self.ratios))
        return float(chain.from_steps(chain.values(self.moves))[0])


def replayed(runs: Sequence[Replay], contamination: Contamination, clusters: Ints | None = None) -> Value:
    """Return the mean over logged runs of what each would have come to.

    Where the rate of faults was fitted, to these same runs, the influence function carries its error too: the slope of
    the value in the rate times score over information of each run. That of the fault law's weights, and of laws that
    were fitted instead of asked for, it does not carry.

    Args:
        runs: at least one.
        contamination: how faults fall: declared, or fitted to these runs.
        clusters: group of each run, shape (n,); None: each is its own.

    Raises:
        NotApplicable: if there is no run, or the rate leaves no room to differentiate.
    """
    if not runs:
        raise NotApplicable("nothing to replay: give at least one run")
    outcomes = np.array([run.success(contamination) for run in runs])
    value = float(outcomes.mean())
    influence = outcomes - value
    rate = contamination.rate
    if contamination.interval is not None and _STEP < rate < 1 - _STEP:
        ends = [
            np.mean([run.success(replace(contamination, rate=at)) for run in runs])
            for at in (rate - _STEP, rate + _STEP)
        ]
        slope = float(ends[1] - ends[0]) / (2 * _STEP)
        influence = influence + slope * _rate_influence(contamination, np.array([run.ratios for run in runs]))
    return Value("abduction replay", value, influence, None, clusters)


def _rate_influence(contamination: Contamination, ratios: Floats) -> Floats:
    """The influence of each run on the fitted rate, shape (n,): its score over the mean information."""
    over = ratios.mean(1, keepdims=True) - 1 if contamination.family == "single" else ratios - 1
    scores = over / (1 + contamination.rate * over)
    found: Floats = scores.sum(1) / np.square(scores).sum(1).mean()
    return found
