"""The steps that every counterfactual is made of, whatever draws the noise: particles, or enumeration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pyro
import torch
from torch import Tensor

from ifonly.scm.actions import Action
from ifonly.scm.draw import Draw
from ifonly.scm.errors import ImpossibleEvidence
from ifonly.scm.evidence import Evidence
from ifonly.scm.handlers import Abduct, Intervene, Replay, evidence_site
from ifonly.scm.kernel import Record
from ifonly.scm.noise import Keyed
from ifonly.scm.runs import Run

__all__ = ["Actions", "Facts", "Size", "World", "abduct", "evidence", "population", "predict", "unweighed", "weigh"]

World = Callable[[], object]
"""A function without arguments that calls `endogenous`."""

Facts = Mapping[str, Any]
"""Observed values by site, taken as they are: tensors where the world computes with tensors."""

Actions = Mapping[str, Action]
"""What is done, by site."""


class Size(NamedTuple):
    """How many worlds run at once, and on which noise.

    Attributes:
        particles: number of draws, or None for a single one.
        rows: number of independent units, or None for a single one.
        seed: seed of the noise.
    """

    particles: int | None
    rows: int | None
    seed: int


@contextmanager
def population(size: Size) -> Iterator[None]:
    """Enter name-keyed noise, then the plates: rows on the last axis, particles before them."""
    with ExitStack() as stack:
        stack.enter_context(Keyed(Draw(size.seed)))
        if size.particles is not None:
            dim = -1 if size.rows is None else -2
            stack.enter_context(pyro.plate("ifonly.particles", size.particles, dim=dim))
        if size.rows is not None:
            stack.enter_context(pyro.plate("ifonly.rows", size.rows, dim=-1))
        yield


def abduct(world: World, facts: Facts, strict: bool = True) -> Run:
    """Run the factual world, under whatever handlers draw the noise: step 1 of a counterfactual.

    Args:
        world: the world.
        facts: observed values by site.
        strict: whether a fact at a site never reached raises.
    """
    with Record() as record, Abduct(facts, strict):
        returned = world()
    return Run(record.trace, returned)


def predict(world: World, factual: Run, actions: Actions, strict: bool = True) -> tuple[Run, tuple[str, ...]]:
    """Run the changed world in the noise of a factual run: steps 2 and 3 of a counterfactual.

    Args:
        world: the world.
        factual: what `abduct` returned.
        actions: what is done, by site.
        strict: whether an action at a site never reached raises.

    Returns:
        The counterfactual run, and the sites whose noise is fresh.
    """
    with Record() as record, Replay(factual.trace) as replay, Intervene(actions, strict):
        returned = world()
    return Run(record.trace, returned), tuple(replay.fresh)


def weigh(run: Run, size: Size) -> Tensor | None:
    """Return the weights that the facts give to the particles of a run.

    Shape (particles,) or (particles, rows), summing to 1 over the first axis. Without particles there is
    nothing to weigh: the facts need only be possible, and None is returned.

    Args:
        run: a run under `Abduct`.
        size: the population it ran in.

    Raises:
        ImpossibleEvidence: if in some row no particle can take the facts, or a likelihood is not a number.
    """
    if size.particles is None:
        for site, factor in evidence(run):
            _demand(site, factor.possible())
        return None
    shape = (size.particles,) if size.rows is None else (size.particles, size.rows)
    total = torch.zeros(shape, dtype=torch.float64)
    for site, factor in evidence(run):
        total = total + factor.log_prob(Evidence.token)
        if bool(total.isnan().any()):
            raise ImpossibleEvidence(f"site {site!r}", "its likelihood is not a number")
        _demand(site, (total > -torch.inf).any(0))
    return total.softmax(0)


def unweighed(run: Run, size: Size) -> tuple[str, ...]:
    """Return the observed sites whose likelihood may hang on noise that was drawn.

    In a single draw these facts say nothing about that noise: only particles, or enumeration, can weigh them.

    Args:
        run: a run under `Abduct`.
        size: the population it ran in; in particles facts are weighed, and none is returned.
    """
    if size.particles is not None:
        return ()
    observed, drawn = dict(evidence(run)), set(run.drawn)
    hanging: set[str] = set()
    for site in run.sites:
        equation = run.equation(site)
        if equation.noise in drawn or any(
            parent.site in hanging and parent.site not in observed for parent in equation.parents
        ):
            hanging.add(site)
    return tuple(site for site in observed if site in hanging)


def evidence(run: Run) -> Iterator[tuple[str, Evidence]]:
    """Yield the observed sites of a run with their likelihoods, in order."""
    for site in run.sites:
        if (message := run.trace.nodes.get(evidence_site(site))) is not None:
            factor: Any = message["fn"]
            yield site, factor


def _demand(site: str, holds: Tensor) -> None:
    if not bool(holds.all()):
        where = f"in {int((~holds).sum())} of {holds.numel()} rows " if holds.dim() else ""
        raise ImpossibleEvidence(f"site {site!r}", f"{where}the likelihood is 0 given the facts before it")
