"""An agent and its task, as an ``agent.yaml`` says it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import yaml
from pydantic import Field, JsonValue, ValidationError, model_validator

from ifonly.agents.canonical import digest, request_digest
from ifonly.agents.errors import InputError, nearest
from ifonly.agents.records import EnvironmentRef, Record, Request, Routing

__all__ = ["AgentSpec", "Models", "Router"]

Router = Callable[[Request], Routing]
"""Chooses the model of a step; the request carries the model that is asked where nobody chooses."""


class Models(Record):
    """A choice among models with known probabilities, so that other choices can be valued from the runs.

    Args:
        options: names of models.
        weights: how often each is chosen, in proportion; all alike, if left out.
    """

    options: tuple[str, ...] = Field(min_length=1)
    weights: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _fit(self) -> Models:
        weights = self.weights
        if weights is not None and len(weights) != len(self.options):
            raise ValueError(f"{len(weights)} weights for {len(self.options)} options")
        if weights is not None and (min(weights) < 0 or sum(weights) <= 0):
            raise ValueError("weights are not negative, and one is above 0")
        return self

    def router(self, seed: str) -> Router:
        """The choice as a function of the seed and the request alone: what other steps do does not move it."""
        weights = self.weights or (1.0,) * len(self.options)
        shares = [weight / sum(weights) for weight in weights]
        ends = list(accumulate(shares))
        # Rounding may leave the last end below 1.
        last = max(number for number, share in enumerate(shares) if share > 0)

        def route(request: Request) -> Routing:
            draw = int(digest(f"{seed}\n{request_digest(request)}"), 16) / 2**128
            passed = [number for number, end in enumerate(ends) if end <= draw]
            number = min(len(passed), last)
            return Routing(
                options=self.options, chosen=self.options[number], propensity=shares[number], policy="weights"
            )

        return route


class AgentSpec(Record):
    """An agent and its task, as an ``agent.yaml`` says it.

    Args:
        name: of the agent.
        task: of the run; in a file the agent's name, if left out.
        model: as litellm names it; in a file the first of `models`, if left out.
        models: among which a router chooses at each step.
        system: the system prompt.
        prompt: the user's turn.
        tools: a Python file, relative to the agent's own, or a module.
        environment: a tool environment, in place of `tools`.
        settings: sent with every request: temperature, max_tokens, seed, tool_mode and the like.
        max_steps: model steps after which the run is stopped.
    """

    name: str
    task: str
    model: str
    models: Models | None = None
    system: str | None = None
    prompt: str
    tools: str | None = None
    environment: EnvironmentRef | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    max_steps: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> AgentSpec:
        if self.tools is not None and self.environment is not None:
            raise ValueError("give `tools` or an `environment`, not both")
        return self

    @classmethod
    def load(cls, path: str | Path) -> AgentSpec:
        """The agent of a YAML file.

        Raises:
            InputError: the file cannot be read, or a field is missing, unknown or of the wrong type.
        """
        data = _filled(_yaml(Path(path)))
        try:
            spec = cls.model_validate_json(json.dumps(data, allow_nan=False))
        except ValidationError as error:
            raise _told(path, error) from None
        except (TypeError, ValueError) as error:
            raise InputError(str(path), f"a value that JSON cannot hold: {error}", "Put it in quotes.") from None
        if spec.tools is not None and spec.tools.endswith(".py"):
            return spec.model_copy(update={"tools": str(Path(path).parent / spec.tools)})
        return spec


def _filled(data: object) -> object:
    """The data with what a file may leave out."""
    if not isinstance(data, dict):
        return data
    models = data.get("models")
    options = models.get("options") if isinstance(models, dict) else None
    first = {"model": options[0]} if isinstance(options, list) and options else {}
    named = {"task": data["name"]} if "name" in data else {}
    return {**first, **named, **data}


def _yaml(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return yaml.safe_load(file)
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}", "Name the YAML file of an agent.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        found = f"no YAML{place}: {getattr(error, 'problem', None) or error}"
        raise InputError(str(path), found, "Correct the syntax.") from error


def _told(path: str | Path, error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    where, known = [str(part) for part in first["loc"]], tuple(AgentSpec.model_fields)
    near = nearest(where[-1], known) if first["type"] == "extra_forbidden" else ()
    found = "an unknown field" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return InputError(str(path), found, f"Fields: {', '.join(known)}.", field=".".join(where) or None, near=near)
