"""The diagnosis of a connection: `updraft doctor` and `updraft validate --live` give the same one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.checks.dag_state import REPORTS_TAG
from cli.commands.doctor import BODY_LIMIT, LARGEST_BODY
from cli.main import main
from cli.waiting import PATIENCE
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import Reply

RULES = """
connections:
  main: {url: "%AIRFLOW%", auth: {kind: entra, scope: "api://airflow/.default"}, read_timeout: 1}
rules:
  - {name: a, when: {types: [T]}, start: {dag: smoke_tests}}
  - {name: b, when: {types: [T]}, start: {dag: smoke_tests}}
  - {name: c, when: {types: [T]}, start: {dag: load_orders}}
  - {name: off, enabled: false, when: {types: [T]}, start: {dag: nowhere}}
"""

pytestmark = pytest.mark.usefixtures("patient")
type Json = dict[str, Any]
type Both = Callable[[str], tuple[int, Json]]


@pytest.fixture
def stub(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStub]:
    """An Airflow that a setting of the rules names, and an identity endpoint."""
    monkeypatch.setenv(BODY_LIMIT, str(LARGEST_BODY))
    with AirflowStub(("smoke_tests", "load_orders")) as running:
        monkeypatch.setenv("AIRFLOW", running.url)
        yield running


@pytest.fixture
def both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Both:
    """Run both commands on some rules, and return the status and the findings, which must be the same."""

    def run(rules: str) -> tuple[int, Json]:
        file = tmp_path / "rules.yaml"
        file.write_text(rules)
        found: list[tuple[int, Json]] = []
        for command in (["doctor"], ["validate", "--live"]):
            status = main([*command, "--json", "--rules", str(file)])
            captured = capsys.readouterr()
            assert captured.err == ""
            document = json.loads(captured.out)
            assert document["ok"] == (status == 0)
            found.append((status, {name: document[name] for name in ("errors", "warnings")}))
        assert found[0] == found[1]
        return found[0]

    return run


def answers(reply: Reply, *, only: str = "") -> Callable[[AirflowStub], None]:
    """Return a function that sets the answer of a stub, for every path or for one."""

    def arrange(stub: AirflowStub) -> None:
        stub.handle = lambda request: (  # type: ignore[method-assign] # another server at Airflow's address
            reply if not only or request.path == only else AirflowStub.handle(stub, request)
        )

    return arrange


def sets(**attributes: object) -> Callable[[AirflowStub], None]:
    """Return a function that sets attributes of a stub."""

    def arrange(stub: AirflowStub) -> None:
        for name, value in attributes.items():
            setattr(stub, name, value)

    return arrange


def test_a_healthy_connection(both: Both, stub: AirflowStub) -> None:
    """Nothing is found, and nothing is started."""
    assert both(RULES) == (0, {"errors": [], "warnings": []})
    assert stub.runs == {}


PAGE = "<html><title>Welcome to nginx!</title><p>" + "lots of words " * 99
CASES = {
    "paused": (
        sets(paused={"smoke_tests"}),
        "DagPaused",
        ["a", "b"],
        "DAG `smoke_tests` is paused",
        "airflow dags unpause smoke_tests",
    ),
    "draining": (
        sets(draining={"load_orders"}),
        "DagDraining",
        ["c"],
        "`load_orders` is draining",
        "airflow dags unpause load_orders",
    ),
    "stale": (sets(stale={"load_orders"}), "DagStale", ["c"], "no longer in any file that Airflow reads", ""),
    "not manual": (
        sets(run_types={"load_orders": ["scheduled"]}),
        "DagNotManual",
        ["c"],
        "does not allow manual runs",
        "",
    ),
    "broken": (
        sets(broken={"load_orders": "Traceback\n  File\nSyntaxError: invalid syntax\n"}),
        "DagImportError",
        ["c"],
        "the file of DAG `load_orders` cannot be imported: load_orders.py: SyntaxError: invalid syntax",
        "airflow dags list-import-errors",
    ),
    "broken without a trace": (
        sets(broken={"load_orders": ""}),
        "DagImportError",
        ["c"],
        "cannot be imported: load_orders.py: no trace",
        "airflow dags list-import-errors",
    ),
    "missing": (
        sets(dags={"smoke_test", "load_orders"}),
        "DagNotFound",
        ["a", "b"],
        "there is no DAG `smoke_tests` (did you mean `smoke_test`?)",
        "",
    ),
    "missing in a broken file": (
        sets(dags={"load_orders"}, broken={"x": "E"}),
        "DagNotFound",
        ["a", "b"],
        "there is no DAG `smoke_tests`; it may be in a file that cannot be imported there: x.py",
        "",
    ),
    "one DAG forbidden": (
        sets(forbidden={"load_orders"}),
        "Forbidden",
        ["c"],
        "Airflow accepts this identity, but does not let it start runs of DAG `load_orders`, or has no such",
        "airflow entra-role --role Updraft --dag load_orders",
    ),
    "all forbidden, one mistyped": (
        sets(forbidden={"smoke_tests", "load_orders"}, dags={"smoke_test", "load_orders"}),
        "Forbidden",
        ["a", "b", "c"],
        "of DAGs `smoke_tests` (did you mean `smoke_test`?), `load_orders`, or has no such DAG (HTTP 403)",
        "airflow entra-role --role Updraft --dag smoke_tests load_orders",
    ),
    "starting forbidden": (
        answers(Reply(403, {"detail": "Forbidden"}), only="/api/v2/dags/load_orders/dagRuns"),
        "Forbidden",
        ["c"],
        "does not let it start runs of DAG `load_orders`",
        "airflow entra-role --role Updraft --dag load_orders",
    ),
    "token refused": (sets(tokens=set()), None, ["a", "b", "c"], "refuses the token of this identity", ""),
    "another server": (
        answers(Reply(404, PAGE)),
        None,
        ["a", "b", "c"],
        "(HTTP 404: neither /api/v2/version nor /api/v1/version is there; a web page: Welcome to nginx!)",
        "",
    ),
    "a login page": (
        answers(Reply(302, headers={"Location": "https://login.example/x"})),
        None,
        ["a", "b", "c"],
        "(HTTP 302 to https://login.example)",
        "",
    ),
    "a firewall": (
        answers(Reply(403, PAGE)),
        None,
        ["a", "b", "c"],
        "refuses the request (HTTP 403: a web page: Welcome to nginx!)",
        "",
    ),
    "out of order": (
        answers(Reply(502, "<html><h1>Bad Gateway")),
        None,
        ["a", "b", "c"],
        "is overloaded or out of order (HTTP 502: a web page: Bad Gateway)",
        "",
    ),
    "too old": (
        answers(Reply(200, {"version": "2.3.0"}), only="/api/v1/version"),
        None,
        ["a", "b", "c"],
        "Airflow 2.3.0 is older than 2.9",
        "",
    ),
    "off": (AirflowStub.stop, "ConnectionRefused", ["a", "b", "c"], "the connection was refused", ""),
    "hanging": (
        sets(latency=3.0),
        "ReadTimeout",
        ["a", "b", "c"],
        "answers nothing within 1 s",
        "",
    ),
}


@pytest.mark.parametrize(("arrange", "code", "rules", "message", "command"), CASES.values(), ids=CASES)
def test_a_cause_is_told_once(
    arrange: Callable[[AirflowStub], None],
    code: str | None,
    rules: list[str],
    message: str,
    command: str,
    both: Both,
    stub: AirflowStub,
) -> None:
    """Both commands give one finding for one cause, with all its rules and the command that fixes it."""
    arrange(stub)
    if "older" in message:
        arrange_all = stub.handle
        stub.handle = lambda request: (  # type: ignore[method-assign] # Airflow 2 has no API v2
            Reply(404, {}) if request.path.startswith("/api/v2") else arrange_all(request)
        )
    status, found = both(RULES)
    assert status == 1
    [error] = found["errors"]
    assert found["warnings"] == []
    assert error["code"] == code if code else error["code"]
    assert message in error["message"]
    assert error["rules"] == rules
    assert error["connection"] == "main"
    assert error.get("command", "") == command
    assert error.get("fix") or "older" in message
    assert not any(name in error["message"] for name in ("Error:", "Pool(", "Exception", "<p>")) or (
        code == "DagImportError"
    )


def test_a_trace_that_may_not_be_seen_is_left_out(both: Both, stub: AirflowStub) -> None:
    """An identity that may not list import errors still gets the broken file and the missing DAG."""
    unseen = "Airflow does not show the error to this identity"
    stub.broken, stub.dags = {"load_orders": "SyntaxError"}, {"load_orders"}
    answers(Reply(403, {"detail": "Forbidden"}), only="/api/v2/importErrors")(stub)
    _, found = both(RULES)
    assert [error["message"] for error in found["errors"]] == [
        "there is no DAG `smoke_tests`",
        f"the file of DAG `load_orders` cannot be imported: load_orders.py; {unseen}",
    ]


def test_everything_that_is_wrong_with_a_dag_is_told(both: Both, stub: AirflowStub) -> None:
    """A DAG that is broken, paused and without manual runs has one finding for each cause."""
    stub.paused, stub.broken, stub.run_types = {"load_orders"}, {"load_orders": "E"}, {"load_orders": []}
    _, found = both(RULES)
    assert [error["code"] for error in found["errors"]] == ["DagImportError", "DagNotManual", "DagPaused"]


@pytest.mark.parametrize(("state", "code"), [("paused", "DagPaused"), ("draining", "DagDraining")])
def test_a_paused_dag_whose_events_are_held_is_a_warning(
    state: str, code: str, both: Both, stub: AirflowStub
) -> None:
    """It is a warning if every rule of the DAG has `when_paused: hold`, and else an error."""
    setattr(stub, state, {"smoke_tests"})
    one = RULES.replace("name: a,", "name: a, when_paused: hold,")
    status, found = both(one)
    assert (status, [error["code"] for error in found["errors"]]) == (1, [code])
    status, found = both(one.replace("name: b,", "name: b, when_paused: hold,"))
    assert (status, found["errors"]) == (0, [])
    [warning] = found["warnings"]
    assert (warning["code"], warning["rules"]) == (code, ["a", "b"])
    assert "hold" not in warning["fix"]


def test_reports_that_will_not_come_are_told_once(both: Both, stub: AirflowStub) -> None:
    """All DAGs without the tag are one finding, with the rules that wait for a report and no others."""
    tracked = RULES.replace("name: a,", "name: a, track: callback,").replace(
        "name: c,", "name: c, track: callback,"
    )
    status, found = both(tracked)
    assert status == 1
    [error] = found["errors"]
    assert (error["code"], error["dags"], error["rules"]) == (
        "NoReport",
        ["smoke_tests", "load_orders"],
        ["a", "c"],
    )
    assert "DAGs `smoke_tests`, `load_orders` do not send" in error["message"]
    assert f"the tag `{REPORTS_TAG}`" in error["fix"]
    stub.tags = {"smoke_tests": ["nightly", REPORTS_TAG], "load_orders": [REPORTS_TAG]}
    assert both(tracked)[0] == 0
    stub.tags = {}
    stub.stale = {"smoke_tests", "load_orders"}
    assert [error["code"] for error in both(tracked)[1]["errors"]] == ["DagStale", "DagStale"]


def test_without_an_identity_nobody_is_asked(
    both: Both, stub: AirflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a credential, Airflow is not asked."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    _, found = both(RULES)
    [error] = found["errors"]
    assert error["code"] == "CredentialUnavailable"
    assert "no managed identity" in error["message"]
    assert stub.seen == ()


def test_a_connection_without_rules_is_asked_whether_it_accepts_the_identity(
    stub: AirflowStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A connection without rules is checked: with 403, Airflow accepts the token; with 401, it does not."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES[: RULES.index("rules:")] + "rules: []\n")
    assert main(["doctor", "--rules", str(file)]) == 0
    answers(Reply(403, {"detail": "Forbidden"}), only="/api/v2/dags")(stub)
    assert main(["doctor", "--rules", str(file)]) == 0
    capsys.readouterr()
    stub.tokens = set()
    answers(Reply(401, {"detail": "Invalid token"}), only="/api/v2/dags")(stub)
    assert main(["doctor", "--rules", str(file)]) == 1
    assert "refuses the token of this identity" in capsys.readouterr().out


def test_slow_network_work_is_announced(
    stub: AirflowStub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second, one line on standard error names the work, and the document stays whole."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    stub.latency = 3.0
    monkeypatch.setattr("cli.waiting.PATIENCE", PATIENCE)
    assert PATIENCE == 1
    for command in (["doctor", "--json"], ["validate", "--live", "--json"]):
        slow = RULES.replace("read_timeout: 1", "read_timeout: 1.3")
        file.write_text(slow)
        assert main([*command, "--rules", str(file)]) == 1
        captured = capsys.readouterr()
        assert captured.err.count(f"asking main at {stub.url} …\n") == 1
        assert json.loads(captured.out)["errors"][0]["code"] == "ReadTimeout"
