"""A world of services: all that an intervention may change."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ifonly.sim.services.client import Client
from ifonly.sim.services.service import Service, Spec

__all__ = ["Route", "World"]


class Route(Spec):
    """A name that stands for several services (a model group of litellm's Router).

    `shuffle` draws one by weight; `least-busy` takes the one with the fewest attempts under way, the first of equals;
    `first` always the first (the others serve as fallbacks if the client names them).
    """

    services: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: tuple[Annotated[float, Field(gt=0.0)], ...] | None = None
    strategy: Literal["first", "shuffle", "least-busy"] = "shuffle"


class World(Spec):
    """Services by name, routes over them, and the clients' behaviour by the name they call (or `client` for all)."""

    services: dict[str, Service]
    routes: dict[str, Route] = Field(default_factory=dict)
    clients: dict[str, Client] = Field(default_factory=dict)
    client: Client = Client()

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = set(self.services) | set(self.routes)
        asked = {name for route in self.routes.values() for name in route.services} - set(self.services)
        called = {*self.clients} | {
            name
            for client in (self.client, *self.clients.values())
            for name in (*client.fallbacks, *((client.hedge.service,) if client.hedge and client.hedge.service else ()))
        }
        missing = sorted(asked | (called - names))
        if missing:
            raise ValueError(f"no such service: {', '.join(missing)}; the world has {', '.join(sorted(names))}")
        return self
