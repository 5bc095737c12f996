"""Amazon MWAA: the responses of AWS and of its Airflow, and runs whose path is too long."""

import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import Reply, Request
from shared.admission.breaker import Breaker
from shared.admission.permit_blobs import permits_of
from shared.airflow.auth.aws import AwsRole
from shared.airflow.client import AirflowClient
from shared.airflow.failure_table import AnswerClass, classify
from shared.airflow.mwaa import PAGE, PAGES, PATH_LIMIT, MwaaTransport
from shared.airflow.response import AirflowResponse
from shared.azure.credential import azure_credential
from shared.delivery.attempts import Attempts
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.policy import Budget
from shared.delivery.target import Target
from shared.http_api.run_reply import run_reply
from shared.rules import AwsAuth, Connection, load_rules
from shared.runs.request import RunRequest
from shared.values.json_text import JsonObject
from tests.support.aws_stub import AUDIENCE, ENVIRONMENT, REGION, ROLE, Mwaa, Sts, error, failure, wrapped
from tests.support.in_memory import FixedLimiter

if TYPE_CHECKING:
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import Watch


DAG = "smoke_tests"
RUN = "smoke-test-after-swap-3f8a2f0c9b1d4e5fa6b7c8d9e0f1a2b3"


class Scene:
    """An MWAA environment, and a client of it."""

    def __init__(self, sts: Sts, mwaa: Mwaa, clock: "UnixClock", **more: object) -> None:
        self.sts, self.mwaa = sts, mwaa
        auth = {
            "kind": "aws",
            "environment": ENVIRONMENT,
            "region": REGION,
            "role_arn": ROLE,
            "scope": f"{AUDIENCE}/.default",
            "sts_url": sts.url,
        }
        settings: dict[str, Any] = {"name": "mwaa", "url": mwaa.url, "auth": auth, "api": "v2", **more}
        self.connection = Connection.model_validate(settings)
        aws = self.connection.auths[0]
        assert isinstance(aws, AwsAuth)
        self.role = AwsRole(self.connection, aws, credential=azure_credential, clock=clock)
        self.client = AirflowClient(MwaaTransport(self.connection, self.role), self.connection.api)

    def start(
        self, run_id: str = RUN, *, dag_id: str = DAG, conf: JsonObject | None = None
    ) -> AirflowResponse:
        """Ask for a run."""
        return self.client.start_run(request(run_id, dag_id=dag_id, conf=conf))

    def sent(self) -> dict[str, Any]:
        """Return the last call."""
        return self.mwaa.calls[-1]


def request(run_id: str = RUN, *, dag_id: str = DAG, conf: JsonObject | None = None) -> RunRequest:
    """Return a request for a run."""
    identity: JsonObject = {"rule": "r", "event": {"id": run_id, "source": "s"}, "key": None}
    return RunRequest("r", "mwaa", dag_id, run_id, conf or {"site": "shop", "_updraft": identity})


def not_the_version(call: Request) -> bool:
    """Return whether a call is not the question for Airflow's version."""
    return b'"/version"' not in call.body


@pytest.fixture
def make(identity: IdentityEndpoint, watch: "Watch", clock: "UnixClock") -> Iterator[Callable[..., Scene]]:
    """Make the client of an environment: `make(api=…)`."""
    with Sts(watch, clock) as sts, Mwaa(sts) as mwaa:
        yield lambda **more: Scene(sts, mwaa, clock, **more)


@pytest.fixture
def scene(make: Callable[..., Scene]) -> Scene:
    """An environment with Airflow 3."""
    return make()


def test_a_run_is_started_with_a_signed_call(scene: Scene) -> None:
    """The call has Airflow's body with the null logical date; the response is Airflow's."""
    answer = scene.start()
    assert (answer.status, classify(answer).name) == (200, "Started")
    assert (answer.body or {})["dag_run_id"] == RUN
    assert (scene.sent()["Path"], scene.sent()["Method"]) == (f"/dags/{DAG}/dagRuns", "POST")
    assert scene.sent()["Body"]["logical_date"] is None
    assert (DAG, RUN) in scene.mwaa.airflow.runs
    assert classify(scene.start()).answer_class is AnswerClass.CONFLICT


@pytest.mark.parametrize("conf", [{"city": "Köln ✓"}, {"text": 'a/b&c="d"\n'}, {"n": [1, 2.5, None, True]}])
def test_what_is_signed_is_what_is_sent(scene: Scene, conf: dict[str, Any]) -> None:
    """Any conf arrives unchanged, with a valid signature."""
    assert scene.start(conf=conf).status == 200
    assert scene.mwaa.airflow.runs[DAG, RUN]["conf"] == conf


def test_environments_of_one_region_are_two_airflows(scene: Scene) -> None:
    """Environments share MWAA's address, but not the limit of requests in flight."""
    auth = scene.connection.auths[0].model_copy(update={"environment": "other"})
    other = scene.connection.model_copy(update={"auth": auth})
    assert other.url == scene.connection.url
    assert permits_of(other.address) != permits_of(scene.connection.address)


def test_no_link_leads_to_mwaas_api() -> None:
    """A caller gets the run's names, and no address, because a browser could not open it."""
    auth = f"kind: aws, environment: e, region: {REGION}, role_arn: '{ROLE}', scope: s"
    url = f"https://env.airflow.{REGION}.amazonaws.com"
    text = f"connections: {{one: {{url: '{url}', auth: {{{auth}}}}}}}\nrules: []\n"
    rules = load_rules(text, file="rules.yaml", settings={})
    run = run_reply(
        Outcome(OutcomeKind.STARTED, rule="r", connection="one", dag_id="d", dag_run_id="i"), rules
    )
    assert (run["dag_run_id"], run["links"]) == ("i", {})


def test_a_missing_extra_is_named(scene: Scene, watch: "Watch", monkeypatch: pytest.MonkeyPatch) -> None:
    """Without botocore the error names the missing extra, and no request is sent."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = watch.refusal(scene.start)
    assert found.permanent
    assert "updraft[aws]" in str(found)
    assert scene.sts.count() == scene.mwaa.count() == 0


@pytest.mark.parametrize(
    ("reply", "permanent", "message"),
    [
        (failure(400, "InvalidIdentityToken", "no"), True, "trust policy names the provider"),
        (failure(403, "AccessDenied", "Not authorized"), True, f"it refuses role {ROLE}"),
        (failure(400, "IDPCommunicationError", "try again"), False, "answered 400, IDPCommunicationError"),
        (failure(400, "Throttling", "Rate exceeded"), False, "answered 400, Throttling"),
        (failure(403, "RegionDisabledException", "no"), True, "region is enabled"),
        (Reply(429, ""), False, "answered 429"),
        (Reply(503, "<html>"), False, "answered 503"),
        (Reply(404, "<html>"), True, "AWS's token service"),
        (Reply(200, "<html><br></html>"), True, "has no credentials"),
        (Reply(200, "<a><AccessKeyId>x</AccessKeyId></a>"), True, "has no credentials"),
    ],
)
def test_what_sts_answers(
    scene: Scene, watch: "Watch", reply: Reply, message: str, *, permanent: bool
) -> None:
    """Each refusal has the fix, each outage is transient, and without credentials no request reaches MWAA."""
    scene.sts.inject(reply.status, reply.body, times=9)
    found = watch.refusal(scene.start)
    assert found.permanent is permanent
    assert message in str(found)
    assert scene.mwaa.count() == 0
    assert scene.sts.count() <= 2


def test_a_role_that_does_not_trust_the_identity_is_asked_twice_at_most(scene: Scene, watch: "Watch") -> None:
    """The identity's token is fetched again once; the error does not show its content."""
    scene.sts.trusts = False
    assert watch.refusal(scene.start).permanent
    assert scene.sts.count() == 2


@pytest.mark.parametrize(
    ("reply", "answer_class", "message"),
    [
        (wrapped(Reply(400, {"detail": "no manual runs"})), AnswerClass.REJECTED, "no manual runs"),
        (wrapped(Reply(403, {"detail": "Forbidden"})), AnswerClass.DENIED, "Forbidden"),
        (wrapped(Reply(404, {"detail": f"no Dag {DAG}"})), AnswerClass.DAG_NOT_FOUND, "no Dag"),
        (wrapped(Reply(409, {"detail": "taken"})), AnswerClass.CONFLICT, "taken"),
        (wrapped(Reply(500, "Internal Server Error")), AnswerClass.AMBIGUOUS, "Internal Server Error"),
        (wrapped(Reply(503, '{"detail": "as text"}')), AnswerClass.AMBIGUOUS, "as text"),
        (Reply(400, {}, {"x-amzn-ErrorType": "RestApiServerException"}), AnswerClass.AMBIGUOUS, ""),
        (error(429, "ThrottlingException", "Rate exceeded"), AnswerClass.AMBIGUOUS, "Rate exceeded"),
        (error(400, "ThrottlingException", "Rate exceeded"), AnswerClass.AMBIGUOUS, "Rate exceeded"),
        (error(500, "InternalServerException", "oh"), AnswerClass.AMBIGUOUS, "InternalServerException: oh"),
        (
            error(403, "AccessDeniedException", "no"),
            AnswerClass.DENIED,
            "allow the role airflow:InvokeRestApi",
        ),
        (error(404, "ResourceNotFoundException", "no"), AnswerClass.DENIED, "is an MWAA environment in"),
        (
            error(400, "InvalidSignatureException", "Signature expired"),
            AnswerClass.DENIED,
            "Signature expired",
        ),
        (error(400, "ValidationException", "Body is too long"), AnswerClass.DENIED, "Body is too long"),
        (Reply(200, "<html>"), AnswerClass.DENIED, "check the connection's url"),
        (Reply(200, {"a": 1}), AnswerClass.DENIED, "check the connection's url"),
        (Reply(302, "", {"Location": "https://login.example"}), AnswerClass.DENIED, ""),
        (Reply(502, "<html><h1>Bad Gateway"), AnswerClass.AMBIGUOUS, "a web page: Bad Gateway"),
    ],
)
def test_each_answer_has_its_row(scene: Scene, reply: Reply, answer_class: AnswerClass, message: str) -> None:
    """Airflow's status decides; an error of AWS never counts as Airflow's."""
    scene.mwaa.inject(reply.status, reply.body, headers=reply.headers, times=9, when=not_the_version)
    answer = scene.start()
    assert classify(answer).answer_class is answer_class
    assert message in answer.message


def test_a_broken_connection_is_in_doubt_and_a_refused_one_is_not(scene: Scene) -> None:
    """Only a request that may have reached MWAA is in doubt."""
    scene.start("warm")
    scene.mwaa.inject(0)
    assert classify(scene.start()).answer_class is AnswerClass.AMBIGUOUS
    scene.mwaa.stop()
    assert classify(scene.start()).answer_class is AnswerClass.TRANSIENT


@pytest.mark.parametrize(("version", "api"), [("2.10.3", "/api/v1"), ("3.0.6", "/api/v2")])
def test_the_version_is_asked_for(make: Callable[..., Scene], version: str, api: str) -> None:
    """MWAA's paths have no version, so Airflow's version decides, once."""
    scene = make(api="auto")
    scene.mwaa.version = version
    assert scene.client.get_dag(DAG).status == 200
    scene.client.get_dag(DAG)
    asked = [call["Path"] for call in scene.mwaa.calls]
    assert asked == ["/version"] * (2 if api == "/api/v1" else 1) + [f"/dags/{DAG}"] * 2


def test_a_question_has_its_parameters_beside_the_path(scene: Scene) -> None:
    """The query is sent in its own member of the call."""
    assert scene.client.get("/dags?limit=5&order_by=-dag_id").status == 200
    assert scene.sent() == {
        "Path": "/dags",
        "Method": "GET",
        "QueryParameters": {"limit": "5", "order_by": "-dag_id"},
    }


def test_a_dag_whose_path_is_too_long_is_told_as_such(scene: Scene) -> None:
    """A DAG id of fifty characters fits; a longer one is rejected without a request."""
    longest = "d" * (PATH_LIMIT - len("/dags//dagRuns"))
    assert len(longest) == 50
    assert scene.start(dag_id=longest).status == 404
    answer = scene.start(dag_id=longest + "d")
    assert classify(answer).answer_class is AnswerClass.REJECTED
    assert "64 characters" in answer.invalid
    assert [call["Path"] for call in scene.mwaa.calls] == [f"/dags/{longest}/dagRuns", "/version"]


def test_a_short_run_id_is_asked_for_by_its_path(scene: Scene) -> None:
    """If the path fits, one exact request is enough."""
    scene.start("short")
    assert (scene.client.get_run(DAG, "short").body or {})["dag_run_id"] == "short"
    assert scene.sent()["Path"] == f"/dags/{DAG}/dagRuns/short"
    assert scene.client.get_run(DAG, "other").status == 404


@pytest.mark.parametrize("searches", [True, False])
@pytest.mark.parametrize("newer", [0, PAGE - 1, PAGE * PAGES - 1])
def test_a_long_run_id_is_found_among_the_newest(scene: Scene, newer: int, *, searches: bool) -> None:
    """The run is found by its exact id, with and without Airflow's search."""
    scene.mwaa.searches = searches
    scene.start()
    for number in range(newer):
        scene.start(f"{RUN}-{number}")
    assert (scene.client.get_run(DAG, RUN).body or {})["dag_run_id"] == RUN
    assert scene.client.get_run(DAG, RUN).status == 200


@pytest.mark.parametrize("version", ["2.10.3", "3.0.6"])
def test_a_run_that_is_nowhere_is_missing(make: Callable[..., Scene], version: str) -> None:
    """A list that ends without the run is a definite no, in both versions."""
    scene = make(api="auto")
    scene.mwaa.version = version
    scene.mwaa.searches = False
    scene.client.get_dag(DAG)
    assert scene.client.get_run(DAG, RUN).status == 404


def test_beyond_the_newest_the_doubt_stays(scene: Scene) -> None:
    """If the list is longer than the limit, the run is in doubt."""
    scene.mwaa.searches = False
    scene.start()
    for number in range(PAGE * PAGES):
        scene.start(f"other-{number}")
    answer = scene.client.get_run(DAG, RUN)
    assert classify(answer).answer_class is AnswerClass.AMBIGUOUS
    assert "newest" in answer.error
    assert len([call for call in scene.mwaa.calls if call["Method"] == "GET"]) == PAGES


def test_an_outage_while_looking_is_told_as_such(scene: Scene) -> None:
    """An error of a page ends the search with that response."""
    scene.mwaa.inject(503, "<html>")
    assert scene.client.get_run(DAG, RUN).status == 503


def test_a_lost_answer_becomes_one_run(scene: Scene) -> None:
    """After a time-out of MWAA the run is found by its id, and no second one is started."""
    lost = error(400, "ThrottlingException", "Rate exceeded")
    scene.mwaa.inject(504, "", after_handling=True)
    target = Target(scene.client, Breaker(), FixedLimiter(1))
    budget = Budget(deadline=20.0, clock=lambda: 0.0, sleep=lambda _: None)
    assert Attempts(target, request(), budget).run().kind is OutcomeKind.STARTED
    scene.mwaa.inject(lost.status, lost.body, headers=lost.headers)
    assert Attempts(target, request("another-" + RUN), budget).run().kind is OutcomeKind.STARTED
    assert len(scene.mwaa.airflow.runs) == 2
