"""Reads the times and outcomes of events from the Functions host's log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from local.functions_host.logs import app_line
from shared.values.json_text import JsonObject

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_KEPT: Final = 1.0
"""If the hop took fewer milliseconds, the token was cached."""


@dataclass(frozen=True, slots=True)
class Told:
    """One outcome, from the app's log line (`shared/log.py`).

    Attributes:
        function: The function that got the event.
        received: When the host called the function.
        ended: When the app wrote the line.
        rule: The rule's name.
        outcome: `started`, `duplicate`, …
        event: The event's id.
        dag: The DAG's id.
        run: The DAG run's id.
        reason: The reason in words, if the outcome has one.
        milliseconds: The duration of each hop, by name.
    """

    function: str
    received: datetime
    ended: datetime
    rule: str
    outcome: str
    event: str
    dag: str
    run: str
    reason: str
    milliseconds: Mapping[str, float]

    def since(self, start: datetime) -> list[tuple[str, float]]:
        """Return the times in the line, each in milliseconds since `start`.

        The log has durations, so the token's time is the end of its hop. A cached token is left out.
        """
        began = self.ended - timedelta(milliseconds=self.milliseconds.get("total", 0))
        decided = began + timedelta(milliseconds=self.milliseconds.get("decide", 0))
        token = decided + timedelta(milliseconds=self.milliseconds.get("token", 0))
        moments = [("received", self.received), ("token", token), (self.outcome, max(self.ended, token))]
        return [
            (name, (moment - start).total_seconds() * 1000)
            for name, moment in moments
            if name != "token" or self.milliseconds.get("token", 0) >= _KEPT
        ]


def outcomes(log: Path) -> Iterator[Told]:
    """Yield all outcomes in a log of the local Functions host, oldest first.

    Args:
        log: The file that `python -m local.functions_host --log-file` writes, one JSON object a line.
    """
    called: dict[str, datetime] = {}
    for record in _records(log):
        moment = datetime.fromisoformat(record["timestamp"])
        invocation = str(record.get("invocation_id") or "")
        received = called.setdefault(invocation, moment)
        found = app_line(str(record["message"]))
        if found is not None and "outcome" in found:
            yield _told(found, str(record.get("function") or ""), received, moment)


def reported(log: Path, run: str) -> datetime | None:
    """Return when the app logged the report of a run; None if the log does not have it yet."""
    for record in _records(log):
        found = app_line(str(record["message"]))
        if found is not None and "report" in found and found.get("run") == run:
            return datetime.fromisoformat(record["timestamp"])
    return None


def last_error(log: Path, *, since: datetime = _BEGINNING) -> str:
    """Return the last error in a log, without its traceback; empty if there are no errors.

    Args:
        log: As for `outcomes`.
        since: Earlier errors are left out; the log's times are in milliseconds.
    """
    begin = since.replace(microsecond=since.microsecond // 1000 * 1000)
    errors = [
        str(record["message"])
        for record in _records(log)
        if record.get("level") == "ERROR" and datetime.fromisoformat(record["timestamp"]) >= begin
    ]
    if not errors:
        return ""
    ours = app_line(errors[-1])
    return str(ours["message"]) if ours else errors[-1].partition("\nTraceback")[0]


def moment(text: str | None) -> datetime:
    """Read an RFC 3339 time; an empty text is the earliest time."""
    return datetime.fromisoformat(text) if text else _BEGINNING


def _records(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the host has not finished the last line
        yield record


def _told(fields: JsonObject, function: str, received: datetime, ended: datetime) -> Told:
    hops = fields.get("milliseconds")
    return Told(
        function=function,
        received=received,
        ended=ended,
        rule=str(fields.get("rule", "")),
        outcome=str(fields["outcome"]),
        event=str(fields.get("event", "")),
        dag=str(fields.get("dag", "")),
        run=str(fields.get("run", "")),
        reason=str(fields.get("reason", "")),
        milliseconds={name: float(str(value)) for name, value in hops.items()}
        if isinstance(hops, dict)
        else {},
    )
