"""A part of a running stack can be stopped and started, and a changed rules file is loaded."""

import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli.publish.outgoing import read_outgoing
from cli.publish.topic import send
from local.control import HEADER, Control, address, part_of_program
from local.dags_watch import DagsWatch
from local.part import ask
from local.part import main as part
from local.processes.processes import Interrupted, StackError, interruptible, shown
from local.rules_watch import RulesWatch
from local.stack import Stack
from local.timeline import Told, outcomes
from local.up import stay
from shared.values.json_text import JsonObject


@pytest.fixture
def control(stack: Stack) -> Iterator[Control]:
    """The control server of `make up`, with a thread instead of its loop."""
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            running.serve(0.1)

    with Control(stack) as running, ThreadPoolExecutor(1) as beside:
        served = beside.submit(loop)
        yield running
        done.set()
        served.result()


def wait_for(stack: Stack, event: JsonObject) -> Told:
    """Return the first outcome of an event."""
    deadline = time.monotonic() + 120
    while not (lines := [line for line in outcomes(stack.app.log) if line.event == event["id"]]):
        assert time.monotonic() < deadline, f"no outcome of {event}"
        time.sleep(0.1)
    return lines[0]


@pytest.mark.usefixtures("control")
def test_a_part_stops_and_starts_and_the_rest_goes_on(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command reports its action; a running part is not started again."""
    folder = ["--state", str(stack.folder)]
    output = []
    for action in ("status", "stop", "status", "start", "start"):
        assert part([action, "app", *folder]) == 0
        output.append(capsys.readouterr().out.strip())
    assert output == [
        "Function app runs.",
        "Function app is stopped. `.venv/bin/python -m local.part start app` starts it.",
        "Function app is stopped.",
        "Function app runs again.",
        "Function app already runs.",
    ]
    assert stack.airflow.is_running
    assert stack.azurite.is_running
    assert stack.processes.ended() == []  # a part that was stopped on purpose did not fail


@pytest.mark.usefixtures("control")
def test_a_part_that_does_not_start_says_why(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is shown in the terminal of the command, and the next start can succeed."""
    folder = ["--state", str(stack.folder)]
    assert part(["stop", "app", *folder]) == 0
    with monkeypatch.context() as patch:
        patch.setitem(stack._settings, "UPDRAFT_HOOK_RATE", "often")
        assert part(["start", "app", *folder]) == 1
    assert "UPDRAFT_HOOK_RATE" in capsys.readouterr().err
    assert ask(stack.folder, "app", "start") == "Function app runs again."


def test_only_the_owner_of_the_state_folder_is_heard(stack: Stack, control: Control) -> None:
    """Only the owner can read the file with the secret, and without the secret a command is refused."""
    url, secret = address(stack.folder)
    assert url == control.url
    assert (stack.folder / "control.json").stat().st_mode & 0o077 == 0
    for headers, path, status in (
        ({}, "app/stop", 403),
        ({HEADER: "x"}, "app/stop", 403),
        ({HEADER: secret}, "vault/stop", 404),
        ({HEADER: secret}, "app/kill", 404),
    ):
        request = urllib.request.Request(f"{url}/{path}", headers=headers, method="POST")  # noqa: S310 - loopback
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)  # noqa: S310 - as above
        assert refused.value.code == status
        assert json.load(refused.value)["error"]
    assert stack.app.is_running


def test_without_a_running_stack_the_remedy_is_named(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder without a stack, and with a killed stack, the message names `make up`."""
    assert part(["stop", "airflow", "--state", str(tmp_path)]) == 1
    assert "make up" in capsys.readouterr().err
    with Control(stack) as gone:
        kept = (stack.folder / "control.json").read_text()
    assert not (stack.folder / "control.json").exists()
    assert gone.url in kept
    (tmp_path / "control.json").write_text(kept)
    with pytest.raises(StackError, match=r"has ended; start it with `make up`"):
        ask(tmp_path, "airflow", "stop")


def test_make_up_reports_a_program_that_ended_and_goes_on(stack: Stack) -> None:
    """If a program ends, its last lines and the command that starts its part are shown."""
    screen = StringIO()
    words = "import sys; print('no room on the disk'); sys.exit(4)"
    stack.processes.start("airflow triggerer", [sys.executable, "-c", words])

    def then_end() -> str:
        deadline = time.monotonic() + 60
        while "ended by itself" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
        reply = ask(stack.folder, "airflow", "status")
        os.kill(os.getpid(), signal.SIGTERM)
        return reply

    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(then_end)
        with pytest.raises(Interrupted), interruptible():
            stay(stack, Console(file=screen, width=200))
        assert asked.result() == "Airflow runs."
    output = screen.getvalue()
    assert (
        "airflow triggerer ended by itself with code 4. The rest goes on. `make airflow-start` starts"
        in output
    )
    assert "no room on the disk" in output
    assert not (stack.folder / "env").exists()
    assert not (stack.folder / "control.json").exists()


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("function app", "app"),
        ("function app parked_queue", "app"),
        ("azurite", "storage"),
        ("postgres", "airflow"),
        ("airflow scheduler", "airflow"),
    ],
)
def test_each_program_belongs_to_a_part(program: str, name: str) -> None:
    """The report of a program that ended names the command that starts its part."""
    assert part_of_program(program) == name


RULE = """
  - name: watched
    when: {types: [Shop.Watched]}
    start: {dag: smoke_tests, conf: {site: "{{ data.site }}"}}
"""


def looked(watch: RulesWatch) -> str:
    """Check twice: at the first check the file may still be written."""
    assert watch.look() == ""
    return watch.look()


def test_changed_rules_are_loaded_and_wrong_ones_are_not(stack: Stack, stack_environment: Path) -> None:
    """A valid file is loaded at once; an invalid one is reported with its lines, and the app goes on."""
    watch = RulesWatch(stack)
    before = watch.file.read_text(encoding="utf-8")
    rules, callers = before.split("\ncallers:")
    event: JsonObject = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/shop",
        "type": "Shop.Watched",
        "data": {"site": "contoso-shop"},
    }
    try:
        assert looked(watch) == ""
        watch.file.write_text(f"{rules}{RULE}\ncallers:{callers}", encoding="utf-8")
        assert looked(watch) == "rules.yaml has changed: the app has loaded it (6 rules)."
        send(read_outgoing(json.dumps(event).encode()), stack.topic.endpoint)
        assert (wait_for(stack, event).outcome, looked(watch)) == ("started", "")
        watch.file.write_text(f"{rules}{RULE.replace('dag:', 'dagg:')}\ncallers:{callers}", encoding="utf-8")
        output = looked(watch)
        assert output.startswith(
            "rules.yaml has changed: it has errors, so the app keeps the rules that it has.\n"
        )
        assert "dagg" in output
        assert stack.app.is_running
        again = {**event, "id": uuid.uuid4().hex}
        send(read_outgoing(json.dumps(again).encode()), stack.topic.endpoint)
        assert wait_for(stack, again).outcome == "started"
        watch.file.unlink()
        assert "the rules file rules.yaml cannot be read" in looked(watch)
        assert stack.app.is_running
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(stack._settings, "UPDRAFT_HOOK_RATE", "often")
            watch.file.write_text(f"{before}# changed\n", encoding="utf-8")
            assert "function app: did not start: " in looked(watch)
    finally:
        watch.file.write_text(before, encoding="utf-8")
        assert looked(watch) == "rules.yaml has changed: the app has loaded it (5 rules)."


def told_of(watch: DagsWatch) -> str:
    """Return the next report about a DAG file."""
    deadline = time.monotonic() + 120
    while not (told := watch.look()):
        assert time.monotonic() < deadline, "nothing was reported"
        time.sleep(0.2)
    return told


def test_a_dag_file_that_cannot_be_imported_is_reported_until_it_is_fixed(stack: Stack) -> None:
    """The file, the line and the error are reported once per change, and so is the end of the error."""
    assert stack.own_dags is not None
    file = stack.own_dags.resolve() / f"broken_{uuid.uuid4().hex[:8]}.py"
    name = shown(file)
    watch = DagsWatch(stack.airflow)
    try:
        file.write_text("from airflow.sdk import dag\n\n\ndef broken(:\n    pass\n", encoding="utf-8")
        first, where, fix = told_of(watch).split("\n")
        assert first == f"{name}: Airflow cannot import this DAG file."
        assert where.startswith(f"  {name}:4: SyntaxError: ")
        assert fix.startswith("  fix: correct the file")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watch, "_token", "expired")  # a new one is fetched
            end = time.monotonic() + 6
            while time.monotonic() < end:
                assert watch.look() == ""
                time.sleep(0.2)
        file.write_text("from airflow.sdk import dag\n\nmissing_name\n", encoding="utf-8")
        assert told_of(watch).split("\n")[1] == f"  {name}:3: NameError: name 'missing_name' is not defined"
        file.write_text("from airflow.sdk import dag  # still\n\nmissing_name\n", encoding="utf-8")
        assert told_of(watch).split("\n")[1] == f"  {name}:3: NameError: name 'missing_name' is not defined"
        file.write_text("from airflow.sdk import dag\n", encoding="utf-8")
        assert told_of(watch) == f"{name}: Airflow can import this DAG file now."
        file.write_text("import airflow, no_such_module_of_a_dag\n", encoding="utf-8")
        assert "ModuleNotFoundError" in told_of(watch)
        file.unlink()
        assert told_of(watch) == f"{name}: the DAG file was deleted."
    finally:
        file.unlink(missing_ok=True)
