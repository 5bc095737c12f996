"""One instance of the app, a process that does one action at a time until it is killed.

The processes are forks of a server that has imported the app and Azure's libraries (`PRELOADED`), because a
case needs one or two processes and each start of Python takes a second.
"""

import contextlib
import logging
import multiprocessing  # noqa: TID251 - forked, not started; `_serve` restores the signals
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection  # noqa: TID251 - as above
from typing import Any, Final, Literal

from local.processes import default_signals
from shared.app import App
from shared.backoff import Backoff
from shared.callers import shared_secrets
from shared.delivery import unverified_hooks
from shared.delivery.policy import Policy
from shared.web import Request

SHORT: Final = Policy(
    budget=2.0,
    hold_back=1.0,
    later=Backoff(first=0.5, longest=1.0),
    alarm=Backoff(first=1.0, longest=1.0, least=0.5),
    dag_not_found=Backoff(first=0.5, longest=1.0),
    paused=Backoff(first=1.0, longest=1.0, least=0.5),
    breaker_rest=0.5,
)
"""The product's policy, a tenth as long; a message's own wait is at least a second."""

PRELOADED: Final = (
    "azure.identity",
    "azure.keyvault.secrets",
    "azure.storage.blob",
    "azure.storage.queue",
    "cli.main",
    "shared.airflow.api_v2",
    "shared.http_api.api",
    "tests.crashpoints.instance",
)
REREAD_PAUSE: Final = 1.0
"""Seconds; the product's own is ten times as long."""
_PATIENCE: Final = 40.0
"""Seconds after which an instance that does not answer counts as hanging."""

type Work = Literal["event", "call", "hook", "parked", "report", "command"]


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an instance's action.

    Attributes:
        ok: Whether the action is acknowledged.
        outcomes: The kinds of the outcomes.
        error: The reason if it is not acknowledged.
    """

    ok: bool
    outcomes: tuple[str, ...] = ()
    error: str = ""


class Killed(Exception):
    """The instance was killed during an action."""


class Instance:
    """A running instance.

    Args:
        settings: The application settings.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, dict(settings)), daemon=True)
        self._process.start()
        theirs.close()

    def do(self, work: Work, *arguments: Any) -> Done:
        """Do one action.

        Raises:
            Killed: The process ended meanwhile.
            TimeoutError: The process does not answer.
        """
        try:
            self._ours.send((work, arguments))
            if not self._ours.poll(_PATIENCE):
                raise TimeoutError(f"`{work}` has not ended after {_PATIENCE:.0f} s")
            done: Done = self._ours.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise Killed from error
        return done

    def kill(self) -> None:
        """Kill the process with SIGKILL, and wait for its end."""
        pid = self._process.pid
        if pid is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.join()

    def stop(self) -> None:
        """End it."""
        self.kill()
        self._ours.close()


def _serve(pipe: Connection, settings: dict[str, str]) -> None:
    """Run the app with short waits."""
    default_signals.restore()
    for name in tuple(os.environ):
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "UPDRAFT_", "WEBSITE_", "AzureWebJobs")):
            del os.environ[name]
    os.environ.update(settings)
    logging.disable(logging.CRITICAL)
    shared_secrets.REREAD_PAUSE = REREAD_PAUSE  # type: ignore[misc] # no setting shortens it: no user needs one
    unverified_hooks._BACKOFF = SHORT.later  # type: ignore[misc] # no setting shortens it, either
    app = App(os.environ, policy=SHORT)
    while True:
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(_done(app, work, arguments))


def _done(app: App, work: Work, arguments: tuple[Any, ...]) -> Done:
    try:
        return Done(ok=True, outcomes=_do(app, work, arguments))
    except Exception as error:  # noqa: BLE001 - the host answers 500 whatever it is, and the work comes again
        return Done(ok=False, error=f"{type(error).__name__}: {error}")


def _do(app: App, work: Work, arguments: tuple[Any, ...]) -> tuple[str, ...]:
    match work:
        case "event":
            return tuple(outcome.kind.value for outcome in app.intake.receive(*arguments))
        case "call":
            return (app.intake.receive_direct_run(*arguments).kind.value,)
        case "hook":
            signature, body = arguments
            headers = {"content-type": "application/json", "x-hub-signature-256": signature}
            return (str(app.http_api.webhooks.receive(Request(headers, body), "github").status),)
        case "parked":
            return (app.intake.receive_parked(*arguments).kind.value,)
        case "report":
            token, body = arguments
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            return (str(app.http_api.run_reports.report(Request(headers, body)).status),)
        case "command":
            return (str(_command(*arguments)),)


def _command(*arguments: str) -> int:
    from cli.main import main

    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123 - a device
        status = main(list(arguments))
    if status != 0:
        raise RuntimeError(f"`updraft {' '.join(arguments)}` ended with {status}")
    return status
