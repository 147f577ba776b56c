"""What traffic must be, for a world to serve it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from ifonly.agents.errors import UnknownName
from ifonly.scm.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.sim.services.requests import Call, Request
    from ifonly.sim.services.world import World

__all__ = ["check_traffic"]


def check_traffic(world: World, requests: Sequence[Request]) -> None:
    """Refuse traffic that the world cannot serve.

    Raises:
        UnknownName: a call asks a service that there is not, or waits for a site that does not come before it.
        NotApplicable: two requests or sites of one name, or a number that is negative or not finite.
    """
    names = set[str]()
    known = {*world.services, *world.routes}
    for request in requests:
        if request.name in names:
            raise NotApplicable(f"two requests are called {request.name!r}; a name keys its noise: give each its own")
        names.add(request.name)
        _amounts(f"request {request.name!r}", arrival=request.arrival, tail=request.tail)
        sites = set[str]()
        for call in request.calls:
            _check_call(request, call, known, sites)
            sites.add(call.site)


def _check_call(request: Request, call: Call, known: set[str], before: set[str]) -> None:
    """One call, after those before it."""
    where = f"request {request.name!r}, site {call.site!r}"
    if call.service not in known:
        raise UnknownName(f"service of {where}", call.service, sorted(known))
    if call.site in before:
        raise NotApplicable(f"{where}: the request has this site twice; a site keys its noise: give each its own")
    for site in call.after:
        if site not in before:
            raise UnknownName(f"site before {where}", site, sorted(before), "List calls after those they wait for.")
    _amounts(
        where,
        lag=call.lag,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        prefix_tokens=call.prefix_tokens,
        noise=call.noise or 0.0,
        failure_noise=call.failure_noise or 0.0,
        failed_after=call.failed_after or 0.0,
    )
    if call.prefix_tokens > call.input_tokens:
        raise NotApplicable(f"{where}: a prefix of {call.prefix_tokens} tokens in a prompt of {call.input_tokens}")
    if len(set(call.after)) < len(call.after):
        raise NotApplicable(f"{where}: it waits for a site twice: {', '.join(call.after)}")


def _amounts(where: str, **amounts: float) -> None:
    for name, amount in amounts.items():
        if not (amount >= 0.0 and isfinite(amount)):
            raise NotApplicable(f"{where}: {name} is {amount}; it must be finite and not negative")
