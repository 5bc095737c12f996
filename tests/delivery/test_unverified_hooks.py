"""Unverified webhook deliveries: no run starts before the check, and a dead letter has no body."""

import hashlib
import hmac
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.intake import Intake
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.unverified_hooks import LONGEST_WAIT, MOST, WITHIN, UnverifiedHooks
from shared.errors import KeysUnavailable, SettingsError, StorageUnavailable
from shared.event import Event, Unreadable
from shared.rules import Rules, load_rules
from shared.stores.names import PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.work_items import UnverifiedHook
from tests.support.clocks import SEEN, MonotonicClock
from tests.support.delivery import DAG, Delivering

RULES = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: deployed
    when: {{types: [com.github.workflow_run.completed], via: [hook/github]}}
    start: {{dag: {DAG}, conf: {{secret: "{{{{ data.hidden }}}}"}}}}
"""
BODY = json.dumps(
    {
        "action": "completed",
        "workflow_run": {"id": 7, "run_attempt": 1, "updated_at": "2026-01-01T00:00:00Z"},
        "workflow": {"id": 1},
        "repository": {"url": "https://api.github.com/repos/contoso/shop"},
        "hidden": "the-body-of-a-stranger",
    }
).encode()
KEY = b"made-up-secret-" + b"g" * 32
HOOK = UnverifiedHook(
    "github",
    BODY,
    "sha256=" + hmac.new(KEY, BODY, hashlib.sha256).hexdigest(),
    {"x-github-event": "workflow_run"},
)
WAITING = Parked(HOOK, 0, SEEN)


class Verifier:
    """A verifier whose answer a test sets."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True

    def __call__(self, hook: UnverifiedHook, first_seen: datetime) -> bool:
        """Return or raise the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def says() -> Verifier:
    """A verifier."""
    return Verifier()


@pytest.fixture
def intake(delivering: Delivering, says: Verifier) -> Intake:
    """An intake with that verifier."""
    return delivering.intake(load_rules(RULES, file="rules.yaml", settings={}), verify_hook=says)


@pytest.fixture
def hooks(delivering: Delivering, says: Verifier) -> UnverifiedHooks:
    """The hooks, on the test's clock."""
    clock: MonotonicClock = delivering.clock
    return UnverifiedHooks(
        parking=delivering.parking,
        closing=delivering.closing,
        verify=says,
        now=clock.now,
        monotonic=clock,
    )


def test_a_verified_hook_is_an_event_by_its_hook(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """After the check a delivery starts its run once, with the `via` of its arrival."""
    assert intake.receive_parked(WAITING.to_message()).kind is OutcomeKind.STARTED
    assert intake.receive_parked(WAITING.to_message()).kind is OutcomeKind.DUPLICATE
    assert len(stub.runs) == 1
    assert delivering.outcome_counts.balances()


@pytest.mark.parametrize(
    "error",
    [KeysUnavailable("not yet", retry_after=7), SettingsError("UPDRAFT_GITHUB_SECRET is missing")],
)
def test_until_then_it_starts_nothing(
    intake: Intake, delivering: Delivering, stub: AirflowStub, says: Verifier, error: Exception
) -> None:
    """If the key is not available, the delivery is parked again, also from the poison queue."""
    says.answer = error
    hook = replace(WAITING, first_seen=datetime.now(UTC))
    assert intake.receive_parked(hook.to_message()).kind is OutcomeKind.PARKED
    assert intake.receive_parked(hook.to_message(), last_delivery=12).kind is OutcomeKind.PARKED
    (outcome,) = intake.bury(hook.to_message(), queue=PARKED_QUEUE)
    assert outcome.kind is OutcomeKind.PARKED
    assert [each.waits for each, _ in delivering.parking.kept] == [1, 1, 1]
    assert all(each == replace(hook, waits=1, reason=str(error)) for each, _ in delivering.parking.kept)
    assert not stub.runs
    assert not delivering.letters.kept
    assert delivering.outcome_counts.balances()


@pytest.mark.parametrize("last", [None, 12])
def test_a_wrong_one_is_rejected_without_its_body(
    intake: Intake,
    delivering: Delivering,
    stub: AirflowStub,
    says: Verifier,
    caplog: pytest.LogCaptureFixture,
    last: int | None,
) -> None:
    """A forged delivery starts no run; dead letter and log have its hash, and not its content."""
    caplog.set_level("DEBUG")
    says.answer = False
    outcome = intake.receive_parked(WAITING.to_message(), last_delivery=last)
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "BadSignature")
    (letter,) = delivering.letters.kept.values()
    told = json.dumps(letter.to_document()) + caplog.text
    assert "the-body-of-a-stranger" not in told
    assert HOOK.signature not in told
    assert hashlib.sha256(BODY).hexdigest() in told
    assert "rejected: a body that came by hook/github: its signature does not match" in caplog.text
    assert isinstance(letter.subject, Unreadable)
    assert not stub.runs
    assert delivering.outcome_counts.balances()


def test_a_verified_hook_that_cannot_be_handled_keeps_its_event(
    delivering: Delivering, says: Verifier
) -> None:
    """A verified delivery that fails at the last delivery is a dead letter that can be replayed."""

    def broken() -> Rules:
        raise SettingsError("the rules file is missing")

    intake = delivering.intake(broken, verify_hook=says)
    with pytest.raises(SettingsError):
        intake.receive_parked(WAITING.to_message())
    assert intake.receive_parked(WAITING.to_message(), last_delivery=12).kind is OutcomeKind.REJECTED
    (letter,) = delivering.letters.kept.values()
    assert isinstance(letter.subject, Event)
    assert letter.subject.via == "hook/github"


def test_after_a_day_it_is_given_up(hooks: UnverifiedHooks, delivering: Delivering, says: Verifier) -> None:
    """A delivery that cannot be verified for a day is rejected, without its body."""
    says.answer = KeysUnavailable("the vault is away", retry_after=10)
    assert delivering.clock.now() == SEEN
    waiting = replace(WAITING, first_seen=SEEN - timedelta(seconds=LONGEST_WAIT - 1))
    outcome = hooks.decide(waiting, HOOK)
    assert outcome is not None
    assert outcome.kind is OutcomeKind.PARKED
    outcome = hooks.decide(replace(waiting, first_seen=SEEN - timedelta(seconds=LONGEST_WAIT)), HOOK)
    assert outcome is not None
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "SignatureUnverified")


def test_a_process_takes_in_a_bounded_number(hooks: UnverifiedHooks, delivering: Delivering) -> None:
    """Beyond the limit no delivery is parked, until some time has passed."""
    outcomes = [hooks.take_in(HOOK, first_seen=SEEN, delay=1) for _ in range(MOST + 5)]
    assert outcomes.count(None) == 5
    assert len(delivering.parking.kept) == MOST
    delivering.clock.sleep(WITHIN)
    assert hooks.take_in(HOOK, first_seen=SEEN, delay=1) is not None


def test_what_is_not_kept_is_not_acknowledged(
    hooks: UnverifiedHooks, delivering: Delivering, says: Verifier
) -> None:
    """If parking fails, the sender and the queue get an error."""
    delivering.parking.broken = True
    with pytest.raises(StorageUnavailable):
        hooks.take_in(HOOK, first_seen=SEEN, delay=1)
    says.answer = KeysUnavailable("not yet", retry_after=1)
    with pytest.raises(StorageUnavailable):
        hooks.decide(WAITING, HOOK)


def test_a_hook_that_waits_on_has_one_line(
    hooks: UnverifiedHooks, says: Verifier, delivering: Delivering, caplog: pytest.LogCaptureFixture
) -> None:
    """The first parking is logged, and later ones are only counted."""
    caplog.set_level(logging.INFO, logger="updraft")
    says.answer = KeysUnavailable("the vault is away", retry_after=0)
    hooks.take_in(HOOK, first_seen=SEEN, delay=10)
    ((waiting, _),) = delivering.parking.kept
    outcome = hooks.decide(waiting, HOOK)
    assert outcome is not None
    assert (outcome.kind, outcome.waits, outcome.is_repeat) == (OutcomeKind.PARKED, 1, True)
    assert len(caplog.records) == 1
    assert "parked: a body that came by hook/github and waits for a retry in 10 s: " in caplog.text
