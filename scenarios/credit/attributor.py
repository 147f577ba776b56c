"""Which step a failed run is due to: from its log, its tools and counted questions, never from the world.

`Attributor.fitted` learns from many runs what they share: who reads whom, how faults fall, and (if wanted) their laws.
`Attributor.explain` then answers for one run, exactly under its assumptions (`ifonly.scm.credit_chain`): the
probability of success had any option been taken at any step, and had another model chosen from any step on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ifonly.scenarios.credit.counted import Counted, CountedLaws, count
from ifonly.scenarios.credit.laws import Asker, Laws, Shared, share
from ifonly.scenarios.credit.structure import Digest, digest, evidence_of, find_parents, find_reads
from ifonly.scm.contamination import COUPLINGS, Contamination, Coupling, fit, moves
from ifonly.scm.credit_chain import CreditChain, decisive_step, flip_set
from ifonly.scm.policy.replayed import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ifonly.scenarios.credit.automaton import Parents
    from ifonly.scenarios.credit.logs import Bench, LoggedRun
    from ifonly.scm.gumbel import Floats

__all__ = ["NO_FAULT", "Attributor", "Credit", "Source"]

Source = Literal["asked", "shared", "counted"]
"""Where laws in contexts that were not logged come from: asked for; other runs' logs, where they tell; or, without
log-probabilities, counted over many runs."""

# A choice always follows its law.
NO_FAULT = Contamination("independent", 0.0, (1 / 3, 1 / 3, 1 / 3))

LEAST = 0.1
"""A step is in the flip set if its correction flips the outcome with at least this probability."""


@dataclass(frozen=True)
class Credit:
    """What one run's outcome is due to.

    Attributes:
        run: its id.
        flip_set: steps whose correction flips the outcome with a probability of at least `LEAST`.
        decisive: the earliest decisive step, or None: nothing flips the outcome.
        latest: the latest point of commitment: the last step of the flip set; None if that is empty.
        options: P(success | do(option at step k), log), by step and option.
        swaps: P(success | do(model) from step k on, log), by step; empty without a model.
        flips: by step, P(the outcome flips) under the best other option.
        fixes: by step, that option.
        faults: by step, P(fault | log).
        false_share: the share of the flip set that is expected not to flip.
        asked: model evaluations.
    """

    run: str
    flip_set: tuple[int, ...]
    decisive: int | None
    latest: int | None
    options: tuple[Mapping[str, float], ...] = ()
    swaps: tuple[float, ...] = ()
    flips: tuple[float, ...] = ()
    fixes: tuple[str, ...] = ()
    faults: tuple[float, ...] = ()
    false_share: float = 0.0
    asked: int = 0


@dataclass(frozen=True, eq=False)
class Attributor:
    """What the runs of a workflow share, and how to answer for one of them.

    Attributes:
        parents: of each step, the steps whose results its tool reads.
        reads: of each step, the steps whose classes its law reads.
        contamination: how faults fall.
        coupling: the noise model of choices without a fault.
        shared: laws that runs share, or None.
        counted: laws fitted to choices alone, or None.
        digests: what executing the tools told, by run.
    """

    parents: Parents
    reads: Parents
    contamination: Contamination
    coupling: Coupling = "gumbel-max"
    shared: Shared | None = None
    counted: Counted | None = None
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @classmethod
    def fitted(
        cls,
        runs: Sequence[LoggedRun],
        bench_of: Callable[[str], Bench],
        source: Source = "asked",
        coupling: Coupling = "gumbel-max",
        contamination: Contamination | None = None,
    ) -> Attributor:
        """Learn from the logs of a workflow.

        Args:
            runs: logged runs.
            bench_of: a task's bench.
            source: of laws in contexts that were not logged.
            coupling: the noise model of choices without a fault.
            contamination: how faults fall; fitted, if left out.
        """
        parents = find_parents(runs, bench_of)
        digests = [digest(run, bench_of(run.task), parents) for run in runs]
        reads = parents if source == "counted" else find_reads(digests, parents)
        counted = count(digests, reads) if source == "counted" else None
        if contamination is None:
            contamination = counted.contamination if counted else fit(evidence_of(digests))
        shared = share(digests, reads, bench_of) if source == "shared" else None
        known = {one.run.run_id: one for one in digests}
        return cls(parents, reads, contamination, coupling, shared, counted, known)

    def explain(self, run: LoggedRun, bench: Bench, model: str | None = None) -> Credit:
        """Say what a run's outcome is due to.

        Args:
            run: as logged; it need not be one of those learned from.
            bench: executes tools and answers questions.
            model: that might have chosen instead; None asks about options alone.
        """
        one = self._digest(run, bench)
        return self._credit(one, self._laws(one, bench), model, self.coupling)

    def sensitivity(self, run: LoggedRun, bench: Bench, model: str | None = None) -> dict[Coupling, Credit]:
        """Say the same under every noise model: no data tell them apart, so the spread is what rests on the choice.

        Args:
            run: as logged.
            bench: executes tools and answers questions; each is put once for all.
            model: that might have chosen instead; None asks about options alone.

        Returns:
            Credits by noise model; `asked` of the last counts all questions.
        """
        one = self._digest(run, bench)
        laws = self._laws(one, bench)
        return {coupling: self._credit(one, laws, model, coupling) for coupling in COUPLINGS}

    def replay(
        self, run: LoggedRun, bench: Bench, policies: Mapping[str, Sequence[str]]
    ) -> tuple[dict[str, Replay], int]:
        """Play a run again under policies, with the noise that its log speaks for: see `ifonly.scm.policy.replayed`.

        Args:
            run: as logged, failed or successful.
            bench: executes tools and answers questions; each is put once for all policies.
            policies: the model at each step, by name of the policy.

        Returns:
            The replay of each policy, and how many questions were put.
        """
        one = self._digest(run, bench)
        laws = self._laws(one, bench)
        own = np.exp(laws.own)
        chain, ratios = self._chain(one, own)
        replays = {
            name: Replay(chain, ratios, tuple(self._moves(one, laws, own, models, self.coupling)))
            for name, models in policies.items()
        }
        return replays, laws.asked

    def _chain(self, one: Digest, own: Floats) -> tuple[CreditChain, Floats]:
        """A run as a chain, and the ratios f_k / p_k of its options."""
        evidence = evidence_of([one], own[None])
        ratios = (evidence.fault_law(self.contamination.weights) / evidence.p_taken)[0]
        hazards = self.contamination.hazards(ratios)
        return CreditChain(one.automaton.following, one.taken, one.automaton.success, hazards), ratios

    def _digest(self, run: LoggedRun, bench: Bench) -> Digest:
        one = self.digests.get(run.run_id) or digest(run, bench, self.parents)
        return one if self.reads == self.parents else one.with_reads(self.reads)

    def _laws(self, one: Digest, bench: Bench) -> Laws | CountedLaws:
        if self.counted is None:
            return Laws(one, Asker(one, bench), self.reads, self.shared)
        return CountedLaws(one, self.counted, self.reads)

    def _credit(self, one: Digest, laws: Laws | CountedLaws, model: str | None, coupling: Coupling) -> Credit:
        own = np.exp(laws.own)
        chain, ratios = self._chain(one, own)
        options = chain.of_options(chain.values(self._moves(one, laws, own, None, coupling)))
        swaps = (
            ()
            if model is None
            else chain.from_steps(
                chain.values(self._moves(one, laws, own, [model] * len(one.taken), coupling))
            ).tolist()
        )
        other = np.abs(options - one.run.success)
        best = other.argmax(1)
        flips = other[np.arange(len(best)), best]
        members, false_share = flip_set(flips, LEAST)
        menus = [step.menu for step in one.run.steps]
        return Credit(
            run=one.run.run_id,
            options=tuple(dict(zip(menu, row, strict=True)) for menu, row in zip(menus, options.tolist(), strict=True)),
            swaps=tuple(swaps),
            flips=tuple(flips.tolist()),
            fixes=tuple(menu[o] for menu, o in zip(menus, best.tolist(), strict=True)),
            faults=tuple(self.contamination.posterior(ratios).tolist()),
            flip_set=members,
            false_share=false_share,
            decisive=decisive_step(flips),
            latest=members[-1] if members else None,
            asked=laws.asked,
        )

    def _moves(
        self, one: Digest, laws: Laws | CountedLaws, own: Floats, models: Sequence[str] | None, coupling: Coupling
    ) -> list[Floats]:
        """M_k of each step: counterfactual moves to the laws of the states that can be met; None: the logged models."""
        places: list[tuple[int, list[int]]] = []
        rows: list[Floats] = []
        met = {0}
        for k, step in enumerate(one.run.steps):
            following, read = one.automaton.onward[k], one.automaton.read[k]
            chooser = step.model if models is None else models[k]
            by_class: dict[tuple[int, ...], list[int]] = {}
            for state in sorted(met):
                by_class.setdefault(read[state], []).append(state)
            onward = set(following[0]) if models is None else {0}
            for classes, states in by_class.items():
                places.append((k, states))
                rows.append(laws.law(k, chooser, states[0]))
                # In the logged context nothing but the logged option is met again.
                same = classes == read[0] and chooser == step.model and coupling != "independent"
                for state in states:
                    onward.update([following[state][one.taken[k]]] if same else following[state])
            met = onward
        at = [k for k, _ in places]
        found = moves(own[at], np.exp(rows), np.array(one.taken)[at], coupling)
        matrices = [np.zeros(following.shape) for following in one.automaton.following]
        for (k, states), row in zip(places, found, strict=True):
            matrices[k][states] = row
        return matrices
