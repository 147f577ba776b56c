"""Asking recordings first, and a fitted item-response world where they leave a model swap open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.corpus import Corpus
from ifonly.agents.errors import ProviderError
from ifonly.agents.local.serving import Serving
from ifonly.agents.rerun import Rerun
from ifonly.cli.asking import Answers, RecordedAsker
from ifonly.cli.output import note
from ifonly.scm.draw import Draw
from ifonly.sim.continuations import FromCorpus
from ifonly.sim.plan import plan
from ifonly.sim.rollout import Effort
from ifonly.sim.swaps.answer import beside, instead
from ifonly.sim.swaps.cells import cell_of, step_of, swapped_in
from ifonly.sim.swaps.settled import settled
from ifonly.sim.swaps.shared import HiddenSwaps
from ifonly.sim.swaps.world import FEWEST, SwapWorld, observed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.agents.budget import Price
    from ifonly.agents.provider import Endpoint
    from ifonly.agents.records import Request, Trajectory
    from ifonly.cli.ask import Ask
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.swaps.settled import Settled
    from ifonly.sim.swaps.shared import SharedNoise

__all__ = ["FittedAsker"]

_OPEN = ("needs live or fitted", "partly answered")


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of one score."""

    world: SwapWorld
    swaps: HiddenSwaps
    draw: Draw

    def share(self, step: int) -> SharedNoise | None:
        """The noise that two runs share which part at this step, drawn as often as the world's posterior."""
        return self.swaps.share(step, self.draw, len(self.world.posterior.mean))


@dataclass(frozen=True)
class FittedAsker:
    """Recorded answers, with a fitted one where they leave a swap of the model open.

    Args:
        recorded: asks the recordings.
        corpus: the runs that a world is fitted to.
        instead: whether the fitted outcomes stand in the place of the open ones (``--continue model``), not beside.
        endpoint: where a live answer would be asked for: tells its price.
        seed: of the inference.
    """

    recorded: RecordedAsker
    corpus: tuple[Trajectory, ...]
    instead: bool
    endpoint: Endpoint
    seed: int

    def answers(self, runs: Sequence[Trajectory], asked: Ask, *, strict: bool) -> Answers:
        """See `ifonly.cli.asking.Asker`."""
        given = self.recorded.answers(runs, asked, strict=strict)
        of = {run.id: run for run in runs}
        pending = [one for one in given.answers if one.verdict in _OPEN and swapped_in(one.actions) is not None]
        worlds = self._worlds([(of[one.run], str(swapped_in(one.actions))) for one in pending])
        steps = {step_of(of[one.run], one.actions) for one in pending}
        shares = {step: {name: known.share(step) for name, known in worlds.items()} for step in steps}
        done = {one.run: self._fitted(one, of[one.run], worlds, shares) for one in pending} if worlds else {}
        answers = [done.get(one.run, one) for one in given.answers]
        return Answers(tuple(instead(one) if self.instead else one for one in answers), given.failed)

    def save(self, path: Path, run: Trajectory, answer: WhatIfAnswer) -> None:
        """See `ifonly.cli.asking.Asker`: the recorded part."""
        self.recorded.save(path, run, answer)

    def _worlds(self, pending: Sequence[tuple[Trajectory, str]]) -> dict[str, _Known]:
        """What is known of each score of the runs that are pending, where the corpus is large enough."""
        if not pending:
            return {}
        known = {run.id: run for run in (*self.corpus, *(run for run, _ in pending))}
        names = {name for run, _ in pending for name in run.outcome.scores}
        found = {name: one for name, one in observed(tuple(known.values())).items() if name in names}
        swapped = [cell_of(run).under(model) for run, model in pending]
        own = [cell_of(run) for run, _ in pending]
        enough = {name: one for name, one in found.items() if len(one.cells) >= FEWEST}
        if not enough:
            return {}
        note(f"fitting an item-response world to {len(known):,} runs: {', '.join(enough)}")
        draw, swaps = Draw(self.seed), self._settled()
        worlds = {}
        for name, one in enough.items():
            asked = [cell for cell in (*own, *swapped) if cell not in set(one.cells)]
            world = SwapWorld.fit(name, one.cells, np.array(one.outcomes), asked, seed=self.seed)
            worlds[name] = _Known(world, HiddenSwaps.of(world, one.ids, swaps, draw), draw)
        return worlds

    def _settled(self) -> tuple[Settled, ...]:
        """The swaps that the corpus settles."""
        continuation = self.recorded.continuation
        corpus = continuation.corpus if isinstance(continuation, FromCorpus) else Corpus(self.corpus)
        return settled(corpus, Draw(self.seed))

    def _fitted(
        self,
        answer: WhatIfAnswer,
        run: Trajectory,
        worlds: dict[str, _Known],
        shares: dict[int, dict[str, SharedNoise | None]],
    ) -> WhatIfAnswer:
        """The answer with the worlds' beside it, and the plan of one live re-run."""
        live = plan(
            run,
            answer.actions,
            Rerun(self.recorded.environment(run)),
            Effort(particles=1),
            "token",
            self._price,
        )
        fitted = {name: one.world for name, one in worlds.items()}
        return beside(answer, run, fitted, live, self.recorded.level, shares[step_of(run, answer.actions)])

    def _price(self, request: Request) -> Price | None:
        """The price of a call; None where the provider does not know the recorded name of the model."""
        try:
            return Serving(self.endpoint).price(request)
        except ProviderError:
            return None
