"""Live models through litellm, and the only module that imports it: at first use, as that takes seconds.

    Provider     a `ChatModel`: any model that litellm knows, or a server of one's own
    listen       every litellm call of this process, whoever makes it
    scripted     a model with exactly known reply probabilities, asked through litellm like any other

litellm is told once, when it is loaded, to read its price table from its package, to send no telemetry, to print no
hints, and to fetch no tokenizers.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from ifonly.agents.budget import Price
from ifonly.agents.errors import IfonlyError, ProviderError
from ifonly.agents.provider.clients import Tidy
from ifonly.agents.provider.endpoint import Endpoint, refuse_private
from ifonly.agents.provider.failures import failure
from ifonly.agents.provider.listening import Listening
from ifonly.agents.provider.prices import TokenRates, price_of, rates_of, row_of
from ifonly.agents.provider.scripting import PROVIDER, Script, forget, scripts_of
from ifonly.agents.wire import Assembler, completion_of, to_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ifonly.agents.completion import ChatModel, Completion
    from ifonly.agents.records import AssistantMessage, Request

__all__ = ["Endpoint", "Listening", "Provider", "complete_sync", "listen", "scripted", "token_rates"]

_SCRIPTS = threading.Lock()
"""Held while litellm's registry of scripted models changes."""


@cache
def _litellm() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm  # noqa: PLC0415

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    # Counting the tokens of a Llama asks the network for its tokenizer, for 23 s.
    litellm.disable_hf_tokenizer_download = True
    return litellm


class Provider:
    """Models asked through litellm.

    A model whose provider litellm does not know is asked at `api_base` as an OpenAI-compatible server's. Parameters of
    OpenAI's that a provider does not support (a seed, for some) are dropped.

    Args:
        endpoint: where and how.
    """

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self.endpoint = endpoint or Endpoint()
        self._tidy = Tidy()

    async def complete(self, request: Request) -> Completion:
        """See `ChatModel`. A streamed reply (``settings["stream"]``) is kept with its pieces.

        Raises:
            ProviderError: the model cannot be asked, or did not answer.
            UnfinishedReply: the reply did not come whole; it may have been billed.
        """
        litellm = _litellm()
        name = self.endpoint.name(litellm, request.model)
        refuse_private(litellm, request)
        await self._tidy.watch(litellm)
        body = {**to_body(request), "model": name, "drop_params": True, **self.endpoint.connection(litellm, name)}
        assembler, start = Assembler(request), time.perf_counter()
        try:
            if body.get("stream"):
                body["stream_options"] = {"include_usage": True}
                response = await litellm.acompletion(**body)
                async for chunk in response:
                    assembler.add(chunk.model_dump(), time.perf_counter() - start)
            else:
                response = await litellm.acompletion(**body)
        except IfonlyError:
            raise
        except Exception as error:
            provider = litellm.get_llm_provider(name)[1]
            asked = self.endpoint.asked(litellm, request.model, name, provider, assembler.began)
            raise failure(error, asked) from None
        if body.get("stream"):
            response = _summed(litellm, response)
            completion = assembler.completion()
        else:
            completion = completion_of(response.model_dump(), request, time.perf_counter() - start)
        if response is None:
            # litellm counts tokens itself where the server does not: no measurement.
            return completion.model_copy(update={"usage": None, "cost": 0.0 if self.endpoint.loopback else None})
        return completion.model_copy(update={"cost": self._cost(litellm, name, response, completion)})

    def price(self, request: Request) -> Price | None:
        """What the request will cost: about, and at most; None where that is not known. Nothing is asked.

        Raises:
            ProviderError: the model is unknown.
        """
        if self.endpoint.loopback:
            return Price(estimate_usd=0.0, bound_usd=0.0)
        litellm = _litellm()
        row = row_of(litellm.model_cost, self.endpoint.name(litellm, request.model))
        return None if row is None else price_of(row, to_body(request))

    def _cost(self, litellm: Any, name: str, response: Any, completion: Completion) -> float | None:
        if self.endpoint.loopback:
            return 0.0
        return None if completion.usage is None else _cost(litellm, name, response)


def token_rates(model: str) -> TokenRates | None:
    """What a model's tokens cost by litellm's price table; None where it does not say. Nothing is asked.

    Args:
        model: as litellm names it.
    """
    row = row_of(_litellm().model_cost, model)
    return None if row is None else rates_of(row)


def _cost(litellm: Any, name: str, response: Any) -> float | None:
    """What a reply cost by the price table, or None."""
    if row_of(litellm.model_cost, name) is None:
        return None
    try:
        return float(litellm.completion_cost(completion_response=response, model=name))
    except Exception:  # a reply that was paid for is not thrown away; the budget charges its reserve
        return None


def _summed(litellm: Any, stream: Any) -> Any:
    """A response with the usage that the server reported at the end of a stream; None where it reported none."""
    given = [usage for chunk in stream.chunks if (usage := getattr(chunk, "usage", None)) is not None]
    return litellm.ModelResponse(usage=given[-1]) if given else None


def complete_sync(model: ChatModel, request: Request) -> Completion:
    """The reply to a request, for code without an event loop: `ChatModel.complete` run to its end.

    Raises:
        ProviderError: an event loop runs here.
        IfonlyError: as the model raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(model.complete(request))
    raise ProviderError("complete_sync", "an event loop runs in this thread", "Write: await model.complete(request).")


def listen(
    callback: Callable[[Request, Completion | ProviderError, float, float], None], patience: float = 2.0
) -> Listening:
    """Hear every litellm call that anyone in this process makes, each once, from here to the end of the context.

    Write ``with listen(callback):`` around code that makes sync calls, or runs event loops of its own, and ``async
    with`` inside a coroutine. A call is reported when it has ended, a failure that litellm may retry at the end of the
    context, a stream once it was read to its end. At the end the context waits for calls that were not reported yet.
    Of a streamed reply litellm keeps no pieces and no log-probabilities. Missed can be, in sync code just before the
    end, a reply from litellm's cache, or of a `CustomLLM` that does not call ``logging_obj.pre_call``.

    Args:
        callback: takes the request, its completion or error, and the seconds since the epoch at which the call began
            and ended. It runs in the thread in which litellm reports the call; what it raises is raised at the end.
        patience: seconds to wait at the end while nothing is reported.

    Raises:
        ProviderError: on entering, litellm takes no more callbacks; on leaving, a plain ``with`` in a coroutine cannot
            wait for a streamed call.
    """
    litellm = _litellm()
    return Listening(litellm, callback, lambda name, response: _cost(litellm, name, response), patience)


@contextmanager
def scripted(
    name: str,
    law: Callable[[Request], Sequence[tuple[AssistantMessage, float]]],
    price_per_call: float | None = None,
) -> Iterator[str]:
    """A model with exactly known reply probabilities, which litellm knows inside the context as ``scripted/NAME``.

    It takes tools, streaming, `temperature`, `seed` (the same seed and request give the same reply) and `logprobs`: its
    first token then stands for the option that the reply takes, with the probabilities of all for `option_law` to read.

    Args:
        name: of the model.
        law: the replies to a request, each with its probability.
        price_per_call: US dollars, entered in litellm's price table; None for no price.

    Yields:
        The model's name for requests.

    Raises:
        ProviderError: there is such a model already.
    """
    litellm, model = _litellm(), f"{PROVIDER}/{name}"
    with _SCRIPTS:
        scripts = scripts_of(litellm)
        if name in scripts:
            raise ProviderError(f"a scripted model {name!r}", "there is one already", "Choose another name.")
        scripts[name] = Script(name, law)
        if price_per_call is not None:
            litellm.register_model({model: _row(price_per_call)})
    try:
        yield model
    finally:
        with _SCRIPTS:
            del scripts[name]
            litellm.model_cost.pop(model, None)
            if not scripts:
                forget(litellm)


def _row(price: float) -> dict[str, Any]:
    """A price table's row by which one token of reply costs the price, and all else nothing."""
    free = {"input_cost_per_token": 0.0, "cache_creation_input_token_cost": 0.0, "cache_read_input_token_cost": 0.0}
    paid = {"output_cost_per_token": price, "max_output_tokens": 1, "max_tokens": 1}
    return {**free, **paid, "litellm_provider": PROVIDER, "mode": "chat"}
