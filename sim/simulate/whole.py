"""A what-if about time, cost and load from recorded runs to the answer, as `ifonly simulate` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.sim.services.arrivals import ClosedLoop, Recorded
from ifonly.sim.simulate.asking import answer
from ifonly.sim.simulate.replications import Replayer
from ifonly.sim.simulate.sweeps import sweep as swept
from ifonly.sim.timing import fit_traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from ifonly.agents.records import Trajectory
    from ifonly.sim.services.arrivals import Arrivals
    from ifonly.sim.services.service import Price
    from ifonly.sim.services.world import World
    from ifonly.sim.simulate.answers import SimulateAnswer
    from ifonly.sim.simulate.edits import Edit
    from ifonly.sim.timing import Traffic

__all__ = ["simulate", "usual_arrivals"]


def usual_arrivals(traffic: Traffic) -> Recorded | ClosedLoop:
    """How runs come unless something else is said: at their recorded times, or one after another where none are."""
    return ClosedLoop(users=1) if traffic.origin is None else Recorded()


def simulate(  # noqa: PLR0913 -- what the command has, by keyword
    runs: Iterable[Trajectory],
    edits: Sequence[Edit] = (),
    *,
    world: World | None = None,
    others: Iterable[Trajectory] = (),
    arrivals: Arrivals | None = None,
    prices: Mapping[str, Price] | None = None,
    sweep: Mapping[str, Sequence[JsonValue]] | None = None,
    quality: Mapping[str, float] | None = None,
    replications: int = 20,
    seed: int = 0,
    level: float = 0.95,
) -> SimulateAnswer:
    """Return what would have become of time, cost and load, had services been otherwise.

    The estimand: each metric of these runs in the changed world less the same in the recorded one, under the noise that
    their records show. What no record tells is drawn, in both worlds alike.
    Long because it takes all that the command takes.

    Args:
        runs: recorded; the traffic.
        edits: what is changed; none: the traffic as recorded.
        world: the services as they were; None fits their laws to the runs.
        others: runs that laws are fitted to as well, and that are no traffic.
        arrivals: of both worlds; None: `usual_arrivals`.
        prices: by model, where the record has no costs; a model without one makes the costs it enters unknown.
        sweep: values to try by place, one place or two: each combination is put after the edits.
        quality: by model, for the front of the sweep.
        replications: draws of what no record tells, and refits of laws to resampled calls.
        seed: of the first of them, and of the tests of fit.
        level: of intervals.

    Raises:
        ActionError: no run has calls or times, or the changed world is none.
        UnknownName: an edit names what there is not.
        NotApplicable: two runs have one id.
    """
    chosen = tuple(runs)
    fitted = fit_traffic(chosen, world, others, prices=(prices or {}).get, seed=seed)
    replayer = Replayer(fitted.traffic, arrivals or usual_arrivals(fitted.traffic), replications, seed)
    points = swept(fitted, edits, sweep, replayer, runs=chosen, quality=quality, level=level) if sweep else ()
    given = answer(fitted, edits, replayer, runs=chosen, level=level)
    return given.model_copy(update={"sweep": points})
