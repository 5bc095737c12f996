"""The state of one DAG in Airflow, and the findings for the rules that start its runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.airflow_commands import unpause, where_airflow_runs
from cli.findings import Finding
from shared.delivery.paused_dags import Scheduling, scheduling_of
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.rules import Connection, Rule

REPORTS_TAG: Final = "updraft-reports"
"""The tag of a DAG whose runs report their end. Airflow's API does not show the callbacks of a DAG, so the
package in for_airflow/ sets the tag (`updraft_airflow/policy.py`), or the author of the DAG does."""
_OK: Final = 200
_FILES_SHOWN: Final = 3
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+)')
"""A frame of a Python trace: the file and the line."""


@dataclass(frozen=True, slots=True)
class DagState:
    """The state of a DAG that exists.

    Attributes:
        dag_id: Its id.
        scheduling: Whether its runs would wait, or delay its drain.
        stale: Whether its file is gone, so that no run can be started.
        manual: Whether it allows manual runs; a DAG may allow only its schedule.
        reports: Whether its runs report their end.
        import_error: Why its file cannot be imported; None if it can.
        params: Its params by name, each with its default and its JSON Schema; None if they are unknown.
    """

    dag_id: str
    scheduling: Scheduling = Scheduling.ACTIVE
    stale: bool = False
    manual: bool = True
    reports: bool = True
    import_error: str | None = None
    params: Mapping[str, Json] | None = None

    def silent(self, rules: "Sequence[Rule]") -> tuple[str, ...]:
        """Return the rules that wait for a report that the runs of this DAG do not send."""
        if self.reports or self.stale or self.import_error is not None:
            return ()
        return tuple(rule.name for rule in rules if rule.spec.track == "callback")

    def findings(self, connection: "Connection", rules: "Sequence[Rule]") -> Iterator[Finding]:
        """Yield a finding for each reason that keeps its runs from beginning.

        Args:
            connection: The connection.
            rules: The rules that start its runs.
        """
        names = tuple(rule.name for rule in rules)

        def finding(code: str, message: str, fix: str, command: str = "", *, held: bool = False) -> Finding:
            severity: Final = "warning" if held else "error"
            return Finding(code, message, fix, command, severity, connection.name, (self.dag_id,), names)

        dag = f"DAG `{self.dag_id}`"
        held = all(rule.spec.when_paused == "hold" for rule in rules)
        if self.import_error is not None:
            message = f"the file of {dag} cannot be imported: {self.import_error}"
            fix = "fix the file, and look for its error"
            check, page = "airflow dags list-import-errors", " (Dag Import Errors)"
            yield finding("DagImportError", message, *where_airflow_runs(connection, fix, check, page))
        elif self.stale:
            message = f"{dag} is no longer in any file that Airflow reads"
            yield finding("DagStale", message, "deploy its file again, or change `start.dag`")
        if not self.manual:
            message = f"{dag} does not allow manual runs"
            yield finding("DagNotManual", message, "add `manual` to its `allowed_run_types`")
        page = f"/dags/{self.dag_id}"
        if self.scheduling is Scheduling.PAUSED:
            message = f"{dag} is paused, so no run of it begins"
            fix, command = where_airflow_runs(connection, "unpause it", unpause(self.dag_id), page)
            yield finding("DagPaused", message, fix, command, held=held)
        if self.scheduling is Scheduling.DRAINING:
            message = f"{dag} is draining, and each new run delays that; then it is paused"
            fix, command = where_airflow_runs(connection, "end the drain", unpause(self.dag_id), page)
            hold = "" if held else "write `when_paused: hold` in the rules, or "
            yield finding("DagDraining", message, f"{hold}{fix}", command, held=held)


def state_of(client: "AirflowClient", dag: JsonObject) -> DagState:
    """Return the state of a DAG; some of it takes further requests to Airflow.

    Args:
        client: The Airflow.
        dag: The DAG, as its API describes it.
    """
    from shared.airflow.transport import segment

    dag_id = str(dag["dag_id"])
    details = client.get(f"/dags/{segment(dag_id)}/details")
    params = details.body.get("params") if details.status == _OK and details.body else None
    run_types = dag.get("allowed_run_types")
    return DagState(
        dag_id,
        scheduling=scheduling_of(dag) or Scheduling.ACTIVE,
        stale=dag.get("is_stale") is True or dag.get("is_active") is False,
        manual=not isinstance(run_types, list) or "manual" in run_types,
        reports=REPORTS_TAG in _tags(dag),
        import_error=_import_error(client, dag) if dag.get("has_import_errors") is True else None,
        params=params if isinstance(params, dict) else None,
    )


def missing_dag(client: "AirflowClient", connection: str, dag_id: str, rules: "Sequence[Rule]") -> Finding:
    """Return the finding for a DAG that does not exist; arguments as elsewhere in this module."""
    files = _names(client.get("/importErrors?limit=100"), "import_errors", "filename")[:_FILES_SHOWN]
    also = f"; it may be in a file that cannot be imported there: {', '.join(files)}" if files else ""
    near = did_you_mean(dag_id, known_dags(client))
    return Finding(
        "DagNotFound",
        f"there is no DAG `{dag_id}`{near}{also}",
        "deploy it, or change `start.dag`",
        connection=connection,
        dags=(dag_id,),
        rules=tuple(rule.name for rule in rules),
    )


def known_dags(client: "AirflowClient") -> list[str]:
    """Return the ids of the DAGs that this identity may read."""
    return _names(client.get("/dags?limit=100"), "dags", "dag_id")


def _import_error(client: "AirflowClient", dag: JsonObject) -> str:
    """Return why a DAG's file cannot be imported: the last line of the trace, and the line of the file.

    Airflow shows a trace only to an identity that may read import errors; without it, only the file is named.
    """
    answer = client.get("/importErrors?limit=100")
    for found in _members(answer, "import_errors"):
        if found.get("filename") in (dag.get("relative_fileloc"), dag.get("fileloc")):
            return _last_of(str(found.get("stack_trace", "")), str(found["filename"]))
    file = dag.get("relative_fileloc") or dag.get("fileloc") or "its file"
    return f"{file}; Airflow does not show the error to this identity"


def _last_of(trace: str, file: str) -> str:
    """Return a file, the last of its lines in a trace, and the error."""
    lines = trace.strip().splitlines()
    own = [found[2] for found in _FRAME.finditer(trace) if found[1].endswith(file)]
    place = f"{file}, line {own[-1]}" if own else file
    return f"{place}: {lines[-1].strip() if lines else 'no trace'}"


def _tags(dag: JsonObject) -> list[Json]:
    tags = dag.get("tags")
    return [tag.get("name") for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []


def _names(answer: "AirflowResponse", listed: str, name: str) -> list[str]:
    return [str(member[name]) for member in _members(answer, listed) if name in member]


def _members(answer: "AirflowResponse", listed: str) -> list[JsonObject]:
    """Return the objects of a listing; an empty list if it may not be read."""
    members = answer.body.get(listed) if answer.status == _OK and answer.body is not None else None
    return [each for each in members if isinstance(each, dict)] if isinstance(members, list) else []
