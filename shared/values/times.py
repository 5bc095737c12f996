"""Reads times, and writes them as RFC 3339.

It reads RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339), and the forms of ISO 8601 that programs send:
docs/events.md lists them. All times that this app writes are RFC 3339.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from shared.errors import UnusableValue
from shared.visible_text import visible

_LONGEST: Final = 100
"""The most characters of a time; the longest fractions that programs write have about 20 digits."""

_SHOWN: Final = 60
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MICROSECONDS: Final = 6
_LEAP: Final = 60
_TIME: Final = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"[Tt ](?P<hour>\d\d)(?P<colon>:?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?: ?(?:(?P<zulu>[Zz]|UTC|GMT)|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?))?",
    re.ASCII,
)
_STRICT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:(?!60)\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A time as it was written.

    Attributes:
        local: Date and time of day, to the second.
        fraction: The digits after the second.
        offset: From UTC; None if it is missing.
    """

    local: datetime
    fraction: str
    offset: timedelta | None

    def moment(self) -> datetime:
        """Return the moment in UTC; the nearest possible one if it is before year 1 or after 9999."""
        micro = int(self.fraction[:_MICROSECONDS].ljust(_MICROSECONDS, "0"))
        local = self.local.replace(microsecond=micro)
        try:
            return (local - (self.offset or timedelta())).replace(tzinfo=UTC)
        except OverflowError:
            return _FIRST if local.year == _FIRST.year else _LAST

    def text(self) -> str:
        """Return the time in RFC 3339, with the offset and the digits that it was written with."""
        zone = timezone(self.offset) if self.offset else UTC
        whole = self.local.replace(tzinfo=zone).isoformat().replace("+00:00", "Z")
        if not self.fraction:
            return whole
        return f"{whole[:19]}.{self.fraction}{whole[19:]}"


def parse_time(text: str, *, without_offset_is_utc: bool = False) -> datetime:
    """Return the moment in UTC; fractions beyond microseconds are cut off.

    Args:
        text: A date and a time of day, as in `2026-03-01T12:30:00.1234567Z`.
        without_offset_is_utc: Whether a time without an offset is in UTC.

    Raises:
        UnusableValue: It is not a time, or has no offset.
    """
    return _read(text, without_offset_is_utc=without_offset_is_utc).moment()


def rfc3339(text: str, *, without_offset_is_utc: bool = False) -> str:
    """Return the same time in RFC 3339 with all its digits; a time in RFC 3339 is not changed.

    Args:
        text: As for `parse_time`.
        without_offset_is_utc: As for `parse_time`.

    Raises:
        UnusableValue: It is not a time, or has no offset.
    """
    read = _read(text, without_offset_is_utc=without_offset_is_utc)
    return text if _STRICT.fullmatch(text) else read.text()


def time_text(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC, to the microsecond, as in `2026-03-01T12:30:00.500000Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def milliseconds_text(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_text() -> str:
    """Return the current time as RFC 3339 in UTC, to the millisecond."""
    return milliseconds_text(datetime.now(UTC))


def _read(text: str, *, without_offset_is_utc: bool) -> _Read:
    match = _TIME.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise _refusal(text, "is not an RFC 3339 time with an offset")
    try:
        local = _local(match)
        offset = _offset(match)
    except (ValueError, OverflowError):
        raise _refusal(text, "is a day, a time of day or an offset that does not exist") from None
    if offset is None and not without_offset_is_utc:
        raise _refusal(text, "is not an RFC 3339 time with an offset")
    return _Read(local, match["fraction"] or "", offset)


def _local(match: re.Match[str]) -> datetime:
    """Return date and time of day; a leap second becomes the next second, as in Unix time."""
    second = int(match["second"] or 0)
    leap = second == _LEAP
    year, month, day, hour, minute = (int(match[name]) for name in ("year", "month", "day", "hour", "minute"))
    local = datetime(year, month, day, hour, minute, second - leap)  # noqa: DTZ001 - the offset is apart
    return local + timedelta(seconds=1) if leap else local


def _offset(match: re.Match[str]) -> timedelta | None:
    if match["zulu"]:
        return timedelta()
    if not match["sign"]:
        return None
    hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if match["sign"] == "-" else offset


def _refusal(text: str, why: str) -> UnusableValue:
    return UnusableValue(f"`{visible(text, _SHOWN)}` {why}; write it as in 2026-03-01T12:30:00Z")
