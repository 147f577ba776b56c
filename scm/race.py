"""Gumbel-max over many options as a race, with noise that is keyed by name and never stored.

An exponential race draws one of n options: each runs for E_k / p_k with E_k ~ Exp(1), and the first to arrive is
chosen. That is Gumbel-max with g_k = -log E_k, and the E_k are the noise. The same noise run with another law q answers
what would have been chosen otherwise (Oberst and Sontag 2019; for tokens of a language model Chatzi et al.,
arXiv 2409.17027).

Prior: E' = (E'_1, ..., E'_n), one vectorised draw under the name of the choice; option k's noise is number k of it.

Posterior, given that i was chosen under p: the race ended at T = min E_k / p_k ~ Exp(1), whoever won it, and by lack
of memory the others start again there (Maddison, Tarlow and Minka 2014, top-down). With fresh E'_j for j other than i,
and T = E'_i, which nothing else uses:

    E_i = p_i E'_i        E_j = p_j E'_i + E'_j

so that E_j / p_j = T + E'_j / p_j > T = E_i / p_i: what was chosen is chosen again, always; and option j passes i in
another law q only if q_j / p_j > q_i / p_i (counterfactual stability). If i itself is drawn from p, E is a vector of
independent Exp(1) again.

Of a long law often only the likeliest options are known: `Law.ids`, with a bound `Law.rest` on the weight of any
other. Every E'_k is known by its key, so that much is still exact. `winner` gives an option only where it beats all
others whatever their weights below the bounds are, and else None: then ask for a longer law. The times are intervals
[low, high]: for options that the law lists low = high; for an option j that it does not list 0 <= p_j <= rest, so that
E'_j <= E_j <= rest T + E'_j. A law that is cut off (top-k, top-p, min-p) gives the others no weight and is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ifonly.scm.errors import ImpossibleEvidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ifonly.scm.draw import Draw
    from ifonly.scm.gumbel import Floats

__all__ = ["Law", "Noise", "Shaping", "abduct", "choose", "law_of", "posterior", "prior", "shaped", "winner"]


class Noise(NamedTuple):
    """The noise of one choice, option by option, as far as it is known; known exactly where both are one array."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Law:
    """A law over options 0, 1, ..., of which the likeliest are known.

    Attributes:
        ids: the options known, without repeats.
        log_weights: of these, up to a constant.
        rest: log of a bound on the weight of any other option; -inf where others cannot be chosen.
        log_total: bounds on the log of the sum of all weights; two zeros where weights are probabilities.
    """

    ids: NDArray[np.int64]
    log_weights: Floats
    rest: float = -np.inf
    log_total: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Shaping:
    """How a sampler shapes a model's law before it draws; the defaults change nothing.

    In the order of llama.cpp (`samplers` of its server, as far as they do anything by default): keep the `top_k`
    likeliest (0: all); of these, renormalised, the fewest likeliest whose sum reaches `top_p`; of these such as have
    at least `min_p` times the greatest probability; last, take all to the power of 1 / `temperature` (0: only the
    likeliest stays). What stays is renormalised.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    @property
    def open(self) -> bool:
        """Whether every option can still be chosen."""
        return self.temperature > 0 and self.top_k == 0 and self.top_p >= 1 and self.min_p <= 0


def prior(draw: Draw, site: str, options: int) -> Floats:
    """Return E'_k ~ Exp(1) for every option of a choice, always the same under one seed and name.

    Args:
        draw: source of uniforms.
        site: the name of the choice, for instance ``agent/2/token/17``.
        options: how many; a greater number starts with the noise of a smaller one.
    """
    noise = draw.uniform(site, (options,))
    return np.negative(np.log(noise, out=noise), out=noise)


def posterior(noise: Floats, log_p: Floats, chosen: int) -> Floats:
    """Return the noise given what was chosen: E_i = p_i E'_i, E_j = p_j E'_i + E'_j.

    Args:
        noise: from `prior`.
        log_p: log-probabilities of all options, -inf where an option cannot be chosen.
        chosen: the option.

    Raises:
        ImpossibleEvidence: it has probability 0.
    """
    return abduct(noise, Law(np.arange(len(log_p)), log_p), chosen).low


def choose(noise: Floats, log_q: Floats) -> int:
    """Return argmin E_k / q_k: what the noise chooses under a law.

    Args:
        noise: of all options.
        log_q: log-probabilities of all options, up to a constant.
    """
    return int(np.argmin(np.log(noise) - log_q))


def shaped(log_p: Floats, shaping: Shaping) -> Floats:
    """Return the log-probabilities that a sampler draws from; -inf where an option is cut off.

    Args:
        log_p: log-probabilities of all options under the model.
        shaping: the sampler's parameters.
    """
    order = np.argsort(-log_p, kind="stable")
    law = law_of(order, log_p[order], len(log_p), shaping)
    result = np.full(len(log_p), -np.inf)
    if law is not None:  # Never None where all options are known.
        result[law.ids] = law.log_weights
    return result


def law_of(ids: NDArray[np.int64], log_p: Floats, options: int, shaping: Shaping) -> Law | None:
    """Return the law that a sampler draws from, given the likeliest options; None where it takes more to know it.

    Args:
        ids: the likeliest options, likeliest first, or all.
        log_p: their log-probabilities under the model.
        options: how many options there are.
        shaping: the sampler's parameters.
    """
    rest = float(log_p[-1]) if len(ids) < options else -np.inf
    log_p = log_p if rest > -np.inf else log_p - _log_sum(log_p)
    if shaping.temperature <= 0:
        return Law(ids[:1], np.zeros(1))
    if shaping.top_k > 0:
        if len(ids) < min(shaping.top_k, options):
            return None
        if shaping.top_k < options:
            ids, log_p, rest = ids[: shaping.top_k], log_p[: shaping.top_k], -np.inf
    if shaping.top_p < 1:
        total = _log_sum(log_p) if rest == -np.inf else 0.0
        reached = np.flatnonzero(np.cumsum(np.exp(log_p - total)) >= shaping.top_p)
        if reached.size:
            ids, log_p, rest = ids[: reached[0] + 1], log_p[: reached[0] + 1], -np.inf
        elif rest > -np.inf:
            return None
    if shaping.min_p > 0:
        least = log_p[0] + np.log(shaping.min_p)
        if rest >= least:
            return None
        ids, log_p, rest = ids[log_p >= least], log_p[log_p >= least], -np.inf
    return _tempered(ids, log_p, rest, options, shaping.temperature)


def abduct(noise: Floats, law: Law, chosen: int) -> Noise:
    """Return the noise given what was chosen under a law, as far as the law is known.

    Args:
        noise: from `prior`, of all options.
        law: the law it was chosen under.
        chosen: the option.

    Raises:
        ImpossibleEvidence: the law does not list it, or gives it no weight.
    """
    place = np.flatnonzero(law.ids == chosen)
    if not place.size or law.log_weights[place[0]] == -np.inf:
        raise ImpossibleEvidence(f"option {chosen}", f"it is not among the {len(law.ids)} options of its law")
    weights = np.exp(law.log_weights)
    bounds = []
    # The sum of the weights divides the time: the greater it is, the earlier the race ends.
    for log_total, rest in ((law.log_total[1], -np.inf), (law.log_total[0], law.rest)):
        time = noise[chosen] / np.exp(log_total)
        bound = noise.copy() if rest == -np.inf else noise + np.exp(rest) * time
        bound[law.ids] = noise[law.ids] + weights * time
        bound[chosen] = weights[place[0]] * time
        bounds.append(bound)
        if law.rest == -np.inf and law.log_total[0] == law.log_total[1]:
            return Noise(bound, bound)
    return Noise(*bounds)


def winner(noise: Noise, law: Law) -> int | None:
    """Return the option that the noise chooses under a law; None where what is unknown could decide it.

    Of the options listed, i has the least greatest time high_i / q_i. It is the winner for certain if no other's least
    time is below: low_j / q_j of those listed, low_j / rest of the others.

    Args:
        noise: of all options, from `abduct`, or twice the same from `prior`.
        law: the law to choose under.
    """
    late = np.log(noise.high[law.ids]) - law.log_weights
    best = int(np.argmin(late))
    chosen = int(law.ids[best])
    if noise.low is not noise.high:
        early = np.log(noise.low[law.ids]) - law.log_weights
        early[best] = np.inf
        if early.size and early.min() < late[best]:
            return None
    if law.rest > -np.inf:
        others = np.ones(len(noise.low), dtype=bool)
        others[law.ids] = False
        if others.any() and np.log(noise.low[others].min()) - law.rest < late[best]:
            return None
    return chosen


def _tempered(ids: NDArray[np.int64], log_p: Floats, rest: float, options: int, temperature: float) -> Law:
    """The law to the power of 1 / temperature, normalised if all of it is known."""
    weights = log_p / temperature
    known = _log_sum(weights)
    if rest == -np.inf:
        return Law(ids, weights - known)
    if temperature == 1:
        return Law(ids, weights, rest)
    rest /= temperature
    most = float(np.logaddexp(known, np.log(options - len(ids)) + rest))
    return Law(ids, weights, rest, (known, most))


def _log_sum(values: Floats) -> float:
    return float(np.logaddexp.reduce(values))
