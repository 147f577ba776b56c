"""A world of services: all that an intervention may change."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ifonly.sim.services.client import Client
from ifonly.sim.services.service import Service, Spec

__all__ = ["Cooldown", "Route", "World"]


class Cooldown(Spec):
    """A service of a route that failed too often is not asked for a while, as in litellm's Router.

    Without `allowed_fails`, and where the route has several services: after a `rate_limited` attempt, or when more
    than half of at least five attempts within a minute have failed. With it: after more failures than that within a
    minute. A minute begins with the first attempt counted. `malformed` is an answer, not a failure.

    Attributes:
        seconds: it lasts, or the `retry_after` that the service told.
        allowed_fails: failures a minute that a service may have.
    """

    seconds: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 5.0
    allowed_fails: Annotated[int, Field(ge=0)] | None = None


class Route(Spec):
    """A name that stands for several services (a model group of litellm's Router).

    Each attempt is routed anew among those that are not cooling down: `shuffle` draws one by weight; `least-busy`
    takes the one with the fewest attempts under way, the first of equals; `first` the first. Where all are cooling
    down, an attempt is refused at once (`rate_limited`).
    """

    services: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: tuple[Annotated[float, Field(gt=0.0)], ...] | None = None
    strategy: Literal["first", "shuffle", "least-busy"] = "shuffle"
    cooldown: Cooldown | None = None

    @model_validator(mode="after")
    def _one_weight_each(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.services):
            raise ValueError(f"{len(self.services)} services have {len(self.weights)} weights; give one each")
        if len(set(self.services)) < len(self.services):
            raise ValueError(f"a route names a service twice: {', '.join(self.services)}; weigh it instead")
        return self


class World(Spec):
    """Services by name, routes over them, and the clients' behaviour by the name they call (or `client` for all)."""

    services: dict[str, Service]
    routes: dict[str, Route] = Field(default_factory=dict)
    clients: dict[str, Client] = Field(default_factory=dict)
    client: Client = Client()

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = set(self.services) | set(self.routes)
        if both := sorted(set(self.services) & set(self.routes)):
            raise ValueError(f"a service and a route of one name: {', '.join(both)}; rename one of them")
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
