"""The whole stack on real parts: `make demo` and `make up`."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import uuid
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli.main import main as updraft
from local.demo import Demo
from local.processes import programs
from local.processes.processes import StackError
from local.processes.programs import Program
from local.servers.airflow_auth import ADMIN, AIRFLOW_RESOURCE
from local.servers.airflow_process import Airflow
from local.stack import Stack
from local.timeline import outcomes
from local.up import show
from tests.support.hidden_signals import hiding
from tests.support.paths import EXAMPLE_RULES, ROOT

MARK = "UPDRAFT_TEST_MARK"
RULES = {"UPDRAFT_RULES": str(EXAMPLE_RULES)}


def marked(mark: str, folder: Path) -> set[str]:
    """Return the command lines of processes that have the mark, or that name the folder, as Postgres does."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={mark}".encode() in environment or str(folder) in command:
            found.add(command)
    return found


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Program[str]]:
    """`make up` in its own folder, after the start of its first programs.

    As in a background job of a shell, SIGINT and SIGQUIT are ignored.
    """
    command = [
        *hiding("ignored", signal.SIGINT, signal.SIGQUIT),
        sys.executable,
        "-m",
        "local.up",
        "--state",
        str(tmp_path / "state"),
    ]
    mark = tmp_path.name
    with programs.start(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **RULES, MARK: mark}
    ) as up:
        assert up.stdout is not None
        assert "Starting" in up.stdout.readline()
        assert "Managed identity" in up.stdout.readline()
        yield up
        if up.poll() is None:
            up.kill()


def test_the_demo_tells_of_every_step(stack: Stack, stack_environment: Path) -> None:
    """A swap starts one run, its second delivery starts none, and a stored file goes through the queue."""
    stack.app.stop()  # so that it has no token yet
    stack.app.start(stack.environment)
    screen = StringIO()
    Demo(stack, Console(file=screen, width=200)).tell()
    output = screen.getvalue()
    for step in ("published", "received", "token", "run created", "running", "succeeded", "duplicate"):
        assert f"ms  {step}" in output, output
    assert output.count("succeeded") == 2
    assert "as the managed identity, from Entra" in output
    assert "by the function app_service, through the webhook" in output
    assert "by the function event_queue, through the Storage queue" in output
    assert f"{stack.airflow.url}/dags/smoke_tests/runs/smoke-test-after-swap__" in output


def test_a_person_can_publish_with_the_command_line(
    stack: Stack,
    stack_environment: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`updraft publish` with the settings of `make up` starts a run."""
    assert updraft(["publish", "--new", str(ROOT / "examples/events/slot_swap_completed.json")]) == 0
    event = capsys.readouterr().out.split()[-1]
    deadline = time.monotonic() + 120
    while not (output := [line for line in outcomes(stack.app.log) if line.event == event]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert output[0].outcome == "started"


def test_the_screen_of_make_up_has_the_login_and_a_file_to_source(stack: Stack) -> None:
    """The printed addresses, login and settings are valid, and only the owner can read the file."""
    screen = StringIO()
    show(stack, Console(file=screen, width=200))
    assert f"admin / {stack.airflow.passwords['admin']}" in screen.getvalue()
    assert "Port 7071 is taken" in screen.getvalue()
    file = stack.folder / "env"
    assert file.stat().st_mode & 0o077 == 0
    sourced = programs.run(["sh", "-c", f". '{file}'; env"], check=True).stdout.splitlines()
    wanted = stack.app.settings(stack.environment) | stack.certificates.environment_of_a_shell()
    assert {f"{name}={value}" for name, value in wanted.items()} <= set(sourced)


def test_no_secret_is_among_the_settings_or_in_a_log(stack: Stack) -> None:
    """The app gets only addresses and names, and no log contains a secret of the vault."""
    secrets = [stack.airflow.passwords[ADMIN], stack.callback_key, stack.github_secret]
    assert not set(secrets) & set(stack.environment.values())
    assert [
        log.name
        for log in stack.logs.iterdir()
        if any(secret in log.read_text(errors="replace") for secret in secrets)
    ] == []


def test_the_managed_identity_may_start_runs_and_nothing_above(stack: Stack, real_airflow: Airflow) -> None:
    """The app's Entra token has the smallest role that can start a run; no login was created for it."""
    token = stack.identity.issue(AIRFLOW_RESOURCE)
    assert real_airflow.call("GET", "/api/v2/dags/smoke_tests", token=token)["is_paused"] is False
    for path in ("connections", "variables", "dags/smoke_tests/dagRuns/none/taskInstances"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            real_airflow.call("GET", f"/api/v2/{path}", token=token)
    assert set(real_airflow.passwords) == {ADMIN}


OWN_DAG = """
from airflow.sdk import dag, task


@dag(schedule=None)
def {dag}():
    @task
    def nothing():
        pass

    nothing()


{dag}()
"""


def test_an_own_dag_is_found_and_may_be_started(stack: Stack, real_airflow: Airflow) -> None:
    """A new file in the folder of own DAGs is read soon, and the app may start its DAG."""
    assert stack.own_dags is not None
    dag = f"own_{uuid.uuid4().hex}"
    file = stack.own_dags / f"{dag}.py"
    file.write_text(OWN_DAG.format(dag=dag))
    try:
        real_airflow.wait_for_dags(dag, seconds=200)  # five minutes is Airflow's own interval
        token = stack.identity.issue(AIRFLOW_RESOURCE)
        run = real_airflow.call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None}, token=token)
        assert run["dag_id"] == dag
    finally:
        file.unlink()


def test_a_second_stack_in_the_same_folder_is_refused(stack: Stack) -> None:
    """A second stack on the same database is refused, and the message names the first one."""
    with pytest.raises(StackError, match=rf"in use by process {os.getpid()}"), Stack(stack.folder):
        pytest.fail("two stacks in one folder")


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    """The stack is reachable only from this machine."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("reads the kernel's table of sockets in /proc")
    listening = {
        (int(address[-8:], 16), int(port, 16))
        for line in table.read_text().splitlines()[1:]
        for address, _, port in [line.split()[1].partition(":")]
        if line.split()[3] == "0A"
    }
    for port in (stack.airflow.port, stack.app.port, stack.identity.port, stack.vault.port, stack.topic.port):
        assert {address for address, listened in listening if listened == port} == {0x0100007F}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ending_it_while_it_starts_leaves_no_process(
    starting: Program[str], number: signal.Signals, tmp_path: Path
) -> None:
    """After Ctrl-C, SIGTERM or SIGKILL during the start no process is left."""
    soon = time.monotonic() + 60
    while len(marked(tmp_path.name, tmp_path)) <= 1:  # between two of its programs no other one runs
        assert time.monotonic() < soon
        time.sleep(0.01)
    starting.send_signal(number)
    assert starting.wait(timeout=90) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    deadline = time.monotonic() + 60
    while left := marked(tmp_path.name, tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_failure_names_the_part_and_stops_the_rest(tmp_path: Path) -> None:
    """If the app cannot start, `make up` fails with the app's message, and no process is left."""
    command = [sys.executable, "-m", "local.demo", "--state", str(tmp_path / "state")]
    settings = {**os.environ, MARK: tmp_path.name, "UPDRAFT_HOOK_RATE": "often"}
    ended = programs.run(command, cwd=ROOT, env=settings)
    assert ended.returncode == 1
    assert "function app: did not start: " in ended.stdout
    assert "UPDRAFT_HOOK_RATE" in ended.stdout
    assert ended.stderr == ""
    assert marked(tmp_path.name, tmp_path) == set()


def test_core_tools_that_are_missing_are_named(tmp_path: Path) -> None:
    """`make up HOST=func` without Core Tools names the missing tool at once."""
    command = [sys.executable, "-m", "local.up", "--host", "func", "--state", str(tmp_path / "state")]
    settings = {**os.environ, **RULES, "PATH": str(Path(sys.executable).parent)}
    ended = programs.run(command, cwd=ROOT, env=settings)
    assert ended.returncode == 1
    assert "HOST=func needs Azure Functions Core Tools" in ended.stdout
