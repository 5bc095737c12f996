"""What a caller is told about a run: where it is found, or by one word why there is none.

The reason is in the log alone: it may quote the operator's templates and Airflow's own words.
"""

from typing import Final

from shared.airflow.links import links
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.rules import Rules
from shared.runs.ref import RunRef
from shared.values.json_text import JsonObject

WITHOUT_RUN: Final = frozenset({OutcomeKind.UNMATCHED, OutcomeKind.REJECTED, OutcomeKind.SUPERSEDED})
"""The outcomes after which there is no run."""


def run_reply(outcome: Outcome, rules: Rules) -> JsonObject:
    """Return where a run is found, the same however often it was asked for; or the code of why there is none.

    Args:
        outcome: What happened to the event at one rule.
        rules: The rules in force.
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
