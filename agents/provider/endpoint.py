"""Where and how models are asked. litellm is handed in: only the package's own module imports it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ifonly.agents.errors import ProviderError
from ifonly.agents.provider.failures import Asked, unknown
from ifonly.agents.wire import TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ifonly.agents.records import Request

__all__ = ["Endpoint", "private", "refuse_private"]


@dataclass(frozen=True)
class Endpoint:
    """Where and how models are asked; none of it is part of a request.

    Args:
        api_base: URL of the server; None for each provider's own. One on this machine's loopback costs nothing.
        api_key: None for the environment variables that litellm reads. Never shown.
        timeout: seconds a call may take.
        retries: how often litellm asks again after a failure that may pass.
        aliases: litellm's names of models that requests name otherwise, such as recorded ones.
    """

    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 120.0
    retries: int = 2
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def loopback(self) -> bool:
        """Whether the server runs on this machine."""
        host = urlsplit(self.api_base or "").hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def name(self, litellm: Any, model: str) -> str:
        """The name of a model for litellm; one of no known provider is asked of an OpenAI-compatible server.

        Raises:
            ProviderError: its provider is not known, and there is no `api_base`.
        """
        name = self.aliases.get(model, model)
        try:
            litellm.get_llm_provider(name)
        except litellm.BadRequestError:
            if self.api_base is None:
                raise unknown(self.asked(litellm, model, name)) from None
            return f"openai/{name}"
        return name

    def connection(self, litellm: Any, name: str) -> dict[str, Any]:
        """How a call travels."""
        provider = litellm.get_llm_provider(name)[1]
        # OpenAI's client waits between attempts as it is told, and does not repeat what cannot succeed; `num_retries`
        # would repeat all that again. Providers without that client have nothing else.
        by_client = provider in {"azure", "openai", *litellm.openai_compatible_providers}
        # A server of one's own takes any key, and must not be sent that of the environment.
        key = self.api_key or ("none" if self.loopback else None)
        return {
            "timeout": self.timeout,
            "max_retries" if by_client else "num_retries": self.retries,
            **({"api_base": self.api_base} if self.api_base else {}),
            **({"api_key": key} if key else {}),
        }

    def asked(self, litellm: Any, model: str, name: str, provider: str = "", began: bool = False) -> Asked:
        """What an error says of a call."""
        secrets = (self.api_key,) if self.api_key else ()
        return Asked(model, name, provider, self.api_base, self.timeout, secrets, litellm.model_cost, began)


def private(litellm: Any) -> frozenset[str]:
    """The names of the parameters that steer litellm and do not move a reply."""
    own = {"callbacks", "deployment_id", "drop_params", "failure_callback", "shared_session", "success_callback"}
    return frozenset({*litellm.types.utils.all_litellm_params, *own}) | TRANSPORT


def refuse_private(litellm: Any, request: Request) -> None:
    """Settings come from files: none may say where a request goes, with what key, or that nobody is to be asked.

    Raises:
        ProviderError: one does.
    """
    if found := sorted(request.settings.keys() & private(litellm)):
        fix = "Remove it from the settings; an Endpoint says how a model is asked."
        raise ProviderError(f"model {request.model!r}", f"the settings hold {', '.join(found)}", fix)
