"""The secret watch reads real Storage, and the logs of all workers of a parallel run."""

import os
import sys
from pathlib import Path

import pytest

from local.processes import programs
from local.servers.azurite import Azurite
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.storage_account import Storage
from shared.event import Unreadable
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from shared.stores.parking import QueueParking
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.parked import parked_event
from tests.support.paths import ROOT
from tests.support.secret_watch import stored_in

TELLS = '''"""Tests that each write a secret in another way."""

import logging

from local.stand_ins.identity_endpoint import IdentityEndpoint
from tests.support.state import STATE_OF_TESTS


def _token() -> str:
    with IdentityEndpoint() as endpoint:
        return endpoint.issue("https://example.org")


def test_in_a_log_line() -> None:
    """Nobody but the watch minds."""
    logging.getLogger("updraft").error("with %s", _token())


def test_in_a_programs_log() -> None:
    """The same."""
    folder = STATE_OF_TESTS / "logs"
    folder.mkdir(parents=True)
    (folder / "a.log").write_text(_token())
'''


def test_what_another_process_kept_is_read(azurite: Azurite, storage: Storage) -> None:
    """Dead letters, claims and parked messages of the stack's function app are read from its account."""
    letter = DeadLetter(Unreadable("{", f"refused {'letter' * 3}"), "Unreadable", "letter" * 3, SEEN, SEEN)
    BlobDeadLetters(storage).write(letter)
    parking = QueueParking(storage)
    parking.park(parked_event(event(data={"kept": "claimed" * 10_000})), 0.0)
    parking.park(parked_event(event(data={"kept": "in the queue"})), 0.0)
    with IdentityEndpoint() as identity:
        stored = list(stored_in(azurite, identity))
    for what, text in (
        ("dead letter", "letter" * 3),
        ("claim", "claimed" * 10_000),
        ("parked message", "in the queue"),
    ):
        assert any(kind == what and text in kept for kind, kept in stored)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_run_that_tells_a_secret_fails(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A secret in a log line or in a program's log is found with its test, on every worker."""
    (tmp_path / "test_tells.py").write_text(TELLS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(
        "import pathlib, local.stack\n"
        "local.stack.STATE = pathlib.Path(__file__).parent\n"
        'pytest_plugins = ["tests.support.secret_watch"]\n'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = programs.run(
        [sys.executable, "-m", "pytest", *workers, "--rootdir", tmp_path, "-p", "no:cacheprovider", tmp_path],
        cwd=ROOT,
        env=environment,
        timeout=300,
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    assert "2 passed" in ended.stdout
    assert (
        "a token of the identity endpoint in a log line of test_tells.py::test_in_a_log_line" in ended.stdout
    )
    assert "a.log (1 times)" in ended.stdout
