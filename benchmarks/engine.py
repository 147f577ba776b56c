"""The discrete-event engine beside bare simpy and Ciw, and what shared noise is worth.

`python benchmarks/engine.py [--json] [--queues CUSTOMERS]`. One thread. All contestants of a model are given the same
arrival and service times and must agree on every wait. `--queues` adds the known answers, at that run length.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from dataclasses import asdict
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np
import simpy

from ifonly.scenarios.queues import QUEUES, measure_queue
from ifonly.scenarios.shared_noise import CHANGES, worth_of_sharing
from ifonly.scm.draw import Draw
from ifonly.scm.durations import Exponential
from ifonly.sim.engine.simulate import Simulation, simulate
from ifonly.sim.services.arrivals import Poisson, arriving
from ifonly.sim.services.client import Client, Retry
from ifonly.sim.services.requests import Call, Request
from ifonly.sim.services.service import Latency, Service
from ifonly.sim.services.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ifonly.sim.services.timeline import Timeline

    Run: TypeAlias = Callable[[], float]

try:
    import ciw
except ImportError:  # `pip install ifonly[bench]`
    ciw = None

SEED = Draw(0)
LAW = Exponential(mean=1.0)
CUSTOMERS, SLOTS, RATE = 50_000, 4, 3.2
AGENTS, STEPS, PATIENCE, ATTEMPTS, WAIT = 10_000, 3, 4.0, 3, 2.0
BARE = "simpy, a process a customer"


def take_turns(contestants: dict[str, Callable[[], Run]], repeats: int) -> dict[str, float]:
    """Return the median CPU seconds of the run that each prepares, in turns after one unmeasured; they must agree."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    agreed: float | None = None
    for turn in range(repeats + 1):
        for name, prepare in contestants.items():
            run = prepare()
            start = time.process_time()
            wait = run()
            if turn:
                taken[name].append(time.process_time() - start)
            agreed = wait if agreed is None else agreed
            if abs(wait - agreed) > 1e-6:
                raise AssertionError(f"{name} does not agree: a mean wait of {wait}, not {agreed}")
    return {name: median(times) for name, times in taken.items()}


class SingleService:
    """M/M/4 at load .8, one call a request."""

    def __init__(self) -> None:
        requests = [Request(f"r{i}", 0.0, (Call("step/0", "s"),)) for i in range(CUSTOMERS)]
        self.requests = arriving(requests, Poisson(rate=RATE), SEED)
        self.world = World(services={"s": Service(concurrency=SLOTS, latency=Latency(base=1.0, noise=LAW))})
        uniforms = SEED.eights(f"{r.name}\x1fstep/0\x1f1" for r in requests)[:, 0]
        self.seconds = LAW.quantile(uniforms).tolist()
        self.arrivals = [request.arrival for request in self.requests]
        self.gaps = np.diff(self.arrivals, prepend=0.0).tolist()

    def contestants(self) -> dict[str, Callable[[], Run]]:
        """Each prepares a run, which returns the mean wait."""
        found: dict[str, Callable[[], Run]] = {
            BARE: lambda: self.processes,
            "simpy, callbacks without records": lambda: self.callbacks,
            "ifonly, simulate()": lambda: self.whole,
            "ifonly, clock alone": self.clock,
        }
        return found | ({"Ciw": lambda: self.ciw} if ciw else {})

    def processes(self) -> float:
        """What simpy's own examples do."""
        environment = simpy.Environment()
        slots = simpy.Resource(environment, SLOTS)
        waits: list[float] = []

        def customer(seconds: float):
            came = environment.now
            with slots.request() as turn:
                yield turn
                waits.append(environment.now - came)
                yield environment.timeout(seconds)

        def source():
            for gap, seconds in zip(self.gaps, self.seconds, strict=True):
                yield environment.timeout(gap)
                environment.process(customer(seconds))

        environment.process(source())
        environment.run()
        return fmean(waits)

    def callbacks(self) -> float:
        """The least that simpy can do."""
        environment = simpy.Environment()
        jobs = iter(zip(self.gaps, self.seconds, strict=True))
        waits: list[float] = []
        queue: deque[tuple[float, float]] = deque()
        free = SLOTS

        def release() -> None:
            job = next(jobs, None)
            if job is not None:
                environment.timeout(job[0], job[1]).callbacks.append(arrive)

        def start(came: float, seconds: float) -> None:
            waits.append(environment.now - came)
            environment.timeout(seconds).callbacks.append(end)

        def arrive(event: simpy.Event) -> None:
            nonlocal free
            release()
            if free:
                free -= 1
                start(environment.now, event.value)
            else:
                queue.append((environment.now, event.value))

        def end(_: simpy.Event) -> None:
            nonlocal free
            if queue:
                start(*queue.popleft())
            else:
                free += 1

        release()
        environment.run()
        return fmean(waits)

    def whole(self) -> float:
        """Checks, draws, clock, records."""
        return waited(simulate(self.world, self.requests, SEED))

    def clock(self) -> Run:
        """Checks and draws beforehand, as the others have them."""
        simulation = Simulation(self.world, self.requests, SEED)

        def run() -> float:
            simulation.clock.run()
            return waited(simulation.timeline())

        return run

    def ciw(self) -> float:
        """Ciw, which writes records too."""
        network = ciw.create_network(
            arrival_distributions=[ciw.dists.Sequential([*self.gaps, 1e9])],
            service_distributions=[ciw.dists.Sequential(self.seconds)],
            number_of_servers=[SLOTS],
        )
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_customers(CUSTOMERS, method="Finish")
        return fmean(record.waiting_time for record in simulation.get_all_records())


class Agents:
    """Runs of three calls at one service, each with a timeout and up to three attempts."""

    def __init__(self) -> None:
        calls = tuple(Call(f"step/{k}", "s", after=(f"step/{k - 1}",) if k else ()) for k in range(STEPS))
        requests = [Request(f"r{i}", 0.0, calls) for i in range(AGENTS)]
        self.requests = arriving(requests, Poisson(rate=RATE / STEPS), SEED)
        retry = Retry(attempts=ATTEMPTS, base=WAIT, factor=1.0, jitter="none")
        self.world = World(
            services={"s": Service(concurrency=SLOTS, latency=Latency(base=1.0, noise=LAW))},
            client=Client(timeout=PATIENCE, retry=retry),
        )
        keys = [(i, k, n) for i in range(AGENTS) for k in range(STEPS) for n in range(ATTEMPTS)]
        uniforms = SEED.eights(f"r{i}\x1fstep/{k}\x1f{n + 1}" for i, k, n in keys)[:, 0]
        self.seconds = dict(zip(keys, LAW.quantile(uniforms).tolist(), strict=True))
        self.gaps = np.diff([request.arrival for request in self.requests], prepend=0.0).tolist()

    def contestants(self) -> dict[str, Callable[[], Run]]:
        """Each prepares a run, which returns the mean wait."""
        return {BARE: lambda: self.processes, "ifonly, simulate()": lambda: self.whole}

    def processes(self) -> float:
        """A process an agent; the queue and patience by a condition of two events."""
        environment = simpy.Environment()
        slots = simpy.Resource(environment, SLOTS)
        waits: list[float] = []

        def attempt(seconds: float):
            came = environment.now
            with slots.request() as turn:
                yield turn | environment.timeout(PATIENCE)
                if not turn.triggered:
                    waits.append(environment.now - came)
                    return False
                waits.append(environment.now - came)
                left = came + PATIENCE - environment.now
                yield environment.timeout(min(seconds, left))
                return seconds <= left

        def agent(i: int):
            for k in range(STEPS):
                for n in range(ATTEMPTS):
                    if n:
                        yield environment.timeout(WAIT)
                    if (yield from attempt(self.seconds[i, k, n])):
                        break
                else:
                    return

        def source():
            for i, gap in enumerate(self.gaps):
                yield environment.timeout(gap)
                environment.process(agent(i))

        environment.process(source())
        environment.run()
        return fmean(waits)

    def whole(self) -> float:
        """Checks, draws, clock, records."""
        return waited(simulate(self.world, self.requests, SEED))


def waited(timeline: Timeline) -> float:
    """Mean seconds before service began, or was given up."""
    return fmean((span.ended if span.started is None else span.started) - span.queued for span in timeline.spans)


def speed(model: SingleService | Agents, repeats: int) -> list[dict[str, object]]:
    """Events (an attempt's coming and its end) a second, and how many times the CPU time of bare simpy."""
    events = 2 * len(simulate(model.world, model.requests, SEED).spans)
    seconds = take_turns(model.contestants(), repeats)
    return [
        {"contestant": name, "events_per_second": round(events / taken), "of_bare_simpy": taken / seconds[BARE]}
        for name, taken in seconds.items()
    ]


def measure(queues: int, repeats: int) -> dict[str, object]:
    results: dict[str, object] = {
        "M/M/4, load .8, 50,000 customers": speed(SingleService(), repeats),
        "10,000 runs of 3 calls, timeouts, retries": speed(Agents(), repeats),
        "variance of an effect, independent / paired": [
            asdict(change) | asdict(worth_of_sharing(change, 300, range(30))) for change in CHANGES
        ],
    }
    if queues:
        results[f"known answers, {queues:,} customers"] = [
            {"queue": queue.name, "truth": queue.truth, **asdict(measure_queue(queue, queues // 4, range(4)))}
            for queue in QUEUES
        ]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--queues", type=int, default=0, metavar="CUSTOMERS", help="known answers, at this run length")
    parser.add_argument("--repeats", type=int, default=7, help="measured turns")
    given = parser.parse_args()
    results = measure(given.queues, given.repeats)
    if given.json:
        print(json.dumps(results))
        return
    for title, rows in results.items():
        print(f"\n{title}")
        for row in rows:
            print("  " + "  ".join(f"{k} {v:,.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
