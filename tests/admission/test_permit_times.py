"""When an instance takes its steps: the constants, and the times that they give with fixed draws."""

import math
from typing import Final

import pytest

from shared.admission import permits as module
from shared.admission.permit_store import Step, StepKind, View
from shared.admission.permits import Permits
from tests.support.planned_permits import DRAW, NOBODY, USE, looked, permits, waiting

CONSTANTS: Final = {
    "SHORTEST_USE": 10.0,
    "_TOKEN_SECONDS": 6.0,
    "_MARGIN": 1.0,
    "_RENEW_BEFORE": 5.0,
    "_RETRY_RENEWAL": 1.5,
    "_RENEWALS": 5,
    "_FRESH": 1.0,
    "_BETWEEN_GIVING": 2.0,
    "_LOOK_EARLY": 0.95,
    "_LOOK_AGAIN": 1.5,
    "_LOOK_AFTER_JOINING": 1.0,
    "_LOOK_LATER": 3.0,
    "_PASSED_OVER": 6,
    "_EXTRA_FIRST": 4.0,
    "_EXTRA_LONGEST": 60.0,
    "_OUTAGE_FIRST": 1.0,
    "_OUTAGE_LONGEST": 30.0,
    "_SHARE_KEPT_FREE": 8,
    "_SHARE_IDLE": 4,
    "_SHORTEST_PAUSE": 0.005,
    "_DRAIN_PAUSE": 0.05,
    "_LOOK_AFTER_HELD": 1.0,
    "_LOOK_AFTER_NONE": 10.0,
}


def test_the_constants_are_those_of_the_figures() -> None:
    """The figures of docs/scaling.md and decision 0005 are of these values.

    After a change of one, `python -m bench.permits.seeds` and `bench.permits.scaling` make new figures.
    """
    named = {name: value for name, value in vars(module).items() if isinstance(value, int | float)}
    assert named == CONSTANTS | {"LEASE_SECONDS": 60}


@pytest.mark.parametrize(
    ("places", "view", "pauses"),
    [
        # The first looks are after 1, 3, 9 … s, times 0.5 to 1.5; then 0.85 to 1 of 95 % of the wait.
        (8, View(ahead=1, queued=True), [2.1, 6.3, 0.95 * 125 / 8 * 0.88]),
        (8, View(ahead=3, queued=True), [2.1, 6.3, 18.9, 0.95 * 3 * 125 / 8 * 0.88]),
        (8, View(frozenset({7}), ahead=3, queued=True), [2.1, 6.3, 18.9, 0.95 * 2 * 125 / 8 * 0.88]),
        (8, View(queued=True), [2.1, 6.3, 0.95 * 8 * 0.88]),
        (2, View(queued=True), [0.95 * 2 * 0.88, 0.95 * 2 * 0.88]),
        (1, View(queued=True), [1.5 * 0.88, 1.5 * 0.88]),
        (50, View(queued=True), [0.95 * 125 / 50 * 0.88, 0.95 * 125 / 50 * 0.88]),
    ],
)
def test_an_instance_in_the_wait_queue_looks_when_it_should_have_a_permit(
    places: int, view: View, pauses: list[float]
) -> None:
    """It looks soon after it joined, then less and less often, and shortly before its tenure should begin."""
    each, now = waiting(view, places), 0.0
    for number, pause in enumerate(pauses):
        assert each.until_try(now) == pytest.approx(pause)
        now += pause + 1e-9
        if number < len(pauses) - 1:
            assert isinstance(looked(each, now, view), float)


def test_who_left_the_wait_queue_begins_again() -> None:
    """The looks after another joining are as soon as those after the first."""
    each = waiting(View(ahead=3, queued=True))
    looked(each, 3.0, View(ahead=3, queued=True))
    assert each.next(4.0, wanted=0, in_flight=0) == Step(StepKind.LEAVE)
    each.done(Step(StepKind.LEAVE), None, sent=4.0, now=4.0)
    assert each.until_try(4.0) == 0
    each.done(Step(StepKind.JOIN), None, sent=5.0, now=5.0)
    assert each.until_try(5.0) == pytest.approx(2.1)


def test_another_permit_is_tried_less_and_less_often() -> None:
    """Tries are 4, 8 … 60 s apart, times 0.5 to 1.5; another permit resets that."""
    each, now = permits(held=1), 0.0
    full = View()
    for pause in (4, 8, 16, 32, 60, 60):
        each.done(Step(StepKind.RENEW, 0, "lease-0"), True, sent=now, now=now)
        assert isinstance(looked(each, now, full, wanted=2), float)
        assert each.until_try(now) == pytest.approx(pause * (0.5 + DRAW))
        now += pause * (0.5 + DRAW) + 1e-9
    each.done(Step(StepKind.ACQUIRE, 1), "lease-1", sent=now, now=now)
    each.done(Step(StepKind.RENEW, 0, "lease-0"), True, sent=now, now=now)
    assert isinstance(looked(each, now, full, wanted=3), float)
    assert each.until_try(now) == pytest.approx(4 * (0.5 + DRAW))


@pytest.mark.parametrize(
    ("kind", "pauses"),
    [
        (StepKind.LOOK, [0.6, 1.2, 2.4, 4.8, 9.6, 18.0, 18.0]),
        (StepKind.RENEW, [0.6, 1.2, 1.5, 1.5, 1.5]),
    ],
)
def test_the_pauses_of_an_outage_double(kind: StepKind, pauses: list[float]) -> None:
    """They are 1, 2, 4 … 30 s, times 0.5 to 1; before a renewal at most 1.5 s; and an answer resets them."""
    each, step, now = permits(held=1), Step(kind, 0, "lease-0"), 3.0
    seen = [permits().unreachable]
    for _ in range(2):
        for pause in pauses:
            each.failed(step, now)
            seen.append(each.unreachable)
            assert each.next(now, wanted=1, in_flight=0) == pytest.approx(pause)
            assert each.next(each._down_until, wanted=1, in_flight=0) not in {0, pause}
        each.done(step, NOBODY if kind is StepKind.LOOK else True, sent=now, now=now)
        seen.append(each.unreachable)
    assert seen == [False, *[True] * len(pauses), False, *[True] * len(pauses), False]


def test_a_look_is_fresh_for_a_second() -> None:
    """A step that depends on other instances needs a look of the last second."""
    for age, is_look in ((1.0, False), (1.01, True)):
        several, none = permits(held=2), permits(held=0)
        none.done(Step(StepKind.ACQUIRE, 0), None, sent=0.0, now=USE - age)
        for each in (several, none):
            each.done(Step(StepKind.LOOK), NOBODY, sent=0.0, now=USE - age)
            step = each.next(USE, wanted=2, in_flight=0)
            assert isinstance(step, Step)
            assert (step.kind is StepKind.LOOK) == is_look


@pytest.mark.parametrize(
    ("held", "wanted", "in_flight", "now", "pause"),
    [
        (0, 0, 0, 0.0, math.inf),
        (1, 1, 0, 0.0, 1.0),
        (1, 1, 1, USE - 0.5, 0.5),
        (1, 1, 1, USE - 0.001, 0.005),
        (2, 1, 2, 0.0, 0.05),
        (1, 0, 1, 0.0, 0.05),
        (2, 2, 2, 0.0, 1.0),
        (1, 1, 0, USE - 0.5, 0.5),
    ],
)
def test_the_pause_until_the_next_step(
    held: int, wanted: int, in_flight: int, now: float, pause: float
) -> None:
    """A holder looks again after a second at most, sooner before a renewal or while a permit drains."""
    each = permits(held=held)
    assert each.next(now, wanted=wanted, in_flight=in_flight) == pytest.approx(pause)


def test_who_waits_pauses_until_its_look_and_ten_seconds_at_most() -> None:
    """An instance without a permit has nothing else to do."""
    view = View(ahead=3, queued=True)
    each = waiting(view)
    assert each.next(0.0, wanted=1, in_flight=0) == pytest.approx(2.1)
    for now in (3.0, 10.0):
        looked(each, now, view)
    assert each.until_try(10.0) == pytest.approx(18.9)
    assert each.next(10.0, wanted=1, in_flight=0) == 10
    assert each.next(25.0, wanted=1, in_flight=0) == pytest.approx(3.9)
    assert each.next(25.0, wanted=0, in_flight=0) == Step(StepKind.LEAVE)


@pytest.mark.parametrize(
    ("longest", "usable", "renewed"),
    [(29.0, 30.0, 25.0), (19.0, 40.0, 35.0), (47.0, 12.0, 8.0), (60.0, 10.0, 10 - 10 / 3)],
)
def test_a_lease_is_renewed_five_seconds_before_it_is_unusable(
    longest: float, usable: float, renewed: float
) -> None:
    """A short use is renewed after two thirds of it."""
    each = Permits(8, longest_request=longest)
    each.done(Step(StepKind.ACQUIRE, 0), "lease", sent=0.0, now=0.0)
    assert (each.usable(usable - 0.01), each.usable(usable)) == (1, 0)
    assert isinstance(each.next(renewed - 0.01, wanted=1, in_flight=0), float)
    assert each.next(renewed, wanted=1, in_flight=0) == Step(StepKind.RENEW, 0, "lease")


def test_a_lease_that_was_not_renewed_ends_after_sixty_seconds() -> None:
    """Until then the permit is held, although no request may begin under it."""
    for now, held in ((59.9, 1), (60.0, 0)):
        each = permits(held=1)
        each.next(now, wanted=1, in_flight=1)
        assert (each.held, each.usable(now)) == (held, 0)


def test_without_a_longest_request_it_is_that_of_the_default_time_outs() -> None:
    """A lease is used for 30 s with a longest request of 29 s."""
    each = permits(held=1)
    assert (each.usable(29.99), each.usable(30.0)) == (1, 0)
