"""The reader of times; every part of the app that uses times agrees with it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.options import since_when
from shared.deciding.decide import decide
from shared.delivery.preconditions import _event_time
from shared.errors import EventError, TemplateError, UnusableValue
from shared.event import Event, read_events
from shared.event.bursts import in_order
from shared.http_api.run_reports import _time as report_time
from shared.http_api.runs import _time as run_time
from shared.rules import load_rules
from shared.rules.templates import compile_template
from shared.stores.dead_letter_reader import Letter, read_letters
from shared.stores.dead_letters import DeadLetter
from shared.values.times import now_text, parse_time, rfc3339, time_text
from shared.web import CallRefused
from tests.support.parked import of_message, parked_event

if TYPE_CHECKING:
    from shared.values.json_text import JsonObject

STRICT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
RULES: Final = load_rules(
    """
connections: {main: {url: "https://airflow.example", auth: {kind: entra, scope: s}}}
rules:
  - {name: latest, when: {types: ["*"]}, start: {dag: d}, latest_by: "{{ id }}"}
  - {name: dated, when: {types: ["*"]}, start: {dag: d, logical_date: "{{ time }}"}}
""",
    file="rules.yaml",
    settings={},
)

TWO: Final = st.integers(0, 99).map("{:02}".format)
SENSIBLE: Final = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
TEXTS: Final = (
    SENSIBLE
    | st.text("0123456789-+:.,TtZz UTCGM\n\u0661", max_size=40)
    | st.builds(
        "".join,
        st.tuples(
            st.sampled_from(
                [
                    "2026-11-25",
                    "0001-01-01",
                    "9999-12-31",
                    "20261125",
                    "2026-02-30",
                    "2024-02-29",
                    "0000-01-01",
                ]
            ),
            st.sampled_from(["T", "t", " ", "", "  ", "_"]),
            st.sampled_from(["09:00:00", "23:59:59", "23:59:60", "09:00", "090000", "24:00:00", "9:00:00"])
            | st.builds("{}:{}:{}".format, TWO, TWO, TWO),
            st.sampled_from(["", ".5", ",5", ".1234567", ".", ".999999999"]),
            st.sampled_from(
                [
                    "Z",
                    "z",
                    "",
                    "+00:00",
                    "-00:00",
                    "+0000",
                    "+02",
                    "+05:30",
                    "-23:59",
                    "+24:00",
                    " UTC",
                    " GMT",
                    " +0100",
                    "Europe/Oslo",
                ]
            ),
            st.sampled_from(["", " ", "\n"]),
        ),
    )
)
"""Times, texts that look like times, and other texts."""

type Read = Callable[[str], datetime | None]


def event_of(text: str, *, grid: bool = False) -> Event:
    """Return an event with this time, read in one of the schemas."""
    cloud = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": text}
    in_grid = {"id": "1", "topic": "/s", "eventType": "t", "eventTime": text, "data": {}}
    (event,) = read_events(json.dumps(in_grid if grid else cloud))
    assert isinstance(event, Event)
    return event


def moment(text: str | None) -> datetime | None:
    """Return the moment of a time that this app wrote, which has to be strict RFC 3339."""
    if text is None:
        return None
    assert STRICT.fullmatch(text), text
    return parse_time(text)


def refused[T](errors: type[Exception] | tuple[type[Exception], ...], read: Callable[[], T]) -> T | None:
    """Return a reader's result; None if it refuses."""
    try:
        return read()
    except errors:
        return None


def template_moment(source: str, text: str) -> datetime | None:
    """Return the moment from a template's filter."""
    template = compile_template(source)
    return moment(refused(TemplateError, lambda: str(template.render({"data": text}))))


def parked_moment(text: str) -> datetime | None:
    """Return when a parked delivery was first seen."""
    event = Event(id="1", source="/s", type="t")
    document = json.loads(parked_event(event).to_message()) | {"first_seen": text}
    return refused(EventError, lambda: of_message(json.dumps(document)).first_seen)


def conf_moment(text: str) -> datetime | None:
    """Return the moment that `latest_by` reads in an earlier run's conf."""
    conf: JsonObject = {"_updraft": {"event": {"time": text}}}
    return _event_time({"dag_run_id": "p1", "conf": conf})


READERS: Final[dict[str, Read]] = {
    "an event as CloudEvent": lambda text: moment(event_of(text).time),
    "parse_time": lambda text: template_moment("{{ data | parse_time }}", text),
    "format_time": lambda text: template_moment("{{ data | format_time('%Y-%m-%dT%H:%M:%S.%fZ') }}", text),
    "a parked message": parked_moment,
    "an earlier run's conf": conf_moment,
    "a report's times": lambda text: moment(refused(CallRefused, lambda: report_time({"t": text}, "t"))),
    "a called run's times": lambda text: moment(refused(CallRefused, lambda: run_time({"t": text}, "t"))),
}
"""The readers of times with an offset."""


def letter_moment(text: str) -> datetime | None:
    """Return when one of Event Grid's dead letters was given up."""
    event = {"id": "1", "topic": "/s", "eventType": "t", "data": {}, "deadLetterReason": "x"}
    (letter,) = read_letters(json.dumps({**event, "lastDeliveryAttemptTime": text}), ours=False)
    assert isinstance(letter, Letter)
    return letter.at


UTC_READERS: Final[dict[str, Read]] = {
    "an event in Event Grid's schema": lambda text: moment(event_of(text, grid=True).time),
    "Event Grid's dead letter": letter_moment,
}
"""The readers for which a time without an offset is in UTC."""


@settings(deadline=None)
@given(TEXTS)
def test_every_user_of_times_agrees(text: str) -> None:
    """All readers read the same times as the same moment; those with UTC by default read some more."""
    expected = refused(UnusableValue, lambda: parse_time(text))
    assert {name: read(text) for name, read in READERS.items()} == dict.fromkeys(READERS, expected)
    in_utc = refused(UnusableValue, lambda: parse_time(text, without_offset_is_utc=True))
    assert {name: read(text) for name, read in UTC_READERS.items()} == dict.fromkeys(UTC_READERS, in_utc)
    assert expected in {None, in_utc}


@settings(deadline=None)
@given(TEXTS, TEXTS, st.booleans())
def test_an_events_time_is_the_same_wherever_it_is_used(text: str, other: str, grid: bool) -> None:  # noqa: FBT001 - drawn
    """Order in a window, `latest_by`, the dead letter's folder and the logical date use the same moment."""
    event, second = event_of(text, grid=grid), replace(event_of(other, grid=grid), id="2")
    seen, later = moment(event.time), moment(second.time)
    latest, dated = decide(event, RULES)
    assert (latest.request is not None) is (dated.request is not None) is (seen is not None)
    if latest.request is not None:
        assert latest.request.terms.latest is not None
        assert moment(latest.request.terms.latest.time) == seen
    if dated.request is not None:
        assert moment(dated.request.logical_date) == seen
    ordered = in_order([event, second])
    first = seen or datetime.min.replace(tzinfo=UTC)
    in_turn = first <= (later or first)  # an undated event follows the one that arrived before it
    assert ordered == ((event, second) if in_turn else (second, event))
    now = datetime.now(UTC)
    name = DeadLetter(event, "x", "x", at=now, first_seen=now, rule="r").name
    folder = "undated" if seen is None else seen.date().isoformat().replace("-", "/")
    assert name.startswith(f"r/{folder}/")
    assert bool(event.notes) is (seen is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T09:00:00Z", "2026-11-25T09:00:00Z"),
        ("2026-11-25t09:00:00z", "2026-11-25T09:00:00Z"),
        ("2026-11-25 09:00:00.5+01:00", "2026-11-25T09:00:00.5+01:00"),
        ("2026-11-25T09:00:00,5Z", "2026-11-25T09:00:00.5Z"),
        ("2026-11-25T09:00:00.1234567890Z", "2026-11-25T09:00:00.1234567890Z"),
        ("2026-11-25T09:00:00+0000", "2026-11-25T09:00:00Z"),
        ("2026-11-25T09:00:00+02", "2026-11-25T09:00:00+02:00"),
        ("2026-11-25 09:00:00 -0530", "2026-11-25T09:00:00-05:30"),
        ("2026-11-25 09:00:00 UTC", "2026-11-25T09:00:00Z"),
        ("20261125T090000Z", "2026-11-25T09:00:00Z"),
        ("2026-11-25T09:00Z", "2026-11-25T09:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.25Z"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00+05:00"),
        (" 2026-11-25T09:00:00Z\n", "2026-11-25T09:00:00Z"),
    ],
)
def test_a_time_is_passed_on_as_rfc3339(text: str, expected: str) -> None:
    """RFC 3339 does not change, and other forms become RFC 3339."""
    assert rfc3339(text) == expected
    assert parse_time(expected) == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yesterday",
            "2026-11-25",
            "09:00:00Z",
            "2026-11-25T09:00:00",
            "1777960800",
            "2026-W48-3T09:00:00Z",
        ),
        *("2026-02-30T09:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T09:60:00Z", "2026-11-25T09:00:61Z"),
        *(
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
            "2026-11-25T09:00:00+24:00",
            "2026-11-25T09:00:00+02:60",
        ),
        *("2026-11-25T09:00:00+1", "2026-1125T09:00:00Z", "2026-11-25T0900:00Z", "2026-11-25T09:00:00 CET"),
        *("\u0662\u0660\u0662\u0666-11-25T09:00:00Z", "2026-11-25T09:00:00." + "1" * 100 + "Z"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """A day, a time of day and an offset are required and have to exist; the message can be printed."""
    with pytest.raises(UnusableValue) as caught:
        parse_time(text)
    assert str(caught.value).isprintable()


def test_a_time_has_a_hundred_characters_at_most() -> None:
    """A fraction that is too long is refused, and the message shows its beginning."""
    longest = "2026-11-25T09:00:00." + "1" * 79 + "Z"
    assert parse_time(longest).microsecond == 111_111
    with pytest.raises(UnusableValue, match=r"2026-11-25T09:00:00\.1{39}[^1].*is not an RFC 3339 time"):
        parse_time(longest.replace("Z", "1Z"))


def test_the_time_of_day_has_milliseconds() -> None:
    """The time that this app writes into its documents is RFC 3339 in UTC."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    text = now_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert before <= parse_time(text) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_the_ends_of_the_calendar_are_times(text: str, expected: str) -> None:
    """Events hold .NET's DateTime.MinValue and MaxValue, with any offset."""
    assert time_text(parse_time(text)) == expected


@pytest.mark.parametrize(
    ("year", "pattern", "expected"),
    [(1, "%Y-%m-%d", "0001-01-01"), (987, "%Y", "0987"), (1, "%%Y %Y", "%Y 0001"), (2026, "%Y%j", "2026001")],
)
def test_a_year_has_four_digits(year: int, pattern: str, expected: str) -> None:
    """A year has four digits on every system, though some C libraries leave out the zeros for `%Y`."""
    template = compile_template(f"{{{{ data | format_time('{pattern}') }}}}")
    assert template.render({"data": f"{year:04}-01-01T00:00:00Z"}) == expected


@settings(deadline=None)
@given(st.datetimes(), st.integers(-1439, 1439))
def test_what_python_writes_is_read(local: datetime, minutes: int) -> None:
    """A time with any offset is the same moment as in Python."""
    zone = timezone(timedelta(minutes=minutes))
    text = local.replace(tzinfo=zone).isoformat()
    naive = refused(OverflowError, lambda: (local - timedelta(minutes=minutes)).replace(tzinfo=UTC))
    if naive is not None:
        assert parse_time(text) == naive
    assert rfc3339(text) == text or minutes == 0


@pytest.mark.parametrize(
    "text", ["2026-11-01", "2026-11-01T00:00", "2026-11-01 00:00:00", "2026-11-01T00:00Z"]
)
def test_replay_takes_a_day_or_a_time(text: str) -> None:
    """`--since` is in UTC by default."""
    assert since_when(text) == datetime(2026, 11, 1, tzinfo=UTC)
