"""The meaning of a world's sites: abduction, action, and replay of the noise alone.

Handlers live on Pyro's global stack: never yield, await or start a thread inside one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyro
from pyro.poutine.messenger import Messenger

from ifonly.scm.errors import NeverReached
from ifonly.scm.evidence import Evidence
from ifonly.scm.kernel import Equation, Node, draw, equation_of, node_of
from ifonly.scm.laws import Point, same

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pyro.poutine.runtime import Message
    from pyro.poutine.trace_struct import Trace

    from ifonly.scm.actions import Action

__all__ = ["Abduct", "Intervene", "Named", "Replay", "evidence_site"]


class Named(Messenger):
    """Base of handlers that speak of sites by name and raise on leaving a world that never reached one."""

    role = "name"

    def __init__(self, names: Mapping[str, object], strict: bool = True) -> None:
        """Take what is said, by site.

        Args:
            names: sites to what is said of them.
            strict: whether to raise on exit for a site never reached; False leaves it to `missing`.
        """
        super().__init__()
        self._names = frozenset(names)
        self._strict = strict
        self.reached: list[str] = []

    @property
    def missing(self) -> frozenset[str]:
        """The named sites that the last run did not reach."""
        return self._names.difference(self.reached)

    def __enter__(self) -> Any:
        """Start a run."""
        self.reached = []
        return super().__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the run.

        Raises:
            NeverReached: if a named site was not reached, the handler is strict, and the world itself raised
                nothing.
        """
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None and self._strict and self.missing:
            raise NeverReached(self.role, sorted(self.missing), self.reached)


class Abduct(Named):
    """Condition a world on facts: an observed site keeps its value, and its likelihood becomes a factor.

    The world under `Abduct` is a stock Pyro model whose latent sites are the noise of the unobserved sites,
    fit for any `pyro.infer` algorithm; simply running it is likelihood weighting. The noise of an observed
    site influences nothing in the factual world, so it is integrated out there; `Replay` draws it from the
    mechanism's posterior where the changed world first needs it (Pearl, Causality, sec. 7.1.3, step 1, one
    site at a time).
    """

    role = "fact"

    def __init__(self, facts: Mapping[str, Any], strict: bool = True) -> None:
        """Take the facts.

        Args:
            facts: observed values by site; tensors broadcast over the plates.
            strict: whether a fact at a site never reached raises on exit.
        """
        super().__init__(facts, strict)
        self.facts = dict(facts)

    def _pyro_endogenous(self, message: Message[..., Any]) -> None:
        site = equation_of(message).site
        self.reached.append(site)
        if site in self.facts:
            message["fn"] = self._observe

    def _observe(self, equation: Equation[Any]) -> Node[Any]:
        value = self.facts[equation.site]
        factor = Evidence(equation.mechanism, value, equation.inputs)
        pyro.sample(evidence_site(equation.site), factor, obs=Evidence.token)
        return Node(equation.site, value)


class Intervene(Named):
    """do(): rewrite the structural equations of the named sites."""

    role = "action"

    def __init__(self, actions: Mapping[str, Action], strict: bool = True) -> None:
        """Take the actions.

        Args:
            actions: what to do, by site.
            strict: whether an action at a site never reached raises on exit.
        """
        super().__init__(actions, strict)
        self.actions = dict(actions)

    def _pyro_endogenous(self, message: Message[..., Any]) -> None:
        equation = equation_of(message)
        self.reached.append(equation.site)
        if equation.site in self.actions:
            message["args"] = (self.actions[equation.site].rewrite(equation),)


class Replay(Messenger):
    """Run a world with the noise, and nothing but the noise, of a recorded run.

    By composition, a site whose equation and parents are as they were has the value it had: it is neither
    abducted nor computed again, and an unchanged world gives an identical twin. Other sites are computed from
    their old noise. Sites without old noise draw it from its prior and are listed in `fresh`.
    """

    def __init__(self, trace: Trace) -> None:
        """Take the trace of the factual run, as `Record` makes it."""
        super().__init__()
        self.trace = trace
        self.fresh: list[str] = []

    def _pyro_endogenous(self, message: Message[..., Any]) -> None:
        equation = equation_of(message)
        if equation.site not in self.trace:
            message["fn"] = self._first
        elif equation.intervened or self._moved(equation):
            message["fn"] = self._again
        else:
            message["value"] = self.trace.nodes[equation.site]["value"]
            message["done"] = True

    def _moved(self, equation: Equation[Any]) -> bool:
        past = equation_of(self.trace.nodes[equation.site])
        return any(parent.changed for parent in equation.parents) or [p.site for p in equation.parents] != [
            p.site for p in past.parents
        ]

    def _first(self, equation: Equation[Any]) -> Node[Any]:
        self.fresh.append(equation.site)
        return Node(equation.site, equation.mechanism(equation.draw(), *equation.inputs), changed=True)

    def _again(self, equation: Equation[Any]) -> Node[Any]:
        value = equation.mechanism(self._noise(equation), *equation.inputs)
        past = node_of(self.trace.nodes[equation.site])
        return Node(equation.site, value, changed=not same(value, past.value))

    def _noise(self, equation: Equation[Any]) -> Any:
        site, past = equation.site, equation_of(self.trace.nodes[equation.site])
        if equation.noise != past.noise:
            law = equation.mechanism.prior(*equation.inputs)
            if not isinstance(law, Point):
                self.fresh.append(site)
            return draw(equation.noise, law)
        if past.noise in self.trace:
            return self.trace.nodes[past.noise]["value"]
        if evidence_site(site) in self.trace:
            return draw(past.noise, past.mechanism.posterior(node_of(self.trace.nodes[site]).value, *past.inputs))
        return past.draw()


def evidence_site(site: str) -> str:
    """Return the name of the Pyro site that holds the likelihood of a fact."""
    return f"{site}.evidence"
