"""``ifonly simulate``: what would have become of time, cost and load."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.errors import ActionError
from ifonly.cli.inputs import read_runs
from ifonly.cli.lazy import load as load_name
from ifonly.cli.options import Format, Html, Json, KeepGoing, Level, Paths, in_panel
from ifonly.cli.output import command_line, emit, note, stdout
from ifonly.cli.progress import bar
from ifonly.cli.show_simulate import render_answer
from ifonly.cli.simulate_options import parse_arrivals, parse_edits, parse_prices, parse_quality, parse_sweeps
from ifonly.cli.where import Where
from ifonly.scm.errors import NotApplicable
from ifonly.sim.services.service import Price
from ifonly.sim.simulate import Replayer, SimulateAnswer, answer, read_world, sweep, world_text
from ifonly.sim.simulate.answers import SweepPoint
from ifonly.sim.simulate.whole import usual_arrivals
from ifonly.sim.timing import fit_traffic

app = typer.Typer(add_completion=False)

HELP = (
    "Say what would have become of time, cost and load, had services been otherwise.\n\n"
    "ifonly simulate runs/ --swap o3-mini=gpt-4o-mini --html answer.html\n\n"
    "ifonly simulate runs/ --set service.gpt-4o.concurrency=4 --set clients.gpt-4o.retry.attempts=3 --load 10\n\n"
    "ifonly simulate runs/ --outage gpt-4o:60-120 --set 'clients.gpt-4o.fallbacks=[\"gpt-4o-mini\"]'\n\n"
    "ifonly simulate runs/ --arrivals poisson:0.5 --sweep service.gpt-4o.concurrency=1,2,4,8 --sweep arrivals=1,2\n\n"
    "Recorded runs become traffic; the law of each service is fitted to them; every call keeps the noise that its "
    "record shows. Places for --set: service.NAME.concurrency, .queue, .requests, .tokens, .latency, .failures, "
    ".price, .cache; clients.NAME.timeout, .retry, .hedge, .fallbacks (client....: of all, tools too); routes.NAME."
)


class Tokens(StrEnum):
    """What becomes of the tokens of a reply that another service gives."""

    KEPT = "kept"
    RANKED = "ranked"


_change = partial(in_panel, "What is changed")
_traffic = partial(in_panel, "The traffic")
_answered = partial(in_panel, "How it is answered")


@app.command("simulate", help=HELP)
def simulate(  # noqa: PLR0913 -- as many as the command has options
    paths: Paths,
    *,
    set: Annotated[list[str] | None, _change("Put a value (JSON) at a place of the world.", "PLACE=VALUE")] = None,
    swap: Annotated[
        list[str] | None, _change("Calls of A go to the service or route B; at some sites.", "A=B[@SITES]")
    ] = None,
    swap_tokens: Annotated[
        Tokens, _change("Tokens of swapped replies: as recorded, or of the same rank.")
    ] = Tokens.KEPT,
    outage: Annotated[list[str] | None, _change("A service fails from second START to END.", "NAME:START-END")] = None,
    follow: Annotated[Path | None, _change("Choose each run's model by a rule of policy --save.", "RULE.json")] = None,
    load: Annotated[float | None, _change("So many times as many arrivals a second.", "FACTOR")] = None,
    sweep_over: Annotated[
        list[str] | None,
        _change(
            "Try each value: of a place, swap.MODEL, or arrivals (factors). Once or twice.", "PLACE=V,V,...", "--sweep"
        ),
    ] = None,
    quality: Annotated[
        str | None, _change("Quality of each model, for the front; or an answer of policy --json.", "MODEL=N,...|@FILE")
    ] = None,
    world: Annotated[
        Path | None, _traffic("The services as they were, instead of laws fitted to the runs.", "FILE.yaml|json")
    ] = None,
    arrivals: Annotated[
        str | None,
        _traffic(
            "When runs come, in both worlds: recorded (else one after another).",
            "recorded|poisson:R|burst:...|closed:N",
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        _traffic("Dollars a million tokens; recorded costs or litellm's table if left out.", "MODEL=IN,OUT"),
    ] = None,
    where: Annotated[
        list[str] | None, _traffic("Only runs that are so; laws are fitted to the others too.", "KEY=VALUE")
    ] = None,
    format: Format = None,
    replications: Annotated[int, _answered("Draws of what no record tells, and refits of laws.", min=2)] = 20,
    seed: Annotated[int, _answered("Of the first of them.", min=0)] = 0,
    level: Level = 0.95,
    json: Json = False,
    csv: Annotated[Path | None, _answered("Write every attempt of both worlds as a table.", "FILE")] = None,
    html: Html = None,
    save_world: Annotated[
        Path | None, _answered("Write the world as it was: fitted, or that of --world.", "FILE.yaml|json")
    ] = None,
    keep_going: KeepGoing = False,
) -> None:
    """Long because typer reads the options off the signature."""
    edits = parse_edits(set or [], swap or [], swap_tokens.value, outage or [], follow, load)
    sweeps, qualities, prices = parse_sweeps(sweep_over or []), parse_quality(quality), parse_prices(price or [])
    declared = None if world is None else read_world(world)
    found = read_runs(paths, format)
    runs = Where.parse(where or []).choose(found.runs)
    chosen = {run.id for run in runs}
    others = [run for run in found.runs if run.id not in chosen]
    with bar("fitting laws", unit="services") as told:
        fitted = fit_traffic(runs, declared, others, prices=partial(_price, prices), seed=seed, progress=told)
    if save_world is not None:
        _write(save_world, world_text(fitted.traffic.world, save_world))
    traffic = fitted.traffic
    came = parse_arrivals(arrivals, recorded=traffic.origin is not None) if arrivals else usual_arrivals(traffic)
    replayer = Replayer(traffic, came, replications, seed)
    try:
        points = _sweep(partial(sweep, fitted, edits, sweeps, replayer, runs=runs, quality=qualities, level=level))
        with bar("simulating", unit="replications") as told:
            given = answer(fitted, edits, replayer, runs=runs, level=level, progress=told)
    except NotApplicable as error:
        raise ActionError("ifonly simulate", str(error), "Correct the world or the edits.") from error
    _show(given.model_copy(update={"sweep": points}), json=json, csv=csv, html=html)
    raise typer.Exit(found.status(keep_going=keep_going))


def _price(given: dict[str, Price], model: str) -> Price | None:
    """What a model's tokens cost: as given, else by litellm's table."""
    if model in given:
        return given[model]
    rates = load_name("ifonly.agents.provider", "token_rates")(model)
    if rates is None:
        return None
    return Price(per_input_token=rates.input, per_cached_token=rates.cached, per_output_token=rates.output)


def _sweep(sweeping: partial[tuple[SweepPoint, ...]]) -> tuple[SweepPoint, ...]:
    """The settings side by side; none where none are asked for. They come first, since they may be asked wrongly."""
    if not sweeping.args[2]:
        return ()
    with bar("sweeping", unit="settings") as told:
        return sweeping(progress=told)


def _show(given: SimulateAnswer, *, json: bool, csv: Path | None, html: Path | None) -> None:
    if json:
        emit(given)
    else:
        render_answer(stdout(), given)
    if csv is not None:
        _write(csv, load_name("ifonly.report.simulate", "spans_csv")(given))
    if html is not None:
        load_name("ifonly.report.simulate", "write_simulate")(html, given, command_line())
        note(f"wrote {html}")


def _write(path: Path, text: str) -> None:
    load_name("ifonly.report.pages", "write_page")(path, text)
    note(f"wrote {path}")
