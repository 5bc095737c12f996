import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from local.processes import programs
from local.processes.programs import Program
from tests.support.paths import APPS, ROOT

EVENT = {"id": "1", "subject": "s", "eventType": "t", "eventTime": "2026-11-22T15:00:00Z", "data": {}}


def command(app: str, *options: str) -> list[str]:
    """The command line of a host with an app of the tests."""
    return [sys.executable, "-m", "local.functions_host", "--app", str(APPS / app), *options]


@contextmanager
def started(app: str, *options: str, **environment: str) -> Iterator[tuple[Program[str], str]]:
    """A host in its own process, and its URL; killed at the end if it has not ended."""
    process = programs.start(
        command(app, "--port", "0", *options),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, url_of(process.stdout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def url_of(output: IO[str]) -> str:
    """Read until the host prints its address."""
    for line in output:
        if found := re.search(r"Now listening on: (\S+)", line):
            return found[1]
    raise AssertionError("the host ended without listening")


def post(url: str, **data: object) -> requests.Response:
    """Post an event to `on_event`."""
    return requests.post(
        url + "/runtime/webhooks/EventGrid?functionName=on_event",
        json=[EVENT | {"data": data}],
        headers={"aeg-event-type": "Notification"},
        timeout=20,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """A signal stops the host with exit code 0, and its log is whole, also as JSON lines."""
    log = tmp_path / "log" / "host.jsonl"
    with started("echo", "--log-file", str(log)) as (process, url):
        assert post(url).status_code == 202
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert "Stopped." in process.stdout.read()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (said,) = [line for line in lines if line["message"] == "got 1"]
    assert (said["category"], said["function"]) == ("Function.on_event.User", "on_event")
    ended = [line for line in lines if line["message"].startswith("Executed 'Functions.on_event' (Succeeded")]
    assert ended[0]["invocation_id"] == said["invocation_id"]


def test_running_functions_may_finish() -> None:
    """A function that runs when the host is stopped gets the time to end, and its caller the answer."""
    with started("echo") as (process, url), requests.Session() as session:
        code = (
            "import sys, requests; kind = {'aeg-event-type': 'Notification'};"
            "print(requests.post(sys.argv[1], headers=kind, json={'data': {'wait': 1}, 'id': 1}).status_code)"
        )
        address = url + "/runtime/webhooks/EventGrid?functionName=on_event"
        caller = programs.start([sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True)
        while session.get(url + "/admin/host/status", timeout=20).json()["inFlight"] == 0:
            time.sleep(0.02)
        process.terminate()
        output, _ = caller.communicate(timeout=20)
        assert output.strip() == "202"
        assert process.wait(20) == 0


def test_a_stuck_function_does_not_keep_the_process() -> None:
    """A function that does not end in the time it gets ends with the process."""
    with started("echo", "--grace", "0.2") as (process, url):
        assert post(url, wait=30).status_code == 500
        process.terminate()
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert "1 function(s) still run" in process.stdout.read()


def run(app: str, *options: str, **environment: str) -> tuple[int, str]:
    """Run a host that is expected to end by itself; its exit code and output."""
    ended = programs.run(command(app, *options), cwd=ROOT, env=os.environ | environment, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("broken", "no_such_module"),
        ("nowhere", "There is no folder"),
        ("queue", "%QUEUE%"),
        ("unsupported", "timerTrigger (function on_time)"),
    ],
)
def test_an_app_that_cannot_run_ends_the_process(app: str, said: str) -> None:
    """The app's mistake is printed, and the exit code is 1."""
    code, output = run(app, "--port", "0")
    assert code == 1
    assert said in output
    assert "Now listening" not in output


def test_a_taken_port_ends_the_process() -> None:
    """A port that is taken is named, and the exit code is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = run("echo", "-p", port)
    assert code == 1
    assert f"Port {port} is unavailable" in output
    assert "Traceback" not in output


def test_the_size_of_the_thread_pool_is_respected() -> None:
    """With one thread two events that wait for each other cannot meet."""
    with started("echo", PYTHON_THREADPOOL_THREAD_COUNT="1") as (_, url):
        events = [EVENT | {"data": {"meet": True}}] * 2
        answer = requests.post(
            url + "/runtime/webhooks/EventGrid?functionName=on_event",
            json=events,
            headers={"aeg-event-type": "Notification"},
            timeout=20,
        )
        assert answer.status_code == 500
