"""A budget holds whatever runs at once; a price that is too low costs at most what was in flight."""

import asyncio
import contextlib
import random
import sys
import threading

import pytest

from ifonly.agents.budget import Budget, Metered, Price
from ifonly.agents.completion import Completion
from ifonly.agents.errors import BudgetSpent, ProviderError
from ifonly.agents.records import AssistantMessage, Request, UserMessage
from ifonly.agents.wire import UnfinishedReply

ASK = Request(model="m", messages=(UserMessage(content="?"),))
REPLY = Completion(reply=AssistantMessage(content="x"))
BOUND = 0.01


class Model:
    """Gives what it is told to: a cost, None for no usage, or an error."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.asked = 0

    async def complete(self, request):
        self.asked += 1
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if isinstance(outcome, Completion) else REPLY.model_copy(update={"cost": outcome})


def priced(request):
    return Price(estimate_usd=BOUND / 2, bound_usd=BOUND)


def ask(metered):
    return asyncio.run(metered.complete(ASK))


def test_reserve_and_settle():
    budget = Budget(usd=1.0, calls=3)
    one, two = budget.reserve(0.25), budget.reserve(0.75)
    assert (budget.spent, budget.reserved, budget.calls) == (0.0, 1.0, 2)
    with pytest.raises(BudgetSpent, match=r"\$0 of \$1 left, \$1 held"):
        budget.reserve(0.01)
    budget.settle(one, 0.125)
    assert (budget.spent, budget.reserved) == (0.125, 0.75)
    budget.settle(two, None)
    assert (budget.spent, budget.reserved) == (0.875, 0.0)
    budget.reserve(0.125)
    with pytest.raises(BudgetSpent, match="all 3 calls are made"):
        budget.reserve(0.0)


def test_a_reservation_is_settled_once_and_by_its_own_budget():
    budget = Budget(usd=1.0)
    held = budget.reserve(0.5)
    with pytest.raises(ValueError, match="settled already"):
        Budget(usd=1.0).settle(held, 0.1)
    budget.settle(held, 0.1)
    with pytest.raises(ValueError, match="settled already"):
        budget.settle(held, 0.1)
    assert budget.spent == 0.1


def test_without_limits_all_is_let_through_and_counted():
    budget = Budget()
    for _ in range(5):
        budget.settle(budget.reserve(10.0), 20.0)
    assert (budget.spent, budget.calls) == (100.0, 5)


def test_after_a_call_above_its_bound_nothing_is_reserved():
    budget = Budget(usd=1.0)
    budget.settle(budget.reserve(0.1), 0.1 + 1e-17)
    budget.settle(budget.reserve(0.1), 0.2)
    with pytest.raises(BudgetSpent, match=r"cost \$0.2, more than the \$0.1"):
        budget.reserve(0.0)


@pytest.mark.parametrize(
    ("outcome", "spent"),
    [
        (0.004, 0.004),
        (None, BOUND),
        (REPLY.model_copy(update={"cost": 0.004, "source": "recorded"}), 0.0),
        (ProviderError("m", "refused", "."), 0.0),
        (UnfinishedReply("m", "broke off", "."), BOUND),
        (asyncio.CancelledError(), BOUND),
        (RuntimeError("bug"), BOUND),
    ],
)
def test_what_a_call_is_charged(outcome, spent):
    budget = Budget(usd=1.0)
    metered = Metered(Model(outcome), budget, priced)
    raised = pytest.raises(type(outcome)) if isinstance(outcome, BaseException) else contextlib.nullcontext()
    with raised:
        ask(metered)
    assert (budget.spent, budget.reserved, budget.calls) == (spent, 0.0, 1)


def test_a_model_of_unknown_price_is_refused_unless_told():
    model, budget = Model(None, 0.5), Budget(usd=1.0)
    with pytest.raises(BudgetSpent, match="--allow-unknown-price"):
        ask(Metered(model, budget, lambda _: None))
    assert (model.asked, budget.calls) == (0, 0)
    told = Metered(model, Budget(calls=2), lambda _: None, unknown_price_ok=True)
    ask(told)
    ask(told)
    assert (told.budget.spent, told.budget.calls) == (0.5, 2)


def test_nothing_is_asked_that_the_budget_does_not_cover():
    model = Model(0.001)
    with pytest.raises(BudgetSpent):
        ask(Metered(model, Budget(usd=BOUND / 2), priced))
    assert model.asked == 0


class Chance:
    """Costs about half its bound, at times all of it, nothing, or as often as told up to so many times the bound."""

    def __init__(self, rng, budget, bounds, above):
        self.rng, self.budget, self.bounds, self.above = rng, budget, bounds, above
        self.highest = 0.0

    async def complete(self, request):
        for _ in range(self.rng.randrange(2)):
            await asyncio.sleep(0)
        self.highest = max(self.highest, self.budget.spent + self.budget.reserved)
        chance = self.rng.random()
        if chance < 0.1:
            raise REFUSED
        if chance < 0.15:
            raise BROKEN
        share = 1.0 if chance < 0.3 else self.rng.uniform(0.1, 0.9)
        share = self.rng.uniform(1.0, self.above) if chance > 0.9 and self.above > 1 else share
        cost = None if chance < 0.4 else share * self.bounds[request.model].bound_usd
        return Completion.model_construct(reply=REPLY.reply, cost=cost, source="live")


REFUSED, BROKEN = ProviderError("m", "refused", "."), UnfinishedReply("m", "broke off", ".")
WORKERS = {str(number): ASK.model_copy(update={"model": str(number)}) for number in range(64)}


async def run(rng, *, above):
    """One simulated run: 64 workers share a budget until it is spent; gives cap, highest sum held, budget, reserve."""
    cap = rng.uniform(0.05, 0.5)
    budget = Budget(usd=cap)
    bounds = {name: Price(estimate_usd=0.0, bound_usd=rng.uniform(0.001, 0.03)) for name in WORKERS}
    chance = Chance(rng, budget, bounds, above)
    metered = Metered(chance, budget, lambda request: bounds[request.model])

    async def worker(request):
        for _ in range(5):
            try:
                await metered.complete(request)
            except BudgetSpent:
                return
            except ProviderError:
                continue

    await asyncio.gather(*map(worker, WORKERS.values()))
    assert budget.reserved == 0
    return cap, chance.highest, budget, max(price.bound_usd for price in bounds.values())


def runs(count, seed, *, above):
    async def main():
        rng = random.Random(seed)
        return [await run(rng, above=above) for _ in range(count)]

    return asyncio.run(main())


def test_a_thousand_runs_of_64_workers_spend_no_cent_too_much():
    over, used = 0.0, []
    for cap, highest, budget, _ in runs(1000, 0, above=1.0):
        over = max(over, highest - cap, budget.spent - cap)
        used.append(budget.spent / cap)
    sys.stdout.write(
        f"1,000 runs of 64 workers: overspend {over:.3g} dollars; {sum(used) / 1000:.0%} of the budget used"
    )
    assert over <= 1e-12
    assert sum(used) / len(used) > 0.7


def test_prices_that_are_too_low_cost_less_than_one_reserve():
    """One call in ten costs up to 1.5 times its bound; after the first that ends nothing more is reserved."""
    shares = [(budget.spent - cap) / reserve for cap, _, budget, reserve in runs(300, 1, above=1.5)]
    sys.stdout.write(f"300 runs with costs above their bound: overspend at most {max(shares):.2f} of one reserve")
    assert 0 < max(shares) <= 1.0


def test_threads_share_a_budget():
    budget, refused = Budget(usd=10.0), []

    def work():
        for _ in range(200):
            try:
                budget.settle(budget.reserve(0.01), 0.01)
            except BudgetSpent:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent <= 10.0
    assert budget.calls == 3200 - len(refused)
    assert budget.spent == pytest.approx(budget.calls * 0.01)
