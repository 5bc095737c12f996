"""The forms of Airflow's responses, with the responses of a real 2.11 and 3.3."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stand_ins.loopback_server import Reply
from shared.airflow import shapes
from shared.airflow.failure_table import classify
from shared.airflow.response import AirflowResponse, Question
from tests.support.airflow_answers import date_taken, id_taken, problem, run_of, unique_violation
from tests.support.delivery import DAG, RUN_ID

START: Final = {api: Question("start", api, DAG, RUN_ID) for api in ("v1", "v2")}
FORMS: Final = (
    shapes.is_conflict,
    shapes.is_date_conflict,
    shapes.is_error,
    shapes.is_forbidden,
    shapes.is_import_errors,
    shapes.is_dag_not_found,
    shapes.is_dag_run_not_found,
    shapes.is_our_conflict,
    shapes.is_our_dag,
    shapes.is_our_run,
    shapes.is_refusal,
    shapes.is_run_list,
    shapes.version_of,
)


def answer(reply: Reply, question: Question, *, version: str = "") -> AirflowResponse:
    """Return a reply as the answer to a question."""
    assert isinstance(reply.body, dict)
    return AirflowResponse(status=reply.status, body=reply.body, question=question, version=version)


def words(status: int, detail: object) -> Reply:
    """Return an error of Airflow 3's."""
    return Reply(status, {"detail": detail})  # type: ignore[dict-item] # plain JSON


def test_a_conflict_quotes_our_run_id_or_is_looked_up() -> None:
    """Airflow 2 names the taken value; Airflow 3 does if it shows the database's message."""
    postgres = f"DETAIL:  Key (dag_id, run_id)=({DAG}, {RUN_ID}) already exists."
    dated = f"DETAIL:  Key (dag_id, logical_date)=({DAG}, 2026-11-01 00:00:00+00) already exists."
    sqlite = "UNIQUE constraint failed: dag_run.dag_id, dag_run.run_id"
    mysql = f"Duplicate entry '{DAG}-{RUN_ID}' for key 'dag_run.dag_run_dag_id_run_id_key'"
    for api, reply, ours in (
        ("v1", id_taken(), True),
        ("v1", id_taken(run_id=RUN_ID + "1"), False),
        ("v1", date_taken(), False),
        ("v1", date_taken(named="ExecutionDate"), False),
        ("v2", unique_violation(), False),
        ("v2", unique_violation(postgres), True),
        ("v2", unique_violation(dated), False),
        ("v2", unique_violation(sqlite), False),
        ("v2", unique_violation(mysql), False),  # the two ids are joined: looked up
    ):
        found = answer(reply, START[api])
        assert shapes.is_conflict(found)
        assert shapes.is_our_conflict(found) is ours, reply
        assert not shapes.is_conflict(replace(found, question=START["v2" if api == "v1" else "v1"]))


@pytest.mark.parametrize(
    ("api", "reply", "row"),
    [
        ("v1", problem(404, f"DAG with dag_id: '{DAG}' not found", "DAG not found"), "DagNotFound"),
        ("v1", problem(400, f"DAG with dag_id: '{DAG}' has import errors"), "DagNotFound"),
        ("v1", problem(400, "{'conf': ['Not a valid mapping type.']}"), "BadRequest"),
        ("v1", problem(403, ""), "Forbidden"),
        ("v1", problem(404, "The requested URL was not found on the server."), "AirflowNotFound"),
        ("v1", words(400, "Invalid input"), "Blocked"),
        ("v2", words(404, f"Dag with dag_id: '{DAG}' not found"), "DagNotFound"),
        ("v2", words(404, f"DAG with dag_id: '{DAG}' not found"), "DagNotFound"),
        (
            "v2",
            words(404, {"reason": "not_found", "message": f"The Dag with ID: `{DAG}` was not found"}),
            "DagNotFound",
        ),
        ("v2", words(404, f"Dag with dag_id: '{DAG}_2' not found"), "AirflowNotFound"),
        ("v2", words(404, "Not Found"), "AirflowNotFound"),
        ("v2", words(405, "Method Not Allowed"), "AirflowNotFound"),
        (
            "v2",
            words(400, f"Dag with dag_id: '{DAG}' has import errors and cannot be triggered"),
            "DagNotFound",
        ),
        ("v2", words(400, f"DAG with dag_id: '{DAG}' has import errors"), "DagNotFound"),
        ("v2", words(400, "Invalid input for param n: 0 is less than the minimum of 1"), "BadRequest"),
        ("v2", words(422, [{"loc": ["body"], "msg": "Field required", "type": "missing"}]), "BadRequest"),
        ("v2", words(422, {"reason": "Value rejected by database", "message": "x"}), "BadRequest"),
        ("v2", words(422, []), "Blocked"),
        ("v2", words(403, "Forbidden"), "Forbidden"),
        ("v2", words(403, "Invalid JWT token"), "Unauthorized"),
        ("v2", Reply(403, {"statusCode": 403, "message": "no"}), "Blocked"),
        ("v2", Reply(400, {"detail": "no", "code": "bad_body"}), "Blocked"),
        ("v2", problem(400, "{'logical_date': ['Field may not be null.']}"), "Blocked"),
    ],
)
def test_each_error_has_its_row_in_its_own_api(api: str, reply: Reply, row: str) -> None:
    """The forms of the two APIs differ; without a version no form is an outcome."""
    found = answer(reply, START[api], version="3.3.2")
    assert classify(found).name == row
    if row in {"DagNotFound", "BadRequest"}:
        assert classify(replace(found, version="")).name in {"AirflowNotFound", "Blocked"}


@pytest.mark.parametrize(
    ("run", "ours"),
    [
        (run_of(), True),
        (run_of(state="a state of a later Airflow", conf=None), True),
        (run_of(state=None), False),
        (run_of(state=""), False),
        (run_of("other"), False),
        (run_of(run_id="other"), False),
        ({"dag_run_id": RUN_ID, "state": "queued"}, False),
        ({"dag_id": DAG, "state": "queued"}, False),
        ({}, False),
    ],
)
def test_a_run_is_ours_by_both_ids_and_has_a_state(run: dict[str, Any], *, ours: bool) -> None:
    """An echo of our request has no DAG and no state."""
    for api in ("v1", "v2"):
        found = answer(Reply(200, run), START[api])
        assert (classify(found).name == "Started") is ours
        assert classify(found).name in {"Started", "UnexpectedResponse"}
    assert not shapes.is_our_run(AirflowResponse(status=200, body=run))


@pytest.mark.parametrize(
    ("api", "version", "good"),
    [
        ("v2", "3.3.2", True),
        ("v2", "3.4.0b2", True),
        ("v2", "4.0", True),
        ("v2", "2.11.0", False),
        ("v1", "2.9.3+composer", True),
        ("v1", "2.11.0", True),
        ("v1", "3.0.0", False),
        ("v1", "1.10.15", True),
        ("v2", "v3", False),
        ("v2", "", False),
        ("v2", 3, False),
        ("v2", None, False),
        ("v2", "9" * 5_000 + ".0", False),
    ],
)
def test_a_version_fits_its_api(api: str, version: Any, *, good: bool) -> None:
    """Another version number under one of the two paths comes from another service."""
    question = Question("version", api)  # type: ignore[arg-type] # as the parameters have it
    found = AirflowResponse(status=200, body={"version": version}, question=question)
    assert (shapes.version_of(found) != "") is good


VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([DAG, RUN_ID, "queued", "3.3.2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["loc", "msg", "reason", "statement", "orig_error", "dag_run_id"]), inner
        )
    ),
    max_leaves=12,
)
MEMBERS: Final = [
    "detail",
    "type",
    "title",
    "status",
    "dag_id",
    "dag_run_id",
    "state",
    "dag_runs",
    "is_paused",
]


@given(
    status=st.integers(100, 999),
    body=st.none() | st.dictionaries(st.sampled_from([*MEMBERS, "version"]), VALUES),
    what=st.sampled_from(["start", "run", "runs", "dag", "version", "refusal", "other"]),
    api=st.sampled_from(["v1", "v2", ""]),
)
def test_every_form_is_decided_for_every_body(status: int, body: Any, what: Any, api: Any) -> None:
    """No body makes these functions raise, and a body without our ids is never a started run."""
    found = AirflowResponse(status=status, body=body, question=Question(what, api, DAG, RUN_ID))
    for form in FORMS:
        form(found)
    row = classify(found)
    named = body is not None and (body.get("dag_id"), body.get("dag_run_id")) == (DAG, RUN_ID)
    assert row.name != "Started" or (named and isinstance(body["state"], str))
