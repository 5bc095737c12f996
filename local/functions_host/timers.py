"""Timer triggers: NCRONTAB schedules, `runOnStartup`, and a run that was missed while the host was down.

Schedules as in learn.microsoft.com/azure/azure-functions/functions-bindings-timer: six fields with the
seconds first, or five without; or a time span, for an interval. Times are UTC.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .invocations import Invocations
from .protos import TypedData
from .settings import HostSettingsError, time_span

log = logging.getLogger("Host.Triggers.Timer")

_FIELD = re.compile(
    r"(?:[0-9*,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)+",
    re.IGNORECASE,
)
_FIELDS_WITH_SECONDS = 6
_LONGEST_SLEEP = 60.0

type Schedule = Callable[[datetime], datetime]
"""The first occurrence after a moment."""


def parse_schedule(text: str) -> Schedule:
    """The schedule that `text` describes.

    Raises:
        HostSettingsError: If it is neither an NCRONTAB expression nor a time span.
    """
    if ":" in text:
        interval = timedelta(seconds=time_span(text))
        if not interval:
            raise HostSettingsError(f"the interval {text!r} is zero")
        return lambda after: after + interval
    fields = text.split()
    if len(fields) == _FIELDS_WITH_SECONDS - 1:
        fields.insert(0, "0")
    if len(fields) != _FIELDS_WITH_SECONDS or not all(_FIELD.fullmatch(field) for field in fields):
        raise HostSettingsError(
            f"{text!r} is not an NCRONTAB expression: write six fields, {{second}} {{minute}} {{hour}} "
            "{day} {month} {day-of-week}, as in '0 */5 * * * *'"
        )
    from croniter import croniter  # type: ignore[import-untyped]  # noqa: PLC0415 - only apps with timers pay; it ships no types

    expression = " ".join(fields)

    def following(after: datetime) -> datetime:
        # NCRONTAB wants the day of month AND the day of week, where cron is content with either.
        found = croniter(expression, after, second_at_beginning=True, day_or=False)
        following: datetime = found.get_next(datetime)
        return following

    try:
        following(datetime.now(UTC))
    except ValueError as error:
        raise HostSettingsError(f"{text!r} is not an NCRONTAB expression: {error}") from None
    return following


class TimerState:
    """When each timer ran and runs next; kept in a file, if one is given, to notice a missed run."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._status: dict[str, dict[str, str]] = {}
        if file and file.exists():
            try:
                self._status = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                log.warning("%s is not JSON: timers start afresh", file)

    def status(self, function: str) -> dict[str, str] | None:
        """`Last`, `Next` and `LastUpdated` of a function, in ISO 8601; None: it never ran."""
        return self._status.get(function)

    def update(self, function: str, *, last: datetime, following: datetime) -> None:
        """Remember a run and the one after it."""
        self._status[function] = {
            "Last": last.isoformat(),
            "Next": following.isoformat(),
            "LastUpdated": last.isoformat(),
        }
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._status), encoding="utf-8")


class TimerTrigger:
    """One function's timer.

    Args:
        function: The function's name.
        schedule: When it runs.
        run_on_startup: Run also when the host starts.
        state: Where runs are remembered.
        invocations: Runs the function.
    """

    def __init__(
        self,
        function: str,
        schedule: Schedule,
        *,
        run_on_startup: bool,
        state: TimerState,
        invocations: Invocations,
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._run_on_startup = run_on_startup
        self._state = state
        self._invocations = invocations

    async def tick(self) -> None:
        """Run the function at its times until cancelled; never twice at once."""
        status = self._state.status(self._function)
        if status and datetime.fromisoformat(status["Next"]) < datetime.now(UTC):
            await self.run(past_due=True)
        elif self._run_on_startup:
            await self.run()
        while True:
            due = self._schedule(datetime.now(UTC))
            # A sleep is cut into pieces so that a machine that was asleep notices the time that went by.
            while (left := (due - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - it waits for a time
                await asyncio.sleep(min(left, _LONGEST_SLEEP))
            await self.run()

    async def run(self, *, past_due: bool = False) -> None:
        """Run the function now."""
        now = datetime.now(UTC)
        following = self._schedule(now)
        status = self._state.status(self._function)
        value = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status or {"Last": "0001-01-01T00:00:00+00:00", "Next": following.isoformat()},
            "IsPastDue": past_due,
        }
        self._state.update(self._function, last=now, following=following)
        await self._invocations.run(
            self._function, TypedData(json=json.dumps(value)), reason=f"Timer fired at {now.isoformat()}"
        )
