"""A pytest plugin that watches the whole run: no secret used in it may be in a log line or a dead letter.

From the beginning of the session to its end it learns every secret that the stand-ins hand out, and keeps
every log line, dead letter and parked message. At the very end, after the fixtures are gone, all of that and
the logs of the programs that were started are searched, and the run fails if a secret is found. With
pytest-xdist each worker searches its own. `tests/test_no_secret_leaks.py` searches a moment earlier, so that
the check is one of the tests.
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from local.processes.processes import Processes
from local.servers.airflow_process import Airflow
from local.servers.azurite import Azurite, _Signed
from local.stack import Stack
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.azure.storage_account import CLAIMS_CONTAINER, DEAD_LETTERS_CONTAINER
from shared.callbacks.tokens import ReverseTokens
from shared.stores.dead_letters import BlobDeadLetters
from shared.stores.names import PARKED_QUEUE
from shared.stores.parking import QueueParking
from tests.support.in_memory import InMemoryDeadLetters, InMemoryParking
from tests.support.leaks import Output, Secrets, leaks
from tests.support.state import STATE_OF_TESTS

LAST = "test_no_secret_leaks.py"
_STANDARD = vars(logging.makeLogRecord({})).keys()


class SecretWatch(logging.Handler):
    """The secrets of one process's session, and its output.

    Attributes:
        secrets: Every secret that was used.
        output: Every log line, dead letter and parked message.
        test: The test that is running.
        found: Where secrets were found, after the session; from every worker.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secrets = Secrets()
        self.output = Output()
        self.test = "the session's beginning"
        self.found: list[str] = []
        self._began = time.time()
        self._logs: set[Path] = set()
        self._collected: list[set[str]] = []
        self._patch = pytest.MonkeyPatch()

    def emit(self, record: logging.LogRecord) -> None:
        """Record a whole log record: its message, its error, and its further fields."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - the handlers of the test report it
            text = f"{record.msg} {record.args}"
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        more = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        self.output.add("log line", self.test, f"{text}\n{more}" if more else text)

    def start(self) -> None:
        """Record, from now on, the secrets of the stand-ins and all stored data."""
        self._learn_secrets()
        self._keep_letters()
        logging.getLogger().addHandler(self)

    def stop(self) -> None:
        """Leave everything as it was."""
        logging.getLogger().removeHandler(self)
        self._patch.undo()
        self.output.close()

    def collect(self, values: set[str]) -> None:
        """Include all secrets of a set in the search, also those that a test adds later."""
        self._collected.append(values)

    def search(self) -> list[str]:
        """Return where secrets were found so far."""
        for values in self._collected:
            self.secrets.add("a secret of a stand-in", *values)
        return leaks(self.secrets, self.output, self._files())

    def _files(self) -> Iterator[Path]:
        """Return the logs of the started programs, and of the programs that these started."""
        endings = ("log", "jsonl")
        written = {path for ending in endings for path in STATE_OF_TESTS.rglob(f"logs/**/*.{ending}")}
        for path in sorted(written | self._logs):
            if path.is_file() and path.stat().st_mtime >= self._began:
                yield path

    def _after(self, owner: type, name: str, look: Callable[..., None]) -> None:
        """Call `look(result, self, *args)` after each call of a method that succeeded."""
        method = getattr(owner, name)

        @wraps(method)
        def called(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            look(result, *args)
            return result

        self._patch.setattr(owner, name, called)

    def _learn_secrets(self) -> None:
        add, add_token = self.secrets.add, self.secrets.add_token
        self._after(
            IdentityEndpoint, "__init__", lambda _, endpoint: add("an identity header", endpoint.header)
        )
        self._after(
            IdentityEndpoint, "issue", lambda token, *_: add_token("a token of the identity endpoint", token)
        )
        self._after(
            LocalKeyVault,
            "set",
            # One secret may hold several keys, with a space between them.
            lambda _, __, ___, value: add("a secret of a vault", value, *value.split()),
        )
        self._after(ReverseTokens, "issue", lambda token, *_: add_token("a reverse token", token))
        self._after(
            Airflow, "_kept", lambda kept, *_: add("a password or a key of a real Airflow", *kept.values())
        )
        self._after(Airflow, "token", lambda token, *_: add_token("a token of a real Airflow", token))
        self._after(Stack, "start", lambda _, stack: add("a key of the stack", stack.callback_key))
        self._after(Processes, "start", lambda process, *_: self._logs.add(Path(process.log).resolve()))

    def _keep_letters(self) -> None:
        def letter(_: object, __: object, kept: Any) -> None:
            self.output.add("dead letter", self.test, json.dumps(kept.to_document(), ensure_ascii=False))

        def parked(_: object, __: object, kept: Any, *___: object) -> None:
            self.output.add("parked message", self.test, kept.to_message())

        stop = Stack.stop

        def stopped(stack: Stack) -> None:
            if hasattr(stack, "azurite"):
                for what, text in stored_in(stack.azurite, stack.identity):
                    self.output.add(what, "the stack's function app", text)
            stop(stack)

        self._patch.setattr(Stack, "stop", stopped)
        for letters in (InMemoryDeadLetters, BlobDeadLetters):
            self._after(letters, "write", letter)
        for parking in (InMemoryParking, QueueParking):
            self._after(parking, "park", parked)


def stored_in(azurite: Azurite, identity: IdentityEndpoint) -> Iterator[tuple[str, str]]:
    """Return the dead letters, claims and parked messages in an account; none if it is not running."""
    from azure.core.exceptions import ResourceNotFoundError, ServiceRequestError
    from azure.storage.blob import BlobServiceClient

    authority = str(azurite._certificates.authority)
    blobs = BlobServiceClient(
        azurite.blob_url, _Signed(identity), connection_verify=authority, retry_total=0, connection_timeout=5
    )
    with blobs, suppress(ServiceRequestError):
        for name, what in ((DEAD_LETTERS_CONTAINER, "dead letter"), (CLAIMS_CONTAINER, "claim")):
            container = blobs.get_container_client(name)
            with suppress(ResourceNotFoundError):
                for blob in container.list_blob_names():
                    yield what, container.download_blob(blob).readall().decode(errors="replace")
        with azurite.queue_service(identity) as queues, suppress(ResourceNotFoundError):
            for message in queues.get_queue_client(PARKED_QUEUE).peek_messages(32):
                yield "parked message", message.content


WATCH = pytest.StashKey[SecretWatch]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    watch = config.stash[WATCH] = SecretWatch()
    watch.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Watch no more."""
    config.stash[WATCH].stop()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the search to the very end."""
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Note which test is running."""
    item.config.stash[WATCH].test = item.nodeid


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search this process's output after its fixtures have ended; a worker reports to the controller."""
    watch = session.config.stash[WATCH]
    watch.found += watch.search()
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["secret_leaks"] = watch.found
    elif watch.found and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the findings of a worker of pytest-xdist; a crashed worker has none."""
    found = getattr(node, "workeroutput", {}).get("secret_leaks", [])
    node.config.stash[WATCH].found += found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print where secrets were found."""
    found = config.stash[WATCH].found
    if found:
        terminalreporter.section("secrets that were found", red=True)
        for place in sorted(set(found)):
            terminalreporter.line(place)


@pytest.fixture
def secret_watch(request: pytest.FixtureRequest) -> SecretWatch:
    """The watch over this session."""
    return request.config.stash[WATCH]
