"""What is typed of edits, arrivals, prices and sweeps, as data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, ValidationError

from ifonly.agents.errors import ActionError, InputError
from ifonly.sim.policy import PolicyReport, SavedRule
from ifonly.sim.policy.targets import parse_numbers
from ifonly.sim.services.arrivals import Bursts, ClosedLoop, Poisson, Recorded
from ifonly.sim.services.service import Price
from ifonly.sim.simulate import Follow, Outage, Put, Scale, Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.sim.services.arrivals import Arrivals
    from ifonly.sim.simulate.edits import Edit

__all__ = ["parse_arrivals", "parse_edits", "parse_prices", "parse_quality", "parse_sweeps"]

_MILLION = 1e6


def parse_edits(
    puts: Sequence[str],
    swaps: Sequence[str],
    tokens: str,
    outages: Sequence[str],
    rule: Path | None,
    load: float | None,
) -> list[Edit]:
    """The edits that were typed: of the world first, then of who is asked.

    Raises:
        ActionError: one says nothing that can be done.
        InputError: a rule cannot be read.
    """
    edits: list[Edit] = [_put(text) for text in puts]
    edits += [_outage(text) for text in outages]
    edits += [_swap(text, tokens) for text in swaps]
    if rule is not None:
        edits.append(Follow(rule=SavedRule.read(rule), name=str(rule)))
    if load is not None:
        if not 0.0 < load < math.inf:
            raise ActionError(f"--load {load}", "no factor", "Write a number above 0: 2 for twice the arrivals.")
        edits.append(Scale(factor=load))
    return edits


def parse_arrivals(text: str, *, recorded: bool) -> Arrivals:
    """Arrivals from ``recorded``, ``poisson:RATE``, ``burst:RATE,RATE,SECONDS,SECONDS`` or ``closed:USERS``.

    Args:
        text: as typed.
        recorded: whether the runs tell when they began.

    Raises:
        ActionError: it is none of these, or the runs do not tell when they began.
    """
    kind, _, rest = text.partition(":")
    try:
        match kind:
            case "recorded" if not rest:
                if not recorded:
                    found = "no run tells when it began"
                    raise ActionError("--arrivals recorded", found, "Write poisson:RATE, burst:..., or closed:USERS.")
                return Recorded()
            case "poisson":
                return Poisson(rate=float(rest))
            case "burst":
                calm_rate, burst_rate, calm, burst = map(float, rest.split(","))
                return Bursts(rate=calm_rate, burst_rate=burst_rate, calm=calm, burst=burst)
            case "closed":
                return ClosedLoop(users=int(rest))
            case _:
                pass
    except ValueError:  # numbers that are none, and those that pydantic refuses
        pass
    fix = (
        "Write recorded; poisson:0.5 (runs a second); burst:0.1,2,60,10 (0.1 runs a second for 60 s on average, then 2 "
        "for 10 s); or closed:4 (four runs at a time)."
    )
    raise ActionError(f"--arrivals {text}", "no arrivals", fix)


def parse_prices(texts: Sequence[str]) -> dict[str, Price]:
    """Prices from ``MODEL=IN,OUT`` or ``MODEL=IN,OUT,CACHED``, in dollars a million tokens.

    Raises:
        ActionError: one is none.
    """
    found = {}
    for text in texts:
        name, _, rest = text.rpartition("=")
        try:
            per_input, per_output, *cached = (float(one) / _MILLION for one in rest.split(","))
            found[name] = Price(
                per_input_token=per_input, per_output_token=per_output, per_cached_token=cached[0] if cached else None
            )
        except ValueError:
            name = ""
        if not name:
            fix = "Write MODEL=IN,OUT in dollars a million tokens: gpt-4o=2.5,10."
            raise ActionError(f"--price {text}", "no price of a model", fix)
    return found


def parse_sweeps(texts: Sequence[str]) -> dict[str, list[JsonValue]]:
    """Places and their values from ``PLACE=VALUE,VALUE,...``; a JSON list is taken as one.

    Raises:
        ActionError: one names no place or no values.
    """
    found = {}
    for text in texts:
        place, equals, rest = text.partition("=")
        values = _json(rest) if rest.startswith("[") else [_json(one) for one in rest.split(",") if one]
        if not equals or not place or not isinstance(values, list) or not values:
            fix = (
                "Write for instance service.gpt-4o.concurrency=1,2,4, swap.gpt-4o=gpt-4o,gpt-4o-mini or arrivals=1,2,4."
            )
            raise ActionError(f"--sweep {text}", "no place with values", fix)
        found[place] = values
    return found


def parse_quality(text: str | None) -> dict[str, float] | None:
    """Quality by model from ``MODEL=NUMBER,...``, or ``@FILE``: what ``ifonly policy --json`` said of each arm.

    Raises:
        ActionError: it is neither.
        InputError: the file is no answer of `ifonly policy`.
    """
    if text is None:
        return None
    if not text.startswith("@"):
        return parse_numbers("--quality", text)
    path = Path(text[1:])
    try:
        report = PolicyReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path.") from error
    except ValidationError as error:
        found = f"is no answer of ifonly policy ({error.errors()[0]['msg']})"
        raise InputError(str(path), found, "Write one with ifonly policy ... --target MODEL --json > FILE.") from error
    return {one.target.name: one.value.value for one in report.answers if one.value.value is not None}


def _put(text: str) -> Put:
    place, equals, value = text.partition("=")
    if not equals or not place:
        fix = "Write PLACE=VALUE: service.gpt-4o.concurrency=4, clients.gpt-4o.timeout=30, client.retry.attempts=3."
        raise ActionError(f"--set {text}", "no place with a value", fix)
    return Put(at=place.strip(), value=_json(value))


def _swap(text: str, tokens: str) -> Swap:
    names, _, sites = text.partition("@")
    service, _, to = names.partition("=")
    if not service or not to:
        fix = "Write SERVICE=OTHER, or SERVICE=OTHER@SITES: gpt-4o=gpt-4o-mini@agent/*."
        raise ActionError(f"--swap {text}", "no two services", fix)
    return Swap(service=service, to=to, sites=sites or "*", tokens="ranked" if tokens == "ranked" else "kept")


def _outage(text: str) -> Outage:
    name, _, stretch = text.rpartition(":")
    start, _, end = stretch.partition("-")
    try:
        return Outage(service=name, start=float(start), end=float(end))
    except ValueError as error:
        fix = "Write NAME:START-END in seconds since the first arrival: gpt-4o:60-120."
        raise ActionError(f"--outage {text}", "no stretch of time of a service", fix) from error


def _json(text: str) -> JsonValue:
    """JSON where it is some, else the text itself."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value
