"""``ifonly serve-model``: a small real model on this machine, as an OpenAI-compatible endpoint."""

import sys
import threading
from typing import Annotated

import typer
from rich.text import Text

from ifonly.agents.local.server import serve
from ifonly.agents.local.weights import DEFAULT, MODELS
from ifonly.cli.options import Json
from ifonly.cli.output import emit, note, stdout

app = typer.Typer(add_completion=False)

HELP = (
    "Serve a small real model on this machine, without network and without a key.\n\n"
    "It speaks OpenAI's protocol on 127.0.0.1, with log-probabilities and JSON schemas, one request at a time on one "
    "thread, until Ctrl-C. It needs the extra 'local' and the weights; what is missing is said, with the command that "
    "installs it.\n\n" + "\n\n".join(f"{name}: {model.about}" for name, model in MODELS.items())
)


@app.command(help=HELP)
def serve_model(
    model: Annotated[str, typer.Option("--model", help="Which one.", metavar="NAME")] = DEFAULT,
    port: Annotated[int, typer.Option("--port", help="Where; 0 for any that is free.", min=0, max=65535)] = 8081,
    json: Json = False,
) -> None:
    """Serve until Ctrl-C."""
    try:
        with serve(model, port) as url:
            if json:
                emit({"version": 1, "url": url, "model": model, "environment": _environment(url)})
            else:
                _tell(url, model)
            # Whoever reads through a pipe waits for the address.
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        note("ended")


def _environment(url: str) -> dict[str, str]:
    """What clients of OpenAI's protocol, litellm among them, read from the environment."""
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}


def _tell(url: str, model: str) -> None:
    variables = " ".join(f"{name}={value}" for name, value in _environment(url).items())
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Why is the sky blue?"}}]}}'
    lines = (
        url,
        "",
        f"{MODELS[model].about}; Ctrl-C ends it. In another terminal:",
        f"  export {variables}    # its name is then openai/{model}",
        f"  curl -s {url}/chat/completions -H 'content-type: application/json' -d '{body}'",
    )
    console = stdout()
    for line in lines:
        console.print(Text(line), soft_wrap=True)
