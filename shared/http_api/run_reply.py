"""The members of an answer about a run: its id and links, or the code of its outcome.

Only the log has the reason: it may quote the operator's templates and Airflow's messages.
"""

from typing import Final

from shared.airflow.links import links
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.rules import Rules
from shared.runs.ref import RunRef
from shared.values.json_text import JsonObject

WITHOUT_RUN: Final = frozenset({OutcomeKind.UNMATCHED, OutcomeKind.REJECTED, OutcomeKind.SUPERSEDED})
"""The outcomes without a run."""


def run_reply(outcome: Outcome, rules: Rules) -> JsonObject:
    """Return the id and links of a run, the same at each repetition; or the code of the outcome.

    Args:
        outcome: The outcome.
        rules: The current rules.
    """
    if outcome.kind in WITHOUT_RUN or outcome.connection not in rules.connections:
        return {"rule": outcome.rule, outcome.kind.value: outcome.code}
    run = RunRef(outcome.connection, outcome.dag_id, outcome.dag_run_id)
    return {
        "rule": outcome.rule,
        "connection": run.connection,
        "dag_id": run.dag_id,
        "dag_run_id": run.dag_run_id,
        "links": links(rules.connections[run.connection], run),
    }
