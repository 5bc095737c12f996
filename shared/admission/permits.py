"""The permits that this process holds for one Airflow, and its next step with them.

An Airflow has N permits for all instances of the app. A permit is a lease on a blob (`permit_blobs.py`): an
instance acquires it for a burst, renews it while it is needed, and then releases it. If the instance ends,
the lease expires. Instances without a permit join a wait queue. This module has only state and rules, without
clock, thread or network: `limiter.py` does the steps, and the simulation (`bench/permits/simulation.py`)
does them in virtual time.

A request may begin under a permit only if the lease lasts longer than any request. The lease's age counts
from before the call that acquired or renewed it, so that the lease in Storage ends later than here.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shared.admission.permit_store import LEASE_SECONDS, Result, Step, StepKind, View

SHORTEST_USE: Final = 10.0
"""A lease is used for at least so long, with any time-outs."""

OWN_RANDOM: Final = random.Random().random  # noqa: S311 - for fairness, not for secrets
"""Separate from the process's random numbers, which other code may seed."""
_TOKEN_SECONDS: Final = 6.0
_MARGIN: Final = 1.0
_RENEW_BEFORE: Final = 5.0
_RETRY_RENEWAL: Final = 1.5
_RENEWALS: Final = 5  # a released permit is idle until a waiting instance looks
_FRESH: Final = 1.0
_BETWEEN_GIVING: Final = 2.0
_LOOK_EARLY: Final = 0.95
_LOOK_AGAIN: Final = 1.5
_LOOK_AFTER_JOINING: Final = 1.0
_LOOK_LATER: Final = 3.0
_PASSED_OVER: Final = 6
_EXTRA_FIRST: Final = 4.0
_EXTRA_LONGEST: Final = 60.0
_OUTAGE_FIRST: Final = 1.0
_OUTAGE_LONGEST: Final = 30.0
_SHARE_KEPT_FREE: Final = 8
_SHARE_IDLE: Final = 4
_SHORTEST_PAUSE: Final = 0.005
_DRAIN_PAUSE: Final = 0.05
_LOOK_AFTER_HELD: Final = 1.0
_LOOK_AFTER_NONE: Final = 10.0


def longest_request(connect_timeout: float, read_timeout: float, *, budget: float) -> float:
    """Return the most seconds that a request to Airflow can hold its slot.

    It may fetch a token first. Then each wait on the socket has its time-out: for a connection, for the head
    of the response, and for the last part of its body.

    Args:
        connect_timeout: The connection's, in seconds.
        read_timeout: The connection's, in seconds.
        budget: Seconds that a delivery may take; it limits both.
    """
    return _TOKEN_SECONDS + min(connect_timeout, budget) + 2 * min(read_timeout, budget)


@dataclass(slots=True)
class _Held:
    """A permit that this process holds.

    Attributes:
        index: The permit's number.
        lease: The lease's id.
        since: When the lease began or was renewed.
        renewals_left: Renewals left before a sole permit is offered to waiting instances.
        keep_until: Until then the permit is neither renewed nor released.
        draining: Whether it is released as soon as its request ends; no request may begin under it.
    """

    index: int
    lease: str
    since: float
    renewals_left: int = _RENEWALS
    keep_until: float = -math.inf
    draining: bool = False


class Permits:
    """The permits of one Airflow in one process; the caller locks it.

    A first permit is acquired if any is free. Further ones are acquired only from the first 7/8 of the
    indexes, and only if more than an eighth is free: that is for instances without a permit. An instance that
    finds none joins the wait queue. At the end of its lease tenure a permit is released if another instance
    waits, or if this process holds more permits than all others together; otherwise it is renewed. The tenure
    of a sole permit is several renewals, of any other permit one.

    Args:
        total: The number of permits, from 1.
        longest_request: The most seconds of a request to Airflow.
        draw: Returns a number from 0 up to 1.
    """

    def __init__(
        self, total: int, *, longest_request: float = 29.0, draw: Callable[[], float] = OWN_RANDOM
    ) -> None:
        self._total = total
        self._common = total - total // _SHARE_KEPT_FREE  # the others are for instances without a permit
        self._idle = max(total // _SHARE_IDLE, 1)
        self._usable_for = max(LEASE_SECONDS - _MARGIN - longest_request, SHORTEST_USE)
        self._use = self._usable_for - min(_RENEW_BEFORE, self._usable_for / 3)
        self._draw = draw
        self._held: list[_Held] = []  # oldest lease first
        self._view = View()
        self._looked = -math.inf
        self._queued = False
        self._look_after = _LOOK_AFTER_JOINING
        self._passed_over = 0
        self._guess = True
        self._try_at = -math.inf
        self._extra_wait = _EXTRA_FIRST
        self._down_until = -math.inf
        self._down_wait = 0.0

    @property
    def held(self) -> int:
        """The number of held permits, usable or not."""
        return len(self._held)

    @property
    def unreachable(self) -> bool:
        """Whether Storage did not answer the last call."""
        return self._down_wait > 0

    def usable(self, now: float) -> int:
        """Return how many requests may be in flight; another may begin below that number."""
        oldest = now - self._usable_for
        count = 0
        for permit in self._held:
            if permit.since > oldest and not permit.draining:
                count += 1
        return count

    def until_try(self, now: float) -> float:
        """Return the seconds until the next try to acquire a permit, if one is wanted."""
        return max(self._try_at - now, 0.0)

    def next(self, now: float, *, wanted: int, in_flight: int) -> Step | float:
        """Return the next step, or the seconds until the next call; infinite if there is nothing to do.

        Args:
            now: Monotonic seconds.
            wanted: How many requests the process wants to have in flight.
            in_flight: How many it has in flight.
        """
        self._held = [permit for permit in self._held if now < permit.since + LEASE_SECONDS]
        if now < self._down_until:
            return self._down_until - now
        step = self._renew(now, wanted) or self._release(in_flight)
        if step is None and self._queued and (self._held or not wanted):
            step = Step(StepKind.LEAVE)
        step = step or self._take(now, wanted)
        return step or self._pause(now, wanted, in_flight)

    def done(self, step: Step, result: Result, *, sent: float, now: float) -> None:
        """Record the result of a step.

        Args:
            step: The step that `next` returned.
            result: The store's result.
            sent: When the call began.
            now: When it ended.
        """
        self._down_wait = 0.0
        match step.kind:
            case StepKind.ACQUIRE:
                self._view = replace(self._view, free=self._view.free - {step.index})
                self._guess = isinstance(result, str)
                if isinstance(result, str):
                    self._acquired(step.index, result, since=sent)
            case StepKind.RENEW:
                self._renewed(step.lease, since=sent if result else None)
            case StepKind.LOOK if isinstance(result, View):
                self._view, self._looked, self._queued = result, now, result.queued
            case StepKind.JOIN:
                self._queued, self._passed_over, self._look_after = True, 0, _LOOK_AFTER_JOINING
                self._try_at = now + self._until_look()
            case StepKind.LEAVE:
                self._queued, self._try_at = False, -math.inf
            case StepKind.DROP_FIRST:
                self._looked, self._passed_over = -math.inf, 0
            case _:
                pass

    def failed(self, step: Step, now: float) -> None:
        """Record that Storage could not be reached for a step."""
        self._down_wait = min(max(_OUTAGE_FIRST, 2 * self._down_wait), _OUTAGE_LONGEST)
        pause = self._down_wait * (0.5 + self._draw() / 2)
        self._down_until = now + (min(pause, _RETRY_RENEWAL) if step.kind is StepKind.RENEW else pause)

    def _renew(self, now: float, wanted: int) -> Step | None:
        """Renew the oldest permit before it expires, or drain it at the end of its tenure."""
        staying = [permit for permit in self._held if not permit.draining]
        surplus = max(len(staying) - wanted, 0)
        for permit in staying[:surplus]:
            permit.draining = True
        del staying[:surplus]
        if not staying or now < max(staying[0].since + self._use, staying[0].keep_until):
            return None
        oldest = staying[0]
        if oldest.renewals_left <= 1 or len(staying) > 1:
            if now - self._looked > _FRESH:
                return Step(StepKind.LOOK)
            others = self._total - len(self._view.free) - len(self._held)
            if self._view.waiting or len(staying) - 1 > others > 0:
                oldest.draining = True
                self._guess = False
                self._try_at = max(self._try_at, now + _BETWEEN_GIVING)
                for permit in staying:
                    permit.keep_until = now + _BETWEEN_GIVING
                return None
        return Step(StepKind.RENEW, oldest.index, oldest.lease)

    def _release(self, in_flight: int) -> Step | None:
        """Release the oldest draining permit, as soon as the others cover the requests in flight."""
        oldest = next((permit for permit in self._held if permit.draining), None)
        if oldest is None or len(self._held) <= in_flight:
            return None
        self._held.remove(oldest)  # even if the call fails, the permit must not be used
        return Step(StepKind.RELEASE, oldest.index, oldest.lease)

    def _take(self, now: float, wanted: int) -> Step | None:
        """Acquire another permit if one is wanted and may be tried now."""
        if len(self._held) >= min(wanted, self._total) or now < self._try_at:
            return None
        if not self._held and self._guess:
            return Step(StepKind.ACQUIRE, int(self._draw() * self._common))
        if now - self._looked > _FRESH:
            return Step(StepKind.LOOK)
        free = sorted(self._view.free - {permit.index for permit in self._held})
        if self._held:
            kept = self._total - self._common + self._view.waiting
            choice = [index for index in free if index < self._common]
        else:
            kept, choice = min(self._view.ahead, self._idle), free
        if len(free) > kept:
            return Step(StepKind.ACQUIRE, choice[int(self._draw() * len(choice))])
        if not self._held:
            return self._wait_in_queue(now, passed_over=bool(free))
        self._try_at = now + self._extra_wait * (0.5 + self._draw())
        self._extra_wait = min(2 * self._extra_wait, _EXTRA_LONGEST)
        return None

    def _wait_in_queue(self, now: float, *, passed_over: bool) -> Step | None:
        """Wait until the next look; an instance ahead that does not acquire free permits is removed."""
        if not self._queued:
            return Step(StepKind.JOIN)
        if self._passed_over >= _PASSED_OVER:
            return Step(StepKind.DROP_FIRST)
        self._passed_over = self._passed_over + 1 if passed_over else 0
        self._try_at = now + self._until_look()
        return None

    def _until_look(self) -> float:
        """Return the seconds to the next look: shortly before the instances ahead should have had a permit.

        The first looks are earlier, in growing steps with jitter: a burst may be over, and the permits idle.
        """
        ahead = max(self._view.ahead - len(self._view.free), 0)
        each = _RENEWALS * self._use / self._total
        wait = ahead * each if ahead else min(each, self._total)  # with fewer permits, fewer may be idle
        planned = max(_LOOK_EARLY * wait, _LOOK_AGAIN) * (0.85 + 0.15 * self._draw())
        self._look_after *= _LOOK_LATER
        return min(planned, self._look_after * (0.5 + self._draw()))

    def _acquired(self, index: int, lease: str, *, since: float) -> None:
        self._held.append(_Held(index, lease, since=since))
        self._passed_over = 0
        self._extra_wait = _EXTRA_FIRST

    def _renewed(self, lease: str, *, since: float | None) -> None:
        if since is None:
            self._held = [permit for permit in self._held if permit.lease != lease]
            return
        for permit in self._held:
            if permit.lease == lease:
                permit.since, permit.renewals_left = since, max(permit.renewals_left - 1, 1)
        self._held.sort(key=lambda permit: permit.since)

    def _pause(self, now: float, wanted: int, in_flight: int) -> float:
        if not self._held and not wanted:
            return math.inf
        times = [
            max(permit.since + self._use, permit.keep_until) for permit in self._held if not permit.draining
        ]
        if len(self._held) < min(wanted, self._total):
            times.append(self._try_at)
        pause = max(min(times, default=math.inf) - now, _SHORTEST_PAUSE)
        if in_flight and any(permit.draining for permit in self._held):
            return _DRAIN_PAUSE
        return min(pause, _LOOK_AFTER_HELD if self._held else _LOOK_AFTER_NONE)
