"""The time by which events are ordered."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event import Event
from shared.event.arrival import AHEAD, dated, time_in_order
from shared.event.bursts import in_order
from shared.values.times import parse_time

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def at(time: str | None, number: int = 1) -> Event:
    """Return an event with this time."""
    return Event(id=str(number), source="/s", type="t", time=time)


@given(st.timedeltas(timedelta(days=-400_000), timedelta(days=400_000)))
def test_no_event_is_more_than_five_minutes_ahead_in_order(off: timedelta) -> None:
    """For a time that is too far ahead the arrival counts; the event's own time does not change."""
    moment = NOW + off
    event = dated(at(moment.isoformat()), NOW)
    assert event.time == moment.isoformat()
    assert parse_time(time_in_order(event) or "") == (NOW if off > AHEAD else moment)
    assert bool(event.notes) == (event.arrived is not None) == (off > AHEAD)


@pytest.mark.parametrize(
    "time", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-11-25T23:00:00+02:00"]
)
def test_every_spelling_of_a_time_ahead_is_found(time: str) -> None:
    """With any offset, and at the calendar's end."""
    event = dated(at(time), NOW)
    assert event.arrived == "2026-11-25T12:00:00Z"
    (note,) = event.notes
    assert note.startswith(f"time is {time}, which is ahead of its arrival: {event.arrived} counts for")


def test_the_first_arrival_stays() -> None:
    """A second call, as after parking, changes nothing."""
    first = dated(at("2999-01-01T00:00:00Z"), NOW)
    assert dated(first, NOW + timedelta(days=1)) is first


@pytest.mark.parametrize("time", [None, "soon", "2026-11-25T11:00:00Z", "2026-11-25T12:05:00Z"])
def test_any_other_event_is_left_as_it_is(time: str | None) -> None:
    """An event without a time, with an unreadable time, or with a possible time does not change."""
    event = at(time)
    assert dated(event, NOW) is event


def test_a_window_puts_an_event_of_the_future_where_it_arrived() -> None:
    """It is not the newest of its burst if a genuine one arrives later."""
    ahead = dated(at("2999-01-01T00:00:00Z", 1), NOW)
    before, after = at("2026-11-25T11:59:00Z", 2), at("2026-11-25T12:01:00Z", 3)
    assert [event.id for event in in_order([ahead, after, before])] == ["2", "1", "3"]
