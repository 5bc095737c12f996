"""One log line per outcome: a JSON object with a sentence for a person, and members for a query.

`shared/log.py` makes the object. A query takes it apart with `extend o = parse_json(message)`, and tells the
lines of outcomes by the member `outcome`, which no other line has.
"""

import logging
from typing import Final

from shared.codes import HELP
from shared.delivery.outcomes import Outcome, OutcomeKind, Wait
from shared.log import FIELDS, LOGGER
from shared.values.wording import MAX_SHOWN
from shared.visible_text import visible

_LEVELS: Final = {OutcomeKind.PARKED: logging.WARNING, OutcomeKind.REJECTED: logging.ERROR}


def report(outcome: Outcome) -> None:
    """Log how a delivery ended. Nothing in an outcome is secret, and nothing else is logged.

    Where operator action is needed it is an error, though the event is safe.
    """
    level = logging.ERROR if outcome.wait is Wait.OPERATOR else _LEVELS.get(outcome.kind, logging.INFO)
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", words(outcome), extra={FIELDS: fields(outcome)})


def words(outcome: Outcome) -> str:
    """Return the outcome as one sentence; of one that waits or failed, also where its code is explained."""
    parts = [outcome.kind.value + ":"]
    if outcome.rule:
        parts.append(f"rule {outcome.rule}")
    if outcome.dag_id:
        parts.append(f"run {outcome.dag_run_id} of DAG {outcome.dag_id} on {outcome.connection}")
    if outcome.event_id:
        parts.append(f"for event {visible(outcome.event_id, MAX_SHOWN)}")
    if "total" in outcome.milliseconds:
        parts.append(f"in {outcome.milliseconds['total']:.0f} ms")
    if outcome.retry_in is not None:
        parts.append(f"again in {outcome.retry_in:.0f} s")
    sentence = " ".join(parts) + (f": {outcome.reason}" if outcome.reason else "")
    if outcome.kind in _LEVELS and outcome.code:
        sentence += f"; see {HELP}{outcome.code}"
    return visible(sentence)


def fields(outcome: Outcome) -> dict[str, object]:
    """Return the members of an outcome's line, absent ones left out."""
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
