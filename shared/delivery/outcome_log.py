"""One log line per outcome: a JSON object with a sentence for people, and members for queries.

Only these lines have the member `outcome`. docs/monitoring.md explains the members and has the queries.
"""

import logging
from typing import Final

from shared.codes import HELP
from shared.delivery.hops import TOTAL, WAITED
from shared.delivery.outcomes import Outcome, OutcomeKind, Wait
from shared.log import FIELDS, LOGGER
from shared.values.wording import MAX_SHOWN, duration_text
from shared.visible_text import visible

_LEVELS: Final = {OutcomeKind.PARKED: logging.WARNING, OutcomeKind.REJECTED: logging.ERROR}


def report(outcome: Outcome) -> None:
    """Log an outcome. An outcome contains no secrets."""
    level = level_of(outcome)
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", words(outcome), extra={FIELDS: fields(outcome)})


def level_of(outcome: Outcome) -> int:
    """Return the level of an outcome's line: an error if operator action is needed."""
    return logging.ERROR if outcome.wait is Wait.OPERATOR else _LEVELS.get(outcome.kind, logging.INFO)


def words(outcome: Outcome) -> str:
    """Return the outcome as one sentence, with a link to the code of a parked or rejected event."""
    parts = []
    if outcome.rule:
        parts.append(f"rule {outcome.rule}")
    if outcome.dag_id:
        parts.append(f"run {outcome.dag_run_id} of DAG {outcome.dag_id} on {outcome.connection}")
    if outcome.event_id:
        parts.append(f"for event {visible(outcome.event_id, MAX_SHOWN)}")
    elif outcome.via and outcome.via != "unknown":
        parts.append(f"a body that came by {outcome.via}")
    if TOTAL in outcome.milliseconds:
        parts.append(f"in {outcome.milliseconds[TOTAL]:.0f} ms")
    if outcome.kind is not OutcomeKind.PARKED and outcome.waits:
        parts.append(f"after a wait of {duration_text(outcome.milliseconds.get(WAITED, 0) / 1000)}")
    if outcome.retry_in is not None:
        parts.append(f"{'and ' if parts else ''}waits for a retry in {outcome.retry_in:.0f} s")
    reason = outcome.reason
    if outcome.unmatched is not None:
        near = outcome.unmatched
        reason = f"nearest rule {near.rule}: {near.reason}" if near.rule else near.reason
    sentence = ": ".join(filter(None, (outcome.kind.value, " ".join(parts), reason)))
    if outcome.kind in _LEVELS and outcome.code:
        sentence += f"; see {HELP}{outcome.code}"
    return visible(sentence)


def fields(outcome: Outcome) -> dict[str, object]:
    """Return the members of an outcome's line, without those that have no value."""
    near = outcome.unmatched
    known = {
        "rule": outcome.rule,
        "outcome": outcome.kind.value,
        "event": outcome.event_id or None,
        "type": outcome.event_type or None,
        "source": outcome.source or None,
        "connection": outcome.connection or None,
        "dag": outcome.dag_id or None,
        "run": outcome.dag_run_id or None,
        "status": outcome.status,
        "attempt": outcome.attempt,
        "waits": outcome.waits or None,
        "code": outcome.code or None,
        "cause": outcome.cause or None,
        "reason": (near.reason if near else outcome.reason) or None,
        "nearest": near.rule if near and near.rule else None,
        "retry_in": None if outcome.retry_in is None else round(outcome.retry_in, 1),
        "milliseconds": {hop: round(value, 1) for hop, value in outcome.milliseconds.items()} or None,
    }
    return {name: value for name, value in known.items() if value is not None}
