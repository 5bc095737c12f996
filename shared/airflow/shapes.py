"""The documented forms of Airflow's responses.

A proxy, a gateway or a login page can send any status with any body. So a response counts as Airflow's only
if it has Airflow's form and names the object of the request. Each function checks one form of one
`AirflowResponse`, and raises for no body.

Sources: API v2 (Airflow 3.0 to 3.4) `airflow/api_fastapi/core_api/datamodels`, `.../routes/public` and
`airflow/api_fastapi/common/exceptions.py`; API v1 (Airflow 2.9 to 2.11) `airflow/api_connexion/exceptions.py`
and `.../openapi/v1.yaml` (`Error`: type, title and status are required). Starlette and FastAPI answer
`{"detail": …}`, also for the auth managers of Airflow 3; connexion answers problem+json, also for the auth
managers of Airflow 2.
"""

import re
from typing import Final

from shared.airflow.response import AirflowResponse
from shared.values.json_text import Json, JsonObject

_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:[.+a-z-].*)?", re.DOTALL)
_PROBLEM: Final = frozenset({"type", "title", "status", "detail", "instance"})
_DATABASE_ERROR: Final = ("reason", "statement", "orig_error")
_IMPORT_ERRORS: Final = "has import errors"
_OK: Final = range(200, 300)


def version_of(answer: AirflowResponse) -> str:
    """Return the version in a response to the question for the version; empty if it has none.

    API v2 is the API of Airflow 3 and later, API v1 the API of Airflow 2: another number under one of these
    paths comes from another service.
    """
    given = _body(answer).get("version") if answer.status == 200 else None
    found = _VERSION.fullmatch(given) if isinstance(given, str) else None
    if found is None or not isinstance(given, str):
        return ""
    fits = int(found[1]) <= 2 if answer.question.api == "v1" else int(found[1]) >= 3
    return given[:40] if fits else ""


def version_numbers(version: str) -> tuple[int, int]:
    """Return a version's first two numbers; zeros if it has none."""
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def is_our_run(answer: AirflowResponse) -> bool:
    """Return whether a 2xx response is the requested DAG run: its two ids, and a state.

    An echo of our request has no `dag_id` and no `state`.
    """
    return _good(answer) and _is_run(answer.body, answer.question.dag_id, run_id=answer.question.dag_run_id)


def is_run_list(answer: AirflowResponse) -> bool:
    """Return whether a 2xx response is a list of runs of the requested DAG; it may be empty."""
    runs = _body(answer).get("dag_runs")
    return (
        _good(answer) and isinstance(runs, list) and all(_is_run(run, answer.question.dag_id) for run in runs)
    )


def is_our_dag(answer: AirflowResponse) -> bool:
    """Return whether a 2xx response is the requested DAG."""
    body = _body(answer)
    return _good(answer) and body.get("dag_id") == answer.question.dag_id and "is_paused" in body


def answers(answer: AirflowResponse) -> bool:
    """Return whether a 2xx response has the documented form for the question."""
    match answer.question.what:
        case "start" | "run":
            return is_our_run(answer)
        case "runs":
            return is_run_list(answer)
        case "dag":
            return is_our_dag(answer)
        case "version":
            return version_of(answer) != ""
        case "refusal":
            return False
        case _:
            return _good(answer) and answer.body is not None


def is_error(answer: AirflowResponse) -> bool:
    """Return whether a response has the form of an error of the API version."""
    body = answer.body
    if not body:
        return False
    if answer.question.api == "v1":
        return (
            body.keys() <= _PROBLEM
            and isinstance(body.get("type"), str)
            and isinstance(body.get("title"), str)
            and body.get("status") == answer.status
            and isinstance(body.get("detail"), str | None)
        )
    return body.keys() == {"detail"} and _is_detail(body["detail"])


def is_conflict(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's 409: another run has the run id or the logical date."""
    if answer.status != 409 or not is_error(answer):
        return False
    detail = _body(answer).get("detail")
    if answer.question.api == "v1":
        return isinstance(detail, str)
    return isinstance(detail, dict) and all(isinstance(detail.get(name), str) for name in _DATABASE_ERROR)


def is_our_conflict(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's 409 and quotes our run id: then our run exists.

    Airflow 2 quotes it. Airflow 3 quotes it only if the database does and `[api] expose_stacktrace` is set;
    its statement names columns, so only the database's message counts.
    """
    if not is_conflict(answer):
        return False
    detail = _body(answer).get("detail")
    return _quotes(
        detail.get("orig_error") if isinstance(detail, dict) else detail, answer.question.dag_run_id
    )


def is_date_conflict(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow 2's 409 for the logical date: it does not quote our run id."""
    return answer.question.api == "v1" and is_conflict(answer) and not is_our_conflict(answer)


def is_dag_run_not_found(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's 404 about the run that was looked up."""
    asked = answer.question
    return asked.what == "run" and _is_not_found(answer) and _names(answer, asked.dag_run_id)


def is_dag_not_found(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's 404 about the DAG."""
    return (
        _is_not_found(answer) and _names(answer, answer.question.dag_id) and not is_dag_run_not_found(answer)
    )


def is_import_errors(answer: AirflowResponse) -> bool:
    """Return whether Airflow refuses a run because the DAG's file has import errors.

    Only this refusal of a run ends when the file is fixed, and only its message identifies it.
    """
    said = _body(answer).get("detail")
    return (
        is_refusal(answer)
        and isinstance(said, str)
        and _IMPORT_ERRORS in said
        and _names(answer, answer.question.dag_id)
    )


def is_refusal(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's refusal of a request: 400, and in API v2 also 422."""
    statuses = {400} if answer.question.api == "v1" else {400, 422}
    return answer.question.what in {"start", "refusal"} and answer.status in statuses and is_error(answer)


def is_forbidden(answer: AirflowResponse) -> bool:
    """Return whether a response is Airflow's 403."""
    return answer.status == 403 and is_error(answer)


def _good(answer: AirflowResponse) -> bool:
    return answer.status in _OK and not answer.error


def _body(answer: AirflowResponse) -> JsonObject:
    return answer.body or {}


def _is_run(run: Json, dag_id: str, *, run_id: str | None = None) -> bool:
    """Return whether a value is a DAG run of a DAG; its conf is not checked."""
    if not isinstance(run, dict) or not dag_id or run_id == "":
        return False
    named = run.get("dag_run_id")
    known = isinstance(named, str) and named != "" if run_id is None else named == run_id
    state = run.get("state")
    return known and run.get("dag_id") == dag_id and isinstance(state, str) and state != ""


def _is_detail(detail: Json) -> bool:
    """Return whether a value can be FastAPI's or Airflow 3's `detail`: text, an object, or a list."""
    if isinstance(detail, list):
        return bool(detail) and all(
            isinstance(each, dict) and {"loc", "msg"} <= each.keys() for each in detail
        )
    if isinstance(detail, dict):
        return isinstance(detail.get("reason"), str)
    return isinstance(detail, str) and detail != ""


def _is_not_found(answer: AirflowResponse) -> bool:
    return answer.status == 404 and is_error(answer)


def _names(answer: AirflowResponse, name: str) -> bool:
    """Return whether an error's message names something; Airflow 2 may have the whole message in `title`."""
    body = _body(answer)
    detail = body.get("detail")
    said = detail.values() if isinstance(detail, dict) else (detail, body.get("title"))
    return any(_quotes(part, name) for part in said)


def _quotes(text: Json, name: str) -> bool:
    """Return whether a text holds a whole name, and not only as a part of a longer one."""
    if not isinstance(text, str) or not name:
        return False
    return re.search(rf"(?<![\w.~:+-]){re.escape(name)}(?![\w~:+-]|\.\w)", text) is not None
