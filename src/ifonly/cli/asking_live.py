"""``ifonly whatif --continue live``: a model that is asked, with a budget and a cassette around it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import typer
from rich.text import Text

from ifonly.agents.budget import Budget, Metered
from ifonly.agents.canonical import canonical_json, digest
from ifonly.agents.cassette import Cassette, Mode, Recorded
from ifonly.agents.errors import ActionError, BudgetSpent
from ifonly.agents.importers.native_export import write
from ifonly.agents.local.serving import Serving
from ifonly.agents.provider import Endpoint
from ifonly.agents.rerun import Rerun
from ifonly.cli.asking import Answers, Environments, each
from ifonly.cli.output import emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.cli.status import Status
from ifonly.sim.choice import Choice
from ifonly.sim.live import Counted, Fresh
from ifonly.sim.plan import plan
from ifonly.sim.tokens.replies import TokenReplies
from ifonly.sim.whatif_live import whatif_live

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from ifonly.agents.completion import ChatModel
    from ifonly.agents.records import ToolSpec, Trajectory
    from ifonly.cli.ask import Ask
    from ifonly.sim.answers import WhatIfAnswer
    from ifonly.sim.live import Noise, Replies
    from ifonly.sim.plan import LivePlan
    from ifonly.sim.rollout import Effort
    from ifonly.sim.whatif_live import LiveAnswer

__all__ = ["LiveAsker", "Spec", "cassette_of", "dollars", "endpoint", "pairs", "paying", "replies_of", "show_plans"]


@dataclass(frozen=True)
class Spec:
    """What the live options say.

    Args:
        effort: how many particles.
        noise: of the live steps.
        seed: of all draws.
        endpoint: where models are asked.
        settings: sampling settings where the recorded request names none.
        budget_usd: dollars at most.
        max_calls: calls at most.
        unknown_price: whether models without a known price may be asked.
        cassette: the file that keeps what was paid for; one in the cache, if None.
        resume: whether what an interrupted attempt paid for is served from there.
    """

    effort: Effort
    noise: Noise = "fresh"
    seed: int = 0
    endpoint: Endpoint = field(default_factory=Endpoint)
    settings: dict[str, JsonValue] = field(default_factory=dict)
    budget_usd: float | None = None
    max_calls: int | None = None
    unknown_price: bool = False
    cassette: Path | None = None
    resume: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """As options of a command to be typed, the budget included."""
        at = self.endpoint
        given = {
            "--noise": self.noise,
            "--particles": self.effort.particles,
            "--seed": self.seed,
            "--max-steps": self.effort.max_steps,
            "--budget-usd": self.budget_usd,
            "--max-calls": self.max_calls,
            "--api-base": at.api_base,
            "--cassette": self.cassette,
        }
        words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        words += [word for name, to in at.aliases.items() for word in ("--alias", f"{name}={to}")]
        words += [word for name, to in self.settings.items() for word in ("--set", f"{name}={json.dumps(to)}")]
        return (*words, *(("--allow-unknown-price",) if self.unknown_price else ()))


class LiveAsker:
    """Answers with live calls: all runs share one budget and one cassette.

    Args:
        spec: what the options say.
        environment: of a run.
    """

    def __init__(self, spec: Spec, environment: Environments) -> None:
        self._spec, self._environment = spec, environment
        self._found: dict[str, LiveAnswer] = {}

    def plans(self, runs: Sequence[Trajectory], asked: Ask) -> list[LivePlan]:
        """What each run would ask; nothing is asked."""
        spec = self._spec
        return [
            plan(
                run,
                asked.actions(run, self._environment(run)),
                Rerun(self._environment(run)),
                spec.effort,
                spec.noise,
                Serving(spec.endpoint).price,
            )
            for run in runs
        ]

    def answers(self, runs: Sequence[Trajectory], asked: Ask, *, strict: bool) -> Answers:
        """See `ifonly.cli.asking.Asker`. Interrupted, it says how to go on.

        Raises:
            BudgetSpent: no budget is set.
        """
        path = self._spec.cassette or self._default(runs, asked)
        with paying(self._spec, path) as (model, served):
            return each(runs, lambda run: self._ask(run, asked, model, served), strict=strict)

    def save(self, path: Path, run: Trajectory, answer: WhatIfAnswer) -> None:
        """Write all re-runs of both arms, labelled by arm."""
        found = self._found[run.id]
        arms = {"changed": found.changed, "unchanged": found.control}
        write(
            path,
            [
                one.model_copy(update={"id": f"{one.id}/{arm}", "labels": {**one.labels, "of": run.id, "arm": arm}})
                for arm, runs in arms.items()
                for one in runs
            ],
        )

    def _ask(self, run: Trajectory, asked: Ask, model: ChatModel, served: Serving) -> WhatIfAnswer:
        counted, environment = Counted(model), self._environment(run)
        tools = environment.tools(run.environment) if run.environment is not None else ()
        with bar("asking models", unit="re-runs") as told:
            found = whatif_live(
                run,
                asked.actions(run, environment),
                replies_of(self._spec, counted, tools, served),
                counted,
                seed=self._spec.seed,
                effort=self._spec.effort,
                environment=environment,
                progress=told,
            )
        self._found[run.id] = found
        return found.answer

    def _default(self, runs: Sequence[Trajectory], asked: Ask) -> Path:
        """A cassette in the cache that belongs to this very question."""
        spec = self._spec
        return cassette_of([[run.id for run in runs], repr(asked), spec.noise, spec.seed, spec.settings])


@contextmanager
def paying(spec: Spec, path: Path) -> Iterator[tuple[ChatModel, Serving]]:
    """A model whose calls are paid from the budget and kept in a cassette, and what serves it.

    Interrupted, it says how to go on, and ends the command.

    Args:
        spec: what the options say.
        path: of the cassette.

    Raises:
        BudgetSpent: no budget is set.
    """
    if spec.budget_usd is None and spec.max_calls is None:
        raise BudgetSpent(
            "live calls", "no budget", "Say what they may cost: --budget-usd 1, or --max-calls 200 (or --dry-run)."
        )
    budget = Budget(spec.budget_usd, spec.max_calls)
    mode = Mode.NEW if spec.resume or spec.cassette else Mode.ALL
    with Cassette(path, mode) as cassette, Serving(spec.endpoint) as served:
        paid = Metered(served, budget, served.price, unknown_price_ok=spec.unknown_price)
        try:
            yield Recorded(cassette, paid), served
        except KeyboardInterrupt:
            again = "the same command" if spec.cassette else "--resume"
            note(f"Interrupted after {budget.calls} calls ({budget.spent:.4f} US dollars); {path} keeps them.")
            note(f"Go on with {again}.")
            raise typer.Exit(Status.INTERRUPTED) from None


def replies_of(spec: Spec, counted: Counted, tools: tuple[ToolSpec, ...], served: Serving) -> Replies:
    """Where live replies come from, with the noise that the options name."""
    if spec.noise == "token":
        return TokenReplies(served.url, counted, spec.seed, spec.settings)
    if spec.noise == "choice":
        return Choice(counted, spec.seed, settings=spec.settings, tools=tools)
    return Fresh(counted, spec.seed, settings=spec.settings, tools=tools)


def cassette_of(question: JsonValue) -> Path:
    """A cassette in the cache that belongs to this very question."""
    folder = Path(platformdirs.user_cache_dir("ifonly")) / "live"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"{digest(canonical_json(question))}.jsonl"


def endpoint(api_base: str | None, aliases: Sequence[str]) -> Endpoint:
    """Where models are asked, from the options.

    Raises:
        ActionError: an alias is no FROM=TO.
    """
    named = {name: str(value) for name, value in pairs(aliases, "--alias").items()}
    return Endpoint(api_base=api_base, aliases=named)


def pairs(given: Sequence[str], option: str) -> dict[str, JsonValue]:
    """``NAME=VALUE`` options as a mapping; a value that is JSON counts as such.

    Raises:
        ActionError: one has no name.
    """
    found: dict[str, JsonValue] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ActionError(f"{option} {text}", "no NAME=VALUE", f"Write for instance {option} temperature=0.7.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def show_plans(found: Sequence[LivePlan], *, as_json: bool) -> None:
    """Tell what would be asked, and at what price."""
    if as_json:
        emit({"version": 1, "plans": [one.model_dump(mode="json") for one in found]})
        return
    console = stdout()
    for one in found:
        if one.site is None:
            console.print(Text(f"{one.run}: the recording settles all; no call is needed."))
            continue
        arms = "changed and unchanged" if one.arms > 1 else "changed"
        console.print(Text(f"{one.run}: {one.particles} re-runs ({arms}) of {one.model}, from {one.site} on"))
        console.print(Text(f"  calls  {one.calls:,} expected, {one.calls_at_most:,} at most"))
        console.print(Text(f"  price  {dollars(one.usd)} expected, {dollars(one.usd_at_most)} at most"))
    note("Nothing was asked. Leave --dry-run out to ask.")


def dollars(amount: float | None) -> str:
    """A price in words."""
    return "not known" if amount is None else f"{amount:,.4f} US dollars"
