"""Reads and writes RFC 3339 times in UTC."""

from datetime import UTC, datetime

from shared.errors import UnusableValue


def time_text(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC, as in `2026-03-01T12:30:00.5Z`'s `2026-03-01T12:30:00.500000Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; fractions beyond microseconds are cut off.

    Args:
        text: A date and time with an offset, as in `2026-03-01T12:30:00.1234567Z`.

    Raises:
        UnusableValue: It is no such time, or has no offset.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UnusableValue(f"`{text[:60]}` is not an RFC 3339 time with an offset, as in 2026-03-01T12:30:00Z")


def now_text() -> str:
    """Return the time of day as RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
