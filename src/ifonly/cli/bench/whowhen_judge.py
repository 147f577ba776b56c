"""``ifonly bench whowhen --model``: a model as a judge, with a budget and a cassette around it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import typer

from ifonly.agents.budget import Budget, Metered
from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.cassette import Cassette, Mode, Recorded
from ifonly.agents.errors import BudgetSpent
from ifonly.agents.local.serving import Serving
from ifonly.agents.local.weights import MODELS
from ifonly.agents.provider import Endpoint
from ifonly.cli.output import note
from ifonly.cli.progress import bar
from ifonly.scenarios.whowhen.asking import Hearing, hear
from ifonly.scenarios.whowhen.judge import Judge
from ifonly.scenarios.whowhen.judge import Protocol as Way
from ifonly.sim.live import Counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scenarios.whowhen.logs import Labelled

__all__ = ["Asked", "Bench", "judge_logs"]

_INTERRUPTED = 130
_ROOM, _LOCAL_ROOM = 200_000, 4_000
# The small model's grammar hides its law behind words it would rather say: more alternatives show it.
_LOCAL_ALTERNATIVES = 500


@dataclass(frozen=True)
class Bench:
    """What the options say of the judge.

    Args:
        model: who is asked.
        ways: the protocols.
        room: characters of a log that it is shown; if None, as fits the model.
        api_base: where it is asked.
        budget_usd: dollars at most.
        max_calls: calls at most.
        unknown_price: whether a model without a known price may be asked.
        cassette: keeps each reply, and serves it again; one in the cache, if None.
        workers: logs at a time.
    """

    model: str
    ways: tuple[Way, ...]
    room: int | None = None
    api_base: str | None = None
    budget_usd: float | None = None
    max_calls: int | None = None
    unknown_price: bool = False
    cassette: Path | None = None
    workers: int = 1


@dataclass(frozen=True)
class Asked:
    """A hearing, and what was paid for it."""

    name: str
    hearing: Hearing
    live: int
    recorded: int
    usd: float | None

    def summary(self) -> dict[str, object]:
        """For ``--json``."""
        judged = self.hearing.found.values()
        return {
            "estimator": self.name,
            "logs": len(judged),
            "calls": self.hearing.calls,
            "live": self.live,
            "recorded": self.recorded,
            "usd": self.usd,
            "cut_share": self.hearing.cut,
            "with_law": sum(one.laws > 0 for one in judged),
            "unusable": sum(one.unusable for one in judged),
            "stopped": None if self.hearing.stopped is None else str(self.hearing.stopped),
        }

    def text(self) -> str:
        """For the terminal."""
        told = self.summary()
        price = "price not known" if self.usd is None else f"{self.usd:.4f} US dollars"
        return (
            f"{self.name}: {told['logs']} logs, {self.live} calls and {self.recorded} recorded ones, {price}; "
            f"{self.hearing.cut:.0%} of a log cut on average; log-probabilities told the law for {told['with_law']} of "
            f"them; {told['unusable']} replies were no verdict"
        )


def judge_logs(bench: Bench, logs: Sequence[Labelled]) -> list[Asked]:
    """Ask the judge in each way. Interrupted, it says how to go on.

    Raises:
        BudgetSpent: no budget is set for a model that may cost something.
    """
    local = bench.model in MODELS and bench.api_base is None
    served_here = local or Endpoint(api_base=bench.api_base).loopback
    if bench.budget_usd is None and bench.max_calls is None and not served_here:
        fix = "Say what they may cost: --budget-usd 1, or --max-calls 200."
        raise BudgetSpent("live calls", "no budget", fix)
    free = bench.budget_usd is None or bench.unknown_price
    budget, path = Budget(bench.budget_usd, bench.max_calls), bench.cassette or _default(bench)
    with Cassette(path, Mode.NEW) as tape, Serving(Endpoint(api_base=bench.api_base)) as served:
        model = Recorded(tape, Metered(served, budget, served.price, unknown_price_ok=free))
        try:
            return [_heard(bench, way, model, logs, local=local) for way in bench.ways]
        except KeyboardInterrupt:
            note(f"Interrupted after {budget.calls} calls ({budget.spent:.4f} US dollars); {path} keeps them.")
            note("Go on with the same command.")
            raise typer.Exit(_INTERRUPTED) from None


def _heard(bench: Bench, way: Way, model: Recorded, logs: Sequence[Labelled], *, local: bool) -> Asked:
    counted = Counted(model)
    judge = Judge(
        counted,
        bench.model,
        bench.room or (_LOCAL_ROOM if local else _ROOM),
        way,
        bare=local,
        **({"alternatives": _LOCAL_ALTERNATIVES} if local else {}),
    )
    with bar(f"asking {bench.model}, {way}", unit="logs") as told:
        hearing = hear(judge, logs, bench.workers, told)
    return Asked(f"{bench.model}, {way}", hearing, counted.live, counted.recorded, counted.cost)


def _default(bench: Bench) -> Path:
    """A cassette in the cache for this model at this place."""
    folder = Path(platformdirs.user_cache_dir("ifonly")) / "live"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"whowhen-{digest(canonical_json([bench.model, bench.api_base]))}.jsonl"
