"""How fast exact Shapley is, beside a plain Python loop: `python benchmarks/shapley.py [--json]`.

Set OMP_NUM_THREADS=1: on a busy machine two threads of BLAS wait for each other. A world of 12 steps, of which each
reads up to three before it, in 256 baseline worlds (draws of the noise). A player is a step; in a coalition it takes
its good value, outside it what its equation says.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import combinations
from math import factorial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.coalitions import grow, shapley_values
from ifonly.scm.games import Game
from ifonly.scm.orders import exact_asymmetric
from ifonly.scm.shapley import exact_shapley, interactions, sampled_shapley

if TYPE_CHECKING:
    from collections.abc import Callable

SITES, WORLDS, REPEATS = 12, 256, 9


class StepWorld:
    """Steps that fail by themselves, or because a step that they read has failed."""

    def __init__(self, sites: int = SITES, worlds: int = WORLDS) -> None:
        rng = np.random.default_rng(0)
        self.sites = sites
        # A step with f failed inputs fails with probability .15 + .25 f: it does if f is at least this.
        self.need = np.ceil((rng.random((sites + 1, worlds)) - 0.15) / 0.25).astype(np.int8)
        self.reads = [
            sorted({i - 1, *rng.choice(i, min(i, 2), replace=False).tolist()}) if i else [] for i in range(sites + 1)
        ]
        self.before = [(i, j) for j in range(sites) for i in self.reads[j]]

    def fails(self, i: int, found):
        """Return whether step i fails, given those that it reads; the last one is the outcome."""
        failed = np.zeros(self.need[i].shape, dtype=np.int8)
        for value in found:
            failed = failed + value
        return failed >= self.need[i]

    def value(self, members):
        """Run the world in all coalitions at once, shape (m, worlds)."""
        values: list[np.ndarray] = []
        for i in range(self.sites):
            own = self.fails(i, [values[j] for j in self.reads[i]])
            values.append(own & ~members[:, i, None])
        return self.fails(self.sites, [values[j] for j in self.reads[self.sites]])

    def tree(self):
        """Run it as a prefix tree, shape (2^sites, worlds)."""
        equations = [
            lambda values, i=i: self.fails(i, [values[j] for j in self.reads[i]]) for i in range(self.sites + 1)
        ]
        return grow(equations, [False] * self.sites, self.need.shape[1])

    def plain(self):
        """Loop over players and subsets, one run of the world each; values are kept."""
        kept: dict[frozenset[int], np.ndarray] = {}

        def run(coalition: frozenset[int]):
            if coalition not in kept:
                values: list[np.ndarray] = []
                for i in range(self.sites):
                    own = self.fails(i, [values[j] for j in self.reads[i]])
                    values.append(np.zeros_like(own) if i in coalition else own)
                kept[coalition] = self.fails(self.sites, [values[j] for j in self.reads[self.sites]]).astype(float)
            return kept[coalition]

        credit = np.zeros((self.sites, self.need.shape[1]))
        for i in range(self.sites):
            others = [j for j in range(self.sites) if j != i]
            for size in range(self.sites):
                weight = factorial(size) * factorial(self.sites - size - 1) / factorial(self.sites)
                for chosen in combinations(others, size):
                    credit[i] += weight * (run(frozenset((*chosen, i))) - run(frozenset(chosen)))
        return credit


def milliseconds(run: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of a run; one unmeasured turn warms caches."""
    taken = []
    for turn in range(repeats + 1):
        start = time.process_time()
        run()
        if turn:
            taken.append(1e3 * (time.process_time() - start))
    return median(taken)


def measure() -> dict[str, float]:
    world = StepWorld()
    game = Game(world.value, SITES)
    table = np.asarray(world.tree())
    apart = max(
        float(np.abs(shapley_values(table) - world.plain()).max()),
        float(np.abs(exact_shapley(game) - shapley_values(table)).max()),
    )
    if apart > 1e-12:
        raise AssertionError(f"the contestants do not agree: {apart}")
    return {
        "plain python subsets": milliseconds(world.plain, 2),
        "vectorised value function": milliseconds(lambda: exact_shapley(game), REPEATS),
        "prefix tree": milliseconds(lambda: shapley_values(world.tree()), REPEATS),
        "of which the matrix product": milliseconds(lambda: shapley_values(table), REPEATS),
        "asymmetric, exact": milliseconds(lambda: exact_asymmetric(game, world.before), REPEATS),
        "interactions of all pairs": milliseconds(lambda: interactions(game), REPEATS),
        "200 antithetic pairs": milliseconds(lambda: sampled_shapley(game, pairs=200), 2),
    }


def main() -> None:
    taken = measure()
    if "--json" in sys.argv:
        print(json.dumps(taken))
        return
    print(f"Shapley credit of {SITES} steps in {WORLDS} baseline worlds, CPU ms (median)")
    slowest = taken["plain python subsets"]
    for name, ms in taken.items():
        print(f"  {name:<28} {ms:10.1f} ms   {slowest / ms:8.1f} times faster than the loop")


if __name__ == "__main__":
    main()
