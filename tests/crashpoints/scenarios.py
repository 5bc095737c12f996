"""The scenarios: their deliveries and their expected runs."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.runs.direct_run import DirectRun
from tests.crashpoints.servers import GITHUB_SECRET, KEY
from tests.crashpoints.wire import Point

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crashpoints.case import Case, Run

DAG: Final = "greet"
_LARGE: Final = 70_000
"""Characters of an event that does not fit into a queue message."""
_CONNECTION: Final = """
connections:
  airflow: {url: "%UPDRAFT_AIRFLOW_URL%", read_timeout: 2, auth: AUTH}
"""
_IDENTITY: Final = _CONNECTION.replace("AUTH", '{kind: entra, scope: "api://airflow/.default"}')
_LOGIN: Final = _CONNECTION.replace(
    "AUTH", "{kind: airflow, username: updraft, password_secret: airflow-password}"
)
_RULE: Final = f"""
rules:
  - name: greet
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, conf: {{door: "{{{{ data.door }}}}"}}}}
"""
_CALLERS: Final = f"""
callers:
  - {{name: agent, object_id: 00000000-0000-4000-8000-00000000000b, dags: [{DAG}], conf: [door]}}
"""
_ASKED: Final = DirectRun(
    caller={
        "entry": "agent",
        "kind": "application",
        "object_id": "00000000-0000-4000-8000-00000000000b",
        "app_id": "00000000-0000-4000-8000-00000000000c",
    },
    dag_id=DAG,
    connection="airflow",
    id="k1",
    time="2026-11-01T12:00:00Z",
    conf={"door": 1},
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One path of an event through the app.

    Attributes:
        name: The name in the report.
        rules: The rules file.
        act: Delivers the events; the case handles parked deliveries afterwards.
        expected: The runs that Airflow must have in the end.
        letters: The number of dead letters in the end, all of them sent again.
        dags: The DAGs that Airflow has.
    """

    name: str
    rules: str
    act: "Callable[[Case], None]"
    expected: "frozenset[Run]"
    letters: int = 0
    dags: tuple[str, ...] = (DAG,)


def event(event_id: str, *, minute: int = 0, **data: object) -> str:
    """Return the body of an event."""
    known = {"specversion": "1.0", "id": event_id, "source": "/shops/1", "type": "Shop.Opened"}
    return json.dumps(known | {"time": f"2026-11-01T12:{minute:02}:00Z", "data": {"door": 1} | data})


def _one(case: "Case") -> None:
    case.deliver(event("e1"))


def _parked(case: "Case") -> None:
    """The DAG is missing when the event arrives, and exists when its message is handled again."""
    case.servers.airflow.dags.clear()
    case.deliver(event("e1"))
    case.servers.airflow.dags.add(DAG)


def _parked_large(case: "Case") -> None:
    case.servers.airflow.dags.clear()
    case.deliver(event("e1", more="x" * _LARGE))
    case.servers.airflow.dags.add(DAG)


def _direct_run(case: "Case") -> None:
    """A caller requests a run of a DAG that does not exist yet, until the request is acknowledged."""
    case.servers.airflow.dags.clear()
    case.insist("call", _ASKED)
    case.servers.airflow.dags.add(DAG)


def _direct_run_letter(case: "Case") -> None:
    """The caller loses its right while its run waits, gets it back, and the dead letter is sent again."""
    case.servers.airflow.dags.clear()
    case.insist("call", _ASKED)
    case.correct_rules("conf: [door]", "conf: [gate]")
    case.drain()
    case.servers.airflow.dags.add(DAG)
    case.correct_rules("conf: [gate]", "conf: [door]")
    case.insist("command", "replay", "send", "--all")


def _burst(case: "Case") -> None:
    """Two events join one window, and the third arrives after its end."""
    case.deliver(event("e1"))
    case.deliver(event("e2", minute=1))
    case.drain()
    case.deliver(event("e3", minute=2))


def _letter(case: "Case") -> None:
    """The event cannot be rendered; its rule is corrected, and the dead letter is sent again."""
    case.deliver(event("e1"))
    case.correct_rules("data.gate", "data.door")
    case.insist("command", "replay", "send", "--all")


def _letter_again(case: "Case") -> None:
    """The dead letter is sent again too early, so that the event is rejected a second time."""
    case.deliver(event("e1"))
    case.insist("command", "replay", "send", "--all")
    case.drain()
    case.correct_rules("data.gate", "data.door")
    case.insist("command", "replay", "send", "--all")


def _unverified_hook(case: "Case") -> None:
    """GitHub delivers while its secret cannot be read; the delivery is verified when it is handled again."""
    vault = case.servers.vault
    vault.inject(503, times=1_000, when=lambda request: GITHUB_SECRET in request.path)
    run = {"id": 7, "run_attempt": 1, "updated_at": "2026-11-01T12:00:00Z"}
    about = {"action": "completed", "workflow_run": run, "workflow": {"id": 1}, "more": "x" * _LARGE}
    body = json.dumps(about | {"repository": {"url": "https://api.github.com/repos/a/b"}}).encode()
    signature = f"sha256={hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()}"
    done = case.insist("hook", signature, body)
    assert done.outcomes == ("202",), f"the hook was answered {done.outcomes}"
    vault.heal()


def _report(case: "Case") -> None:
    """The run reports its end with its own token, until the report is acknowledged."""
    case.deliver(event("e1"))
    case.drain()
    run = case.run_of("greet")
    body = {"run": {"dag_id": DAG, "dag_run_id": run["dag_run_id"]}, "state": "success"}
    token = run["conf"]["_updraft"]["callback"]["token"]
    done = case.insist("report", token, json.dumps(body).encode())
    assert done.outcomes in {("201",), ("200",)}, f"the report was answered {done.outcomes}"


def _latest(case: "Case") -> None:
    """A newer event and an older one of the same value: the older one does not start a run."""
    case.deliver(event("new", minute=5))
    case.drain()
    case.deliver(event("old", minute=1))


def _overtaken(case: "Case") -> None:
    """The newer event starts its run between the older one's check and its run: both run (docs/rules.md)."""
    question = Point("airflow GET api/v2/dags/DAG/dagRuns", 1)
    case.wire.meanwhile[question] = lambda: case.deliver(event("new", minute=5))
    case.deliver(event("old", minute=1))


SCENARIOS: Final = (
    Scenario("event to run", _IDENTITY + _RULE, _one, frozenset({("greet", "e1")})),
    Scenario("event to run, login", _LOGIN + _RULE, _one, frozenset({("greet", "e1")})),
    Scenario("parked to run", _IDENTITY + _RULE, _parked, frozenset({("greet", "e1")})),
    Scenario("parked by claim to run", _IDENTITY + _RULE, _parked_large, frozenset({("greet", "e1")})),
    Scenario(
        "direct run parked to run",
        _IDENTITY + _RULE + _CALLERS,
        _direct_run,
        frozenset({("call", "k1")}),
    ),
    Scenario(
        "direct run to dead letter and replay",
        _IDENTITY + _RULE + _CALLERS,
        _direct_run_letter,
        frozenset({("call", "k1")}),
        letters=1,
    ),
    Scenario(
        "window opened, joined, closed",
        _IDENTITY
        + _RULE.replace('{door: "{{ data.door }}"}', '{events: "{{ events }}"}')
        + '    coalesce: {by: "{{ source }}", window: 3s}\n',
        _burst,
        frozenset({("greet", "e1"), ("greet", "e2"), ("greet", "e3")}),
    ),
    Scenario(
        "dead letter and replay",
        _IDENTITY + _RULE.replace("data.door", "data.gate"),
        _letter,
        frozenset({("greet", "e1")}),
        letters=1,
    ),
    Scenario(
        "dead letter twice and replay",
        _IDENTITY + _RULE.replace("data.door", "data.gate"),
        _letter_again,
        frozenset({("greet", "e1")}),
        letters=2,
    ),
    Scenario(
        "unverified hook to run",
        _IDENTITY
        + _RULE.replace("Shop.Opened", "com.github.workflow_run.completed").replace(
            "data.door", "data.workflow_run.id"
        ),
        _unverified_hook,
        frozenset({("greet", "workflow_run/7/1/completed")}),
    ),
    Scenario(
        "run and its report",
        _IDENTITY + _RULE + "    track: callback\n",
        _report,
        frozenset({("greet", "e1")}),
    ),
    Scenario(
        "latest_by",
        _IDENTITY + _RULE + '    latest_by: "{{ data.door }}"\n',
        _latest,
        frozenset({("greet", "new")}),
    ),
)

OVERTAKEN: Final = Scenario(
    "latest_by, overtaken",
    _IDENTITY + _RULE + '    latest_by: "{{ data.door }}"\n',
    _overtaken,
    frozenset({("greet", "old"), ("greet", "new")}),
)
"""The race of `latest_by`: it needs two instances, and cannot be caused by a single fault."""
