"""What traffic must be, for a world to serve it."""

from __future__ import annotations

from math import inf
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
        if not (0.0 <= request.arrival < inf and 0.0 <= request.tail < inf):
            raise _amiss(f"request {request.name!r}", arrival=request.arrival, tail=request.tail)
        sites = set[str]()
        for call in request.calls:
            _check_call(request, call, known, sites)
            sites.add(call.site)


def _check_call(request: Request, call: Call, known: set[str], before: set[str]) -> None:
    """One call, after those before it. Every call passes here: what is wrong is put in words only where it is."""
    if call.service not in known:
        raise UnknownName(f"service of {_where(request, call)}", call.service, sorted(known))
    if call.site in before:
        raise NotApplicable(f"{_where(request, call)}: twice in the request; a site keys its noise: give each its own")
    if not before.issuperset(call.after):
        site = next(site for site in call.after if site not in before)
        fix = "List calls after those they wait for."
        raise UnknownName(f"site before {_where(request, call)}", site, sorted(before), fix)
    if len(call.after) > 1 and len(set(call.after)) < len(call.after):
        raise NotApplicable(f"{_where(request, call)}: it waits for a site twice: {', '.join(call.after)}")
    if not (
        0.0 <= call.lag < inf
        and 0 <= call.prefix_tokens <= call.input_tokens < inf
        and 0 <= call.output_tokens < inf
        and (call.noise is None or 0.0 <= call.noise < inf)
        and (call.failed_after is None or 0.0 <= call.failed_after < inf)
        and (call.failure_noise is None or 0.0 <= call.failure_noise <= 1.0)
    ):
        raise _amiss_in(request, call)


def _where(request: Request, call: Call) -> str:
    return f"request {request.name!r}, site {call.site!r}"


def _amiss_in(request: Request, call: Call) -> NotApplicable:
    """Which number of a call is wrong."""
    where = _where(request, call)
    if call.failure_noise is not None and not 0.0 <= call.failure_noise <= 1.0:
        return NotApplicable(f"{where}: failure_noise is {call.failure_noise}; it is a uniform, between 0 and 1")
    if 0 <= call.input_tokens < call.prefix_tokens:
        return NotApplicable(f"{where}: a prefix of {call.prefix_tokens} tokens in a prompt of {call.input_tokens}")
    return _amiss(
        where,
        lag=call.lag,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        prefix_tokens=call.prefix_tokens,
        noise=call.noise or 0.0,
        failed_after=call.failed_after or 0.0,
    )


def _amiss(where: str, **amounts: float) -> NotApplicable:
    name, amount = next((n, a) for n, a in amounts.items() if not 0.0 <= a < inf)
    return NotApplicable(f"{where}: {name} is {amount}; it must be finite and not negative")
