"""What a recorded chain of choices would have come to: exact, for every step and option at once.

A run is a chain: in state s_k a choice a_k leads to the state T_k[s_k, a_k], and the last state decides success. Given
the log, noise and faults of different steps are independent (but for how many faults a run has), so that a changed run
is a Markov chain: at step k and state s it takes option j with probability M_k[s, j], the counterfactual move from
the logged law and choice to the law met in s (`contamination.moves`), or, if a fault put the logged choice, that choice
again. Its probability of success is a backward recursion over states s and faults so far n,

    V_k(n, s) = h_k(n) V_{k+1}(n + 1, T_k[s, a_k]) + (1 - h_k(n)) sum over j of M_k[s, j] V_{k+1}(n, T_k[s, j])

with h_k(n) = P(fault at k | n before it, log). One pass answers at every step what an action would have done: the run
up to it is the logged one, so

    P(success | do(a_k = j), log)  = sum over n of P(n faults up to k | log) V_{k+1}(n, T_k[s_k, j])
    P(success | do(law) from k on) = sum over n of P(n faults before k | log) V'_k(n, s_k)

with V' under the changed law's moves. The logged state is state 0 of every step, and where M_k[0] is certain of a_k,
do(logged choice) gives back the logged outcome exactly. Abduction and action in a chain: Pearl, Causality, sec. 7.1.3;
for Gumbel-max: Oberst and Sontag 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ifonly.scm.gumbel import Floats

__all__ = ["CreditChain", "decisive_step", "flip_set"]


@dataclass(frozen=True, eq=False)
class CreditChain:
    """A logged run as a chain of choices.

    Attributes:
        following: of each step, the next state by state and option, shape (states, options).
        taken: the option taken at each step.
        success: 1. or 0. by last state.
        hazards: h_k(n), shape (layers, steps), of `Contamination.hazards`.
    """

    following: tuple[NDArray[np.integer], ...]
    taken: tuple[int, ...]
    success: Floats
    hazards: Floats

    @cached_property
    def layers(self) -> Floats:
        """P(n faults before step k | log), shape (layers, steps + 1)."""
        share = np.zeros((len(self.hazards), len(self.taken) + 1))
        share[0, 0] = 1.0
        for k in range(len(self.taken)):
            falls = share[:, k] * self.hazards[:, k]
            share[:, k + 1] = share[:, k] - falls
            share[1:, k + 1] += falls[:-1]
            share[-1, k + 1] += falls[-1]
        return share

    def values(self, moves: Sequence[Floats]) -> list[Floats]:
        """Return V_k by step (and the end), each of shape (layers, states).

        Args:
            moves: M_k of each step, shape (states, options); rows of states that nothing leads to may be anything
                finite.
        """
        value = np.broadcast_to(self.success, (len(self.hazards), len(self.success)))
        values = [value]
        for k in reversed(range(len(self.taken))):
            after = value[:, self.following[k]]
            own = (after * moves[k]).sum(-1)
            kept = np.concatenate([after[1:, :, self.taken[k]], after[-1:, :, self.taken[k]]])
            value = own + self.hazards[:, k, None] * (kept - own)
            values.append(value)
        return values[::-1]

    def of_options(self, values: Sequence[Floats]) -> Floats:
        """Return P(success | do(a_k = j), log) for every step and option, shape (steps, options).

        Args:
            values: of `values`, under the moves of the logged laws.
        """
        rows = [self.layers[:, k + 1] @ values[k + 1][:, self.following[k][0]] for k in range(len(self.taken))]
        return np.stack(rows)

    def from_steps(self, values: Sequence[Floats]) -> Floats:
        """Return P(success | do(law) from step k on, log) for every step, shape (steps,).

        Args:
            values: of `values`, under the moves of the changed laws.
        """
        return np.array([self.layers[:, k] @ values[k][:, 0] for k in range(len(self.taken))])


def flip_set(flips: Floats, least: float) -> tuple[tuple[int, ...], float]:
    """Return the steps whose correction flips the outcome with at least this probability, and the expected false share.

    The share of the set that does not flip is, in expectation given the log, the mean of 1 - flips over it: its
    Bayesian false-discovery rate (Efron et al. 2001; Newton et al. 2004). 0 for an empty set.

    Args:
        flips: P(the step's best correction flips | log), by step.
        least: the threshold.
    """
    members = np.flatnonzero(flips >= least)
    return tuple(members.tolist()), float(1 - flips[members].mean()) if members.size else 0.0


def decisive_step(flips: Floats) -> int | None:
    """Return the earliest step whose correction flips more probably than not; else the likeliest; None if none can.

    Args:
        flips: P(the step's best correction flips | log), by step.
    """
    if not (flips > 0).any():
        return None
    sure = np.flatnonzero(flips >= 1 / 2)
    return int(sure[0]) if sure.size else int(flips.argmax())
