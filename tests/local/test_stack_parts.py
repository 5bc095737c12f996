"""The small parts of the local stack: ports, the timeline, and the finder of Node.js."""

import json
import logging
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.functions_host.logs import ConsoleFormatter, JsonFormatter
from local.processes import programs
from local.processes.node import find_node
from local.processes.ports import LOOPBACK, free_port, is_taken
from local.processes.processes import Processes, StackError
from local.servers.airflow_process import Airflow
from local.stand_ins.certificates import Certificates
from local.timeline import last_error, outcomes
from shared.delivery.outcome_log import report
from shared.delivery.outcomes import Outcome, OutcomeKind
from tests.support.paths import ROOT


def line(moment: datetime, message: str, *, level: str = "INFO", invocation: str | None = "one") -> str:
    """Return a line as the Functions host logs it."""
    return json.dumps(
        {
            "timestamp": moment.isoformat(),
            "level": level,
            "function": "app_service",
            "invocation_id": invocation,
            "message": message,
        }
    )


def app_message(words: str, **fields: object) -> str:
    """Return the message of a line of the app's own log."""
    return json.dumps({"message": words, **fields})


def test_a_wanted_port_is_given_if_it_is_free_and_another_if_not() -> None:
    """A port in use is not returned."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert is_taken(port)
        assert free_port(port) != port
    assert not is_taken(port)
    assert free_port(port) == port


def test_an_airflow_that_is_not_installed_names_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each edition has its own environment, and a command that makes it."""
    monkeypatch.setattr("local.servers.airflow_process.ROOT", tmp_path)
    with Processes(tmp_path / "logs") as processes:
        with pytest.raises(StackError, match=r"\.venv-airflow has no Airflow; run `make setup`"):
            Airflow(processes, tmp_path)
        with pytest.raises(StackError, match=r"next has no Airflow; run `make \.venv-airflow-next/ready`"):
            Airflow(processes, tmp_path, edition="next")


def test_no_port_is_given_twice() -> None:
    """Two parts that ask before either listens get different ports."""
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert free_port(ports[0]) != ports[0]


def test_another_process_does_not_get_a_reserved_port() -> None:
    """Parallel test runs and a demo cannot take each other's ports."""
    port = free_port()
    ask = f"from local.processes.ports import free_port; print(free_port({port}))"
    assert int(programs.run([sys.executable, "-c", ask], cwd=ROOT, check=True).stdout) != port


def test_a_system_gives_nobody_a_reserved_port() -> None:
    """A server that asks for any port, and an outgoing connection, get ports of another range."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        assert server.getsockname()[1] > free_port()


def test_an_outcome_is_read_with_its_moments(tmp_path: Path) -> None:
    """The log line has the hops; the earlier line of the same invocation has the time of receipt."""
    start = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    fields = {
        "rule": "r",
        "outcome": "started",
        "event": "e",
        "dag": "d",
        "run": "r__e",
        "milliseconds": {"decide": 2.0, "token": 100.0, "airflow": 50.0, "total": 160.0},
    }
    log = tmp_path / "functions.jsonl"
    log.write_text(
        "\n".join(
            (
                line(start + timedelta(milliseconds=10), "Executing 'Functions.app_service'"),
                line(start + timedelta(milliseconds=180), app_message("started: rule r", **fields)),
                line(
                    start + timedelta(milliseconds=181), app_message('x {"rule": "r", "outcome": "forged"}')
                ),
                line(start + timedelta(milliseconds=182), '{"message": "half a line'),
                '{"timestamp": ',
            )
        )
    )
    (told,) = outcomes(log)
    assert (told.rule, told.event, told.dag, told.run, told.function) == (
        "r",
        "e",
        "d",
        "r__e",
        "app_service",
    )
    assert [(name, round(ms)) for name, ms in told.since(start)] == [
        ("received", 10),
        ("token", 122),
        ("started", 180),
    ]


def test_the_hosts_log_is_what_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A log line of the app is shown as text, and is read from the host's file with its members."""
    with caplog.at_level(logging.INFO):
        report(
            Outcome(
                OutcomeKind.STARTED, rule="r", event_id="e", dag_id="d", dag_run_id="r__e", connection="c"
            )
        )
    (record,) = caplog.records
    assert ConsoleFormatter().format(record).endswith("Z] started: rule r run r__e of DAG d on c for event e")
    log = tmp_path / "functions.jsonl"
    log.write_text(JsonFormatter().format(record))
    (told,) = outcomes(log)
    assert (told.rule, told.outcome, told.event, told.run) == ("r", "started", "e", "r__e")


def test_a_token_that_the_app_had_is_no_step(tmp_path: Path) -> None:
    """The timeline shows only a token that was fetched for this event."""
    fields = {"rule": "r", "outcome": "duplicate", "event": "e", "milliseconds": {"token": 0.1, "total": 9.0}}
    log = tmp_path / "functions.jsonl"
    log.write_text(line(datetime.now(UTC), app_message("duplicate:", **fields)))
    (told,) = outcomes(log)
    assert [name for name, _ in told.since(told.received)] == ["received", "duplicate"]


def test_the_last_error_is_told_without_its_traceback(tmp_path: Path) -> None:
    """The reason is on the screen, and the traceback only in the log."""
    log = tmp_path / "functions.jsonl"
    assert last_error(log) == ""
    assert list(outcomes(log)) == []
    log.write_text(line(datetime.now(UTC), "Exception: no vault\nand no key\nTraceback …", level="ERROR"))
    assert last_error(log) == "Exception: no vault\nand no key"
    log.write_text(line(datetime.now(UTC), app_message("no key", exception=["Traceback …"]), level="ERROR"))
    assert last_error(log) == "no key"


def test_an_error_of_an_earlier_start_is_not_told_again(tmp_path: Path) -> None:
    """An app that is started again appends to its log, and only what it says now counts."""
    log = tmp_path / "functions.jsonl"
    began = datetime(2026, 11, 25, 19, 0, 0, 5_900, tzinfo=UTC)
    old = line(began - timedelta(milliseconds=6), app_message("old"), level="ERROR")
    log.write_text(old)
    assert last_error(log, since=began) == ""
    log.write_text(f"{old}\n{line(began.replace(microsecond=5_000), app_message('new'), level='ERROR')}\n")
    assert last_error(log, since=began) == "new"


def test_a_shell_trusts_the_public_authorities_too(certificates: Certificates) -> None:
    """The bundle for a person's shell has the local authority and all public ones; an app has one."""
    (bundle,) = set(certificates.environment_of_a_shell().values())
    found = Path(bundle).read_text(encoding="utf-8")
    assert certificates.authority.read_text() in found
    assert found.count("BEGIN CERTIFICATE") > 100
    assert set(certificates.environment().values()) == {str(certificates.authority)}


def test_an_old_node_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Node.js that is too old for Azurite counts as missing."""
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v12.22.9\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/sbin")
    assert find_node() != node
    node.write_text("#!/bin/sh\necho v22.1.0\n")
    assert find_node() == node
