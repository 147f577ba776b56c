"""A budget for live calls: money is reserved before a call and settled after it.

The law: ``spent + reserved <= usd`` at any time, whatever runs at once, as long as no call costs more than was
reserved for it. A call that does shows that the prices are wrong, and nothing is reserved after it; what is then spent
beyond the budget is the excess of calls already in flight.

What a call is charged:

- its cost, where known; else what was reserved (a provider that gives no usage, a call cancelled midway, a time-out or
  a broken stream, which may have been billed);
- nothing, where it failed with no reply made (refused, unreachable, invalid), or was served from a recording.

Every call that was let through counts against `calls`, failed ones too.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from ifonly.agents.errors import BudgetSpent, IfonlyError
from ifonly.agents.records import Record
from ifonly.agents.wire import UnfinishedReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ifonly.agents.completion import ChatModel, Completion
    from ifonly.agents.records import Request

__all__ = ["Budget", "Metered", "Price", "Reservation"]

_ROUNDING = 1e-9
"""Relative error that sums of floats may have."""


class Price(Record):
    """What a call will cost, in US dollars: about, and at most."""

    estimate_usd: float = Field(ge=0)
    bound_usd: float = Field(ge=0)


@dataclass(frozen=True, eq=False)
class Reservation:
    """Money held back for one call in flight."""

    usd: float


class Budget:
    """US dollars and calls that may be spent; safe for threads and tasks.

    Args:
        usd: most dollars; None for no limit.
        calls: most calls; None for no limit.
    """

    def __init__(self, usd: float | None = None, calls: int | None = None) -> None:
        self.usd, self.limit = usd, calls
        self._lock = threading.Lock()
        self._open: dict[int, Reservation] = {}
        self._spent = 0.0
        self._calls = 0
        self._excess: str | None = None

    @property
    def spent(self) -> float:
        """Dollars charged so far."""
        return self._spent

    @property
    def reserved(self) -> float:
        """Dollars held back for calls in flight."""
        with self._lock:
            return self._held()

    @property
    def calls(self) -> int:
        """Calls let through so far."""
        return self._calls

    def reserve(self, bound_usd: float) -> Reservation:
        """Hold back the most that a call can cost, and count the call.

        Raises:
            BudgetSpent: the budget does not cover it.
        """
        with self._lock:
            asked = f"a call of at most ${bound_usd:.6g}"
            if self._excess is not None:
                raise BudgetSpent(asked, self._excess, "Correct the price, or start again with a larger budget.")
            if self.limit is not None and self._calls >= self.limit:
                raise BudgetSpent(asked, f"all {self.limit} calls are made", "Raise --max-calls.")
            free = None if self.usd is None else self.usd - self._spent - self._held()
            if free is not None and bound_usd > free:
                found = f"${max(free, 0.0):.6g} of ${self.usd:.6g} left, ${self._held():.6g} held for calls in flight"
                raise BudgetSpent(asked, found, "Raise --budget-usd, or lower max_tokens.")
            made = Reservation(bound_usd)
            self._open[id(made)] = made
            self._calls += 1
            return made

    def settle(self, reservation: Reservation, actual_usd: float | None) -> None:
        """Charge a call that has ended, and free what was held back for it.

        Args:
            reservation: of the call; settled once.
            actual_usd: what it cost; None charges what was reserved.

        Raises:
            ValueError: the reservation is not open.
        """
        with self._lock:
            if self._open.pop(id(reservation), None) is not reservation:
                raise ValueError("this reservation is settled already, or of another budget")
            actual = reservation.usd if actual_usd is None else actual_usd
            self._spent += actual
            if actual > reservation.usd * (1 + _ROUNDING) and self.usd is not None:
                self._excess = f"a call cost ${actual:.6g}, more than the ${reservation.usd:.6g} its price allows"

    def _held(self) -> float:
        return sum(reservation.usd for reservation in self._open.values())


class Metered:
    """A model whose calls are paid from a budget.

    Args:
        model: what is asked.
        budget: what pays.
        price: the price of a request, before it is asked; None where it is not known.
        unknown_price_ok: whether requests of unknown price are let through. Nothing is reserved for them, and their
            cost is charged if it becomes known.
    """

    def __init__(
        self,
        model: ChatModel,
        budget: Budget,
        price: Callable[[Request], Price | None],
        unknown_price_ok: bool = False,
    ) -> None:
        self.model, self.budget, self.price, self.unknown_price_ok = model, budget, price, unknown_price_ok

    async def complete(self, request: Request) -> Completion:
        """The reply, once its price is reserved.

        Raises:
            BudgetSpent: the budget does not cover the request, or its price is not known.
            IfonlyError: as the model raises.
        """
        price = self.price(request)
        if price is None and not self.unknown_price_ok:
            found = "its price is not known"
            fix = "Set max_tokens, choose a model of the price table, or pass --allow-unknown-price."
            raise BudgetSpent(f"model {request.model!r}", found, fix)
        reservation = self.budget.reserve(0.0 if price is None else price.bound_usd)
        charge: float | None = None
        try:
            completion = await self.model.complete(request)
            charge = 0.0 if completion.source == "recorded" else completion.cost
        except UnfinishedReply:
            raise
        except IfonlyError:
            charge = 0.0
            raise
        finally:
            self.budget.settle(reservation, charge)
        return completion
