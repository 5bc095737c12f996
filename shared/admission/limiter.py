"""How many requests may be in flight to one Airflow at once, over all instances of this app.

A stock Airflow 3.3 hangs for good at about 24 requests in flight, and throughput falls long before that.
`SharedLimiter` keeps to what three others say: the permits that this process holds (`permits.py`),
the limit that latency teaches (`adaptive_limit.py`), and the line of those who wait
(`fair_queue.py`). No request waits for Storage but the first of a burst: a keeper thread takes,
renews and gives back permits, and ends when there is nothing to keep.
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
"""A permit that was of no use for so long is given back."""
REST_OF_THE_CUT_OFF: Final = 9.0
"""Without Storage, a process rests for so many times as long as its last request took, on average."""
LEAST_REST: Final = 6.0
"""And at least for so many seconds, on average, also before the first."""
SLOW_SECONDS: Final = 2.0
"""A request that failed after so long was most likely given up by us, and not by Airflow."""
ABANDONED_FOR: Final = 2.0
"""Its place stays taken for so many times as long as it took: Airflow goes on with it."""
ROOM_SECONDS: Final = 0.5
"""There is room for more events where one that came now would have its place so soon."""
HOPE_SECONDS: Final = 0.25
"""Where no permit is held, only one that is tried for so soon is waited for."""
_COMPLAIN_EVERY: Final = 60.0
_CUT_OFF_TICK: Final = 0.2


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
    """A budget of requests in flight to one Airflow, whoever else shares it.

    Each `enter` that returned True is followed by exactly one `leave`, which says what an adaptive budget
    wants to know.
    """

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a place for one request.

        Args:
            rule: For whom, so that places can be shared fairly.
            wait: Seconds to wait for a place at most. Where more than half of that is to be expected,
                nobody waits at all: a thread that would wait in vain has other events to handle.

        Returns:
            Whether there was one; where not, nothing may be sent.
        """

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:
        """Give the place back.

        Args:
            rule: As given to `enter`.
            seconds: How long Airflow took; 0 where it was not asked.
            healthy: False where the answer was an error, a time-out or 429, True for a definite answer.
        """

    def delay_for_rejected(self) -> float:
        """Count an event that found no place and will come back; returns the seconds until its turn.

        0 where other instances have the places: one of them may have the next turn.
        """

    def slots(self) -> Slots:
        """Return how many slots there are, and how many are taken."""

    def hold_back(self, *, longest: float) -> None:
        """Wait until there is room for more events, for so many seconds at most.

        It is for what fetches events by itself, and fetches the next one when it is done with this one.
        """


class SharedLimiter:
    """The budget that all instances share; safe to use from any thread.

    Where Storage cannot be reached and no permit is left, one request at a time is sent, each followed by a
    rest that is nine times as long on average. So M instances that are cut off have at most M requests in
    flight, and M/10 or less on average: 4 at the 40 instances that every Flex Consumption app may have.

    Of 96 requests that timed out at an overloaded Airflow, 94 had created their run: it goes on with what its
    client has given up. So the place of such a request stays taken for a while (`ABANDONED_FOR`).

    Args:
        name: The connection, for the log.
        permits: The permits that this process holds.
        store: Where they are kept; asked by the keeper alone.
        most: How many permits there are.
        clock: Monotonic seconds.
        draw: Gives a number from 0 up to 1.
        keeps: Whether a keeper thread is run; without it, `plan`, `settle` and `give_up` are the caller's.
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
        keeps: bool = True,
    ) -> None:
        self._name = name
        self._permits = permits
        self._store = store
        self._most = most
        self._clock = clock
        self._draw = draw
        self._keeps = keeps
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._keeper: threading.Thread | None = None
        self._limit = AdaptiveLimit(most)
        self._line = FairQueue()
        self._backlog = Backlog()
        self._held_back: list[Signal] = []
        self._in_flight = 0
        self._abandoned: list[float] = []
        self._demanded_at = [-math.inf] * (most + 1)
        self._wanted_seen = 0
        self._rest_until = -math.inf
        self._complained_at = -math.inf

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a place; see `Limiter`."""
        turn = self.ask(rule, wait=wait)
        if isinstance(turn, bool):
            return turn
        if turn.wait(wait):
            return turn.served
        return self.withdraw(rule, turn)

    def ask(self, rule: str, *, wait: float) -> bool | Waiter:
        """Take a place, or stand in line for one, without blocking; the arguments are those of `enter`.

        Returns:
            Whether there was a place; or the signal to wait for, where one is to be expected in time.
        """
        with self._lock:
            now = self._clock()
            if self._abandoned:
                self._forget_abandoned(now)
            self._demand(now, 1)
            if not self._line and self._in_flight < self._allowed(now):
                self._in_flight += 1
                return True
            if wait <= 0 or self._expected(now, self._line.ahead(rule)) > wait / 2:
                return False
            return self._line.join(rule)

    def withdraw(self, rule: str, turn: Waiter) -> bool:
        """Stop to wait for a place that `ask` promised; returns whether it came in the last moment."""
        with self._lock:
            if not turn.is_set():
                self._line.leave(rule, turn)
            return turn.served

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:  # noqa: ARG002 - all rules teach alike
        """Give the place back; see `Limiter`."""
        with self._lock:
            now = self._clock()
            if self._cut_off(now):
                self._rest(now, seconds)
            self._limit.ended(now, seconds=seconds, healthy=healthy, in_flight=self._in_flight)
            if healthy or seconds < SLOW_SECONDS:
                self._in_flight -= 1
            else:
                self._abandoned.append(now + ABANDONED_FOR * seconds)
            self._backlog.served(now, seconds=seconds)
            waiting = len(self._line)
            self._serve(now)
            handed_over = len(self._line) < waiting
        if handed_over:
            time.sleep(0)  # who has the place now goes first; this thread would keep the interpreter

    def delay_for_rejected(self) -> float:
        """Count an event that found no place; see `Limiter`."""
        with self._lock:
            now = self._clock()
            usable = self._permits.usable(now)
            if not usable and not self._permits.unreachable:
                return 0.0  # whoever holds permits takes it up; our own listeners are held back meanwhile
            return self._backlog.delay_for_rejected(now, places=usable)

    def slots(self) -> Slots:
        """Return how many slots there are, and how many are taken; see `Limiter`."""
        with self._lock:
            return Slots(self._in_flight, self._allowed(self._clock()), self._most)

    def hold_back(self, *, longest: float) -> None:
        """Wait until there is room for more events; see `Limiter`."""
        room = self.ask_for_room()
        if room is not None and not room.wait(longest):
            self.withdraw_from_room(room)

    def ask_for_room(self) -> Signal | None:
        """Return what is set once there is room for more events; None where there is now."""
        with self._lock:
            now = self._clock()
            self._demand(now, 1)
            if self._has_room(now):
                return None
            room = Signal()
            self._held_back.append(room)
            return room

    def withdraw_from_room(self, room: Signal) -> None:
        """Stop to wait for room."""
        with self._lock:
            if room in self._held_back:
                self._held_back.remove(room)

    def plan(self) -> Step | float:
        """Return the keeper's next step, or the seconds to wait for it; infinite where nothing is kept."""
        with self._lock:
            return self._plan()

    def settle(self, step: Step, result: Result, *, sent: float) -> None:
        """Take in what a step brought; `sent` is when its call began."""
        with self._lock:
            now = self._clock()
            self._permits.done(step, result, sent=sent, now=now)
            self._serve(now)

    def give_up(self, step: Step) -> None:
        """Take in that Storage could not be reached for a step."""
        with self._lock:
            now = self._clock()
            if not self._permits.unreachable:
                self._rest(now, 0.0)  # all instances lose Storage at one time, and must not go on at one time
            self._permits.failed(step, now)
            self._serve(now)

    def _demand(self, now: float, more: int) -> None:
        """Note how many requests would be of use, and wake the keeper where it has not seen so many."""
        wanted = min(self._in_flight + len(self._line) + more, self._limit.value)
        self._demanded_at[wanted] = now
        if wanted > self._wanted_seen and self._keeps:
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name=f"permits-{self._name}", daemon=True)
                self._keeper.start()
            self._work.notify()

    def _wanted(self, now: float) -> int:
        """Return how many requests would have been of use of late."""
        least = max(self._in_flight, int(bool(self._line or self._held_back)))
        recent = now - IDLE_SECONDS
        level = self._most
        while level > least and self._demanded_at[level] < recent:
            level -= 1
        return level

    def _allowed(self, now: float) -> int:
        usable = self._permits.usable(now)
        if usable:
            return min(usable, self._limit.value)
        return int(self._permits.unreachable and now >= self._rest_until)

    def _expected(self, now: float, ahead: int) -> float:
        """Return the seconds until somebody's turn who has so many ahead in the line."""
        allowed = self._allowed(now)
        if allowed:
            return (ahead + 1) * self._backlog.seconds / allowed
        if self._permits.unreachable:
            return self._rest_until - now + ahead * LEAST_REST
        if self._permits.until_try(now) > HOPE_SECONDS:
            return math.inf  # others hold them all, and for longer than anybody should wait here
        return (ahead + 1) * self._backlog.seconds

    def _has_room(self, now: float) -> bool:
        allowed = self._allowed(now)
        if self._in_flight < allowed:
            return True
        return allowed > 0 and self._expected(now, len(self._line)) <= ROOM_SECONDS

    def _rest(self, now: float, seconds: float) -> None:
        rest = max(REST_OF_THE_CUT_OFF * seconds, LEAST_REST)
        self._rest_until = now + rest * (0.5 + self._draw())

    def _cut_off(self, now: float) -> bool:
        return self._permits.unreachable and not self._permits.usable(now)

    def _forget_abandoned(self, now: float) -> None:
        lasting = [until for until in self._abandoned if until > now]
        self._in_flight -= len(self._abandoned) - len(lasting)
        self._abandoned = lasting

    def _serve(self, now: float) -> None:
        while self._line and self._in_flight < self._allowed(now):
            self._in_flight += 1
            self._line.serve()
        if self._held_back and self._has_room(now):
            self._demand(now, len(self._held_back))  # they fetch more events now
            for room in self._held_back:
                room.set()
            self._held_back.clear()

    def _plan(self) -> Step | float:
        now = self._clock()
        self._forget_abandoned(now)
        self._serve(now)  # a rest may be over
        self._wanted_seen = self._wanted(now)
        planned = self._permits.next(now, wanted=self._wanted_seen, in_flight=self._in_flight)
        if self._line and math.isinf(self._expected(now, 0)):
            self._line.send_away()
        if not isinstance(planned, Step) and self._wanted_seen and self._cut_off(now):
            return min(planned, _CUT_OFF_TICK)
        return planned

    def _keep(self) -> None:
        """Take, renew and give back, until nothing is held and nothing wanted."""
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
            except Exception as error:  # noqa: BLE001 - without its keeper the process would never send again
                self.give_up(planned)
                self._complain(error)
            else:
                self.settle(planned, result, sent=sent)

    def _complain(self, error: Exception) -> None:
        now = self._clock()
        if now - self._complained_at >= _COMPLAIN_EVERY:
            self._complained_at = now
            LOGGER.error(
                "the permits for %s cannot be reached; with none left, one request at a time is sent: %s",
                self._name,
                error,
            )
