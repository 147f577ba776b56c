"""How fast the kernel is, beside bare numpy: `python benchmarks/kernel.py [--json]`. One thread, float64."""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyro.distributions as dist
import torch

from ifonly.scm.actions import Put
from ifonly.scm.chains import GumbelChain
from ifonly.scm.continuous import Additive
from ifonly.scm.discrete import GumbelMax
from ifonly.scm.draw import Draw
from ifonly.scm.kernel import endogenous
from ifonly.scm.queries import counterfactual

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NORMAL = dist.Normal(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
REPEATS = 9


def milliseconds(contestants: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median CPU time of each contestant in milliseconds.

    They take turns, so that a busy machine slows all alike; one unmeasured turn warms caches. CPU time is the
    wall time of one thread on an idle machine.
    """
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if turn:
                taken[name].append(1e3 * (time.process_time() - start))
    return {name: median(times) for name, times in taken.items()}


def chain_query(sites: int, particles: int):
    """A counterfactual on a Gaussian chain: evidence at the end, do() in the middle, the rest unobserved."""
    step = Additive(lambda *before: 0.5 * before[0] if before else 0.0, NORMAL)

    def world():
        node = endogenous("x/0", step)
        for i in range(1, sites):
            node = endogenous(f"x/{i}", step, node)

    facts, actions = {f"x/{sites - 1}": 1.0}, {f"x/{sites // 2}": Put(2.0)}
    return lambda: counterfactual(world, facts, actions, particles=particles)


class LinearWorld:
    """A linear-Gaussian DAG in which each node has the one before it and up to two others as parents."""

    def __init__(self, nodes: int, rows: int) -> None:
        rng = np.random.default_rng(0)
        self.nodes, self.rows, self.at = nodes, rows, nodes // 2
        self.parents = [
            sorted({i - 1, *rng.choice(i, min(i, 2), replace=False).tolist()}) if i else [] for i in range(nodes)
        ]
        self.weights = [rng.normal(size=len(p)).tolist() for p in self.parents]
        self.x: list[np.ndarray] = []
        for i in range(nodes):
            self.x.append(self.mean(i, self.x) + rng.normal(size=rows))
        self.facts = {f"x/{i}": torch.from_numpy(x) for i, x in enumerate(self.x)}
        self.mechanisms = [Additive(self.linear(weights), NORMAL) for weights in self.weights]

    def mean(self, i: int, x):
        """Return the mean of node i given all nodes before it."""
        total = np.zeros(self.rows)
        for weight, j in zip(self.weights[i], self.parents[i], strict=True):
            total += weight * x[j]
        return total

    @staticmethod
    def linear(weights):
        """Return the linear function of some parents."""

        def mean(*parents):
            total = torch.zeros((), dtype=torch.float64)
            for weight, parent in zip(weights, parents, strict=True):
                total = torch.add(total, parent, alpha=weight)
            return total

        return mean

    def __call__(self) -> None:
        """Run the world."""
        made = []
        for i, mechanism in enumerate(self.mechanisms):
            made.append(endogenous(f"x/{i}", mechanism, *(made[j] for j in self.parents[i])))

    def bare(self):
        """All noise abducted, everything computed again."""
        noise = [self.x[i] - self.mean(i, self.x) for i in range(self.nodes)]
        y: list[np.ndarray] = []
        for i in range(self.nodes):
            y.append(np.ones(self.rows) if i == self.at else self.mean(i, y) + noise[i])
        return y

    def bare_descendants(self):
        """Only the later nodes, all of them descendants, abducted and computed again."""
        y = [*self.x[: self.at], np.ones(self.rows)]
        for i in range(self.at + 1, self.nodes):
            y.append(self.mean(i, y) + (self.x[i] - self.mean(i, self.x)))
        return y

    def ours(self):
        """Put the middle node to 1, through the public query."""
        return counterfactual(self, self.facts, {f"x/{self.at}": Put(1.0)}, rows=self.rows)


def bare_row(p, q, i):
    """The closed form of a Gumbel-max counterfactual row, one term after the other."""
    r = p / q
    order = np.argsort(r)
    row, h, big_q, at = np.zeros(len(p)), 0.0, 0.0, 0.0
    for k in order:
        here = h + big_q * (r[k] - at)
        if big_q > 0:
            share = (1 / (1 + h) - 1 / (1 + here)) / big_q
            row[r < r[k]] += q[r < r[k]] * share
        h, at, big_q = here, r[k], big_q + q[k]
        if k == i:
            row[i] = 1 / (1 + h)
            return row
    raise AssertionError("i is one of the options")


class ChoiceWorld:
    """Trajectories of a Markov chain over actions, with one action put at the fourth step."""

    def __init__(self, steps: int, actions: int, trajectories: int) -> None:
        rng = np.random.default_rng(0)
        self.p = rng.dirichlet(np.ones(actions), size=actions)
        self.record = np.zeros((trajectories, steps + 1), dtype=np.int64)
        for t in range(steps):
            ends = self.p[self.record[:, t]].cumsum(-1)[:, :-1]
            self.record[:, t + 1] = (rng.random((trajectories, 1)) > ends).sum(-1)
        self.held = {4: 2}
        self.chain = GumbelChain(self.p, self.p)
        self.rows = self.bare_table()

    def bare_table(self):
        """Fill the table of counterfactual rows one by one."""
        k = len(self.p)
        table = np.empty((k, k, k, k))
        for s, i, other in product(range(k), repeat=3):
            table[s, i, other] = bare_row(self.p[s], self.p[other], i)
        return table

    def bare_marginals(self):
        """Gather a matrix for each trajectory and step, and multiply."""
        one_hot = np.eye(len(self.p))
        marginal = one_hot[self.record[:, 0]]
        result = [marginal]
        for t in range(1, self.record.shape[1]):
            rows = self.rows[self.record[:, t - 1], self.record[:, t]]
            marginal = np.einsum("ns,nsj->nj", marginal, rows)
            if t in self.held:
                marginal = np.broadcast_to(one_hot[self.held[t]], marginal.shape)
            result.append(marginal)
        return np.stack(result, 1)

    def table(self):
        """Compute the same table at once."""
        return GumbelChain(self.p, self.p).table

    def marginals(self):
        """Compute the same marginals."""
        return self.chain.marginals(self.record, self.held)

    def sample(self):
        """Draw 100 counterfactual trajectories for each record."""
        return self.chain.sample(self.record, self.held, 100, Draw(0))

    def noise(self):
        """One draw of all noise vectors by the mechanism, for comparison: `sample` draws outcomes, not noise."""
        logits = torch.from_numpy(np.log(self.p))
        for t in range(1, self.record.shape[1]):
            before, after = (torch.from_numpy(self.record[:, s]) for s in (t - 1, t))
            GumbelMax(logits.__getitem__).posterior(after, before).sample()


def measure() -> dict[str, dict[str, float]]:
    linear, choices = LinearWorld(20, 100_000), ChoiceWorld(12, 8, 10_000)
    twin = linear.ours()
    gap = max(np.abs(np.asarray(twin[f"x/{i}"]) - y).max() for i, y in enumerate(linear.bare()))
    apart = np.abs(choices.marginals() - choices.bare_marginals()).max()
    if not (gap < 1e-9 and apart < 1e-12):
        raise AssertionError(f"the contestants do not agree: {gap}, {apart}")
    queries = {f"{n} sites x 1,000 particles": chain_query(n, 1_000) for n in (10, 50)}
    return {
        "counterfactual query, evidence at the end, do() in the middle": milliseconds(queries, REPEATS),
        "linear-Gaussian DAG, 20 nodes x 100,000 rows, full evidence, do() in the middle": milliseconds(
            {
                "ifonly counterfactual": linear.ours,
                "bare numpy, full abduction": linear.bare,
                "bare numpy, descendants only": linear.bare_descendants,
            },
            REPEATS,
        ),
        "Gumbel-max, 12 steps x 8 actions x 10,000 trajectories": milliseconds(
            {
                "ifonly table, once": choices.table,
                "bare numpy table, once": choices.bare_table,
                "ifonly exact marginals": choices.marginals,
                "bare numpy exact marginals": choices.bare_marginals,
                "ifonly 100 draws of all trajectories": choices.sample,
                "ifonly 1 draw of all noise, top-down": choices.noise,
            },
            5,
        ),
    }


def main() -> None:
    torch.set_num_threads(1)
    results = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps({"threads": torch.get_num_threads(), "milliseconds": results}))
        return
    print(f"CPU milliseconds, medians; torch threads: {torch.get_num_threads()}; set OMP_NUM_THREADS=1 for numpy")
    for title, times in results.items():
        print(f"\n{title}")
        for name, spent in times.items():
            print(f"  {spent:9.2f}  {name}")


if __name__ == "__main__":
    main()
