"""Edits applied: a changed world, and the same traffic as it would meet it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import ActionError, UnknownName
from ifonly.sim.services.arrivals import ClosedLoop, Recorded, arriving
from ifonly.sim.services.service import Outage as OutageSpec
from ifonly.sim.simulate.edits import Follow, Outage, Put, Scale, Swap
from ifonly.sim.simulate.places import put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ifonly.scm.draw import Draw
    from ifonly.scm.durations import Duration
    from ifonly.sim.services.arrivals import Arrivals
    from ifonly.sim.services.requests import Call, Request
    from ifonly.sim.services.world import World
    from ifonly.sim.simulate.edits import Edit
    from ifonly.sim.simulate.following import Chances

__all__ = ["Changed", "arrive", "changed"]


@dataclass(frozen=True)
class Changed:
    """What edits make of a world, and what they will make of its traffic.

    Attributes:
        world: changed.
        swaps: in order; a call takes the first that fits its recorded service.
        chances: by run, the chances of the models that a rule chooses among; empty without one.
        factor: of the arrivals a second.
        replies: by service, the law of a reply's tokens.
    """

    world: World
    swaps: tuple[Swap, ...]
    chances: Mapping[str, Chances]
    factor: float
    replies: Mapping[str, Duration]

    def requests(self, requests: Sequence[Request], draw: Draw) -> tuple[Request, ...]:
        """The traffic of one replication as it meets the changed world."""
        if not self.swaps and not self.chances:
            return tuple(requests)
        return tuple(
            replace(request, calls=tuple(self._call(request, call, draw) for call in request.calls))
            for request in requests
        )

    def _call(self, request: Request, call: Call, draw: Draw) -> Call:
        chances = self.chances.get(request.name)
        if chances is not None and call.service == chances.recorded:
            return replace(call, service=chances.pick(float(draw.uniform(f"{request.name}/model"))))
        for swap in self.swaps:
            if call.service == swap.service and fnmatchcase(call.site, swap.sites):
                return replace(call, service=swap.to, output_tokens=self._tokens(call, swap))
        return call

    def _tokens(self, call: Call, swap: Swap) -> int:
        if swap.tokens == "kept" or not call.output_tokens:
            return call.output_tokens
        rank = self.replies[swap.service].cdf(np.asarray(float(call.output_tokens)))
        return max(1, round(float(self.replies[swap.to].quantile(np.clip(rank, 1e-9, 1.0 - 1e-9)))))


def changed(
    world: World,
    edits: Sequence[Edit],
    services: Sequence[str],
    *,
    replies: Mapping[str, Duration],
    chances: Mapping[str, Chances],
) -> Changed:
    """Return what the edits make of a world.

    Args:
        world: factual.
        edits: in order; those of the world are checked together.
        services: that the recorded calls ask.
        replies: by service, the law of a reply's tokens.
        chances: of `Follow`, by run.

    Raises:
        UnknownName: an edit names what there is not.
        ActionError: the changed world is none.
    """
    made = put(world, [(edit.at, edit.value) for edit in edits if isinstance(edit, Put)])
    for edit in edits:
        if isinstance(edit, Outage):
            made = _down(made, edit)
    known = [*made.services, *made.routes]
    swaps = tuple(edit for edit in edits if isinstance(edit, Swap))
    for swap in swaps:
        _check(swap, known, services, replies)
    follows = [edit for edit in edits if isinstance(edit, Follow)]
    missing = [arm for edit in follows for arm in edit.rule.rule.arms if arm not in known]
    if missing:
        raise UnknownName(f"model that {follows[0].name} chooses", missing[0], known, _DECLARE)
    factor = float(np.prod([edit.factor for edit in edits if isinstance(edit, Scale)]))
    return Changed(made, swaps, chances, factor, replies)


_DECLARE = (
    'Read runs that asked it too, or declare it: --set \'service.NAME={"latency": {"base": 0.5, '
    '"per_output_token": 0.01}}\'.'
)


def _check(swap: Swap, known: Sequence[str], services: Sequence[str], replies: Mapping[str, Duration]) -> None:
    if swap.service not in services:
        raise UnknownName("service that the runs ask", swap.service, sorted(services))
    if swap.to not in known:
        raise UnknownName("service to swap to", swap.to, known, _DECLARE)
    silent = [name for name in (swap.service, swap.to) if name not in replies]
    if swap.tokens == "ranked" and silent:
        fix = "Keep the recorded tokens, or read runs in which it is asked."
        raise ActionError(f"ranked tokens of {swap.words}", f"no recorded reply of {silent[0]}", fix)


def _down(world: World, edit: Outage) -> World:
    if edit.service not in world.services:
        raise UnknownName("service of an outage", edit.service, world.services)
    if edit.end <= edit.start:
        raise ActionError(edit.words, "it ends before it starts", "Write NAME:START-END, in seconds.")
    service = world.services[edit.service]
    outages = (*service.outages, OutageSpec(start=edit.start, end=edit.end))
    down = service.model_copy(update={"outages": outages})
    return world.model_copy(update={"services": world.services | {edit.service: down}})


def arrive(
    requests: Sequence[Request], arrivals: Arrivals, draw: Draw, factor: float = 1.0
) -> tuple[tuple[Request, ...], ClosedLoop | None]:
    """The requests at their times, `factor` times as many a second; and the loop, where one sends them."""
    if isinstance(arrivals, ClosedLoop):
        users = max(1, round(arrivals.users * factor))
        return tuple(requests), arrivals.model_copy(update={"users": users})
    timed = tuple(requests) if isinstance(arrivals, Recorded) else arriving(requests, arrivals, draw)
    if factor == 1.0:
        return timed, None
    return tuple(replace(request, arrival=request.arrival / factor) for request in timed), None
