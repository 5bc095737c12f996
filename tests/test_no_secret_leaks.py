"""No log contains a secret of this run; `support/secret_watch.py` runs this test last."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.callbacks.tokens import ReverseTokens
from shared.event import Unreadable
from shared.runs.ref import RunRef
from shared.stores.dead_letters import DeadLetter
from tests.support.delivery import event
from tests.support.in_memory import InMemoryDeadLetters, InMemoryParking
from tests.support.leaks import SHORTEST, Output, Secrets, leaks
from tests.support.parked import parked_event
from tests.support.secret_watch import SecretWatch

SECRET = 'made-up "secret" of this test/7'
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class _Keys:
    def get(self, name: str, *, waiters: int | None = None) -> str:
        return "made-up-signing-key-of-at-least-43-characters-in-all"

    def refresh(self, name: str) -> str:
        return self.get(name)

    def reread(self, name: str) -> str:
        return self.get(name)


@pytest.fixture
def scratch() -> Iterator[SecretWatch]:
    """A separate watch for planted leaks."""
    watch = SecretWatch()
    watch.test = "a test"
    watch.secrets.add("a secret", SECRET)
    yield watch
    watch.stop()


def _record(message: str, *args: object, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "args": args, **more})


def test_a_planted_secret_is_found_wherever_it_is_told(scratch: SecretWatch) -> None:
    """A log line's message, error and fields are searched; the report does not contain the secret."""
    scratch.handle(_record("nothing to see"))
    assert scratch.search() == []
    error = ValueError(f"refused {SECRET}")
    scratch.handle(_record("refused %s", SECRET))
    scratch.handle(_record("refused", exc_info=(type(error), error, None)))
    scratch.handle(_record("refused", custom=f"x {SECRET} y"))
    assert scratch.search() == ["a secret in a log line of a test (3 times)"]


@pytest.mark.parametrize(
    "text",
    [
        'made-up "secret" of this test/7 and more',
        '{"a": "made-up \\"secret\\" of this test/7"}',
        "?code=made-up%20%22secret%22%20of%20this%20test%2F7",
    ],
)
def test_a_secret_is_found_as_json_and_addresses_hold_it(scratch: SecretWatch, text: str) -> None:
    """An escaped secret is found."""
    scratch.output.add("dead letter", "a test", text)
    assert scratch.search() == ["a secret in a dead letter of a test (1 times)"]


def test_a_tokens_signature_alone_is_found() -> None:
    """Half of a token in a text is a leak too."""
    secrets, output = Secrets(), Output()
    secrets.add_token("a token", "eyJhbGciOiJub25lIn0.e30.the-signature-of-it")
    output.add("log line", "a test", "bearer …the-signature-of-it")
    assert leaks(secrets, output) == ["a token in a log line of a test (1 times)"]
    output.close()


def test_what_was_told_is_read_whole_while_more_is_told() -> None:
    """A long record is searched completely while other threads add to it."""
    output = Output()
    for number in range(3):
        output.add("log line", str(number), "x" * 1_000_000)
    read = []
    for _, test, _ in output:
        read.append(test)
        if len(read) == 1:
            output.add("log line", "late", "")
    assert read == ["0", "1", "2", "late"]
    output.close()


def test_a_file_is_searched(scratch: SecretWatch, tmp_path: Path) -> None:
    """Logs of other programs are searched line by line, with any bytes in them."""
    log = tmp_path / "a.log"
    log.write_bytes(b"\xff\xfe\nsaid " + SECRET.encode() + b"\n")
    assert leaks(scratch.secrets, (), [log]) == [f"a secret in {log} (1 times)"]


def test_a_token_that_another_program_issued_is_found(tmp_path: Path) -> None:
    """A token of the function app's process, which this process does not know, is found by its form."""
    log = tmp_path / "a.log"
    log.write_text(f"conf: {jwt.encode({'sub': 'a run'}, 'k' * 43, algorithm='HS256')}\n")
    assert leaks(Secrets(), (), [log]) == [
        f"a token that somebody else issued, or one of ours, in {log} (1 times)"
    ]


def test_short_values_are_left_out() -> None:
    """A value of a few characters is not searched for, because it may occur by chance, but it is counted."""
    secrets = Secrets()
    secrets.add("a secret", "x" * (SHORTEST - 1))
    assert secrets.kinds_in("x" * 100) == set()
    assert secrets.too_short == {"a secret": 1}


def test_the_watch_sees_what_the_stand_ins_hand_out(secret_watch: SecretWatch) -> None:
    """Tokens of the identity endpoint, its header and run tokens are recorded when they are issued."""
    with IdentityEndpoint() as endpoint:
        token = endpoint.issue("https://example.org")
    tokens = ReverseTokens(_Keys(), secret="key", audience="https://app.example")
    reverse = tokens.issue(RunRef("analytics", "smoke_tests", "run"), lifetime=60)
    assert secret_watch.secrets.kinds_in(f"header {endpoint.header}") == {"an identity header"}
    assert secret_watch.secrets.kinds_in(f"Bearer {token}") == {"a token of the identity endpoint"}
    assert secret_watch.secrets.kinds_in(reverse.rpartition(".")[2]) == {"a reverse token"}


def test_the_watch_sees_what_is_told_and_kept(secret_watch: SecretWatch) -> None:
    """Log lines of this process, dead letters and parked messages are recorded for the search."""
    before = secret_watch.output.entries.copy()
    logging.getLogger("updraft").error("a line that somebody may read")
    InMemoryDeadLetters().write(DeadLetter(Unreadable("{", "not JSON"), "Unreadable", "not JSON", NOW, NOW))
    InMemoryParking().park(parked_event(event(), attempt=0), 1.0)
    more = secret_watch.output.entries - before
    assert more == {"log line": 1, "dead letter": 1, "parked message": 1}


def test_no_secret_of_this_run_was_told(secret_watch: SecretWatch) -> None:
    """No log line, dead letter, parked message or log file has a secret."""
    assert secret_watch.search() == []
