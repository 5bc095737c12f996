"""Only a response in Airflow's form counts as an outcome; any other never does, with any status.

Statuses with every kind of body go through the transport in this process, as urllib3's own response;
a random part of them goes over the wire.
"""

import gzip
import io
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.admission.breaker import Breaker
from shared.airflow.client import AirflowClient
from shared.airflow.failure_table import AnswerClass, classify
from shared.airflow.response import AirflowResponse
from shared.airflow.transport import HeaderTransport
from shared.delivery.attempts import Attempts
from shared.delivery.outcomes import Wait
from shared.delivery.policy import Budget
from shared.delivery.target import Target
from tests.support.attacks import LONG
from tests.support.clocks import MonotonicClock
from tests.support.delivery import DAG, RUN_ID, Tokens, client_of, conf, connection_to, run_request
from tests.support.in_memory import FixedLimiter

type Api = Literal["auto", "v1", "v2"]

PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please</body></html>"
NAMED: Final = f"{DAG} and {RUN_ID} not found, has import errors, already exists"
JSON: Final[dict[str, Any]] = {
    "object": {"status": "ok"},
    "nothing in it": {},
    "a gateway's error": {"error": {"code": "ServiceError", "message": NAMED}},
    "API Management's error": {"statusCode": 404, "message": "Resource not found"},
    "FastAPI's error": {"detail": "Not Found"},
    "an error that names all": {"detail": NAMED},
    "a validation error": {"detail": [{"loc": ["body"], "msg": NAMED, "type": "missing"}]},
    "a 409 of another table": {"detail": {"reason": "Unique constraint violation", "message": NAMED}},
    "an echo": {"dag_run_id": RUN_ID, "conf": conf(), "logical_date": None, "note": "x"},
    "an echo with the path": {"dag_run_id": RUN_ID, "dag_id": DAG, "conf": conf()},
    "another run": {"dag_run_id": "other", "dag_id": DAG, "state": "queued"},
    "a run of another DAG": {"dag_run_id": RUN_ID, "dag_id": "other", "state": "queued"},
    "another service's version": {"version": "1.2.3"},
    "array": [{"dag_run_id": RUN_ID, "dag_id": DAG, "state": "queued"}],
    "text in JSON": NAMED,
    "null": None,
}
BODIES: Final[dict[str, bytes]] = {
    "empty": b"",
    "text": NAMED.encode(),
    "HTML": PAGE,
    "gzip without a word": gzip.compress(PAGE),
    "deep": b'{"detail": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "deeper": b"[" * 100_000,
    "a megabyte of text": b"x" * 1_048_576,
    "a megabyte of JSON": json.dumps({"status": "x" * 1_048_000}).encode(),
    "huge": b"x" * 1_100_000,
    "invalid UTF-8": b'{"detail": "\xff"}',
    **{name: json.dumps(body).encode() for name, body in JSON.items()},
}
HEADERS: Final[dict[str, dict[str, str]]] = {
    "HTML": {"Content-Type": "text/html", "Retry-After": "Sun, 01 Nov 2026 12:05:00 +99999999999999999999"},
    "text": {"Retry-After": "9" * 400},
    "object": {"Retry-After": "1, 2, x"},
    "truncated": {"Content-Length": "99999"},
    "truncated gzip": {"Content-Encoding": "gzip"},
    "gzip": {"Content-Encoding": "gzip"},
}
ALL: Final = {
    **BODIES,
    "truncated": b'{"dag_run_id": "',
    "truncated gzip": gzip.compress(PAGE)[:-12],
    "gzip": gzip.compress(b'{"status": "ok"}'),
}
STATUSES: Final = [
    status for status in range(200, 600) if LONG or status in {*HTTPStatus} or status % 10 == 9
]
"""Every status in `make attacks`; otherwise each with a name, and some without."""
NO_OUTCOMES: Final = {
    AnswerClass.STARTED,
    AnswerClass.ANSWERED,
    AnswerClass.REJECTED,
    AnswerClass.DAG_NOT_FOUND,
}
ALLOWED: Final = {Wait.SOON, Wait.OPERATOR}


class Pool:
    """Replaces urllib3's pool manager, and gives the same response to every request.

    Attributes:
        reply: Gives a response's status and the kind of its body.
        asked: How many requests came.
    """

    def __init__(self, status: int, kind: str) -> None:
        self.status, self.kind = status, kind
        self.asked = 0

    def request(self, *_: Any, **__: Any) -> HTTPResponse:
        """Return the response, unread."""
        self.asked += 1
        return HTTPResponse(
            io.BytesIO(ALL[self.kind]),
            headers=HEADERS.get(self.kind, {}),
            status=self.status,
            preload_content=False,
            enforce_content_length=True,
        )


def client_at(pool: Pool, api: Api) -> AirflowClient:
    """Return a client whose requests end at the pool."""
    transport = HeaderTransport(connection_to("http://127.0.0.1:9"), Tokens())
    transport.wire.client().rest_client.pool_manager = pool
    return AirflowClient(transport, api)


def questions(client: AirflowClient, status: int) -> Iterator[AirflowResponse]:
    """Request a run and look one up; for some statuses also send all other requests."""
    yield client.start_run(run_request())
    yield client.get_run(DAG, RUN_ID)
    if status % 10 == 0 or status in {404, 405, 409, 422}:
        yield client.get_dag(DAG)
        yield client.newest_runs(DAG, "smoke__")
        yield client.try_start(DAG)


def deliver(client: AirflowClient, **changes: object) -> Wait | None:
    """Try a run like a delivery, and return the result."""
    clock = MonotonicClock()
    budget = Budget(deadline=clock() + 18, clock=clock, sleep=clock.sleep)
    target = Target(client, Breaker(clock=clock), FixedLimiter(1))
    return Attempts(target, run_request(**changes), budget).run().wait


@pytest.mark.parametrize("kind", sorted(ALL))
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_nothing_that_is_not_airflows_is_an_outcome(kind: str, api: Api) -> None:
    """Another server's body is never a run, a duplicate or a refusal, with any status, for POST and GET."""
    statuses = (
        STATUSES if len(ALL[kind]) < 4_000 else [*range(200, 206), 302, *range(400, 432), 460, 499, 503]
    )
    pool = Pool(200, kind)
    client = client_at(pool, api)
    for pool.status in statuses:
        for answer in questions(client, pool.status):
            row = classify(answer)
            assert row.answer_class not in NO_OUTCOMES, (pool.status, row.name)
            assert len(answer.message) <= 600
            assert answer.retry_after is None or 0 <= answer.retry_after <= 86_400


@settings(max_examples=150, deadline=None)
@given(
    status=st.sampled_from([*STATUSES]),
    kind=st.sampled_from(sorted(ALL)),
    api=st.sampled_from(["auto", "v1", "v2"]),
    date=st.sampled_from([None, "2026-11-01T00:00:00+00:00"]),
)
def test_no_delivery_ends_by_it(status: int, kind: str, api: Api, date: str | None) -> None:
    """A delivery to such a server is parked, with or without a logical date, for every response."""
    assert deliver(client_at(Pool(status, kind), api), logical_date=date) in ALLOWED


class Anybody(LoopbackServer):
    """A server that gives one answer to every request.

    Attributes:
        reply: The answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply(200)

    def handle(self, request: Request) -> Reply:
        """Answer."""
        return self.reply


@pytest.fixture(scope="module")
def anybody() -> Iterator[Anybody]:
    """The server."""
    with Anybody() as anybody:
        yield anybody


@settings(max_examples=60, deadline=None)
@given(
    status=st.sampled_from([each for each in STATUSES if each not in {204, 304}]),
    kind=st.sampled_from(sorted(set(ALL) - {"truncated"})),
    api=st.sampled_from(["auto", "v1", "v2"]),
)
def test_the_same_holds_on_the_wire(anybody: Anybody, status: int, kind: str, api: Api) -> None:
    """The results are the same over real sockets."""
    anybody.reply = Reply(status, ALL[kind], HEADERS.get(kind, {}))
    client = client_of(anybody.url, api=api, read_timeout=5)
    assert deliver(client) in ALLOWED


def test_auto_starts_nothing_without_a_version(anybody: Anybody) -> None:
    """A server that answers every path with 200 and some JSON is never asked for a run."""
    for body in ({"status": "ok"}, {}, {"message": "We are back soon"}, {"version": "9"}):
        anybody.reply = Reply(200, json.dumps(body))
        anybody.forget()
        client = client_of(anybody.url, api="auto")
        assert deliver(client) is Wait.OPERATOR
        assert anybody.count("POST") == 0
