"""``ifonly record``: record the calls of any OpenAI-compatible client through a proxy on this machine."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ifonly.agents.cassette import Cassette, Mode
from ifonly.agents.errors import ActionError
from ifonly.agents.proxy import Proxy, Runs, serve
from ifonly.agents.recorder import recover
from ifonly.cli.output import note

app = typer.Typer(add_completion=False)

HELP = (
    "Record the calls of any client of OpenAI's chat completions, in any language.\n\n"
    "A proxy on this machine forwards them; or serves them again from a cassette, without any upstream.\n\n"
    "ifonly record --proxy --upstream https://api.openai.com/v1 --cassette calls.jsonl\n\n"
    "ifonly record --proxy --cassette calls.jsonl --record none\n\n"
    "Point the client at it: OPENAI_BASE_URL=http://127.0.0.1:8088/v1. Ctrl-C ends it and writes the runs."
)


@app.command(help=HELP)
def record(
    *,
    proxy: Annotated[bool, typer.Option("--proxy", help="Listen on 127.0.0.1.")] = False,
    upstream: Annotated[str | None, typer.Option(help="Base URL that calls are forwarded to.", metavar="URL")] = None,
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any that is free.", min=0, max=65535)] = 8088,
    cassette: Annotated[
        Path | None, typer.Option(help="Keeps each reply, and serves it again.", metavar="FILE")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where runs are appended.", metavar="FILE")] = Path("runs.jsonl"),
    mode: Annotated[
        Mode | None,
        typer.Option(
            "--record", help="none = ask nobody; new = ask what the cassette does not hold; all = ask everything again."
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="What the runs are about.")] = "recorded",
    recovering: Annotated[
        bool, typer.Option("--recover", help="Append what a crash left beside the file of runs, and end.")
    ] = False,
) -> None:
    """Long because typer reads the options off the signature."""
    if recovering:
        found = recover(out)
        note(f"{len(found)} runs recovered to {out}{': ' if found else ''}{', '.join(found)}")
        return
    if not proxy:
        fix = "Write --proxy; Python code records itself with `with ifonly.record(...)`."
        raise ActionError("ifonly record", "nothing to record", fix)
    mode = mode or (Mode.NONE if upstream is None else Mode.default())
    if upstream is None and (cassette is None or mode is not Mode.NONE):
        fix = "Give --upstream URL to record, or --cassette FILE with --record none to serve a recording."
        raise ActionError("--proxy", "nobody to ask, and nothing to serve", fix)
    with ExitStack() as stack:
        tape = None if cassette is None else stack.enter_context(Cassette(cassette, mode))
        runs = Runs(out, task)
        try:
            asyncio.run(_listen(Proxy(upstream, tape, runs, note), port))
        finally:
            note(f"{len(runs.close())} runs appended to {out}")


async def _listen(proxy: Proxy, port: int) -> None:
    """Until the process is told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serve(proxy, port) as url:
        note(f"listening: OPENAI_BASE_URL={url}")
        await ended.wait()
