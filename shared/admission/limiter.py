"""Limits the requests in flight to one Airflow, over all instances of this app.

A stock Airflow 3.3 hangs permanently at about 24 requests in flight, and throughput falls long before that.
`SharedLimiter` combines the permits that this process holds (`permits.py`), the limit from latency
(`adaptive_limit.py`) and the queue of waiting threads (`fair_queue.py`). Only the first request of a burst
waits for Storage: a keeper thread acquires, renews and releases permits, and ends when it has none to renew.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event as Signal
from typing import Final, Protocol

from shared.admission.adaptive_limit import AdaptiveLimit
from shared.admission.backlog import Backlog
from shared.admission.fair_queue import FairQueue, Waiter
from shared.admission.permit_store import PermitStore, Result, Step
from shared.admission.permits import OWN_RANDOM, Permits
from shared.log import LOGGER

IDLE_SECONDS: Final = 2.0
"""A permit that was not needed for so long is released."""
COOL_DOWN_FACTOR: Final = 9.0
"""Without Storage, the mean cool-down is so many times the time of the last request."""
LEAST_COOL_DOWN: Final = 6.0
"""The minimum mean cool-down in seconds, also before the first request."""
SLOW_SECONDS: Final = 2.0
"""A request that failed after so long probably failed by our time-out, and Airflow still works on it."""
ABANDONED_FOR: Final = 2.0
"""Its slot stays in use for so many times its duration."""
CAPACITY_SECONDS: Final = 0.5
"""There is capacity for more events if the expected wait of a new one is at most this."""
SOON_SECONDS: Final = 0.25
"""Without a permit, a thread waits only if the next acquire attempt is at most this far away."""
_COMPLAIN_EVERY: Final = 60.0
_WITHOUT_STORAGE_TICK: Final = 0.2


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one connection, as this process sees them.

    Attributes:
        taken: Requests of this process that hold a slot; one that was given up holds its slot for a while.
        usable: How many requests this process may send at a time now.
        most: How many slots there are, over all instances.
    """

    taken: int
    usable: int
    most: int


class Limiter(Protocol):
    """A limit of requests in flight to one Airflow.

    Exactly one `leave` follows each `enter` that returned True.
    """

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a slot for one request.

        Args:
            rule: The rule of the request; rules share the slots fairly.
            wait: The most seconds to wait for a slot. If the expected wait is more than half of it, the
                thread does not wait, because it has other events to handle.

        Returns:
            Whether it got a slot; otherwise nothing may be sent.
        """

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:
        """Return the slot.

        Args:
            rule: As given to `enter`.
            seconds: Airflow's time; 0 if no request was sent.
            healthy: False for an error, a time-out or 429, True for a definite response.
        """

    def delay_for_rejected(self) -> float:
        """Count an event that got no slot, and return the seconds until it should come back.

        0 if other instances have the slots: one of them may serve it.
        """

    def slots(self) -> Slots:
        """Return how many slots there are, and how many are taken."""

    def hold_back(self, *, longest: float) -> None:
        """Wait until there is capacity for more events, for at most so many seconds.

        Queue listeners call it, so that they do not fetch more events.
        """


class SharedLimiter:
    """The limit that all instances share; safe to use from any thread.

    If Storage cannot be reached and no permit is left, one request at a time is sent, and the mean cool-down
    after it is nine times as long. So M instances without Storage have at most M requests in flight, and M/10
    or less on average: 4 at the 40 instances that every Flex Consumption app may have.

    Of 96 requests that timed out at an overloaded Airflow, 94 had created their run: Airflow continues a
    request whose client has given up. So its slot stays in use for a while (`ABANDONED_FOR`).

    Args:
        name: The connection, for the log.
        permits: The permits that this process holds.
        store: The store of permits; only the keeper thread uses it.
        most: The number of permits.
        clock: Monotonic seconds.
        draw: Returns a number from 0 up to 1.
        keeps: Whether to run the keeper thread; without it, the caller calls `plan`, `record_result` and
            `record_failure`.
    """

    def __init__(
        self,
        name: str,
        permits: Permits,
        store: PermitStore,
        *,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = OWN_RANDOM,
        runs_keeper: bool = True,
    ) -> None:
        self._name = name
        self._permits = permits
        self._store = store
        self._most = most
        self._clock = clock
        self._draw = draw
        self._runs_keeper = runs_keeper
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._keeper: threading.Thread | None = None
        self._limit = AdaptiveLimit(most)
        self._queue = FairQueue()
        self._backlog = Backlog()
        self._held_back: list[Signal] = []
        self._in_flight = 0
        self._abandoned: list[float] = []
        self._demanded_at = [-math.inf] * (most + 1)
        self._wanted_seen = 0
        self._cool_down_until = -math.inf
        self._complained_at = -math.inf

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a slot; see `Limiter`."""
        waiter = self.ask(rule, wait=wait)
        if isinstance(waiter, bool):
            return waiter
        if waiter.wait(wait):
            return waiter.served
        return self.withdraw(rule, waiter)

    def ask(self, rule: str, *, wait: float) -> bool | Waiter:
        """Take a slot, or join the queue for one, without blocking; arguments as `enter`.

        Returns:
            Whether it got a slot; or a waiter, if a slot is expected in time.
        """
        with self._lock:
            now = self._clock()
            if self._abandoned:
                self._forget_abandoned(now)
            self._demand(now, 1)
            if not self._queue and self._in_flight < self._allowed(now):
                self._in_flight += 1
                return True
            if wait <= 0 or self._expected(now, self._queue.ahead(rule)) > wait / 2:
                return False
            return self._queue.join(rule)

    def withdraw(self, rule: str, waiter: Waiter) -> bool:
        """Leave the queue; returns whether the waiter got a slot at the last moment."""
        with self._lock:
            if not waiter.is_set():
                self._queue.leave(rule, waiter)
            return waiter.served

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:  # noqa: ARG002 - the limit is the same for all rules
        """Return the slot; see `Limiter`."""
        with self._lock:
            now = self._clock()
            if self._without_storage(now):
                self._cool_down(now, seconds)
            self._limit.ended(now, seconds=seconds, healthy=healthy, in_flight=self._in_flight)
            if healthy or seconds < SLOW_SECONDS:
                self._in_flight -= 1
            else:
                self._abandoned.append(now + ABANDONED_FOR * seconds)
            self._backlog.served(now, seconds=seconds)
            waiting = len(self._queue)
            self._serve(now)
            served_others = len(self._queue) < waiting
        if served_others:
            time.sleep(0)  # let the thread with the slot run first; this thread would keep the interpreter

    def delay_for_rejected(self) -> float:
        """Count an event that got no slot; see `Limiter`."""
        with self._lock:
            now = self._clock()
            usable = self._permits.usable(now)
            if not usable and not self._permits.unreachable:
                return 0.0  # an instance with permits serves it; our own listeners are held back meanwhile
            return self._backlog.delay_for_rejected(now, slots=usable)

    def slots(self) -> Slots:
        """Return how many slots there are, and how many are taken; see `Limiter`."""
        with self._lock:
            return Slots(self._in_flight, self._allowed(self._clock()), self._most)

    def hold_back(self, *, longest: float) -> None:
        """Wait until there is capacity for more events; see `Limiter`."""
        room = self.ask_for_capacity()
        if room is not None and not room.wait(longest):
            self.withdraw_from_capacity(room)

    def ask_for_capacity(self) -> Signal | None:
        """Return a signal that is set when there is capacity for more events; None if there is now."""
        with self._lock:
            now = self._clock()
            self._demand(now, 1)
            if self._has_capacity(now):
                return None
            room = Signal()
            self._held_back.append(room)
            return room

    def withdraw_from_capacity(self, room: Signal) -> None:
        """Stop waiting for capacity."""
        with self._lock:
            if room in self._held_back:
                self._held_back.remove(room)

    def plan(self) -> Step | float:
        """Return the keeper's next step, or the seconds until then; infinite if it has nothing to do."""
        with self._lock:
            return self._plan()

    def record_result(self, step: Step, result: Result, *, sent: float) -> None:
        """Record the result of a step; `sent` is the time when its call began."""
        with self._lock:
            now = self._clock()
            self._permits.done(step, result, sent=sent, now=now)
            self._serve(now)

    def record_failure(self, step: Step) -> None:
        """Record that Storage could not be reached for a step."""
        with self._lock:
            now = self._clock()
            if not self._permits.unreachable:
                self._cool_down(
                    now, 0.0
                )  # all instances lose Storage at the same time, and must not all send at the same time
            self._permits.failed(step, now)
            self._serve(now)

    def _demand(self, now: float, more: int) -> None:
        """Record how many requests are wanted, and wake the keeper if they are more than it has seen."""
        wanted = min(self._in_flight + len(self._queue) + more, self._limit.value)
        self._demanded_at[wanted] = now
        if wanted > self._wanted_seen and self._runs_keeper:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name=f"permits-{self._name}", daemon=True)
                self._keeper.start()
            self._work.notify()

    def _wanted(self, now: float) -> int:
        """Return how many requests were wanted recently."""
        least = max(self._in_flight, int(bool(self._queue or self._held_back)))
        recent = now - IDLE_SECONDS
        level = self._most
        while level > least and self._demanded_at[level] < recent:
            level -= 1
        return level

    def _allowed(self, now: float) -> int:
        usable = self._permits.usable(now)
        if usable:
            return min(usable, self._limit.value)
        return int(self._permits.unreachable and now >= self._cool_down_until)

    def _expected(self, now: float, ahead: int) -> float:
        """Return the expected wait in seconds behind so many waiters."""
        allowed = self._allowed(now)
        if allowed:
            return (ahead + 1) * self._backlog.seconds / allowed
        if self._permits.unreachable:
            return self._cool_down_until - now + ahead * LEAST_COOL_DOWN
        if self._permits.until_try(now) > SOON_SECONDS:
            return math.inf  # other instances hold all permits, longer than a thread should wait
        return (ahead + 1) * self._backlog.seconds

    def _has_capacity(self, now: float) -> bool:
        allowed = self._allowed(now)
        if self._in_flight < allowed:
            return True
        return allowed > 0 and self._expected(now, len(self._queue)) <= CAPACITY_SECONDS

    def _cool_down(self, now: float, seconds: float) -> None:
        rest = max(COOL_DOWN_FACTOR * seconds, LEAST_COOL_DOWN)
        self._cool_down_until = now + rest * (0.5 + self._draw())

    def _without_storage(self, now: float) -> bool:
        return self._permits.unreachable and not self._permits.usable(now)

    def _forget_abandoned(self, now: float) -> None:
        lasting = [until for until in self._abandoned if until > now]
        self._in_flight -= len(self._abandoned) - len(lasting)
        self._abandoned = lasting

    def _serve(self, now: float) -> None:
        while self._queue and self._in_flight < self._allowed(now):
            self._in_flight += 1
            self._queue.serve()
        if self._held_back and self._has_capacity(now):
            self._demand(now, len(self._held_back))  # the listeners fetch more events now
            for room in self._held_back:
                room.set()
            self._held_back.clear()

    def _plan(self) -> Step | float:
        now = self._clock()
        self._forget_abandoned(now)
        self._serve(now)  # a cool-down may be over
        self._wanted_seen = self._wanted(now)
        planned = self._permits.next(now, wanted=self._wanted_seen, in_flight=self._in_flight)
        if self._queue and math.isinf(self._expected(now, 0)):
            self._queue.reject_all()
        if not isinstance(planned, Step) and self._wanted_seen and self._without_storage(now):
            return min(planned, _WITHOUT_STORAGE_TICK)
        return planned

    def _keep(self) -> None:
        """Acquire, renew and release permits, until none is held and none is wanted."""
        while True:
            with self._lock:
                planned = self._plan()
                if not isinstance(planned, Step):
                    if math.isinf(planned):
                        self._keeper = None
                        self._wanted_seen = 0
                        return
                    self._work.wait(planned)
                    continue
            sent = self._clock()
            try:
                result = planned.on(self._store)
            except Exception as error:  # noqa: BLE001 - without its keeper thread the process would never send again
                self.record_failure(planned)
                self._complain(error)
            else:
                self.record_result(planned, result, sent=sent)

    def _complain(self, error: Exception) -> None:
        now = self._clock()
        if now - self._complained_at >= _COMPLAIN_EVERY:
            self._complained_at = now
            LOGGER.error(
                "the permits for %s cannot be reached; without one, only one request at a time is sent: %s",
                self._name,
                error,
            )
