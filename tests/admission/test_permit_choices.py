"""Which step an instance takes next: which permit it acquires, renews or returns, and whom it waits for."""

import pytest

from shared.admission.permit_store import Step, StepKind, View
from shared.admission.permits import Permits
from tests.support.planned_permits import DRAW, NOBODY, USE, looked, permits, waiting


def test_an_instance_ahead_is_removed_when_it_was_seen_to_do_nothing_six_times() -> None:
    """Free permits that it does not acquire count; a look without any, or a permit, begins anew."""
    idle, busy = View(frozenset({7}), ahead=1, queued=True), View(ahead=1, queued=True)
    each, now = waiting(idle), 0.0

    def looks(view: View, times: int) -> Step | float:
        nonlocal now
        for _ in range(times):
            now += 40
            step = looked(each, now, view)
            if isinstance(step, Step):
                return step
        return step

    def acts() -> None:
        assert isinstance(looks(idle, 6), float)
        assert looks(idle, 1) == Step(StepKind.DROP_FIRST)

    acts()
    each.done(Step(StepKind.DROP_FIRST), None, sent=now, now=now)
    assert each.next(now, wanted=1, in_flight=0) == Step(StepKind.LOOK), "it looks at once"
    acts()
    each.done(Step(StepKind.DROP_FIRST), None, sent=now, now=now)
    assert isinstance(looks(idle, 3), float)
    assert isinstance(looks(busy, 1), float)
    acts()
    each.done(Step(StepKind.ACQUIRE, 7), "lease", sent=now, now=now)
    each.done(Step(StepKind.RENEW, 7, "lease"), False, sent=now, now=now)
    each.done(Step(StepKind.ACQUIRE, 7), None, sent=now, now=now)
    acts()


@pytest.mark.parametrize(
    ("held", "view", "step"),
    [
        (0, View(frozenset({5})), Step(StepKind.ACQUIRE, 5)),
        (0, View(frozenset({5, 6}), ahead=1), Step(StepKind.ACQUIRE, 5)),
        (0, View(frozenset({5}), ahead=1), Step(StepKind.JOIN)),
        (0, View(frozenset({4, 5, 6}), ahead=9), Step(StepKind.ACQUIRE, 4)),
        (0, View(frozenset({4, 5}), ahead=9), Step(StepKind.JOIN)),
        (1, View(frozenset({5, 6})), Step(StepKind.ACQUIRE, 5)),
        (1, View(frozenset({6})), None),
        (1, View(frozenset({0, 7})), None),
        (1, View(frozenset({5, 6}), waiting=1), None),
        (1, View(frozenset({4, 5, 6}), waiting=1), Step(StepKind.ACQUIRE, 4)),
    ],
)
def test_a_first_permit_is_easier_than_another(held: int, view: View, step: Step | None) -> None:
    """A first permit is left to those ahead, up to a quarter; another leaves an eighth, and one for each."""
    each = permits(held=held)
    each.done(Step(StepKind.ACQUIRE, 3), None, sent=0.0, now=0.0)
    each.done(Step(StepKind.LOOK), view, sent=0.0, now=0.0)
    planned = each.next(0.0, wanted=2, in_flight=0)
    assert planned == step if step else isinstance(planned, float)


def test_a_sole_permit_has_five_renewals() -> None:
    """A sole permit is renewed four times without a look; then each renewal follows one."""
    each, now, steps = permits(held=1), 0.0, []
    for _ in range(8):
        now += USE
        assert isinstance(each.next(now - 0.01, wanted=1, in_flight=0), float)
        step = each.next(now, wanted=1, in_flight=0)
        if step == Step(StepKind.LOOK):
            steps.append(StepKind.LOOK)
            step = looked(each, now, NOBODY)
        assert step == Step(StepKind.RENEW, 0, "lease-0")
        steps.append(StepKind.RENEW)
        each.done(step, True, sent=now, now=now)
    assert steps == [StepKind.RENEW] * 4 + [StepKind.LOOK, StepKind.RENEW] * 4


@pytest.mark.parametrize(
    ("held", "others", "waits", "drains"),
    [
        (1, 7, 0, False),
        (2, 0, 0, False),
        (2, 0, 1, True),
        (2, 1, 0, False),
        (3, 1, 0, True),
        (4, 3, 0, False),
        (5, 3, 0, True),
    ],
)
def test_who_returns_a_permit_after_one_use(held: int, others: int, waits: int, *, drains: bool) -> None:
    """One of several is returned if an instance waits, or if it would still have more than all others."""
    each = permits(held=held)
    free = frozenset(range(held + others, 8))
    step = each.next(USE, wanted=held, in_flight=held)
    if step == Step(StepKind.LOOK):
        each.done(step, View(free, waiting=waits), sent=USE, now=USE)
        step = each.next(USE, wanted=held, in_flight=held)
    assert (step != Step(StepKind.RENEW, 0, "lease-0")) == drains
    assert each.usable(USE) == held - drains
    if drains:
        assert step == 0.05
        assert each.next(USE, wanted=held, in_flight=held - 1) == Step(StepKind.RELEASE, 0, "lease-0")
        assert each.until_try(USE) == 2, "it is not taken back at once"
        assert each.next(USE + 1.99, wanted=held - 1, in_flight=0) == pytest.approx(0.01)
        assert each.next(USE + 2, wanted=held - 1, in_flight=0) in {
            Step(StepKind.LOOK),
            Step(StepKind.RENEW, 1, "lease-1"),
        }


def test_an_instance_that_has_a_permit_leaves_the_wait_queue() -> None:
    """It leaves before it takes another, and also where it wants none any more."""
    for acquires, wanted in ((True, 1), (True, 2), (False, 0)):
        each = waiting(View(ahead=1, queued=True))
        if acquires:
            each.done(Step(StepKind.ACQUIRE, 5), "lease-5", sent=1.0, now=1.0)
        assert each.next(1.0, wanted=wanted, in_flight=0) == Step(StepKind.LEAVE)
        each.done(Step(StepKind.LEAVE), None, sent=1.0, now=1.0)
        assert each.next(1.0, wanted=wanted, in_flight=0) != Step(StepKind.LEAVE)


def test_a_permit_is_chosen_at_random() -> None:
    """The first guess is one of the first seven eighths; later any that may be acquired is chosen."""
    for draw, guess, chosen in ((0.0, 0, 2), (0.5, 3, 4), (0.9, 6, 7)):
        each = permits(draw=draw)
        assert each.next(0.0, wanted=1, in_flight=0) == Step(StepKind.ACQUIRE, guess)
        each.done(Step(StepKind.ACQUIRE, guess), None, sent=0.0, now=0.0)
        each.done(Step(StepKind.LOOK), View(frozenset({2, 4, 7})), sent=0.0, now=0.0)
        assert each.next(0.0, wanted=1, in_flight=0) == Step(StepKind.ACQUIRE, chosen)


def test_a_permit_that_another_instance_took_first_is_not_tried_again() -> None:
    """It does not count as free until the next look."""
    each = permits()
    each.done(Step(StepKind.ACQUIRE, 0), None, sent=0.0, now=0.0)
    each.done(Step(StepKind.LOOK), View(frozenset({5})), sent=0.0, now=0.0)
    each.done(Step(StepKind.ACQUIRE, 5), None, sent=0.0, now=0.0)
    assert each.next(0.0, wanted=1, in_flight=0) == Step(StepKind.JOIN)


def test_with_few_permits_one_is_left_to_those_ahead() -> None:
    """A quarter of less than four is one."""
    each = permits(places=2)
    each.done(Step(StepKind.ACQUIRE, 0), None, sent=0.0, now=0.0)
    each.done(Step(StepKind.LOOK), View(frozenset({0, 1}), ahead=5), sent=0.0, now=0.0)
    assert each.next(0.0, wanted=1, in_flight=0) == Step(StepKind.ACQUIRE, 0)


def test_the_oldest_lease_that_is_needed_is_renewed() -> None:
    """A surplus permit is not renewed, a missing one changes nothing, and each has its own time."""
    each = permits(held=2)
    each.done(Step(StepKind.LOOK), NOBODY, sent=USE, now=USE)
    assert each.next(USE, wanted=1, in_flight=2) == Step(StepKind.RENEW, 1, "lease-1")
    several = Permits(8, draw=lambda: DRAW)
    for index, since in ((3, 0.0), (1, 10.0), (2, 20.0)):
        several.done(Step(StepKind.ACQUIRE, index), str(index), sent=since, now=since)
    several.done(Step(StepKind.LOOK), View(), sent=21.0, now=21.0)
    several.next(21.0, wanted=5, in_flight=3)
    assert several.usable(21.0) == 3
    for index, now in ((3, 25.0), (1, 35.0), (2, 45.0), (3, 50.0)):
        assert isinstance(several.next(now - 0.01, wanted=3, in_flight=3), float)
        assert several.next(now, wanted=3, in_flight=3) == Step(StepKind.LOOK)
        several.done(Step(StepKind.LOOK), View(), sent=now, now=now)
        step = several.next(now, wanted=3, in_flight=3)
        assert step == Step(StepKind.RENEW, index, str(index))
        several.done(step, True, sent=now, now=now)


def test_who_returned_its_sole_permit_looks_before_it_takes_one() -> None:
    """It does not guess: the permit is for the instance that waits, which needs two seconds to take it."""
    each, now = permits(held=1), 0.0
    for _ in range(4):
        now += USE
        each.done(Step(StepKind.RENEW, 0, "lease-0"), True, sent=now, now=now)
    now += USE
    assert isinstance(looked(each, now, View(waiting=1)), Step)
    released = each.next(now, wanted=1, in_flight=0)
    assert released != Step(StepKind.LOOK)
    assert each.held == 0
    assert isinstance(each.next(now + 1.99, wanted=1, in_flight=0), float)
    assert each.next(now + 2, wanted=1, in_flight=0) == Step(StepKind.LOOK)
