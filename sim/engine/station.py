"""A service at work: limits at its door, a queue, and slots."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from ifonly.sim.engine.attempt import State
from ifonly.sim.engine.chance import Purpose, quantile
from ifonly.sim.engine.limiter import Limiter
from ifonly.sim.engine.promptcache import PromptCache
from ifonly.sim.services.timeline import Span

if TYPE_CHECKING:
    from ifonly.sim.engine.attempt import Attempt
    from ifonly.sim.engine.chance import Chance
    from ifonly.sim.engine.clock import Clock, Happening
    from ifonly.sim.services.service import Service
    from ifonly.sim.services.timeline import Status

__all__ = ["Station"]

_ANSWERED = frozenset({"ok", "malformed"})


class Station:
    """A service of the world.

    Attributes:
        name: of the service.
        busy: slots taken.
        waiting: attempts in the queue.
        coming: attempts that wait at the door for a limit.
    """

    def __init__(self, name: str, service: Service, clock: Clock, chance: Chance, spans: list[Span]) -> None:
        self.name = name
        self.busy = self.waiting = self.coming = 0
        self._service, self._clock, self._chance, self._spans = service, clock, chance, spans
        self._slots = inf if service.concurrency is None else service.concurrency
        self._room = inf if service.queue is None else service.queue
        self._queue: deque[Attempt] = deque()
        self._limits = [
            (Limiter(limit), of_tokens)
            for limit, of_tokens in ((service.requests, False), (service.tokens, True))
            if limit is not None
        ]
        self._cache = None if service.cache is None else PromptCache(service.cache)
        self._latency = service.latency
        self._noise = chance.noise(name, service.latency.noise)
        self._free = service.price is not None and not any(service.price.model_dump().values())

    @property
    def under_way(self) -> int:
        """Attempts here: at the door, in the queue, and in slots."""
        return self.busy + self.waiting + self.coming

    def offer(self, attempt: Attempt, timeout: float | None) -> None:
        """An attempt comes to the door."""
        now = attempt.queued = self._clock.now
        if timeout is not None:
            attempt.deadline = now + timeout
        if self._limits and (opens := self._door(attempt)) != now:
            if opens is not None:
                self.coming += 1
                self._clock.at(min(opens, attempt.deadline), self._admit, attempt)
        else:
            self._enter(attempt)

    def leave(self, attempt: Attempt, status: Status) -> None:
        """The client leaves an attempt that is not over; it is not told."""
        if attempt.state is State.COMING:
            self.coming -= 1
        elif attempt.state is State.WAITING:
            self.waiting -= 1
        else:
            self.busy -= 1
        self._close(attempt, status)
        if attempt.started is not None:
            self._next()

    def _door(self, attempt: Attempt) -> float | None:
        """When the limits let the attempt in; None if they refuse it."""
        now = self._clock.now
        opens = refused = now
        for limiter, _ in self._limits:
            when = limiter.conforms(now)
            if limiter.refuses:
                refused = max(refused, when)
            else:
                opens = max(opens, when)
        if refused > now:
            self._refuse(attempt, refused - now)
            return None
        for limiter, of_tokens in self._limits:
            limiter.take(opens, attempt.call.input_tokens + attempt.call.output_tokens if of_tokens else 1.0)
        return opens

    def _admit(self, happening: Happening) -> None:
        attempt: Attempt = happening.what
        if attempt.state is State.COMING:
            self.coming -= 1
            if self._clock.now < attempt.deadline:
                self._enter(attempt)
            else:
                self._close(attempt, "timeout")
                attempt.asker.ended(attempt)

    def _enter(self, attempt: Attempt) -> None:
        """Into a slot, else the queue, else away. Who waits goes first, also while the queue is being emptied."""
        if self.busy < self._slots and not self.waiting:
            self._start(attempt)
        elif self.waiting >= self._room:
            self._refuse(attempt, 0.0)
        else:
            attempt.state = State.WAITING
            self.waiting += 1
            self._queue.append(attempt)
            if attempt.deadline < inf:
                self._clock.at(attempt.deadline, self._tired, attempt)

    def _tired(self, happening: Happening) -> None:
        attempt: Attempt = happening.what
        if attempt.state is State.WAITING:
            self.leave(attempt, "timeout")
            attempt.asker.ended(attempt)

    def _refuse(self, attempt: Attempt, retry_after: float) -> None:
        attempt.retry_after = retry_after
        self._close(attempt, "rate_limited")
        self._clock.at(self._clock.now, _tell, attempt)

    def _start(self, attempt: Attempt) -> None:
        """Into a slot until the reply, the failure, or the client's patience ends."""
        now = self._clock.now
        attempt.started = now
        if self._service.outages and any(outage.start <= now < outage.end for outage in self._service.outages):
            attempt.outcome = "server_error"
            self._close(attempt, "server_error")
            self._clock.at(now, _tell, attempt)
            return
        self.busy += 1
        attempt.state = State.SERVED
        self._time(attempt)
        self._clock.at(min(now + attempt.seconds, attempt.deadline), self._served, attempt)

    def _time(self, attempt: Attempt) -> None:
        """How long the attempt is served, and how it ends."""
        call, latency, now = attempt.call, self._latency, self._clock.now
        cache = self._cache
        if cache is not None:
            attempt.cached = cache.tokens(call, now)
        noise = self._noise.of(attempt, self._chance)
        first = latency.base + latency.per_input_token * (call.input_tokens - attempt.cached)
        attempt.first = first * noise
        attempt.seconds = (first + latency.per_output_token * call.output_tokens) * noise
        if self._service.failures:
            self._fail(attempt)
        if cache is not None and attempt.outcome in _ANSWERED:
            cache.use(call, now, now + attempt.first)

    def _fail(self, attempt: Attempt) -> None:
        """Whether, how and when the attempt fails."""
        uniforms = self._chance.uniforms(attempt)
        below = 0.0
        for failure in self._service.failures:
            below += failure.probability
            if uniforms[Purpose.FAILURE] < below:
                attempt.outcome = failure.kind
                attempt.retry_after = failure.retry_after or 0.0
                if attempt.number == 1 and not attempt.hedge and attempt.call.failed_after is not None:
                    attempt.seconds = attempt.call.failed_after
                elif failure.seconds is not None:
                    attempt.seconds = quantile(failure.seconds, uniforms[Purpose.FAILURE_SECONDS])
                elif failure.kind == "timeout" and attempt.deadline < inf:
                    attempt.seconds = inf
                return

    def _served(self, happening: Happening) -> None:
        """The slot's time is over: by the reply, or by the client's patience."""
        attempt: Attempt = happening.what
        if attempt.state is not State.SERVED:
            return
        self.busy -= 1
        started = attempt.started
        assert started is not None
        in_time = started + attempt.seconds <= attempt.deadline
        self._close(attempt, attempt.outcome if in_time else "timeout")
        if self.waiting:
            self._next()
        attempt.asker.ended(attempt)

    def _next(self) -> None:
        """Free slots take the next of the queue; who has left it is passed over."""
        while self.waiting and self.busy < self._slots:
            attempt = self._queue.popleft()
            if attempt.state is State.WAITING:
                self.waiting -= 1
                self._start(attempt)

    def _close(self, attempt: Attempt, status: Status) -> None:
        """Write the span of an attempt that is over."""
        attempt.state = State.OVER
        attempt.status = status
        call = attempt.call
        output, cost = self._bill(attempt) if attempt.started is not None else (0, 0.0)
        self._spans.append(
            Span(
                attempt.request,
                call.site,
                self.name,
                attempt.number,
                attempt.queued,
                attempt.started,
                self._clock.now,
                status,
                call.input_tokens,
                attempt.cached,
                output,
                cost,
                attempt.hedge,
            )
        )

    def _bill(self, attempt: Attempt) -> tuple[int, float | None]:
        """Tokens made, and dollars; None where the price is not known."""
        call, price = attempt.call, self._service.price
        if attempt.outcome not in _ANSWERED:
            return 0, 0.0
        output = call.output_tokens if attempt.status in _ANSWERED else self._made(attempt)
        if self._free or price is None:
            return output, None if price is None else 0.0
        per_cached = price.per_input_token if price.per_cached_token is None else price.per_cached_token
        return output, (
            price.per_call
            + price.per_input_token * (call.input_tokens - attempt.cached)
            + per_cached * attempt.cached
            + price.per_output_token * output
        )

    def _made(self, attempt: Attempt) -> int:
        """Output tokens made when the client left: they come evenly after the first token's time."""
        assert attempt.started is not None
        writing = attempt.seconds - attempt.first
        share = (self._clock.now - attempt.started - attempt.first) / writing if writing > 0.0 else 0.0
        return int(attempt.call.output_tokens * min(max(share, 0.0), 1.0))


def _tell(happening: Happening) -> None:
    attempt: Attempt = happening.what
    attempt.asker.ended(attempt)
