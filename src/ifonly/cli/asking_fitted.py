"""Asking recordings first, and a fitted item-response world where they leave a model swap open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.agents.errors import ProviderError
from ifonly.agents.local.serving import Serving
from ifonly.agents.rerun import Rerun
from ifonly.cli.asking import Answers, RecordedAsker
from ifonly.cli.output import note
from ifonly.sim.plan import plan
from ifonly.sim.rollout import Effort
from ifonly.sim.swaps.answer import beside, instead
from ifonly.sim.swaps.cells import cell_of, swapped_in
from ifonly.sim.swaps.world import FEWEST, SwapWorld, observed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ifonly.agents.budget import Price
    from ifonly.agents.provider import Endpoint
    from ifonly.agents.records import Request, Trajectory
    from ifonly.cli.ask import Ask
    from ifonly.sim.answers import WhatIfAnswer

__all__ = ["FittedAsker"]

_OPEN = ("needs live or fitted", "partly answered")


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
        done = {one.run: self._fitted(one, of[one.run], worlds) for one in pending} if worlds else {}
        answers = [done.get(one.run, one) for one in given.answers]
        return Answers(tuple(instead(one) if self.instead else one for one in answers), given.failed)

    def save(self, path: Path, run: Trajectory, answer: WhatIfAnswer) -> None:
        """See `ifonly.cli.asking.Asker`: the recorded part."""
        self.recorded.save(path, run, answer)

    def _worlds(self, pending: Sequence[tuple[Trajectory, str]]) -> dict[str, SwapWorld]:
        """A world for each score of the runs that are pending, where the corpus is large enough."""
        if not pending:
            return {}
        known = {run.id: run for run in (*self.corpus, *(run for run, _ in pending))}
        names = {name for run, _ in pending for name in run.outcome.scores}
        found = {name: pair for name, pair in observed(tuple(known.values())).items() if name in names}
        swapped = [cell_of(run).under(model) for run, model in pending]
        own = [cell_of(run) for run, _ in pending]
        enough = {name: pair for name, pair in found.items() if len(pair[0]) >= FEWEST}
        if enough:
            note(f"fitting an item-response world to {len(known):,} runs: {', '.join(enough)}")
        return {
            name: SwapWorld.fit(
                name,
                cells,
                np.array(outcomes),
                [one for one in (*own, *swapped) if one not in set(cells)],
                seed=self.seed,
            )
            for name, (cells, outcomes) in enough.items()
        }

    def _fitted(self, answer: WhatIfAnswer, run: Trajectory, worlds: dict[str, SwapWorld]) -> WhatIfAnswer:
        """The answer with the worlds' beside it, and the plan of one live re-run."""
        live = plan(
            run,
            answer.actions,
            Rerun(self.recorded.environment(run)),
            Effort(particles=1),
            "token",
            self._price,
        )
        return beside(answer, run, worlds, live, self.recorded.level)

    def _price(self, request: Request) -> Price | None:
        """The price of a call; None where the provider does not know the recorded name of the model."""
        try:
            return Serving(self.endpoint).price(request)
        except ProviderError:
            return None
