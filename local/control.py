"""Stops and starts single parts of a running `make up`, so that a person can rehearse an outage.

`make airflow-stop` and `make airflow-start` call `python -m local.part`. It sends a request to the process of
`make up` over 127.0.0.1. The address and a secret are in a file of the state folder that only its owner can
read.
"""

import hmac
import json
import queue
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.processes.private import write_private
from local.processes.processes import StackError
from local.stack import Stack
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request

FILE: Final = "control.json"
"""The file in the state folder with the address and the secret."""
HEADER: Final = "x-updraft-control"
PARTS: Final = ("airflow", "app", "storage")
ACTIONS: Final = ("stop", "start", "status")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the stack that can be stopped and started alone.

    Attributes:
        name: The name on the screen.
        is_running: Returns whether all programs of the part run.
        start: Starts the part.
        stop: Stops the programs of the part that run.
    """

    name: str
    is_running: Callable[[], bool]
    start: Callable[[], None]
    stop: Callable[[], None]


def parts_of(stack: Stack) -> dict[str, Part]:
    """Return the parts of a running stack."""
    airflow, app, storage = stack.airflow, stack.app, stack.azurite
    return {
        "airflow": Part("Airflow", lambda: airflow.is_running, stack.start_airflow, airflow.stop),
        "app": Part("Function app", lambda: app.is_running, stack.start_app, app.stop),
        "storage": Part("Storage (Azurite)", lambda: storage.is_running, storage.start, storage.stop),
    }


class Control(LoopbackServer):
    """Accepts requests for parts; the thread that runs the stack handles them, one by one.

    Args:
        stack: The running stack.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._parts = parts_of(stack)
        self._secret = secrets.token_urlsafe(32)
        self._file = stack.folder / FILE
        self._asked: queue.Queue[tuple[str, str, Future[str]]] = queue.Queue()

    def start(self) -> "Control":
        """Begin to accept requests, and write the address into the file."""
        super().start()
        write_private(self._file, json.dumps({"url": self.url, "secret": self._secret}))
        return self

    def stop(self) -> None:
        """Accept no more requests."""
        self._file.unlink(missing_ok=True)
        super().stop()

    def handle(self, request: Request) -> Reply:
        """Answer `POST /PART/ACTION` when the action has ended."""
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), self._secret.encode()):
            return Reply(403, {"error": "the header does not have the secret of the state folder"})
        part, _, action = request.path.strip("/").partition("/")
        if part not in self._parts or action not in ACTIONS:
            return Reply(
                404,
                {"error": f"write /PART/ACTION, with {' or '.join(PARTS)} and {' or '.join(ACTIONS)}"},
            )
        done: Future[str] = Future()
        self._asked.put((part, action, done))
        try:
            return Reply(body={"result": done.result()})
        except StackError as error:
            return Reply(500, {"error": str(error)})

    def serve(self, seconds: float) -> str:
        """Wait for one request, and handle it in this thread.

        Args:
            seconds: The longest wait.

        Returns:
            A sentence about the result, for the screen; empty if there was no request.
        """
        try:
            part, action, done = self._asked.get(timeout=seconds)
        except queue.Empty:
            return ""
        try:
            result = self._act(self._parts[part], action, part)
        except BaseException as error:
            done.set_exception(error if isinstance(error, StackError) else StackError("stack", "is stopping"))
            if isinstance(error, StackError):
                return str(error)
            raise
        done.set_result(result)
        return result if action != "status" else ""

    def _act(self, part: Part, action: str, name: str) -> str:
        runs = part.is_running()
        if action == "status":
            return f"{part.name} {'runs' if runs else 'is stopped'}."
        if action == "stop":
            part.stop()
            return f"{part.name} is stopped. {how_to_start(name)} starts it."
        if runs:
            return f"{part.name} already runs."
        part.stop()  # some of its programs may still run
        part.start()
        return f"{part.name} runs again."


def how_to_start(part: str) -> str:
    """Return the shell command that starts a part."""
    return "`make airflow-start`" if part == "airflow" else f"`.venv/bin/python -m local.part start {part}`"


def part_of_program(program: str) -> str:
    """Return the part of a program, by the program's name in `Processes`."""
    if program.startswith("function app"):
        return "app"
    return "storage" if program == "azurite" else "airflow"


def address(folder: Path) -> tuple[str, str]:
    """Return the address and the secret of the stack that runs in a state folder.

    Raises:
        StackError: No stack runs there.
    """
    try:
        kept = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        raise StackError("stack", f"no stack runs in {folder}; start one with `make up`") from None
    return kept["url"], kept["secret"]
