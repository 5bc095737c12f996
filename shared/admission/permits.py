"""Which permits this process holds for one Airflow, and what to do about them next.

There are N permits for an Airflow, over all instances of the app. A permit is a lease on a blob
(`permit_blobs.py`): taken for a burst, renewed while it is of use, given back when it is not, and
freed by the lease's end where its holder died. Instances that find none stand in a line. This module is the
state and the rules alone, without clock, thread or network: `limiter.py` carries the steps out, and
the simulation (`bench/permits/simulation.py`) does so in virtual time.

A request may begin under a permit only while the lease lasts longer than any request can. The lease's age is
counted from before the call that took or renewed it, so that Storage counts later than we do.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from shared.admission.permit_store import LEASE_SECONDS, Result, Step, StepKind, View

SHORTEST_USE: Final = 10.0
"""A lease is used for at least so long, whatever the time-outs: they may not leave nothing of it."""

OWN_RANDOM: Final = random.Random().random  # noqa: S311 - for fairness, not for secrets
"""Apart from the process's own, which others seed: permits are kept by a thread beside everything else."""
_TOKEN_SECONDS: Final = 6.0
_MARGIN: Final = 1.0
_RENEW_BEFORE: Final = 5.0
_RETRY_RENEWAL: Final = 1.5
_USES: Final = 5  # in a turn: a permit that is handed over lies idle until the next look of somebody in line
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
_DRAINING: Final = 0.05
_LOOK_AFTER_HELD: Final = 1.0
_LOOK_AFTER_NONE: Final = 10.0


def longest_request(connect_timeout: float, read_timeout: float, *, budget: float) -> float:
    """Return the seconds that a request to Airflow can last at most, from taking its place to leaving it.

    A token may have to be fetched first. Then each wait on the socket has its time-out: for a connection, for
    the head of the answer, and for the last piece of its body.

    Args:
        connect_timeout: Of the connection, in seconds.
        read_timeout: Of the connection, in seconds.
        budget: Seconds that a delivery may take, which cut both.
    """
    return _TOKEN_SECONDS + min(connect_timeout, budget) + 2 * min(read_timeout, budget)


@dataclass(slots=True)
class _Held:
    """A permit that is held.

    Attributes:
        index: Which.
        lease: Under which lease.
        since: From when the lease's time counts.
        uses: How many there are left in its turn as an only one, after which somebody else may have it.
        judged: Before this, what to do at the end of a turn is not asked again.
        leaving: No further request may begin under it.
    """

    index: int
    lease: str
    since: float
    uses: int = _USES
    judged: float = -math.inf
    leaving: bool = False


class Permits:
    """The permits of one Airflow, as one process sees them. The caller keeps threads apart.

    How they are shared: a first permit is taken wherever one is free; further ones leave an eighth free for
    instances that have none, and never are of the last eighth. Who finds none stands in line. A permit whose
    turn is over is kept while nobody stands there, and given back otherwise; and so is one of many, where the
    others together have fewer. An only permit has a turn of several uses, one of several of a single use.

    Args:
        places: How many permits there are, from 1.
        longest_request: Seconds that a request to Airflow can last at most.
        draw: Gives a number from 0 up to 1.
    """

    def __init__(
        self, places: int, *, longest_request: float = 29.0, draw: Callable[[], float] = OWN_RANDOM
    ) -> None:
        self._places = places
        self._common = places - places // _SHARE_KEPT_FREE  # the others are for those who have none
        self._idle = max(places // _SHARE_IDLE, 1)
        self._usable_for = max(LEASE_SECONDS - _MARGIN - longest_request, SHORTEST_USE)
        self._use = self._usable_for - min(_RENEW_BEFORE, self._usable_for / 3)
        self._draw = draw
        self._held: list[_Held] = []  # oldest lease first
        self._view = View()
        self._looked = -math.inf
        self._in_line = False
        self._look_after = _LOOK_AFTER_JOINING
        self._passed_over = 0
        self._blindly = True
        self._try_at = -math.inf
        self._extra_wait = _EXTRA_FIRST
        self._down_until = -math.inf
        self._down_wait = 0.0

    @property
    def held(self) -> int:
        """How many permits are held, usable or not."""
        return len(self._held)

    @property
    def unreachable(self) -> bool:
        """Whether Storage did not answer the last call."""
        return self._down_wait > 0

    def usable(self, now: float) -> int:
        """Return how many requests may be in flight, so that another may begin below that number."""
        oldest = now - self._usable_for
        count = 0
        for permit in self._held:
            if permit.since > oldest and not permit.leaving:
                count += 1
        return count

    def until_try(self, now: float) -> float:
        """Return the seconds until it is tried to take another permit, where one is wanted."""
        return max(self._try_at - now, 0.0)

    def next(self, now: float, *, wanted: int, in_flight: int) -> Step | float:
        """Return the next step, or the seconds to wait before asking again; infinite where all is at rest.

        Args:
            now: Monotonic seconds.
            wanted: How many requests the process would have in flight now, if it could.
            in_flight: How many it has.
        """
        self._held = [permit for permit in self._held if now < permit.since + LEASE_SECONDS]
        if now < self._down_until:
            return self._down_until - now
        step = self._keep(now, wanted) or self._give_back(in_flight)
        if step is None and self._in_line and (self._held or not wanted):
            step = Step(StepKind.LEAVE)
        step = step or self._take(now, wanted)
        return step or self._pause(now, wanted, in_flight)

    def done(self, step: Step, result: Result, *, sent: float, now: float) -> None:
        """Take in what a step brought.

        Args:
            step: As `next` gave it.
            result: What the store returned.
            sent: When the call began.
            now: When it ended.
        """
        self._down_wait = 0.0
        match step.kind:
            case StepKind.ACQUIRE:
                self._view = replace(self._view, free=self._view.free - {step.index})
                self._blindly = isinstance(result, str)
                if isinstance(result, str):
                    self._got(step.index, result, since=sent)
            case StepKind.RENEW:
                self._renewed(step.lease, since=sent if result else None)
            case StepKind.LOOK if isinstance(result, View):
                self._view, self._looked, self._in_line = result, now, result.in_line
            case StepKind.JOIN:
                self._in_line, self._passed_over, self._look_after = True, 0, _LOOK_AFTER_JOINING
                self._try_at = now + self._until_turn()
            case StepKind.LEAVE:
                self._in_line, self._try_at = False, -math.inf
            case StepKind.DROP_FIRST:
                self._looked, self._passed_over = -math.inf, 0
            case _:
                pass

    def failed(self, step: Step, now: float) -> None:
        """Take in that Storage could not be reached for a step."""
        self._down_wait = min(max(_OUTAGE_FIRST, 2 * self._down_wait), _OUTAGE_LONGEST)
        pause = self._down_wait * (0.5 + self._draw() / 2)
        self._down_until = now + (min(pause, _RETRY_RENEWAL) if step.kind is StepKind.RENEW else pause)

    def _keep(self, now: float, wanted: int) -> Step | None:
        """At the end of the oldest permit's use: renew it; at the end of its turn, perhaps give it back."""
        staying = [permit for permit in self._held if not permit.leaving]
        surplus = max(len(staying) - wanted, 0)
        for permit in staying[:surplus]:
            permit.leaving = True
        del staying[:surplus]
        if not staying or now < max(staying[0].since + self._use, staying[0].judged):
            return None
        oldest = staying[0]
        if oldest.uses <= 1 or len(staying) > 1:
            if now - self._looked > _FRESH:
                return Step(StepKind.LOOK)
            others = self._places - len(self._view.free) - len(self._held)
            if self._view.waiting or len(staying) - 1 > others > 0:
                oldest.leaving = True
                self._looked = -math.inf
                self._blindly = False
                self._try_at = max(self._try_at, now + _BETWEEN_GIVING)
                for permit in staying[1:]:
                    permit.judged = now + _BETWEEN_GIVING
                return None
        return Step(StepKind.RENEW, oldest.index, oldest.lease)

    def _give_back(self, in_flight: int) -> Step | None:
        """Give back what is leaving, the oldest first, as soon as the others cover what is in flight."""
        oldest = next((permit for permit in self._held if permit.leaving), None)
        if oldest is None or len(self._held) <= in_flight:
            return None
        self._held.remove(oldest)  # from here on it is not ours, whatever becomes of the call
        return Step(StepKind.RELEASE, oldest.index, oldest.lease)

    def _take(self, now: float, wanted: int) -> Step | None:
        """Take another permit where one is wanted and it is our turn to try."""
        if len(self._held) >= min(wanted, self._places) or now < self._try_at:
            return None
        if not self._held and self._blindly:
            return Step(StepKind.ACQUIRE, int(self._draw() * self._common))
        if now - self._looked > _FRESH:
            return Step(StepKind.LOOK)
        free = sorted(self._view.free - {permit.index for permit in self._held})
        if self._held:
            kept = self._places - self._common + self._view.waiting
            choice = [index for index in free if index < self._common]
        else:
            kept, choice = min(self._view.ahead, self._idle), free
        if choice and len(free) > kept:
            return Step(StepKind.ACQUIRE, choice[int(self._draw() * len(choice))])
        if not self._held:
            return self._wait_in_line(now, passed_over=bool(free))
        self._try_at = now + self._extra_wait * (0.5 + self._draw())
        self._extra_wait = min(2 * self._extra_wait, _EXTRA_LONGEST)
        return None

    def _wait_in_line(self, now: float, *, passed_over: bool) -> Step | None:
        """Stand in line, until the next look; whoever lets permits lie at its head is taken out of it."""
        if not self._in_line:
            return Step(StepKind.JOIN)
        if self._passed_over >= _PASSED_OVER:
            return Step(StepKind.DROP_FIRST)
        self._passed_over = self._passed_over + 1 if passed_over else 0
        self._try_at = now + self._until_turn()
        return None

    def _until_turn(self) -> float:
        """Return the seconds to the next look: until shortly before those ahead should have had a permit.

        Or sooner, in growing steps and not all at once: a burst may be over, and the permits may lie idle.
        """
        ahead = max(self._view.ahead - len(self._view.free), 0)
        each = _USES * self._use / self._places
        wait = ahead * each if ahead else min(each, self._places)  # the fewer permits, the less may lie idle
        planned = max(_LOOK_EARLY * wait, _LOOK_AGAIN) * (0.85 + 0.15 * self._draw())
        self._look_after *= _LOOK_LATER
        return min(planned, self._look_after * (0.5 + self._draw()))

    def _got(self, index: int, lease: str, *, since: float) -> None:
        self._held.append(_Held(index, lease, since=since))
        self._passed_over = 0
        self._extra_wait = _EXTRA_FIRST

    def _renewed(self, lease: str, *, since: float | None) -> None:
        if since is None:
            self._held = [permit for permit in self._held if permit.lease != lease]
            return
        for permit in self._held:
            if permit.lease == lease:
                permit.since, permit.uses = since, max(permit.uses - 1, 1)
        self._held.sort(key=lambda permit: permit.since)

    def _pause(self, now: float, wanted: int, in_flight: int) -> float:
        if not self._held and not wanted:
            return math.inf
        times = [max(permit.since + self._use, permit.judged) for permit in self._held if not permit.leaving]
        if len(self._held) < min(wanted, self._places):
            times.append(self._try_at)
        pause = max(min(times, default=math.inf) - now, _SHORTEST_PAUSE)
        if in_flight and any(permit.leaving for permit in self._held):
            return _DRAINING
        return min(pause, _LOOK_AFTER_HELD if self._held else _LOOK_AFTER_NONE)
