"""`updraft publish --wait`: the runs are computed from rules.yaml, and their steps are shown."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from cli import local_settings
from cli.follow import following
from cli.follow.timeline import line, line_printer, markup, run_moments
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import Reply, Request
from shared.rules import Rules, load_rules
from shared.values.json_text import JsonObject
from tests.support.recording_topic import RecordingTopic, start_runs

if TYPE_CHECKING:
    from shared.event import Event

RULES: Final = """
connections:
  main: {url: "%UPDRAFT_AIRFLOW_URL%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - name: opened
    when: {types: [Shop.Opened]}
    start: {dag: smoke_tests, conf: {door: "{{ data.door }}"}}
  - name: big
    when: {types: [Shop.Opened], filter: [{operatorType: NumberGreaterThan, key: data.size, value: 9}]}
    start: {dag: other}
  - name: off
    enabled: false
    when: {types: [Shop.Closed]}
    start: {dag: other}
  - name: ours
    when: {types: [Shop.Ours], sources: [/shops/*]}
    start: {dag: other}
  - name: burst
    when: {types: [Shop.Burst]}
    start: {dag: other}
    coalesce: {by: "{{ subject }}", window: 60s}
  - name: hooked
    when: {types: [Shop.Hooked], via: [hook/github]}
    start: {dag: other}
  - name: web
    when: {types: [Shop.Web], via: [webhook], subject: {ends_with: .csv}}
    start: {dag: other}
"""
CLOUD_EVENT: Final[JsonObject] = {"specversion": "1.0", "source": "/shop", "type": "Shop.Opened"}
GRID_EVENT: Final[JsonObject] = {
    "eventType": "Shop.Opened",
    "subject": "s",
    "eventTime": "2026-11-25T09:00:00Z",
}
SUCCESS: Final = {
    "state": "success",
    "start_date": "2099-11-25T09:00:01Z",
    "end_date": "2099-11-25T09:00:02Z",
}


class World:
    """A topic, an Airflow, the rules, and the app between them."""

    def __init__(self, topic: RecordingTopic, stub: AirflowStub, folder: Path) -> None:
        self.topic = topic
        self.stub = stub
        self.folder = folder
        (folder / "rules.yaml").write_text(RULES)

    @property
    def rules(self) -> Rules:
        """The rules, with the stub's address."""
        return load_rules(RULES, file="r", settings={"UPDRAFT_AIRFLOW_URL": self.stub.url})

    def app(self, **state: str) -> None:
        """Let an app start the runs, and give them a state."""
        self.topic.deliver = lambda event: start_runs(event, self.rules, self.stub, **state)

    def publish(self, *arguments: str, of: JsonObject = CLOUD_EVENT, **members: object) -> int:
        """Publish an event, and wait for its runs."""
        file = self.folder / "event.json"
        file.write_text(json.dumps({"id": "e-1", "data": {"door": 1}} | of | members))
        rules = str(self.folder / "rules.yaml")
        return main(["publish", "--wait", "--timeout", "0.6", "--rules", rules, *arguments, str(file)])


@pytest.fixture
def world(certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world, in this process's environment."""
    with (
        IdentityEndpoint() as identity,
        RecordingTopic(tls=certificates.server_context()) as topic,
        AirflowStub(("smoke_tests", "other")) as stub,
    ):
        for name, value in (identity.environment() | certificates.environment()).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("UPDRAFT_TOPIC_ENDPOINT", topic.endpoint)
        monkeypatch.setenv("UPDRAFT_AIRFLOW_URL", stub.url)
        for name in ("AzureWebJobsStorage__accountName", "AzureWebJobsStorage__blobServiceUri"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(following, "_REPORTED_AFTER", 0.1)
        yield World(topic, stub, tmp_path)


@pytest.mark.parametrize("of", [CLOUD_EVENT, GRID_EVENT], ids=["CloudEvents", "Event Grid"])
def test_an_event_is_followed_to_the_end_of_its_run(
    world: World, capsys: pytest.CaptureFixture[str], of: JsonObject
) -> None:
    """The steps are shown in their order, with the conf and the address of the run; the status is 0."""
    world.app(**SUCCESS)
    assert world.publish(of=of) == 0
    printed = capsys.readouterr()
    steps = [
        text.split("ms  ")[1].split("  ")[0].strip() for text in printed.out.splitlines() if "ms  " in text
    ]
    assert steps == ["published", "run created rule opened, DAG smoke_tests", "running", "succeeded"]
    ((_, run),) = world.stub.runs
    assert "door 1" in printed.out
    assert f"{world.stub.url}/dags/smoke_tests/runs/{run}" in printed.out
    assert printed.err == ""


def test_every_rule_that_matches_is_followed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Two rules are two runs, each named in each line; the document has both."""
    world.app(**SUCCESS)
    assert world.publish(data={"door": 1, "size": 10}) == 0
    printed = capsys.readouterr().out
    assert printed.count("succeeded   rule opened") == printed.count("succeeded   rule big") == 1
    assert world.publish("--json", id="e-2", data={"door": 1, "size": 10}) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert (event["id"], event["nearest"]) == ("e-2", None)
    assert [(run["rule"], run["dag"], run["state"]) for run in event["runs"]] == [
        ("opened", "smoke_tests", "success"),
        ("big", "other", "success"),
    ]
    assert [*event["runs"][0]["milliseconds"]] == ["started", "running", "success"]
    assert {run["run"] for run in event["runs"]} <= {run for _, run in world.stub.runs}


def test_a_run_that_fails_gives_status_1(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that failed gives exit status 1."""
    world.app(**SUCCESS | {"state": "failed"})
    assert world.publish() == 1
    assert "failed      door 1" in capsys.readouterr().out


def test_a_second_delivery_is_a_duplicate(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that existed before the event was sent is shown as a duplicate."""
    world.app(**SUCCESS | {"start_date": "2020-01-01T00:00:00Z", "end_date": "2020-01-01T00:00:00Z"})
    assert world.publish() == 0
    capsys.readouterr()
    assert world.publish() == 0
    printed = capsys.readouterr().out
    assert "duplicate   rule opened, DAG smoke_tests: the run existed before, and has succeeded" in printed
    assert "run created" not in printed


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (
            {"type": "Shop.Opend"},
            "nearest rule `opened`: no rule has the type `Shop.Opend`; the nearest type is `Shop.Opened` of",
        ),
        ({"type": "Shop.Closed"}, "nearest rule `off`: the rule is not enabled"),
        ({"type": "Shop.Ours"}, "nearest rule `ours`: source is `/shop`, which"),
        ({"type": "Shop.Hooked"}, "nearest rule `hooked`: via is `queue`, not `hook/github`"),
    ],
)
def test_no_rule_that_matches_is_said_at_once(
    world: World, capsys: pytest.CaptureFixture[str], members: dict[str, str], says: str
) -> None:
    """The event is published, and the message has the nearest rule and its failed condition."""
    assert world.publish("--timeout", "99", type=members["type"]) == 1
    printed = capsys.readouterr()
    assert "published e-1" in printed.out
    assert says in printed.err
    assert world.publish("--json", type=members["type"]) == 1
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert says == f"nearest rule `{event['nearest']['rule']}`: {event['nearest']['reason']}"[: len(says)]


def test_what_cannot_start_is_said_at_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A template that cannot be rendered, and an event that is collected, are not waited for."""
    assert world.publish("--timeout", "99", data={}) == 1
    assert "event e-1: the run cannot be requested: " in capsys.readouterr().err
    assert world.publish("--timeout", "99", type="Shop.Burst", subject="x") == 1
    assert "event e-1: the event is collected for 60 s with others of the key x" in capsys.readouterr().err


def paused(world: World) -> None:
    """Start runs of a DAG that is paused."""
    world.app()
    world.stub.paused.add("smoke_tests")


def nothing(_: World) -> None:
    """Start nothing."""


def unscheduled(world: World) -> None:
    """Start runs that stay in the queue."""
    world.app()


def running(world: World) -> None:
    """Start a run that does not end."""
    world.app(state="running", start_date="2099-11-25T09:00:01Z")


def forbidden(world: World) -> None:
    """Give the identity no rights."""
    world.stub.forbidden.add("smoke_tests")


def unknown_token(world: World) -> None:
    """Accept no token."""
    world.stub.tokens = set()


def away(world: World) -> None:
    """Stop the Airflow."""
    world.stub.stop()


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (paused, "waiting: rule opened: the run is queued, and DAG smoke_tests is paused: airflow dags"),
        (unscheduled, "event e-1: its run has not ended after 1 s: the run is queued: Airflow's"),
        (running, "event e-1: its run has not ended after 1 s: the run is running (rule `opened`)"),
        (nothing, "has no run opened__e-1__"),
        (nothing, "updraft replay list"),
        (forbidden, "give its role the right to read DAG Runs: airflow entra-role --role Updraft"),
        (unknown_token, "refuses the token of this identity"),
        (away, "waiting: rule opened: the Airflow of `main` is down (connection refused); start its api"),
    ],
)  # fmt: skip
def test_who_waits_and_why(
    world: World, capsys: pytest.CaptureFixture[str], prepare: Callable[[World], None], says: str
) -> None:
    """If a run does not end in time or may not be read, the message names the rule and the cause."""
    prepare(world)
    assert world.publish() == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (
            nothing,
            "in the app's log (.updraft/logs/function-app*.log) and among the dead letters: `updraft --local",
        ),
        (away, "the Airflow of `main` is down (connection refused); make airflow-start"),
    ],
)
def test_a_local_stack_has_its_log_and_its_start_command(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[World], None],
    says: str,
) -> None:
    """With `--local`, the messages name the file of the log and the command that starts Airflow."""
    file = world.folder / "env"
    file.write_text("")
    monkeypatch.setattr(local_settings, "FILE", file)
    prepare(world)
    assert world.publish("--local") == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("state", "says"), [("failed", "has failed"), ("running", "is running")])
def test_the_state_of_an_earlier_run_is_said(
    world: World, capsys: pytest.CaptureFixture[str], state: str, says: str
) -> None:
    """A duplicate names the state of the run that existed before."""
    world.app(state=state, start_date="2020-01-01T00:00:00Z", end_date="2020-01-01T00:00:00Z")
    assert world.publish() == world.publish() == 1
    assert f"the run existed before, and {says}\n" in capsys.readouterr().out


def test_the_source_of_the_topic_makes_the_run_id_whole(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--source` the run of an event in Event Grid's schema is found by its whole id."""
    world.app(**SUCCESS)
    assert world.publish("--source", world.topic.resource_id, of=GRID_EVENT) == 0
    assert world.publish("--source", "/another", of=GRID_EVENT) == 1
    assert "has no run opened__e-1__" in capsys.readouterr().err


@pytest.mark.parametrize("of", [CLOUD_EVENT, GRID_EVENT], ids=["CloudEvents", "Event Grid"])
def test_a_missing_dag_is_named(world: World, capsys: pytest.CaptureFixture[str], of: JsonObject) -> None:
    """If Airflow has no such DAG, the message has the nearest one and the fix, also for a whole run id."""
    world.stub.dags.discard("smoke_tests")
    world.stub.dags.add("smoke_test")
    assert world.publish(of=of) == 1
    says = "Airflow has no DAG `smoke_tests` (did you mean `smoke_test`?); deploy it, or change `start.dag`"
    assert says in capsys.readouterr().err


def test_a_dag_that_exists_is_asked_for_once(world: World) -> None:
    """While its run is looked for, Airflow gets no further question about the DAG."""
    asked: list[str] = []

    def handle(request: Request) -> Reply:
        asked.append(request.path)
        return AirflowStub.handle(world.stub, request)

    world.stub.handle = handle  # type: ignore[method-assign] # to see the requests
    assert world.publish() == 1
    assert asked.count("/api/v2/dags/smoke_tests") == 1
    assert len(asked) > 3


def test_a_run_of_another_event_is_not_taken_for_ours(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run with the same beginning of its id and another event in its conf is not the event's run."""
    others: list[Event] = []
    world.topic.deliver = others.append
    world.publish(of=GRID_EVENT, id="e?1")
    world.topic.deliver = None
    start_runs(others[0], world.rules, world.stub, **SUCCESS)
    assert world.publish(of=GRID_EVENT, id="e*1") == 1
    assert "DAG smoke_tests has no run for it yet" in capsys.readouterr().err


def test_slow_work_is_named_once(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of work has one line on standard error, and a document stays whole."""
    monkeypatch.setattr("cli.waiting.PATIENCE", 0.0)
    world.app(**SUCCESS)
    assert world.publish("--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["ok"]
    assert printed.err.splitlines() == [
        "looking for earlier runs …",
        f"publishing to {world.topic.endpoint} …",
        "following 1 run for up to 1 s …",
    ]


def test_rules_with_mistakes_send_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is published if the runs cannot be computed."""
    assert world.publish("--rules", str(world.folder / "none.yaml")) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert world.topic.last == b""


@pytest.mark.parametrize(
    ("run", "names"),
    [
        ({"state": "queued", "queued_at": "2026-01-01T00:00:00Z"}, ["started"]),
        ({"state": "running", "start_date": "2026-01-01T00:00:00Z", "end_date": None}, ["running"]),
        ({"state": "failed", "end_date": "2026-01-01T00:00:00Z", "conf": None}, ["failed"]),
        ({"state": "success", "end_date": "never", "start_date": 3}, []),
    ],
)
def test_moments_are_what_airflow_says(run: JsonObject, names: list[str]) -> None:
    """Times that are missing or cannot be read are left out."""
    assert [moment.name for moment in run_moments(run)] == names


def test_a_terminal_gets_whole_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal a long run id is never broken across lines, however narrow it is."""
    monkeypatch.setenv("COLUMNS", "20")
    line_printer(terminal=True)(1, "started", "x" * 200)
    assert "x" * 200 in capsys.readouterr().out
    line_printer(terminal=False)(1, "started", "y" * 200)
    assert "y" * 200 in capsys.readouterr().out


def test_a_line_cannot_write_to_the_terminal() -> None:
    """Invisible characters and markup of a conf are shown as they are, with colours and without."""
    assert line(1234, "success", "\x1b[31m[red]x") == "  1 234 ms  succeeded   \\x1b[31m[red]x"
    assert "\x1b" not in markup(0, "started", "\x1b[31m")
    assert "\\[red]" in markup(0, "started", "[red]x")
