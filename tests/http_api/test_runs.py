import json
from typing import Any

import pytest

from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.http_api.run_reply import run_reply
from shared.rules import load_rules
from tests.support.http_app import AGENT, AIRFLOW, CLIENT_ID, GROUP, PIPELINE, RULES, STRANGER, Caller
from tests.support.samples import headers_and_body


def opened(number: int = 1, **changes: object) -> dict[str, object]:
    """Return a CloudEvent that matches the rule `greet`."""
    event: dict[str, object] = {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/shops/1",
        "type": "Shop.Opened",
        "data": {"door": number},
    }
    return event | changes


class TestStart:
    """`POST /api/dags/{dag_id}/runs`."""

    def test_a_call_starts_the_run_and_says_where_it_is(self, caller: Caller) -> None:
        """The answer is 202 with the run's id and links, and the run's conf has the caller."""
        answer = caller.start(body={"conf": {"site": "shop"}, "note": "release 7"}, Idempotency_Key="k-1")
        assert (answer.status_code, answer.headers["Updraft-Outcome"]) == (202, "started")
        said = answer.json()
        (((dag, run_id), run),) = caller.stub.runs.items()
        assert (said["dag_id"], said["dag_run_id"]) == (dag, run_id) == ("smoke_tests", run_id)
        assert run_id.startswith("call__k-1__")
        assert said["links"]["airflow"] == f"{caller.stub.url}/dags/smoke_tests/runs/{run_id}"
        conf: Any = run["conf"]
        assert conf["site"] == "shop"
        assert conf["_updraft"]["rule"] == "call"
        assert conf["_updraft"]["caller"] == {
            "entry": "pipeline",
            "kind": "application",
            "object_id": PIPELINE.object_id,
            "app_id": PIPELINE.client_id,
        }
        assert PIPELINE.object_id in str(run["note"])
        assert "release 7" in str(run["note"])

    def test_a_dags_id_may_be_in_any_alphabet(self, caller: Caller) -> None:
        """A DAG id that is valid in Airflow is sent to Airflow unchanged."""
        answer = caller.start("donn%C3%A9es", caller.token(STRANGER, groups=[GROUP]))
        assert answer.status_code not in {400, 404}
        assert any("/dags/donn%C3%A9es/dagRuns" in seen.path for seen in caller.stub.seen)

    def test_a_repeated_key_has_the_same_answer_and_one_run(self, caller: Caller) -> None:
        """The same key, quoted or not, is the same run; another key or DAG has another run."""
        first = caller.start(Idempotency_Key='"k-1"')
        again = caller.start(Idempotency_Key="k-1")
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again.headers["Updraft-Outcome"] == "duplicate"
        assert len(caller.stub.runs) == 1
        caller.start(Idempotency_Key="k-2")
        caller.start("smoke_two", Idempotency_Key="k-1")
        assert len(caller.stub.runs) == 3

    @pytest.mark.parametrize(
        ("conf", "path"),
        [({"__type": 1}, "conf.__type"), ({"site": [{"x": {"__data__": 1}}]}, "conf.site[0].x.__data__")],
    )
    def test_a_key_that_airflow_reserves_is_named(
        self, caller: Caller, conf: dict[str, object], path: str
    ) -> None:
        """A conf with a reserved key gets 400 with the key's path, and starts no run."""
        answer = caller.start(body={"conf": conf})
        assert answer.status_code == 400
        assert path in answer.json()["detail"]
        assert caller.stub.runs == {}

    def test_another_callers_key_is_another_run(self, caller: Caller) -> None:
        """Another caller with the same key gets another run."""
        caller.start(Idempotency_Key="k-1")
        caller.start(token=caller.token(STRANGER, groups=[GROUP]), Idempotency_Key="k-1")
        assert len(caller.stub.runs) == 2

    def test_without_a_key_every_call_has_a_run(self, caller: Caller) -> None:
        """Each call without a key starts a run."""
        assert [caller.start().status_code for _ in range(2)] == [202, 202]
        assert len(caller.stub.runs) == 2

    def test_times_are_passed_on_in_utc(self, caller: Caller) -> None:
        """`logical_date` and `run_after` are sent to Airflow as RFC 3339 in UTC."""
        body = {"logical_date": "2026-03-01T01:00:00+01:00", "run_after": "2026-03-02T00:00:00Z"}
        assert caller.start(body=body).status_code == 202
        ((run),) = caller.stub.runs.values()
        assert str(run["logical_date"]).startswith("2026-03-01T00:00:00")

    def test_a_v1_token_is_as_good(self, caller: Caller) -> None:
        """A token of version 1 has the audience as a URI, and the client as `appid`."""
        token = caller.token(
            aud="api://updraft",
            iss=caller.identity.issuer(1),
            ver="1.0",
            azp=None,
            appid=PIPELINE.client_id,
        )
        assert caller.start(token=token).status_code == 202

    @pytest.mark.parametrize(
        ("body", "headers", "status", "says"),
        [
            ({"conf": {"site": 1, "other": 2}}, {}, 403, "other"),
            ({"conf": {"_updraft": {}}}, {}, 400, "_updraft"),
            ({"conf": []}, {}, 400, "object"),
            ({"config": {}}, {}, 400, "config"),
            ([], {}, 400, "JSON object"),
            (b"{", {}, 400, "not JSON"),
            (b"\xff", {}, 400, "UTF-8"),
            ({"note": 7}, {}, 400, "note"),
            ({"note": "x" * 501}, {}, 400, "501"),
            ({"logical_date": "yesterday"}, {}, 400, "logical_date"),
            ({"connection": "other"}, {}, 403, "may not"),
            ({}, {"Content_Type": "text/plain"}, 415, "application/json"),
            ({}, {"Content_Encoding": "gzip"}, 415, "Content-Encoding"),
            ({}, {"Idempotency_Key": "a b"}, 400, "Idempotency-Key"),
            ({}, {"Idempotency_Key": "k" * 256}, 400, "Idempotency-Key"),
            ({"conf": {"site": "x" * 49_200}}, {}, 413, "bytes"),
            ({"conf": {"site": "x" * 200_000}}, {}, 413, "bytes"),
        ],
    )
    def test_what_is_wrong_is_told(
        self, caller: Caller, body: object, headers: dict[str, str], status: int, says: str
    ) -> None:
        """A mistake gets a problem document that names it, and starts no run."""
        answer = caller.start(body=body, **headers)
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert says in answer.json()["detail"]
        assert answer.json()["status"] == status
        assert not caller.stub.runs

    def test_a_rate_is_kept(self, caller: Caller) -> None:
        """A caller beyond its rate gets 429 with the time to wait, and others are not affected."""
        token = caller.token(STRANGER, groups=[GROUP])
        assert [caller.start(token=token).status_code for _ in range(3)] == [202, 202, 429]
        assert int(caller.answers[-1].headers["Retry-After"]) > 600
        assert caller.start().status_code == 202

    def test_what_can_be_neither_started_nor_kept_is_503(self, caller: Caller) -> None:
        """If the run can be neither started nor parked, the answer is 503."""
        caller.stub.inject(
            422, {"detail": "conf is not to my taste"}, when=lambda request: request.method == "POST"
        )
        assert caller.start().status_code == 503  # Storage is not available in this test


class TestPublish:
    """`POST /api/events`."""

    def test_a_batch_is_taken_in(self, caller: Caller) -> None:
        """The rules handle each event, and the conf of each run has the caller's identity."""
        answer = caller.post("events", caller.token(AGENT), [opened(1), opened(2)])
        assert answer.status_code == 202
        taken = answer.json()["events"]
        assert [each["id"] for each in taken] == ["e-1", "e-2"]
        assert [len(each["runs"]) for each in taken] == [1, 1]
        confs: list[Any] = [run["conf"] for run in caller.stub.runs.values()]
        assert [conf["door"] for conf in confs] == [1, 2]
        assert {conf["_updraft"]["caller"]["object_id"] for conf in confs} == {AGENT.object_id}

    def test_structured_and_binary_mode_are_taken(self, caller: Caller) -> None:
        """An event may be in the body, or with its attributes in headers."""
        token = caller.token(AGENT)
        structured = caller.post(
            "events", token, opened(1), Content_Type="application/cloudevents+json; charset=utf-8"
        )
        attributes = {
            "ce_specversion": "1.0",
            "ce_id": "e-2",
            "ce_source": "/shops/1",
            "ce_type": "Shop.Opened",
        }
        binary = caller.post("events", token, {"door": 2}, **attributes)
        assert (structured.status_code, binary.status_code) == (202, 202)
        assert len(caller.stub.runs) == 2

    def test_a_second_delivery_is_the_same(self, caller: Caller) -> None:
        """A repeated event has the same answer and no second run."""
        first, again = (caller.post("events", caller.token(AGENT), opened()) for _ in range(2))
        assert first.content == again.content
        assert len(caller.stub.runs) == 1

    def test_an_event_that_no_rule_wants_is_taken(self, caller: Caller) -> None:
        """An event without a rule starts no run."""
        answer = caller.post("events", caller.token(AGENT), opened(type="Shop.Painted"))
        assert (answer.status_code, answer.json()["events"][0]["runs"]) == (202, [])

    def test_a_forged_caller_is_not_believed(self, caller: Caller) -> None:
        """The caller stamp in an event is replaced with the verified caller."""
        forged = json.dumps({"object_id": "somebody else"})
        caller.post("events", caller.token(AGENT), opened(updraftcaller=forged))
        ((run),) = caller.stub.runs.values()
        conf: Any = run["conf"]
        assert conf["_updraft"]["caller"]["object_id"] == AGENT.object_id

    def test_an_attribute_that_cannot_be_used_is_told(self, caller: Caller) -> None:
        """The attribute is omitted, and the answer has a note."""
        answer = caller.post("events", caller.token(AGENT), opened(time="at dusk"))
        assert answer.status_code == 202
        (taken,) = answer.json()["events"]
        assert taken["notes"][0].startswith("time is left out")
        assert len(caller.stub.runs) == 1

    def test_compressed_events_are_refused(self, caller: Caller) -> None:
        """A compressed body is refused."""
        answer = caller.post("events", caller.token(AGENT), opened(), Content_Encoding="gzip")
        assert answer.status_code == 415
        assert not caller.stub.runs

    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            (opened(type="Microsoft.Web.SlotSwapCompleted"), 403, "SlotSwapCompleted"),
            (opened(source="/subscriptions/1"), 403, "/subscriptions/1"),
            ([opened(), opened(type="Other")], 403, "Other"),
            ([opened(), {"specversion": "1.0"}], 400, "member 2"),
            ([], 400, "no event"),
            ([opened(number) for number in range(101)], 413, "100"),
            (
                {
                    "id": "1",
                    "topic": "/shops/1",
                    "subject": "s",
                    "eventType": "Shop.Opened",
                    "eventTime": "2026-01-01T00:00:00Z",
                    "data": {},
                    "dataVersion": "1",
                },
                400,
                "CloudEvents",
            ),
            (b"[" * 5_000, 400, ""),
        ],
    )
    def test_all_are_taken_or_none(self, caller: Caller, body: object, status: int, says: str) -> None:
        """If one event is not allowed or not readable, no event is accepted."""
        answer = caller.post("events", caller.token(AGENT), body)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert says in answer.json()["detail"]
        assert not caller.stub.runs

    def test_event_grid_may_ask(self, caller: Caller) -> None:
        """Only Event Grid's handshake is answered, and it gives no permission."""
        asked = caller.post("events", method="OPTIONS", WebHook_Request_Origin="eventgrid.azure.net")
        assert (asked.status_code, asked.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
        headers, _ = headers_and_body("validation/webhook_handshake.invalid.http")
        named = {name.replace("-", "_"): value for name, value in headers.items() if name != "Host"}
        whole = caller.post("events", method="OPTIONS", **named)  # with a callback and a rate
        expected, _ = headers_and_body("validation/webhook_answer.invalid.http")
        assert (whole.status_code, {name: whole.headers[name] for name in expected}) == (200, expected)
        other = caller.post("events", method="OPTIONS", WebHook_Request_Origin="evil.example")
        assert (other.status_code, "evil" in f"{other.headers}{other.text}") == (403, False)


class TestNotSetUp:
    """An app without settings for callers."""

    @pytest.mark.parametrize("missing", ["UPDRAFT_TENANT_ID", "UPDRAFT_AUDIENCE"])
    def test_it_lets_nobody_in(
        self, caller: Caller, missing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without a tenant or an audience each call gets 503, and the log names the setting."""
        import shared.app

        monkeypatch.delenv(missing)
        shared.app.start_anew()
        answer = caller.start()
        assert (answer.status_code, answer.json()["code"]) == (503, "not_configured")
        assert missing in caplog.text
        assert missing not in answer.text


def test_who_is_who() -> None:
    """The test identities differ."""
    assert len({each.object_id for each in (PIPELINE, AGENT, AIRFLOW, STRANGER)}) == 4
    assert CLIENT_ID


@pytest.mark.parametrize(
    ("kind", "connection", "expected"),
    [
        (OutcomeKind.SUPERSEDED, "stub", {"rule": "r", "superseded": "DagNotFound"}),
        (OutcomeKind.REJECTED, "stub", {"rule": "r", "rejected": "DagNotFound"}),
        (OutcomeKind.COALESCED, "", {"rule": "r", "coalesced": "DagNotFound"}),
    ],
)
def test_an_outcome_without_a_run_is_told_by_its_word(
    kind: OutcomeKind, connection: str, expected: dict[str, str]
) -> None:
    """If there is no run, the answer has the code, and not the reason."""
    rules = load_rules(RULES, file="rules.yaml", settings={"UPDRAFT_AIRFLOW_URL": "https://a.example"})
    outcome = Outcome(kind, rule="r", code="DagNotFound", reason="why", connection=connection)
    assert run_reply(outcome, rules) == expected


@pytest.mark.parametrize(
    ("api", "links"),
    [
        ("v1", ("/dags/d/grid?dag_run_id=r%3A1", "/api/v1/dags/d/dagRuns/r%3A1")),
        ("v2", ("/dags/d/runs/r%3A1", "/api/v2/dags/d/dagRuns/r%3A1")),
    ],
)
def test_links_lead_to_the_airflow_that_there_is(api: str, links: tuple[str, str]) -> None:
    """The links fit the version of Airflow."""
    text = f"""
connections:
  one: {{url: "https://a.example/", api: {api}, auth: {{kind: basic, username: u, password_secret: s}}}}
rules: []
"""
    rules = load_rules(text, file="rules.yaml", settings={})
    run = Outcome(OutcomeKind.STARTED, rule="r", connection="one", dag_id="d", dag_run_id="r:1")
    assert run_reply(run, rules)["links"] == {
        "airflow": f"https://a.example{links[0]}",
        "api": f"https://a.example{links[1]}",
    }
