import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from shared.airflow.failure_table import FAILURE_TABLE, AnswerClass, classify, explain, is_unauthorized
from shared.airflow.response import AirflowResponse, Question
from tests.support.delivery import DAG, RUN_ID, client_of, run_request
from tests.support.failure_cases import CASES, Case
from tests.support.paths import ROOT

DOCUMENT = ROOT / "docs" / "delivery.md"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_meets_its_row(case: Case) -> None:
    """The first answer to each case is classified by the row that the case names."""
    with AirflowStub((DAG,)) as stub:
        client = client_of(stub.url, read_timeout=1.0)
        for changes in case.before:
            assert client.start_run(run_request(**changes)).status == 200
        if case.fault is not None:
            case.fault(stub)
        assert classify(client.start_run(case.request())).name == case.row


def test_every_row_has_a_case() -> None:
    """Every row has a case, except rows of questions and one that no HTTP server can produce."""
    of_questions = {"Answered", "DagRunNotFound"}
    assert {row.name for row in FAILURE_TABLE} - {case.row for case in CASES} == {
        "UnknownStatus"
    } | of_questions


def test_names_are_unique() -> None:
    """A row's name, which dead letters have, is unique."""
    names = [row.name for row in FAILURE_TABLE]
    assert len(set(names)) == len(names)


def test_every_status_has_a_row() -> None:
    """The table has a row for every status, with and without JSON."""
    for status in range(100, 1000):
        for answer in (AirflowResponse(status=status), AirflowResponse(status=status, body={})):
            row = classify(answer)
            assert (row.name == "UnknownStatus") == (status < 200)
            assert row.answer_class is not AnswerClass.STARTED


def test_half_an_answer_is_none() -> None:
    """A response with an incomplete body is ambiguous, with any status."""
    for status in (200, 400, 401, 404, 409, 500):
        assert classify(AirflowResponse(status=status, error="reset")).name == "ConnectionLost"


@pytest.mark.parametrize(
    ("status", "detail", "stale"),
    [
        (401, "Not authenticated", True),
        (401, "Token Expired", True),
        (403, "Invalid JWT token", True),
        (403, "The access token is expired", True),
        (403, "Forbidden", False),
        (403, "", False),
        (403, "invalid_token", True),
        (400, "Invalid auth token: Signature has expired", False),
        (200, "Invalid JWT token", False),
    ],
)
def test_stale_tokens_are_told_from_missing_roles(status: int, detail: str, *, stale: bool) -> None:
    """401, and 403 about the token, renew it; any other 403 is a missing role."""
    assert is_unauthorized(AirflowResponse(status=status, body={"detail": detail})) is stale


def test_a_person_is_told_the_facts() -> None:
    """The reason has the row's sentence, the status, Airflow's message, and the host of a redirect."""
    refused = AirflowResponse(
        status=400,
        body={"detail": "Invalid input for param n"},
        question=Question("start", "v2", DAG, RUN_ID),
        version="3.3.2",
    )
    assert (
        explain(classify(refused), refused) == "Airflow refuses the run (HTTP 400): Invalid input for param n"
    )
    moved = AirflowResponse(status=302, location="https://login.example")
    assert explain(classify(moved), moved).endswith("(HTTP 302 to https://login.example)")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": "one\n two"}, "one two"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too small", "input": "secret"}]}, "body.n: too small"),
        (
            {"detail": {"reason": "Unique constraint violation", "orig_error": "(sql)"}},
            "Unique constraint violation",
        ),
        ({"detail": ["a", "b"]}, "a; b"),
        ({"detail": [{"loc": "body", "msg": "odd"}]}, "odd"),
        ({"detail": None, "message": "no route"}, "no route"),
        ({"detail": "", "title": "Not Found"}, "Not Found"),
        ({"error": "/api/v1 has been removed in Airflow 3"}, "/api/v1 has been removed in Airflow 3"),
        ({"error": {"code": "401", "message": "no subscription key"}}, "401: no subscription key"),
        ({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, "401"),
        ({"error": "invalid_client", "error_description": "AADSTS7000215"}, "invalid_client: AADSTS7000215"),
        ({"error_description": "alone"}, "alone"),
        ({"errors": [{"message": "first"}, {"detail": "second"}, "third"]}, "first; second; third"),
        ({"errors": {"conf": ["too large"]}}, ""),
        ({"msg": "Token has expired"}, "Token has expired"),
        (
            {"message": "<html><head><title>502 Bad Gateway</title></head></html>"},
            "a web page: 502 Bad Gateway",
        ),
        ({"error": {"error": {"error": {"error": {"error": {"error": {"error": {"error": 1}}}}}}}}, ""),
        ({"title": "Not Found"}, "Not Found"),
        ({}, ""),
        (None, "plain"),
    ],
)
def test_airflows_words_are_read_from_all_its_shapes(body: dict[str, object] | None, message: str) -> None:
    """A detail is a text, a list of validation errors without their input, or an object with a reason."""
    assert AirflowResponse(status=422, body=body, text="plain").message == message  # type: ignore[arg-type] # plain JSON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default backend - 404", "default backend - 404"),
        ("<html><head><title>403\n Forbidden</title></head><body>…", "a web page: 403 Forbidden"),
        ("<!DOCTYPE html><style>h1 {}</style><h1>Sign in</h1>" + "<p>x</p>" * 99, "a web page: Sign in"),
        ("<html><script>var a", "a web page"),
        ("<html>" + "lots of circles " * 99, "a web page: " + ("lots of circles " * 99)[:80]),
        ("a < b and b > c", "a < b and b > c"),
        ("<" * 600, "<" * 600),
        ("", ""),
    ],
)
def test_of_a_web_page_the_headline_is_told(text: str, message: str) -> None:
    """The reason has the headline of a page, and never the whole page."""
    assert AirflowResponse(status=404, text=text).message == message


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["detail", "message", "error", "errors", "msg", "loc", "reason", "code", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@example(body={"detail": {"loc": ["body", "a\nb"], "msg": "x"}})
@given(body=st.dictionaries(st.sampled_from(["detail", "error", "errors", "title", "message"]), JSON))
def test_any_error_has_words(body: dict[str, Any]) -> None:
    """The message of any error is one line of limited length."""
    message = AirflowResponse(status=400, body=body).message
    assert len(message) <= 600
    assert "\n" not in message


def test_the_words_are_bounded() -> None:
    """A long message of Airflow is cut off."""
    assert len(AirflowResponse(status=400, body={"detail": "x" * 99_999}).message) <= 600


def test_the_document_shows_the_table() -> None:
    """docs/delivery.md has exactly the table's rows, in its order."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [(row.name, row.when, row.answer_class.value, row.happens) for row in FAILURE_TABLE]
