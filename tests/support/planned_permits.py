"""The permits of one instance with fixed draws, whose steps a test makes one by one."""

from typing import Final

from shared.admission.permit_store import Step, StepKind, View
from shared.admission.permits import Permits

DRAW: Final = 0.2
USE: Final = 25.0
"""Seconds after which a lease is renewed, with a longest request of 29 s."""
NOBODY: Final = View(frozenset(range(8)))


def permits(places: int = 8, held: int = 0, draw: float = DRAW) -> Permits:
    """Return the permits of an instance that acquired some at 0 s."""
    each = Permits(places, draw=lambda: draw)
    for index in range(held):
        each.done(Step(StepKind.ACQUIRE, index), f"lease-{index}", sent=0.0, now=0.0)
    return each


def waiting(view: View, places: int = 8) -> Permits:
    """Return the permits of an instance that joined the wait queue at 0 s, after a look."""
    each = permits(places)
    each.done(Step(StepKind.ACQUIRE, 0), None, sent=0.0, now=0.0)
    each.done(Step(StepKind.LOOK), view, sent=0.0, now=0.0)
    each.done(Step(StepKind.JOIN), None, sent=0.0, now=0.0)
    return each


def looked(each: Permits, now: float, view: View, *, wanted: int = 1) -> Step | float:
    """Let an instance look, and return its next step."""
    assert each.next(now, wanted=wanted, in_flight=0) == Step(StepKind.LOOK)
    each.done(Step(StepKind.LOOK), view, sent=now, now=now)
    return each.next(now, wanted=wanted, in_flight=0)
