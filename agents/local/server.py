"""An OpenAI-compatible endpoint for a local model, on 127.0.0.1 alone.

`serve` runs it in this process, and is for a process that does nothing else. All others take `endpoint`, which starts
such a process and always ends it. Apart, because the engine's threads and memory go away with the process, because a
crash of native code is then an error here and not the end, because a process with native threads cannot be forked
safely, and because the engine may fail to come down by itself, where a process can be killed.

One thread and no busy waiting (two threads on a busy machine were many times slower), one request at a time, others
queue; the prompt cache keeps what was evaluated, so that one more token costs one evaluation. Log-probabilities are
bit-equal whether a prefix was cached or not (measured: greatest difference 0 over 17 prefixes of 36 to 52 tokens).
"""

from __future__ import annotations

import http.client
import importlib
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ifonly.agents.errors import ProviderError
from ifonly.agents.local.weights import DEFAULT, find_weights, require_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONTEXT", "HOST", "endpoint", "serve"]

HOST = "127.0.0.1"
"""The only address that is listened at."""

CONTEXT = 8192
"""Tokens of prompt and reply together: as many as the model was trained with; its memory is 188 MB."""

_SILENT = -1
_CACHE_MIB = 256
_READY_SECONDS = 60.0
_END_SECONDS = 5.0


@contextmanager
def serve(model: str = DEFAULT, port: int = 0, context: int = CONTEXT) -> Iterator[str]:
    """Serve a model from this process as long as the context lasts; nothing is printed.

    Args:
        model: one of `ifonly.agents.local.weights.MODELS`; also the name under which the endpoint knows it.
        port: where to listen; 0 for any that is free.
        context: tokens of prompt and reply together.

    Yields:
        The base URL, for instance ``http://127.0.0.1:43210/v1``.

    Raises:
        ToolEnvironmentError: the engine or the weights are not installed.
        ProviderError: the port is taken, or the engine does not start.
    """
    require_engine()
    # Imported late, and so that it may be missing.
    engine: Any = importlib.import_module("xllamacpp")
    try:
        server = engine.Server(_parameters(engine.CommonParams(), model, port, context))
    except RuntimeError as error:
        found = f"the engine did not start ({error}); most often the port is taken"
        raise ProviderError(f"{model!r} on {HOST}:{port}", found, "Take another port, or 0 for any.") from error
    address = str(server.listening_address)
    # Only an engine that has answered once can be taken down: earlier, it would wait for itself without end.
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=_READY_SECONDS)
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.close()
    try:
        yield f"{address}/v1"
    finally:
        del server


def _parameters(parameters: Any, model: str, port: int, context: int) -> Any:
    parameters.model.path, parameters.model_alias = str(find_weights(model)), {model}
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads, cpu.poll = 1, 0
    parameters.hostnames, parameters.port = [HOST], port
    # A page in a browser must not be able to ask.
    parameters.cors_origins = f"http://{HOST}"
    parameters.n_ctx, parameters.n_parallel, parameters.cache_prompt = context, 1, True
    parameters.n_threads_http, parameters.verbosity, parameters.cache_ram_mib = 4, _SILENT, _CACHE_MIB
    parameters.offline, parameters.ui, parameters.warmup = True, False, False
    return parameters


@contextmanager
def endpoint(
    model: str = DEFAULT, port: int = 0, context: int = CONTEXT, timeout: float = _READY_SECONDS
) -> Iterator[str]:
    """Serve a model from a child process as long as the context lasts; the child ends with this process, even killed.

    Args:
        model: one of `ifonly.agents.local.weights.MODELS`.
        port: where to listen; 0 for any that is free.
        context: tokens of prompt and reply together.
        timeout: seconds in which it must be ready.

    Yields:
        The base URL.

    Raises:
        ToolEnvironmentError: the engine or the weights are not installed.
        ProviderError: the child did not become ready.
    """
    require_engine()
    find_weights(model)
    command = [sys.executable, "-P", "-m", "ifonly.agents.local.server", model, str(port), str(context)]
    # A session of its own: Ctrl-C reaches the child only through this process.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as child:
        try:
            yield _address_of(child, model, timeout)
        finally:
            _end(child)


def _address_of(child: subprocess.Popen[str], model: str, timeout: float) -> str:
    """The line that the child prints once it is ready."""
    lines: list[str] = []

    def listen() -> None:
        if child.stdout is not None:
            lines.append(child.stdout.readline())

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    listener.join(timeout)
    if lines and lines[0].strip():
        return lines[0].strip()
    asked, fix = f"an endpoint for {model!r}", "Try `ifonly serve-model` in a terminal; another port, if you named one."
    if listener.is_alive():
        raise ProviderError(asked, f"it was not ready after {timeout:g} seconds", fix)
    last = child.stderr.read().strip().splitlines()[-1:] if child.stderr is not None else []
    raise ProviderError(asked, f"its process ended: {''.join(last) or 'without a word'}", fix)


def _end(child: subprocess.Popen[str]) -> None:
    """Let the child end by itself, and end it if it does not."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _main(model: str, port: str, context: str) -> None:
    """The child: serve until standard input ends, as it does when the parent lets go or dies."""
    with serve(model, int(port), int(context)) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _main(*sys.argv[1:])
