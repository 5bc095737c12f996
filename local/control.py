"""Stops and starts single parts of a running `make up`, so that an outage can be rehearsed.

`make airflow-stop` and `make airflow-start` call `python -m local.part`, which asks the process of `make up`
over 127.0.0.1. The address and a secret are in the state folder, in a file that only its owner can read.
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
"""The file of the state folder that has the address and the secret."""
HEADER: Final = "x-updraft-control"
PARTS: Final = ("airflow", "app", "storage")
ACTIONS: Final = ("stop", "start", "status")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the stack that can be stopped and started by itself.

    Attributes:
        name: Its name on the screen.
        is_running: Whether all its programs run.
        start: Starts it.
        stop: Stops what runs of it.
    """

    name: str
    is_running: Callable[[], bool]
    start: Callable[[], None]
    stop: Callable[[], None]


def parts_of(stack: Stack) -> dict[str, Part]:
    """Return the parts of a stack that is up."""
    airflow, app, storage = stack.airflow, stack.app, stack.azurite
    return {
        "airflow": Part("Airflow", lambda: airflow.is_running, stack.start_airflow, airflow.stop),
        "app": Part("Function app", lambda: app.is_running, stack.start_app, app.stop),
        "storage": Part("Storage (Azurite)", lambda: storage.is_running, storage.start, storage.stop),
    }


class Control(LoopbackServer):
    """Takes requests for parts; the thread that runs the stack carries them out, one by one.

    Args:
        stack: The stack, which is up.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._parts = parts_of(stack)
        self._secret = secrets.token_urlsafe(32)
        self._file = stack.folder / FILE
        self._asked: queue.Queue[tuple[str, str, Future[str]]] = queue.Queue()

    def start(self) -> "Control":
        """Begin to take requests, and write down where."""
        super().start()
        write_private(self._file, json.dumps({"url": self.url, "secret": self._secret}))
        return self

    def stop(self) -> None:
        """Take no more requests."""
        self._file.unlink(missing_ok=True)
        super().stop()

    def handle(self, request: Request) -> Reply:
        """Answer `POST /PART/ACTION` once it is done."""
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), self._secret.encode()):
            return Reply(403, {"error": "the header has not the secret of the state folder"})
        part, _, action = request.path.strip("/").partition("/")
        if part not in self._parts or action not in ACTIONS:
            return Reply(404, {"error": f"there are the parts {', '.join(PARTS)}"})
        done: Future[str] = Future()
        self._asked.put((part, action, done))
        try:
            return Reply(body={"result": done.result()})
        except StackError as error:
            return Reply(500, {"error": str(error)})

    def serve(self, seconds: float) -> str:
        """Wait for one request, and carry it out in this thread.

        Args:
            seconds: How long to wait at most.

        Returns:
            What was done, for the screen; empty where nothing was asked.
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
            return f"{part.name} runs already."
        part.stop()  # of several programs some may be left
        part.start()
        return f"{part.name} runs again."


def how_to_start(part: str) -> str:
    """Return the command that starts a part, as a person types it."""
    return "`make airflow-start`" if part == "airflow" else f"`.venv/bin/python -m local.part start {part}`"


def part_of_program(program: str) -> str:
    """Return the part that a program belongs to, by the program's name in `Processes`."""
    if program.startswith("function app"):
        return "app"
    return "storage" if program == "azurite" else "airflow"


def address(folder: Path) -> tuple[str, str]:
    """Return the address and the secret of the stack that runs in a state folder.

    Raises:
        StackError: None runs there.
    """
    try:
        kept = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        raise StackError("stack", f"nothing runs in {folder}; start it with `make up`") from None
    return kept["url"], kept["secret"]
