"""Exact answers for finite worlds: every value of every noise, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, fsum, inf, isnan
from typing import TYPE_CHECKING, Any

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample

from ifonly.scm.answers import Twin
from ifonly.scm.errors import ImpossibleEvidence, NeverReached, NotEnumerable
from ifonly.scm.estimate import Estimate
from ifonly.scm.evidence import Evidence
from ifonly.scm.handlers import Abduct, Intervene
from ifonly.scm.steps import Actions, Facts, World, abduct, evidence, predict

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from pyro.poutine.runtime import Message

    from ifonly.scm.runs import Run

__all__ = ["Branch", "Enumeration", "Follow", "enumerate_world"]


class Follow(Messenger):
    """Give each noise site the element of its support that a path names; past its end, the first possible."""

    def __init__(self, path: tuple[int, ...]) -> None:
        """Take the choices at the first noise sites, in the order they are reached."""
        super().__init__()
        self._path = path
        self.log_prob = 0.0
        self.taken: list[int] = []
        self.options: list[int] = []

    def _pyro_sample(self, message: Message[..., Any]) -> None:
        if message["done"] or message["is_observed"] or site_is_subsample(message):
            return
        law: Any = message["fn"]
        if not getattr(law, "has_enumerate_support", False) or law.batch_shape or law.event_shape:
            raise NotEnumerable(str(message["name"]), law)
        support = law.enumerate_support(expand=False)
        log_probs = law.log_prob(support)
        possible = (log_probs > -torch.inf).nonzero().flatten().tolist()
        depth = len(self.taken)
        choice = self._path[depth] if depth < len(self._path) else 0
        self.taken.append(choice)
        self.options.append(len(possible))
        self.log_prob += float(log_probs[possible[choice]])
        message["value"] = support[possible[choice]]
        message["done"] = True

    def siblings(self) -> Iterator[tuple[int, ...]]:
        """Yield the paths that leave this one past the end of the given path."""
        for depth in range(len(self._path), len(self.taken)):
            for choice in range(1, self.options[depth]):
                yield (*self.taken[:depth], choice)


@dataclass(frozen=True)
class Branch:
    """One value of all noise that the facts allow.

    Attributes:
        weight: its posterior probability.
        twin: the factual and the counterfactual run in it.
    """

    weight: float
    twin: Twin


@dataclass(frozen=True)
class Enumeration:
    """The exact posterior over the noise of a finite world, each element with its twin.

    Attributes:
        branches: weights summing to 1.
        probability: probability of the facts.
    """

    branches: tuple[Branch, ...]
    probability: float

    def distribution(self, target: str | Callable[[Twin], Hashable]) -> dict[Any, float]:
        """Return the exact law of a site's counterfactual value, or of a function of the twin.

        Scalar tensors count as the numbers they hold.

        Args:
            target: a site, or a function of the twin.
        """
        law: dict[Any, list[float]] = {}
        for branch in self.branches:
            value = branch.twin[target] if isinstance(target, str) else target(branch.twin)
            law.setdefault(value.item() if isinstance(value, torch.Tensor) else value, []).append(branch.weight)
        return {value: fsum(weights) for value, weights in law.items()}

    def mean(self, target: str | Callable[[Twin], Any]) -> float:
        """Return the exact mean of a site's counterfactual value, or of a function of the twin."""
        return fsum(branch.weight * float(branch.twin.mean(target)) for branch in self.branches)

    def estimate(self, target: str | Callable[[Twin], Any]) -> Estimate:
        """Return the exact mean: `exact`, or `assumed` where a noise model carried facts over."""
        assumed = {model for branch in self.branches for model in (branch.twin.assumed or "").split("+") if model}
        return Estimate.settled(self.mean(target), "counterfactual", "+".join(sorted(assumed)) or None)


def enumerate_world(world: World, facts: Facts | None = None, actions: Actions | None = None) -> Enumeration:
    """Return the exact counterfactual of a finite world: every value of the noise instead of particles.

    Depth first over the supports of the noise sites, which may depend on earlier choices; the world runs
    twice for each leaf. Noise that the facts settle costs nothing, so object worlds with a few open choices
    are enumerated at once. A branch that does not reach the site of a fact contradicts it; one that does not
    reach the site of an action is unaffected by it.

    Args:
        world: a world whose noise that is not settled has finite scalar support.
        facts: observed values by site, in the factual world.
        actions: what is done, by site, in the counterfactual one.

    Raises:
        NotEnumerable: if a noise site has no finite scalar support.
        NeverReached: if no branch reaches the site of a fact or action.
        ImpossibleEvidence: if the facts have probability 0.
    """
    facts, actions = facts or {}, actions or {}
    before: dict[str, None] = {}
    after: dict[str, None] = {}
    leaves: list[tuple[float, Twin]] = []
    for factual, log_weight, twin in _leaves(world, facts, actions):
        before.update(dict.fromkeys(factual.sites))
        if twin is not None:
            after.update(dict.fromkeys(twin.run.sites))
            leaves.append((log_weight, twin))
    if missing := facts.keys() - before:
        raise NeverReached(Abduct.role, sorted(missing), before)
    if not leaves:
        raise ImpossibleEvidence(f"the facts at {sorted(facts)}", "no value of the noise gives them all")
    if missing := actions.keys() - after:
        raise NeverReached(Intervene.role, sorted(missing), after)
    top = max(log_weight for log_weight, _ in leaves)
    masses = [exp(log_weight - top) for log_weight, _ in leaves]
    total = fsum(masses)
    branches = tuple(Branch(mass / total, twin) for mass, (_, twin) in zip(masses, leaves, strict=True))
    return Enumeration(branches, total * exp(top))


def _leaves(world: World, facts: Facts, actions: Actions) -> Iterator[tuple[Run, float, Twin | None]]:
    """Yield, for each value of the noise, the factual run, its log weight, and the twin if facts allow it."""
    paths: list[tuple[int, ...]] = [()]
    while paths:
        with Follow(paths.pop()) as follow:
            factual = abduct(world, facts, strict=False)
            likelihood, twin = _log_likelihood(factual, facts), None
            if likelihood > -inf:
                run, fresh = predict(world, factual, actions, strict=False)
                twin = Twin(run=run, weights=None, chance=0, factual=factual, fresh=fresh)
        yield factual, follow.log_prob + likelihood, twin
        paths.extend(follow.siblings())


def _log_likelihood(factual: Run, facts: Facts) -> float:
    if facts.keys() - set(factual.sites):
        return -inf
    terms = {site: float(factor.log_prob(Evidence.token)) for site, factor in evidence(factual)}
    if wrong := [site for site, term in terms.items() if isnan(term)]:
        raise ImpossibleEvidence(f"site {wrong[0]!r}", "its likelihood is not a number")
    return sum(terms.values())
