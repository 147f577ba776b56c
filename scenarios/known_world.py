"""What every world with a known truth carries, so that one contract proves them all and one table shows them all.

A contributor adds a world in one file: the program, its graph, its queries with their truth, and the naive analysis
that is wrong. `tests/contracts/test_worlds.py` holds each to brute force; `ifonly bench worlds` prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ifonly.scm.draw import Draw
from ifonly.scm.enumeration import enumerate_world
from ifonly.scm.queries import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ifonly.scm.steps import Actions, Facts, World

__all__ = ["KnownWorld", "Query", "Stage", "counterfactual_mean"]

Stage = Literal["pretraining", "alignment", "routing", "agents", "evaluation"]
"""The part of an LLM's life that a world is of."""


@dataclass(frozen=True)
class Query:
    """A question with its true answer.

    Attributes:
        asks: the estimand, in words or as a formula.
        truth: its value, in closed form.
        naive: what the naive analysis gives; None where it does not speak of this question.
        answer: what ifonly's own estimator says.
    """

    asks: str
    truth: float
    naive: float | None
    answer: Callable[[], float]


@dataclass(frozen=True)
class KnownWorld:
    """A world whose truth is known.

    Attributes:
        name: in one or two words.
        stage: of an LLM's life.
        question: that a practitioner has.
        world: the program: a function of `ifonly.scm.kernel.endogenous` sites.
        edges: of its graph, from cause to effect; sites without any edge stand alone in `lone`.
        queries: with their truth.
        naive: the analysis that is wrong, in words.
        marginals: the law of some sites, by value: what the sampler must match.
        lone: sites that touch no other.
        assumes: what the right answer rests on.
    """

    name: str
    stage: Stage
    question: str
    world: World
    edges: frozenset[tuple[str, str]]
    queries: tuple[Query, ...]
    naive: str
    marginals: Mapping[str, Mapping[Any, float]]
    lone: frozenset[str] = field(default=frozenset())
    assumes: tuple[str, ...] = ()

    def sample(self, n: int, seed: int = 0) -> list[dict[str, Any]]:
        """Draw units of the world: the value of every site, as plain numbers or objects.

        Args:
            n: number of units.
            seed: of all noise; unit i draws from the stream keyed by its number.
        """
        keys = [Draw(seed).key(f"unit/{unit}") % 2**62 for unit in range(n)]
        return [{s: _plain(v) for s, v in observe(self.world, seed=key).run.values.items()} for key in keys]


def counterfactual_mean(world: World, facts: Facts, actions: Actions, outcome: str) -> float:
    """Return E[outcome under the actions | facts], exactly, by going through all noise.

    Args:
        world: whose noise has finite support.
        facts: observed values by site.
        actions: what is done, by site.
        outcome: a site.
    """
    return enumerate_world(world, facts, actions).mean(outcome)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
