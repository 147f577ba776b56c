"""``ifonly blame --continue live``: models asked for what the log leaves open."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from ifonly.agents.local.serving import Serving
from ifonly.cli.asking_live import cassette_of, dollars, paying
from ifonly.cli.output import emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.sim.blame import LiveAsk, plan_blame
from ifonly.sim.choice import Choice
from ifonly.sim.live import Counted, Fresh, Once
from ifonly.sim.tokens.replies import TokenReplies
from ifonly.views.actions import question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import JsonValue

    from ifonly.agents.completion import ChatModel, Completion
    from ifonly.agents.corpus import Corpus
    from ifonly.agents.environments.base import Environment
    from ifonly.agents.records import Request, ToolSpec, Trajectory
    from ifonly.cli.asking_live import Spec
    from ifonly.sim.blame import BlamePlan, Failure
    from ifonly.sim.blame.arms import Voice
    from ifonly.sim.live import Replies

__all__ = ["LiveBlaming", "show_blame_plans"]

_SHOWN = 12


class _NobodyAsked:
    """Stands for the model where only the plan is made."""

    async def complete(self, request: Request) -> Completion:
        raise AssertionError("a plan asks nothing")


@dataclass
class LiveBlaming:
    """How models are asked for blame; all runs share one budget and one cassette.

    Args:
        spec: what the options say.
        models: other models that are to answer.
        prompts: other prompts.
        sites: only these steps.
        worlds: for the credit of model steps.
    """

    spec: Spec
    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    worlds: int | None = None
    _paid: tuple[ChatModel, Serving] | None = None

    @contextmanager
    def open(self, runs: Sequence[Trajectory]) -> Iterator[LiveBlaming]:
        """Ready to be asked; see `ifonly.cli.asking_live.paying`."""
        spec = self.spec
        named = [list(self.models), list(self.prompts), list(self.sites)]
        ids = repr([run.id for run in runs])
        asked: list[JsonValue] = ["blame", ids, spec.noise, spec.seed, repr(spec.settings), repr(named)]
        with paying(spec, spec.cassette or cassette_of(asked)) as self._paid:
            yield self

    @contextmanager
    def ask(self, run: Trajectory, environment: Environment) -> Iterator[LiveAsk]:
        """How one run's steps are asked, with a bar that shows how far it is."""
        if self._paid is None:
            raise AssertionError("open it first")
        model, served = self._paid
        counted = Counted(model)
        tools = environment.tools(run.environment) if run.environment is not None else ()
        with bar("asking models", unit="re-runs") as told:
            yield self._ask(_voices(self.spec, counted, tools, served), counted, told)

    def plan(
        self, run: Trajectory, environment: Environment, corpus: Corpus | None, failure: Failure | None
    ) -> BlamePlan:
        """What would be asked of one run; nothing is asked."""
        counted = Counted(_NobodyAsked())
        served = Serving(self.spec.endpoint)
        ask = self._ask(_voices(self.spec, counted, (), served), counted)
        return plan_blame(run, ask, served.price, corpus=corpus, environment=environment, score=failure)

    def _ask(
        self,
        voices: dict[Voice, Replies],
        counted: Counted,
        told: Callable[[int, int], None] = lambda done, of: None,
    ) -> LiveAsk:
        spec = self.spec
        return LiveAsk(
            voices,
            counted,
            noise=spec.noise,
            effort=spec.effort,
            seed=spec.seed,
            models=self.models,
            prompts=self.prompts,
            sites=self.sites,
            worlds=self.worlds,
            progress=told,
        )


def show_blame_plans(plans: Sequence[tuple[Trajectory, BlamePlan]], *, as_json: bool) -> None:
    """Tell what would be asked, and at what price."""
    if as_json:
        emit({"version": 1, "plans": [plan.model_dump(mode="json") for _, plan in plans]})
        return
    console = stdout()
    for run, plan in plans:
        if plan.why is not None:
            console.print(Text(f"{plan.run}: no call is needed: {plan.why}"))
            continue
        console.print(Text(f"{plan.run}: {len(plan.actions)} what-ifs are open"))
        for action in plan.actions[:_SHOWN]:
            console.print(Text(f"  {question([action], run)}"))
        if len(plan.actions) > _SHOWN:
            console.print(Text(f"  ... and {len(plan.actions) - _SHOWN} more"))
        told = f"{plan.particles} re-runs in each of {plan.arms} arms, controls among them, each once"
        credit = f"; {plan.credit_arms} more arms for the live shares" if plan.credit_arms else ""
        console.print(Text(f"  arms   {told}{credit}"))
        console.print(
            Text(f"  calls  {plan.calls:,} expected, {plan.calls_at_most:,} at most; fewer where decided early")
        )
        console.print(Text(f"  price  {dollars(plan.usd)} expected, {dollars(plan.usd_at_most)} at most"))
    note("Nothing was asked. Leave --dry-run out to ask.")


def _voices(spec: Spec, counted: Counted, tools: tuple[ToolSpec, ...], served: Serving) -> dict[Voice, Replies]:
    """Fresh noise always; the abducted kind that the options name beside it."""
    once = Once(counted)
    fresh: dict[Voice, Replies] = {
        "independent": Fresh(once, spec.seed, settings=spec.settings, tools=tools),
    }
    if spec.noise == "token":
        return {**fresh, "gumbel-max": TokenReplies(served.url, counted, spec.seed, spec.settings)}
    if spec.noise == "choice":
        couplings: tuple[Voice, ...] = ("gumbel-max", "inverse-cdf")
        return fresh | {
            one: Choice(once, spec.seed, settings=spec.settings, tools=tools, coupling=one) for one in couplings
        }
    return fresh
