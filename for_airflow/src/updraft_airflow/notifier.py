"""Two ways for a DAG to report to Updraft how its run ended.

`report_run()` is a last task: it runs on a worker, with that worker's identity, a log, and Airflow's retries.
`UpdraftNotifier()` is a callback of the DAG: it runs in the DAG processor just after the run's end, also if a
person ended the run or it timed out, but it is not called again if it fails. Use the task, and add the
notifier as `on_failure_callback` for runs whose last task does not run. Updraft stores a report only once.
"""

import logging
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.configuration import conf
from airflow.sdk import BaseNotifier, task
from airflow.sdk.exceptions import AirflowFailException

from updraft_airflow.addresses import listed
from updraft_airflow.callback import (
    CallbackError,
    Patience,
    RunReport,
    entra_token,
    read_callback,
    send_report,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

State = Literal["success", "failed"]

IN_THE_PROCESSOR = Patience(attempts=3, timeout=5.0, longest_delay=10.0)
"""Shorter than a task's: the process that runs DAG callbacks also parses DAG files, and ends after 50 s
(`dag_file_processor_timeout`). Updraft needs at most 10 s before it accepts a token with a new key."""

_FAILED = frozenset({"failed", "upstream_failed"})


class UpdraftNotifier(BaseNotifier):
    """Reports how a run ended; for a DAG's `on_success_callback` and `on_failure_callback`."""

    def __init__(self, *, state: State | None = None, patience: Patience = IN_THE_PROCESSOR) -> None:
        """Make the notifier.

        Args:
            state: The state to report; by default Airflow's state of the run.
            patience: How long to try.
        """
        super().__init__()
        self.state = state
        self.patience = patience

    def notify(self, context: "Context") -> None:
        """Send the report, if the run has to report.

        Raises:
            CallbackError: It was not accepted; Airflow logs it.
        """
        run = context.get("dag_run")
        if run is None:
            log.warning("Airflow gave no DAG run to this callback, so there is nothing to report")
            return
        reason = context.get("reason")
        state = self.state or _state(str(run.state), reason)
        _report(run, state, ended_at=run.end_date, detail=reason, patience=self.patience)


@task(trigger_rule="all_done", retries=3, retry_delay=timedelta(seconds=30))
def report_run(**context: Any) -> None:
    """Report how the run ended, as its last task; put it after the DAG's last tasks.

    The run failed if a task directly before this one failed: Airflow's rule for a DAG's last tasks. This task
    is now the last one, so it then fails too, and the run does not look successful.
    """
    run, instance = context["dag_run"], context["ti"]
    before = sorted(context["task"].upstream_task_ids)
    states: dict[str, Any] = {}
    if before:
        found = instance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id], task_ids=before)
        states = found.get(run.run_id, {})
    failed = sorted(name for name, state in states.items() if str(state) in _FAILED)
    detail = f"failed tasks: {', '.join(failed)}" if failed else None
    try:
        _report(run, "failed" if failed else "success", ended_at=None, detail=detail, patience=Patience())
    except CallbackError as exc:
        if exc.permanent:
            raise AirflowFailException(str(exc)) from None
        raise
    if failed:
        raise AirflowFailException(f"The run has {detail}")


def _report(
    run: Any,
    state: State,
    *,
    ended_at: datetime | None,
    detail: str | None,
    patience: Patience,
) -> None:
    callback = read_callback(run.conf)
    if callback is None:
        log.info("This run has no callback: nothing is reported")
        return
    scope = conf.get("updraft", "callback_scope", fallback="")
    report = RunReport(
        dag_id=run.dag_id,
        dag_run_id=run.run_id,
        state=state,
        started_at=run.start_date,
        ended_at=ended_at or datetime.now(timezone.utc),
        detail=detail,
    )
    send_report(
        callback,
        report,
        allowed=listed(conf.get("updraft", "callback_urls", fallback="")),
        own_token=partial(entra_token, scope) if scope else None,
        patience=patience,
    )
    log.info("Reported that the run ended as %s", state)


def _state(state: str, reason: str | None) -> State:
    """Return the run's state if it has ended, otherwise Airflow's reason for the callback."""
    if state in ("success", "failed"):
        return "success" if state == "success" else "failed"
    return "success" if reason == "success" else "failed"
