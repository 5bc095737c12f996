"""Airflow's answers in the forms that it documents, for stand-ins and tests."""

from typing import Any, Final

from local.stand_ins.loopback_server import Reply
from shared.values.json_text import JsonObject
from tests.support.delivery import DAG, RUN_ID

_LINK: Final = (
    "https://airflow.apache.org/docs/apache-airflow/2.11.0/stable-rest-api-ref.html#section/Errors/"
)
_TITLES: Final = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
_NAMES: Final = {400: "BadRequest", 403: "PermissionDenied", 404: "NotFound", 409: "AlreadyExists"}


def problem(status: int, detail: str, title: str = "") -> Reply:
    """Return an error of Airflow 2's: problem+json, with a link to its documentation."""
    body: JsonObject = {
        "detail": detail,
        "status": status,
        "title": title or _TITLES[status],
        "type": _LINK + _NAMES[status],
    }
    return Reply(status, body, {"Content-Type": "application/problem+json"})


def id_taken(dag_id: str = DAG, run_id: str = RUN_ID) -> Reply:
    """Return Airflow 2's 409 for the run id."""
    return problem(409, f"DAGRun with DAG ID: '{dag_id}' and DAGRun ID: '{run_id}' already exists")


def date_taken(dag_id: str = DAG, *, named: str = "logical date") -> Reply:
    """Return Airflow 2's 409 for the date; before 2.3 it named the `ExecutionDate`."""
    return problem(
        409, f"DAGRun with DAG ID: '{dag_id}' and DAGRun {named}: '2026-11-01 00:00:00+00:00' already exists"
    )


def unique_violation(orig_error: str = "hidden") -> Reply:
    """Return Airflow 3's 409; `orig_error` is the database's where `[api] expose_stacktrace` is set."""
    detail: JsonObject = {
        "reason": "Unique constraint violation",
        "statement": "hidden" if orig_error == "hidden" else "INSERT INTO dag_run (dag_id, run_id) …",
        "orig_error": orig_error,
        "message": "Serious error when handling your request. Check logs for more details - you will find "
        "it in api server when you look for ID made-up",
    }
    return Reply(409, {"detail": detail})


def run_of(dag_id: str = DAG, run_id: str = RUN_ID, **members: Any) -> JsonObject:
    """Return a DAG run as both APIs show it."""
    run: JsonObject = {"dag_run_id": run_id, "dag_id": dag_id, "state": "queued", "run_type": "manual"}
    return {**run, **members}
