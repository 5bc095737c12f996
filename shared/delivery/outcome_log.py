"""One log line per outcome: words for a person first, then one JSON object for a query.

The object is the last thing on the line and begins with the first ` {"rule"`, so that Application Insights
can take it apart: `extend o = parse_json(substring(message, indexof(message, '{"rule"')))`.
"""

import json
import logging
from typing import Final

from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.log import LOGGER

_LEVELS: Final = {OutcomeKind.PARKED: logging.WARNING, OutcomeKind.REJECTED: logging.ERROR}


def report(outcome: Outcome, *, alarm: bool = False) -> None:
    """Log how a delivery ended. Nothing in an outcome is secret, and nothing else is logged.

    Args:
        outcome: How it ended.
        alarm: A person has to act, though the event is safe: logged as an error.
    """
    level = logging.ERROR if alarm else _LEVELS.get(outcome.kind, logging.INFO)
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s %s", words(outcome), json.dumps(fields(outcome)))


def words(outcome: Outcome) -> str:
    """Return the outcome as one sentence on one line."""
    parts = [outcome.kind.value + ":"]
    if outcome.rule:
        parts.append(f"rule {outcome.rule}")
    if outcome.dag_id:
        parts.append(f"run {outcome.dag_run_id} of DAG {outcome.dag_id} on {outcome.connection}")
    if outcome.event_id:
        parts.append(f"for event {outcome.event_id}")
    if "total" in outcome.milliseconds:
        parts.append(f"in {outcome.milliseconds['total']:.0f} ms")
    if outcome.retry_in is not None:
        parts.append(f"again in {outcome.retry_in:.0f} s")
    sentence = " ".join(parts) + (f": {outcome.reason}" if outcome.reason else "")
    return " ".join(sentence.encode(errors="replace").decode().split())


def fields(outcome: Outcome) -> dict[str, object]:
    """Return the outcome as one JSON object, absent members left out."""
    known = {
        "rule": outcome.rule,
        "outcome": outcome.kind.value,
        "event": outcome.event_id or None,
        "connection": outcome.connection or None,
        "dag": outcome.dag_id or None,
        "run": outcome.dag_run_id or None,
        "status": outcome.status,
        "attempt": outcome.attempt,
        "code": outcome.code or None,
        "reason": outcome.reason or None,
        "retry_in": None if outcome.retry_in is None else round(outcome.retry_in, 1),
        "milliseconds": {hop: round(value, 1) for hop, value in outcome.milliseconds.items()} or None,
    }
    return {name: value for name, value in known.items() if value is not None}
