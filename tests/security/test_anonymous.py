"""A client without a permission gets the same answers for any rules.yaml, and one word about health."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import shared.app
from shared.version import VERSION
from tests.support.attacks import LONG
from tests.support.http_app import AGENT, AIRFLOW, GROUP, PIPELINE, RULES, STRANGER, Caller

OTHER_RULES = """
connections:
  harbour: {url: "https://harbour.contoso.example/airflow", auth: {kind: entra, scope: "api://harbour/.default"}}
  mainland: {url: "https://mainland.contoso.example", auth: {kind: entra, scope: "api://mainland/.default"}}
rules:
  - name: unload-cargo
    when: {types: [Shop.Opened, Shop.Closed]}
    start: {connection: harbour, dag: smoke_tests, conf: {crate: "{{ data.crate_number | upper }}"}}
callers:
  - name: dockers
    group: 11111111-1111-4111-8111-111111111111
    connection: mainland
    dags: [unload_everything]
    outcomes: [unload_everything]
    events: [Cargo.*]
    status: true
"""
WORDS = (
    *("greet", "trusting", "smoke_", "pipeline", "operators", "Outcomes.Write", "data.door", "127.0.0.1"),
    *("harbour", "mainland", "unload", "dockers", "crate", "contoso", "Cargo", "rules.yaml", "jinja"),
    *(VERSION, GROUP, PIPELINE.object_id, "Traceback", 'File "', ".py"),
)
"""Values of rules.yaml and of the app that no such answer may have."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get")
PATHS = (
    *(
        "health",
        "health/",
        "Health",
        "health?counts=1",
        "health?verbose=true&code=x",
        "health/outcome_counts",
    ),
    *("status", "status?code=x", "status/rules", "events", "outcomes", "outcomes/x", "hooks", "hooks/zzz"),
    *("dags", "dags/nobody/runs", "dags/-/runs", "dags/nobody/runs/x", "dags//runs"),
    *("", "rules", "rules.yaml", "rules.schema.json", "openapi.json", "docs", "metrics", "version", "admin"),
    *("%2e%2e/rules.yaml", "..%2frules.yaml", "health%00", "health;x=y", "dags/%2e%2e/runs"),
)
BODIES: tuple[object, ...] = (
    None,
    {},
    {"specversion": "1.0", "id": "1", "source": "/s", "type": "Any.Thing"},
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"X_Forwarded_For": "127.0.0.1", "X_Original_URL": "/api/status", "X_HTTP_Method_Override": "GET"},
    {"Authorization": "Bearer x"},
    {"Authorization": "Basic eDp5"},
    {"X_Functions_Key": "x"},
    {
        "Webhook_Request_Origin": "eventgrid.azure.net",
        "Accept": "text/html",
        "Origin": "https://evil.example",
    },
)


@pytest.fixture
def rules_file(caller: Caller) -> Iterator[Path]:
    """The file with the rules of the app."""
    assert caller.host.url
    yield Path(os.environ["UPDRAFT_RULES"])
    shared.app.start_anew()


def use(rules_file: Path, rules: str) -> None:
    """Restart the app with these rules."""
    rules_file.write_text(rules, encoding="utf-8")
    shared.app.start_anew()


def seen(answer: requests.Response) -> tuple[int, dict[str, str], bytes]:
    """Return all of an answer but the time."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"Date", "Server"}}
    return answer.status_code, headers, answer.content


def everything(caller: Caller, token: str | None, headers: dict[str, str]) -> dict[str, object]:
    """Ask for everything, and return the answers by the request.

    Without a header it asks in every way. With one it does so in `make attacks` alone.
    """
    methods = METHODS if LONG or not headers else ("GET", "POST", "OPTIONS")
    return {
        f"{method} {path} {body}": seen(caller.post(path, token, body, method=method, **headers))
        for path in PATHS
        for method in methods
        for body in BODIES[: 3 if method == "POST" else 1]
    }


def told(answers: dict[str, object], *, but: str = "") -> list[tuple[str, str]]:
    """Return the words of `WORDS` that are in answers, each with its request."""
    return [
        (request, word)
        for request, answer in answers.items()
        for word in WORDS
        if word not in but and word.lower() in str(answer).lower()
    ]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_anonymous_answers_are_the_same_whatever_the_rules(
    caller: Caller, rules_file: Path, headers: dict[str, str]
) -> None:
    """No path, method, body or header gets an answer that depends on rules.yaml or that quotes it."""
    first = everything(caller, None, headers)
    use(rules_file, OTHER_RULES)
    assert everything(caller, None, headers) == first
    use(rules_file, "rules: [")
    broken = everything(caller, None, headers)
    assert {request for request in first if first[request] != broken[request]} <= {
        request for request in first if " health" in request.lower()
    }
    assert told(first | broken) == []
    assert caller.stub.count() == 0


def test_an_unknown_identity_of_the_tenant_learns_no_more(caller: Caller, rules_file: Path) -> None:
    """An identity without a right gets the same answers under any rules, and its own words alone in them."""
    token = caller.token(STRANGER)
    first = everything(caller, token, {})
    use(rules_file, OTHER_RULES)
    assert everything(caller, token, {}) == first
    assert (
        told(first, but="rules.yaml") == []
    )  # the refusal names the file in which the operator can allow it


def test_dags_that_are_there_are_not_told_apart(caller: Caller, rules_file: Path) -> None:
    """A DAG that exists, one that a rule starts and one that does not exist have the same answer."""
    for rules in (RULES, OTHER_RULES):
        use(rules_file, rules)
        for token in (None, caller.token(STRANGER), caller.token(AGENT)):
            answers = {
                caller.post(f"dags/{dag}/runs", token, {}).text.replace(dag, "DAG")
                for dag in ("greet", "smoke_tests", "unload_everything", "nowhere")
            }
            assert len(answers) == 1
    assert caller.stub.count() == 0


class TestHealth:
    """`GET /api/health`."""

    @pytest.mark.parametrize("headers", HEADERS, ids=str)
    def test_it_is_one_word(self, caller: Caller, headers: dict[str, str]) -> None:
        """Nothing in a request makes it say more than `ok`, a token with every right included."""
        for query in ("", "?counts=1", "?counts=1&counts=1", "?COUNTS=1", "?verbose", f"?x={'y' * 4_000}"):
            answer = caller.post(f"health{query}", None, None, method="GET", **headers)
            assert (answer.status_code, answer.content) == (200, b'{"status": "ok"}')
        token = caller.token(AIRFLOW, roles=["Outcomes.Write", "Status.Read"], groups=[GROUP])
        assert caller.post("health", token, method="GET").content == b'{"status": "ok"}'

    @pytest.mark.parametrize(
        "rules",
        ["", "rules: [", RULES.replace("dag:", "dagg:"), RULES.replace("%UPDRAFT_AIRFLOW_URL%", "%UNSET%")],
        ids=["empty", "no YAML", "a mistake", "a missing setting"],
    )
    def test_unusable_rules_are_one_word(self, caller: Caller, rules_file: Path, rules: str) -> None:
        """With rules that cannot be used it says `degraded`, always 200, and not which mistake it is."""
        use(rules_file, rules)
        answer = caller.post("health", method="GET")
        assert (answer.status_code, answer.content) == (200, b'{"status": "degraded"}')

    def test_a_missing_file_is_one_word(self, caller: Caller, rules_file: Path) -> None:
        """Without a rules file it says `degraded`."""
        use(rules_file, "")
        rules_file.unlink()
        assert caller.post("health", method="GET").json() == {"status": "degraded"}

    @pytest.mark.parametrize(("rules", "word"), [(RULES, "ok"), ("rules: [", "degraded")])
    def test_a_flood_costs_nothing(
        self, caller: Caller, rules_file: Path, rules: str, word: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """After the first answer nothing is read, logged or asked for, however many come."""
        use(rules_file, rules)
        caller.post("health", method="GET")
        rules_file.unlink()
        logged = [record for record in caplog.records if record.name == "updraft"]
        with requests.Session() as session:
            for number in range(200):
                answer = session.get(f"{caller.host.url}/api/health?x={number}", timeout=10)
                assert answer.json() == {"status": word}
        assert [record for record in caplog.records if record.name == "updraft"] == logged
        assert caller.stub.count() == 0

    def test_a_failing_airflow_is_one_word(self, caller: Caller) -> None:
        """Anybody learns that something is out of order, and not what: which Airflow, since when and how."""
        caller.stub.inject(500, {"detail": "no"}, times=200)
        for number in range(2):
            caller.start(Idempotency_Key=f"k-{number}")
        answer = caller.post("health", method="GET")
        assert (answer.status_code, answer.content) == (200, b'{"status": "degraded"}')


class TestStatus:
    """`GET /api/status`."""

    @pytest.fixture
    def operator(self, caller: Caller, rules_file: Path) -> str:
        """A token with the right, under rules that give it."""
        use(rules_file, f"{RULES}  - {{name: monitor, role: Status.Read, status: true, rate: 3/h}}\n")
        return caller.token(STRANGER, roles=["Status.Read"])

    def test_it_takes_the_right(self, caller: Caller, operator: str) -> None:
        """Neither nothing, nor a key, nor a token with every other right reads it."""
        assert caller.post("status", operator, method="GET").status_code == 200
        refused = {
            "nothing": caller.post("status", None, method="GET"),
            "a key": caller.post("status?code=x", None, method="GET", X_Functions_Key="x"),
            "a caller of runs": caller.post("status", caller.token(), method="GET"),
            "a caller of events": caller.post("status", caller.token(AGENT), method="GET"),
            "a reporter": caller.post(
                "status", caller.token(AIRFLOW, roles=["Outcomes.Write"]), method="GET"
            ),
            "everybody's group": caller.post("status", caller.token(STRANGER, groups=[GROUP]), method="GET"),
            "another spelling": caller.post(
                "status", caller.token(STRANGER, roles=["status.read"]), method="GET"
            ),
        }
        assert {name: answer.status_code for name, answer in refused.items()} == {
            **dict.fromkeys(refused, 403),
            "nothing": 401,
            "a key": 401,
        }
        assert all("version" not in answer.text for answer in refused.values())

    def test_a_runs_token_reads_nothing(self, caller: Caller, operator: str) -> None:
        """A run token is not accepted for the status."""
        caller.start()
        assert caller.post("status", caller.reverse_token(), method="GET").status_code == 401
        assert operator

    def test_it_holds_no_address_and_no_secret(self, caller: Caller, operator: str) -> None:
        """Names, counts and states are in it; no address, no DAG, no caller and no template."""
        text = caller.post("status", operator, method="GET").text
        assert "stub" in text
        for word in (
            "127.0.0.1",
            "http",
            "smoke_",
            "data.door",
            "pipeline",
            PIPELINE.object_id,
            GROUP,
            "api:",
        ):
            assert word not in text

    def test_it_has_a_rate(self, caller: Caller, operator: str) -> None:
        """Its caller cannot ask for more than the entry's rate."""
        answers = [caller.post("status", operator, method="GET").status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]

    def test_unusable_rules_say_nothing(self, caller: Caller, rules_file: Path) -> None:
        """While rules.yaml cannot be used no caller has a permission, and only the log has the mistakes."""
        use(rules_file, RULES.replace("dag:", "dagg:"))
        answer = caller.post("status", caller.token(STRANGER, roles=["Status.Read"]), method="GET")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
        assert "dagg" not in answer.text
