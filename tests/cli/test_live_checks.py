"""`updraft validate --live`: what the Airflows say against the rules."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.live_checks import REPORTS_TAG, DagState, RuleCheck, live_checks
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import Reply
from shared.delivery.paused_dags import Scheduling
from shared.errors import UpdraftError
from shared.rules import load_rules
from shared.values.json_text import JsonObject
from tests.support.paths import ROOT

RULES = """
connections:
  main: {url: "%AIRFLOW%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: swap, when: {types: [Swapped]}, start: {dag: smoke_tests}}
  - {name: order, when: {types: [Order]}, start: {dag: load_orders, conf: {n: "{{ data.n }}"}}}
  - {name: off, enabled: false, when: {types: [Off]}, start: {dag: nowhere}}
"""
N: JsonObject = {"n": {"value": None, "schema": {"type": "integer"}}}


def checks(answers: dict[str, DagState | UpdraftError], rules: str = RULES) -> list[RuleCheck]:
    """Return what becomes of the rules where the Airflow says this of its DAGs."""

    class Airflow:
        def dag(self, connection: str, dag_id: str) -> DagState:
            assert connection == "main"
            answer = answers.pop(dag_id)  # so that each DAG is asked about once
            if isinstance(answer, UpdraftError):
                raise answer
            return answer

    return list(live_checks(load_rules(rules, file="rules.yaml", settings=None), Airflow(), {}))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            DagState(exists=False),
            "there is no DAG `smoke_tests`: deploy it, or change the rule's `start.dag`",
        ),
        (
            DagState(exists=False, others=["smoke_test"]),
            "there is no DAG `smoke_tests` (did you mean `smoke_",
        ),
        (DagState(exists=False, broken_files=["a.py"]), "a file that cannot be imported there: a.py"),
        (
            DagState(exists=False, hidden=True),
            "or none that this identity may read: deploy it, or change the",
        ),
        (
            DagState(exists=True, scheduling=Scheduling.DRAINING),
            "`smoke_tests` is draining, and each run that is asked for delays that",
        ),
        (
            DagState(exists=True, scheduling=Scheduling.PAUSED),
            "its runs would wait: `airflow dags unpause smoke_tests`",
        ),
        (DagState(exists=True, import_error="a.py: E"), "`smoke_tests` cannot be imported: a.py: E; mend it"),
        (
            DagState(exists=True, stale=True),
            "no longer in any file that Airflow reads: deploy its file again",
        ),
        (DagState(exists=True, manual=False), "does not allow manual runs: add `manual`"),
    ],
)
def test_a_dag_that_cannot_be_run_is_a_problem(state: DagState, told: str) -> None:
    """It is a problem of the rule that starts it, with what to do about it."""
    swap, order = checks({"smoke_tests": state, "load_orders": DagState(exists=True)})
    [problem] = swap.problems
    assert problem.startswith("rule `swap`: connection `main`: ")
    assert told in problem
    assert order.problems == []
    assert order.line() == "rule `order`: connection `main`: DAG `load_orders` is ready"


def test_everything_that_is_wrong_with_a_dag_is_told() -> None:
    """A DAG may be broken and paused at once."""
    state = DagState(exists=True, scheduling=Scheduling.PAUSED, stale=True, import_error="SyntaxError")
    swap, _ = checks({"smoke_tests": state, "load_orders": DagState(exists=True)})
    assert len(swap.problems) == 2


def test_an_airflow_that_cannot_be_asked_is_asked_once() -> None:
    """Its other rules say that they were not checked, instead of waiting for it again."""
    swap, order = checks({"smoke_tests": UpdraftError("it is down")})
    assert swap.problems == ["rule `swap`: connection `main`: it is down"]
    assert order.problems == ["rule `order`: connection `main`: not asked about DAG `load_orders` either"]


def test_two_rules_of_one_dag_ask_once() -> None:
    """A DAG's state is asked for once, however many rules start it."""
    rules = RULES.replace("dag: load_orders", "dag: smoke_tests")
    assert [check.problems for check in checks({"smoke_tests": DagState(exists=True)}, rules)] == [[], []]


TRACKED = RULES.replace("start: {dag: smoke_tests}", "start: {dag: smoke_tests}, track: callback")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (DagState(exists=True, reports=False), 1),
        (DagState(exists=True, reports=True), 0),
        (DagState(exists=True, reports=False, scheduling=Scheduling.PAUSED), 2),
        (DagState(exists=False, reports=False), 1),
        (DagState(exists=True, reports=False, stale=True), 1),
        (DagState(exists=True, reports=False, import_error="a.py: E"), 1),
    ],
)
def test_a_report_that_will_not_come_is_a_problem(state: DagState, told: int) -> None:
    """Of the rule that waits for it, where the DAG is there to be asked; of no other rule."""
    dags: dict[str, DagState | UpdraftError] = {"smoke_tests": state, "load_orders": DagState(exists=True)}
    swap, _ = checks({**dags}, TRACKED)
    assert len(swap.problems) == told
    remedy = "set `UpdraftNotifier()` as its `on_success_callback` and its `on_failure_callback`"
    silent = not state.reports and state.exists and not state.stale and state.import_error is None
    assert any(remedy in problem for problem in swap.problems) == silent
    untracked, _ = checks({**dags})
    assert not any(remedy in problem for problem in untracked.problems)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder with three events, two of which have a text for a number."""
    folder = tmp_path / "samples"
    folder.mkdir()
    event = {"specversion": "1.0", "source": "/s"}
    events = [
        {**event, "id": "1", "type": "Swapped"},
        {**event, "id": "2", "type": "Order", "data": {"n": 5}},
        {**event, "id": "3", "type": "Order", "data": {"n": "5"}},
        {**event, "id": "4", "type": "Order", "data": {"n": "5"}},
    ]
    for number, each in enumerate(events, 1):
        (folder / f"{number}.json").write_text(json.dumps(each))
    return folder


@pytest.fixture
def stub(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStub]:
    """An Airflow that the rules' setting names, beside an identity to ask it as."""
    with AirflowStub(("smoke_tests", "load_orders")) as running:
        monkeypatch.setenv("AIRFLOW", running.url)
        yield running


def test_a_ready_airflow_is_said_to_be(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each rule in force is a line; nothing but questions is sent, with the identity's token."""
    stub.params["load_orders"] = N
    assert main(["validate", "--live", "--rules", str(rules)]) == 0
    out = capsys.readouterr().out
    assert "rule `swap`: connection `main`: DAG `smoke_tests` is ready\n" in out
    assert "DAG `load_orders` is ready; no sample shows whether conf satisfies its params\n" in out
    assert out.endswith("3 rules, nothing wrong\n")
    assert stub.count("POST", "/api") == 0


def test_confs_that_fit_are_counted(
    rules: Path, samples: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the samples give is put to the DAG's params."""
    stub.params["load_orders"] = {"n": {"value": 1, "schema": {"type": ["integer", "string"]}}}
    assert main(["validate", "--live", "--rules", str(rules), "--samples", str(samples)]) == 0
    assert "is ready, and the conf of 3 of the samples satisfies its params" in capsys.readouterr().out


def test_a_conf_that_airflow_would_refuse_is_a_problem(
    rules: Path, samples: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same problem of several samples is told once, with the first of them."""
    stub.params["load_orders"] = N
    assert main(["validate", "--live", "--rules", str(rules), "--samples", str(samples)]) == 1
    captured = capsys.readouterr()
    assert (
        f"{samples / '3.json'} (and 1 more): rule `order`: DAG `load_orders` would refuse the conf: param "
        "`n`: '5' is not of type 'integer'" in captured.err
    )
    assert captured.err.endswith("1 problem found\n")
    assert "load_orders` is ready" not in captured.out


def test_what_the_airflow_says_is_read(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paused, broken, missing: the stub's own words arrive in the report."""
    stub.dags = {"smoke_test", "load_orders"}
    stub.paused, stub.run_types = {"load_orders"}, {"load_orders": ["scheduled"]}
    stub.broken = {"load_orders": "Traceback …\n  File\nSyntaxError: invalid syntax\n"}
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert "there is no DAG `smoke_tests` (did you mean `smoke_test`?)" in err
    assert "cannot be imported there: load_orders.py" in err
    assert "DAG `load_orders` cannot be imported: load_orders.py: SyntaxError: invalid syntax; mend" in err
    assert "unpause load_orders" in err
    assert "does not allow manual runs" in err
    assert err.endswith("4 problems found\n")


def test_a_dag_that_reports_is_known_by_its_tag(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tag among others; without it the rule's line says what to do."""
    rules.write_text(TRACKED)
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert (
        "rule `swap`: connection `main`: `track: callback` waits for a report that DAG `smoke_tests` " in err
    )
    assert err.endswith("1 problem found\n")
    stub.tags = {"smoke_tests": ["nightly", REPORTS_TAG]}
    assert main(["validate", "--live", "--rules", str(rules)]) == 0


def test_the_tag_is_the_one_that_the_package_for_airflow_sets() -> None:
    """The two are installed apart and cannot import each other."""
    policy = ROOT / "for_airflow/src/updraft_airflow/policy.py"
    assert f'REPORTS_TAG = "{REPORTS_TAG}"' in policy.read_text(encoding="utf-8")


def test_a_dag_that_may_not_be_seen_is_told_from_a_missing_airflow(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow answers 403 for a DAG that does not exist, too, to those who may not read all."""
    stub.forbidden = {"smoke_tests"}
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    captured = capsys.readouterr()
    assert "grant it can_read and can_edit on the DAG" in captured.err
    assert "`load_orders` is ready" in captured.out


def test_a_trace_that_may_not_be_seen_is_left_out(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may not list import errors still learns which file is broken."""
    stub.broken = {"load_orders": "SyntaxError"}
    stub.handle = lambda request: (  # type: ignore[method-assign] # only this listing is refused
        Reply(403, {"detail": "Forbidden"})
        if request.path == "/api/v2/importErrors"
        else AirflowStub.handle(stub, request)
    )
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    assert "cannot be imported: load_orders.py; mend it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(403, {"detail": "Forbidden"}), "cannot be asked: Airflow knows us and does not let us"),
        (Reply(302, headers={"Location": "https://login.example/x"}), "a login page or a proxy stands in"),
        (Reply(404, body=b"<html>"), "neither /api/v2/version nor /api/v1/version is there"),
        (Reply(500, body=b"oops"), "cannot be asked: Airflow"),
    ],
)
def test_an_airflow_that_does_not_answer_is_a_problem(
    reply: Reply, told: str, rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its address and what stands in the way are told, once."""
    stub.handle = lambda request: reply  # type: ignore[method-assign] # noqa: ARG005 - the handler's signature
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert stub.url in err
    assert "not asked about DAG `load_orders` either" in err


def test_a_setting_that_is_missing_is_a_mistake(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Live, the settings have to be there; the mistake names the one that is not."""
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    assert "AIRFLOW" in capsys.readouterr().err


def test_a_draining_dag_is_reported(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A DAG that Airflow 3.4 calls draining is a problem, and the remedies are named."""
    stub.draining = {"load_orders"}
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert "DAG `load_orders` is draining" in err
    assert "`when_paused: hold`" in err
