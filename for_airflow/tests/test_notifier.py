"""The notifier and the last task, with Airflow's own run objects; the rest is shown on a real Airflow."""

from collections.abc import Mapping
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from receiver import Receiver

pytest.importorskip("airflow", reason="needs Airflow")
from airflow.sdk.api.datamodels._generated import DagRun
from airflow.sdk.exceptions import AirflowFailException

from updraft_airflow.callback import CallbackError, Patience
from updraft_airflow.notifier import UpdraftNotifier, report_run

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
END = datetime(2026, 1, 2, tzinfo=timezone.utc)
QUICK = Patience(attempts=2, timeout=2.0, first_delay=0.001, longest_delay=0.01)


@pytest.fixture(autouse=True)
def _listed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """List the receiver, as an operator does."""
    monkeypatch.setenv("AIRFLOW__UPDRAFT__CALLBACK_URLS", receiver.url)


def run(conf: Mapping[str, Any] | None, state: str = "success", end: datetime | None = END) -> DagRun:
    """Make a run as Airflow hands it to callbacks and tasks."""
    return DagRun.model_construct(
        dag_id="smoke_tests", run_id="rule__1", conf=conf, state=state, start_date=START, end_date=end
    )


def to(receiver: Receiver) -> dict[str, Any]:
    """Make the conf of a run that wants its outcome reported."""
    return {"_updraft": {"callback": {"url": receiver.url, "token": "made-up.token"}}}


class Instance:
    """Answers for the task instance about the states of other tasks."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = states

    def get_task_states(self, *, dag_id: str, run_ids: list[str], task_ids: list[str]) -> dict[str, Any]:
        """Give only what was asked for, as Airflow does."""
        assert dag_id == "smoke_tests"
        return {run_ids[0]: {name: self.states[name] for name in task_ids}} if task_ids else {}


def last_task(conf: Mapping[str, Any] | None, upstream: set[str], states: Mapping[str, str]) -> None:
    """Call the task's function as Airflow would."""
    task = SimpleNamespace(upstream_task_ids=upstream)
    report_run.function(dag_run=run(conf, "running", None), ti=Instance(states), task=task)


@pytest.mark.parametrize(
    ("state", "reason", "reported"),
    [
        ("success", "success", "success"),
        ("failed", "task_failure", "failed"),
        ("running", "success", "success"),
        ("running", "timed_out", "failed"),
        ("running", None, "failed"),
    ],
)
def test_the_notifier_reports_what_airflow_decided(
    receiver: Receiver, state: str, reason: str | None, reported: str
) -> None:
    """The run's state if it has ended, else the callback's reason."""
    UpdraftNotifier(patience=QUICK)({"dag_run": run(to(receiver), state), "reason": reason})
    [(headers, body)] = receiver.taken
    assert headers["Authorization"] == "Bearer made-up.token"
    assert (body["state"], body.get("detail")) == (reported, reason)
    assert (body["started_at"], body["ended_at"]) == (START.isoformat(), END.isoformat())


def test_the_state_can_be_given(receiver: Receiver) -> None:
    """For a callback whose meaning the DAG's author knows better."""
    UpdraftNotifier(state="failed", patience=QUICK)({"dag_run": run(to(receiver))})
    assert receiver.taken[0][1]["state"] == "failed"


def test_a_run_that_asks_for_nothing_is_left_alone(receiver: Receiver) -> None:
    """Nor does a callback without a run fail: Airflow gives none where no task ever ran."""
    UpdraftNotifier(patience=QUICK)({"dag_run": run(None)})
    UpdraftNotifier(patience=QUICK)({"run_id": "rule__1"})
    assert receiver.taken == []


def test_the_notifier_tells_airflow_that_it_failed(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """With the cause, and without the token."""
    receiver.answers = [503, 503]
    with pytest.raises(CallbackError, match="503"):
        UpdraftNotifier(patience=QUICK)({"dag_run": run(to(receiver))})
    assert "made-up.token" not in caplog.text


@pytest.mark.parametrize("states", [{"a": "success", "b": "skipped"}, {"a": "success", "b": "removed"}])
def test_the_last_task_reports_success(receiver: Receiver, states: Mapping[str, str]) -> None:
    """Unless a task directly before it failed; one further up that was recovered from does not count."""
    last_task(to(receiver), set(states), {**states, "further up": "failed"})
    [(_, body)] = receiver.taken
    assert body["state"] == "success"
    assert "detail" not in body
    assert body["started_at"] < body["ended_at"]


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_the_last_task_fails_with_the_run(receiver: Receiver, state: str) -> None:
    """After the report, and without a retry, so that the run does not look successful."""
    with pytest.raises(AirflowFailException, match="failed tasks: b"):
        last_task(to(receiver), {"a", "b"}, {"a": "success", "b": state})
    assert (receiver.taken[0][1]["state"], receiver.taken[0][1]["detail"]) == ("failed", "failed tasks: b")


def test_the_last_task_keeps_the_runs_state_without_a_callback() -> None:
    """A run without a callback reports nothing."""
    last_task(None, {"a"}, {"a": "success"})
    last_task(None, set(), {})
    with pytest.raises(AirflowFailException):
        last_task(None, {"a"}, {"a": "failed"})


def test_a_refusal_is_not_retried_by_airflow(receiver: Receiver) -> None:
    """A permanent error fails the task at once."""
    receiver.answers = [409]
    with pytest.raises(AirflowFailException, match="another end"):
        last_task(to(receiver), {"a"}, {"a": "success"})


@pytest.mark.parametrize("listed", ["", "https://updraft.example/api/outcomes"])
def test_an_address_that_is_not_listed_hears_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    """Both ways fail at once for an address that is not listed, and the error has the setting to add."""
    monkeypatch.setenv("AIRFLOW__UPDRAFT__CALLBACK_URLS", listed)
    line = f"callback_urls = {listed + ', ' if listed else ''}{receiver.url}"
    with pytest.raises(AirflowFailException) as task:
        last_task(to(receiver), {"a"}, {"a": "success"})
    with pytest.raises(CallbackError) as notifier:
        UpdraftNotifier(patience=QUICK)({"dag_run": run(to(receiver))})
    assert str(task.value).endswith(line)
    assert str(notifier.value).endswith(line)
    assert receiver.taken == []


def test_the_last_task_runs_whatever_happened() -> None:
    """Its trigger rule and retries are its own."""
    assert report_run.kwargs["trigger_rule"] == "all_done"
    assert report_run.kwargs["retries"] == 3
