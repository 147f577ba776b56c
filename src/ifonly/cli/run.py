"""``ifonly run``: run an agent of one's own, and record it."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.budget import Budget, Metered
from ifonly.agents.cassette import Cassette, Mode, Recorded
from ifonly.agents.completion import ChatModel
from ifonly.agents.errors import BudgetSpent, CassetteMiss, IfonlyError
from ifonly.agents.local.server import endpoint
from ifonly.agents.local.weights import MODELS
from ifonly.agents.loop import MAX_STEPS, AgentSpec, run_agent, workplace
from ifonly.agents.provider import Endpoint, Provider
from ifonly.agents.recorder.events import Head
from ifonly.agents.recorder.journal import INTERRUPTED, Journal, trajectory_of
from ifonly.agents.records import ModelStep, Outcome, Step, Trajectory
from ifonly.agents.redaction import Redactor, remembering
from ifonly.agents.toolbox.ledger import Ledger
from ifonly.cli.options import Json
from ifonly.cli.output import emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.cli.show_run import render_list, render_run
from ifonly.cli.status import Status
from ifonly.views.run import run_line, run_view

app = typer.Typer(add_completion=False)

HELP = (
    "Run an agent of your own, and record it: a model, a prompt, and tools from a Python file.\n\n"
    "ifonly run agent.yaml --repeat 20 --seed 0\n\n"
    "ifonly run agent.yaml --cassette calls.jsonl --record none   (again, without asking anyone)"
)


@app.command(help=HELP)
def run(  # noqa: PLR0913 -- as many as the command has options
    agent: Annotated[Path, typer.Argument(help="The agent's YAML file.", metavar="AGENT")],
    *,
    out: Annotated[Path, typer.Option(help="Where runs are appended.", metavar="FILE")] = Path("runs.jsonl"),
    cassette: Annotated[
        Path | None, typer.Option(help="Keeps each reply, and serves it again.", metavar="FILE")
    ] = None,
    record: Annotated[
        Mode | None,
        typer.Option(help="none = ask nobody; new = ask what the cassette does not hold; all = ask everything again."),
    ] = None,
    api_base: Annotated[
        str | None, typer.Option(help="Where the model is asked; the provider's own place, if left out.", metavar="URL")
    ] = None,
    repeat: Annotated[int, typer.Option(help="Runs to make, one after the other.", min=1)] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Of the first run's requests; each later run has the next.", min=0)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="Id of the run; give it again to go on after a crash.", metavar="ID")
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option("--budget-usd", help="Spend this much at most.", metavar="USD", min=0)
    ] = None,
    max_calls: Annotated[int | None, typer.Option(help="Make this many calls at most.", min=0)] = None,
    allow_unknown_price: Annotated[
        bool, typer.Option("--allow-unknown-price", help="With a budget: ask models of unknown price, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Long because typer reads the options off the signature."""
    spec, base = AgentSpec.load(agent), name or f"{agent.stem}-{uuid.uuid4().hex[:8]}"
    budget, runs, stops = Budget(budget_usd, max_calls), list[Trajectory](), list[IfonlyError]()
    free = budget_usd is None or allow_unknown_price
    with _model(spec, api_base, cassette, record, budget, free) as model, bar("running") as told:
        for number in range(repeat):
            told(number, repeat)
            id = base if repeat == 1 else f"{base}/{number}"
            runs.append(_one(_seeded(spec, seed, number), model, out, id, stops))
            if stops:
                break
    _show(runs, json=json)
    kept = sum(_asked(run) for run in runs)
    note(f"{kept} of {repeat} runs appended to {out}")
    for error in stops:
        note(f"stopped: {error}")
    raise typer.Exit(_status(stops))


@contextmanager
def _model(
    spec: AgentSpec, api_base: str | None, cassette: Path | None, mode: Mode | None, budget: Budget, free: bool
) -> Iterator[ChatModel]:
    """What answers: the provider, paid from the budget, behind the cassette."""
    with ExitStack() as stack:
        mode = mode or Mode.default()
        tape = None if cassette is None else stack.enter_context(Cassette(cassette, mode))
        if api_base is None and spec.model in MODELS and (tape is None or mode is not Mode.NONE):
            note(f"serving {spec.model} on this machine ...")
            api_base = stack.enter_context(endpoint(spec.model))
        provider = Provider(Endpoint(api_base=api_base))
        paid = Metered(provider, budget, provider.price, unknown_price_ok=free)
        # An empty cassette is falsy, and yet a cassette.
        yield paid if tape is None else Recorded(tape, paid)


def _seeded(spec: AgentSpec, seed: int | None, number: int) -> AgentSpec:
    """The agent with the seed of a run of its own."""
    first = spec.settings.get("seed") if seed is None else seed
    if not isinstance(first, int):
        return spec
    return spec.model_copy(update={"settings": {**spec.settings, "seed": first + number}})


def _one(spec: AgentSpec, model: ChatModel, out: Path, id: str, stops: list[IfonlyError]) -> Trajectory:
    """One run, journaled as it goes and appended at its end; Ctrl-C keeps what was done."""
    effects = Ledger(out.with_name(f"{out.name}.effects"), Redactor(remembering()).value)
    place = workplace(spec, id, effects)
    labels = {MAX_STEPS: str(spec.max_steps)}
    head = Head(id=id, task=spec.task, agent=spec.name, model=spec.model, environment=place.ref, labels=labels)
    journal, steps = Journal(out, head), list[Step]()

    def on_step(step: Step) -> None:
        journal.step(step)
        steps.append(step)

    try:
        done = asyncio.run(run_agent(spec, model, place, id=id, on_step=on_step, on_stop=stops.append))
        if _asked(done):
            return journal.close(done)
        journal.discard()
        return done
    except KeyboardInterrupt:
        if any(isinstance(step, ModelStep) for step in steps):
            journal.close(trajectory_of(head, steps, Outcome(error=INTERRUPTED)))
        raise
    finally:
        journal.leave()


def _asked(run: Trajectory) -> bool:
    """Whether a model said anything: a run in which none did is nothing to keep."""
    return any(isinstance(step, ModelStep) for step in run.steps)


def _show(runs: list[Trajectory], *, json: bool) -> None:
    if json:
        views = [run_view(run).model_dump(mode="json", exclude={"steps": {"__all__": {"message"}}}) for run in runs]
        emit(views[0] if len(views) == 1 else {"version": 1, "runs": views})
    elif len(runs) == 1:
        render_run(stdout(), runs[0], run_view(runs[0]), full=False)
    else:
        render_list(stdout(), [run_line(run) for run in runs])


def _status(stops: list[IfonlyError]) -> Status:
    if not stops:
        return Status.ANSWERED
    return Status.NEEDS_LIVE if isinstance(stops[0], BudgetSpent | CassetteMiss) else Status.FAILED
