"""From a direct run to the request: what is asked of Airflow is computed from it and rules.yaml alone.

Whether its caller may still ask for it is not decided here, but when it is delivered
(`shared/delivery/rights.py`).
"""

from typing import Final

from shared.rules.model.callers import CallerSpec
from shared.runs.direct_run import DirectRun
from shared.runs.ids import CALL, run_id_for_event
from shared.runs.provenance import RESERVED, provenance_of_direct_run
from shared.runs.request import CallbackTerms, RunRequest
from shared.values.markdown_text import marked, note_text
from shared.values.wording import MAX_SHOWN

DEFAULT_LIFETIME: Final = 86_400
"""Seconds for which the token of a direct run is valid."""


def request_of(run: DirectRun, entry: CallerSpec) -> RunRequest:
    """Return what a direct run asks of Airflow.

    Args:
        run: What its caller asks for.
        entry: The entry of `callers` that allows it.
    """
    return RunRequest(
        rule=CALL,
        connection=run.connection,
        dag_id=run.dag_id,
        dag_run_id=run_id_for_event(CALL, run.source, run.id),
        conf={**run.conf, RESERVED: provenance_of_direct_run(run)},
        note=_note(run, entry.name),
        logical_date=run.logical_date,
        run_after=run.run_after,
        callback=CallbackTerms(DEFAULT_LIFETIME) if entry.track == "callback" else None,
    )


def _note(run: DirectRun, entry: str) -> str:
    """Return the run's note: people who find the run in Airflow's UI read there who asked for it."""
    who = marked(str(run.caller.get("object_id")))
    key = marked(run.id, MAX_SHOWN)
    note = f"Started by the caller `{entry}` of Updraft, object id {who}, with the key `{key}`."
    if run.note:
        note = f"{note} The caller's note: {marked(run.note)}"
    return note_text(note)
