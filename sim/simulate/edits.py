"""What is changed: edits of a world and its traffic, as pure data, each with its words."""

from __future__ import annotations

import json
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ifonly.sim.policy.targets import SavedRule

__all__ = ["Edit", "Follow", "Outage", "Put", "Scale", "Swap"]


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Put(_Edit):
    """Put a value at a place of the world: ``service.gpt-4o.concurrency``, ``client.retry.attempts``, ``routes.pool``.

    Attributes:
        at: dotted names from the world down; a service's name may have dots of its own.
        value: JSON; null takes a limit, cache or policy away.
    """

    edit: Literal["put"] = "put"
    at: str
    value: JsonValue

    @property
    def words(self) -> str:
        """The edit in words."""
        if self.value is None:
            return f"without {self.at}"
        return f"{self.at} is {self.value if isinstance(self.value, str) else json.dumps(self.value)}"


class Swap(_Edit):
    """Calls of one service go to another service or route, under the same noise.

    Attributes:
        service: asked in the record.
        to: asked instead.
        sites: shell-style pattern of the sites at which they do: ``agent/*``.
        tokens: of the replies: ``kept`` as recorded, or ``ranked``, the same quantile of the other service's replies.
    """

    edit: Literal["swap"] = "swap"
    service: str
    to: str
    sites: str = "*"
    tokens: Literal["kept", "ranked"] = "kept"

    @property
    def words(self) -> str:
        """The edit in words."""
        where = "" if self.sites == "*" else f" at {self.sites}"
        return f"calls of {self.service}{where} go to {self.to}"


class Outage(_Edit):
    """A service fails all that would start in a stretch of simulated time, which begins with the first arrival.

    Attributes:
        service: that fails.
        start: seconds.
        end: seconds.
    """

    edit: Literal["outage"] = "outage"
    service: str
    start: Annotated[float, Field(ge=0.0)]
    end: Annotated[float, Field(ge=0.0)]

    @property
    def words(self) -> str:
        """The edit in words."""
        return f"{self.service} is down from second {self.start:g} to {self.end:g}"


class Scale(_Edit):
    """The same requests come faster: every time between arrivals is divided by a factor; users are multiplied by it."""

    edit: Literal["scale"] = "scale"
    factor: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

    @property
    def words(self) -> str:
        """The edit in words."""
        return f"{self.factor:g} times as many arrivals a second"


class Follow(_Edit):
    """Each run's model is the one that a rule chooses from what was known before it began.

    Attributes:
        rule: as `ifonly policy --save` writes it.
        name: of its file.
    """

    edit: Literal["follow"] = "follow"
    rule: SavedRule
    name: str

    @property
    def words(self) -> str:
        """The edit in words."""
        return f"the model of each run is chosen by {self.name} among {', '.join(self.rule.rule.arms)}"


Edit: TypeAlias = Annotated[Put | Swap | Outage | Scale | Follow, Field(discriminator="edit")]
"""Any edit, told apart by `edit`."""
