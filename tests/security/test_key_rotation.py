"""Keys rotate under a stream of requests, also while an attacker uses up each read: no valid request is lost.

The senders try again only if the answer asks for it. Time is a clock of the test; authority and vault are on
the wire.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import jwt
import pytest

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import Reply
from local.stand_ins.loopback_server import Request as VaultRequest
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault
from shared.callbacks.tokens import ALGORITHM, TYPE, ReverseTokens
from shared.callers import Rates, TokenVerifier, shared_secrets
from shared.callers.errors import CallerRefused
from shared.callers.key_reads import MOST_WAITING
from shared.callers.shared_secrets import REREAD_PAUSE
from shared.delivery.intake import Intake
from shared.errors import KeysUnavailable
from shared.http_api.refusals import refusal_of
from shared.http_api.webhooks import WebhooksEndpoint
from shared.rules import load_rules
from shared.runs.ref import RunRef
from shared.web import CallRefused, Request
from tests.support.callback_keys import NEW, OLD, URL, Vault
from tests.support.callers import AUDIENCE, Authority, refusal
from tests.support.clocks import UnixClock
from tests.support.delivery import DAG, Delivering
from tests.support.http_app import KEY, Caller, unsigned

RUN = RunRef("analytics", "smoke_tests", "smoke__2026-01-01T00:00:00+00:00__0a")
SECRET = "callback-key"
MINUTES_3 = 180
RULES_OF_HOOK = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: deployed
    when: {{types: [com.github.workflow_run.completed], via: [hook/github]}}
    start: {{dag: {DAG}}}
"""


@dataclass
class Sender:
    """Sends one request until it is taken or refused for good."""

    send: Callable[[], object]
    due: float
    ended: str = ""

    def step(self, now: float) -> None:
        """Send it, if it is time."""
        if self.ended or now < self.due:
            return
        try:
            self.send()
        except (CallRefused, CallerRefused, KeysUnavailable) as error:
            refused = error if isinstance(error, CallRefused) else refusal_of(error)
            if refused.status != 503:
                self.ended = f"{refused.status} {refused.code}"
            else:
                self.due = now + int(refused.headers["Retry-After"])
        else:
            self.ended = "taken"


def stream(
    clock: UnixClock,
    *,
    request: Callable[[], Callable[[], object]],
    attacker: Callable[[], object],
    events: dict[int, Callable[[], object]],
) -> list[str]:
    """Return the results of three minutes' requests, one each two seconds; an attacker sends each second."""
    began, senders = clock.now, list[Sender]()
    for second in range(MINUTES_3 + 61):
        clock.now = began + second
        events.get(second, lambda: None)()
        assert refusal(attacker).status in {401, 503}
        if second < MINUTES_3 and second % 2 == 0:
            senders.append(Sender(request(), clock.now))
        for sender in senders:
            sender.step(clock.now)
    return [sender.ended for sender in senders]


def not_a_token(caller_kid: str) -> str:
    """Return a forged Entra token with an unknown key."""
    return unsigned({"alg": "RS256", "typ": "JWT", "kid": caller_kid}, {"aud": AUDIENCE}, b"x" * 256)


def not_a_reverse_token(number: int) -> str:
    """Return a forged run token with an unknown key."""
    return jwt.encode(
        {"sub": "x"}, "z" * 64, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": f"{number:016x}"}
    )


class Numbers:
    """Counts up, for names that have not been used."""

    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> int:
        """Return the next number."""
        self.last += 1
        return self.last


def test_entras_keys_rotate_and_nobody_is_refused(
    authority: Authority, verifier: TokenVerifier, clock: UnixClock
) -> None:
    """While an attacker uses up each read, callers with a new key are accepted within a minute.

    The new key is published next to the old one, as Entra does, and the old one is removed later.
    """
    number = Numbers()
    verifier.verify(authority.issue(AUDIENCE))

    def publish_both() -> None:
        old = authority.entry()
        authority.rotate_key()
        authority.entries = [old, authority.entry()]

    def request() -> Callable[[], object]:
        token = authority.issue(AUDIENCE)
        return lambda: verifier.verify(token)

    ended = stream(
        clock,
        request=request,
        attacker=lambda: verifier.verify(not_a_token(f"made-up-{number()}")),
        events={31: publish_both, 160: lambda: authority.entries.pop(0) if authority.entries else None},
    )
    assert set(ended) == {"taken"}
    assert authority.fetches() <= 1 + (MINUTES_3 + 61) / 60 + 1


def test_the_callback_key_rotates_and_no_report_is_refused(
    vault: LocalKeyVault, identity: object, clock: UnixClock
) -> None:
    """An instance with the new key gives it to runs at once; one with the old key takes their reports."""
    number = Numbers()
    vault.set(SECRET, OLD)

    def instance() -> ReverseTokens:
        secrets = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.5)
        return ReverseTokens(secrets, secret=SECRET, audience=URL, monotonic=clock)

    verifies = instance()
    issues = [instance()]
    verifies.verify(issues[0].issue(RUN, lifetime=600))
    reads = len(vault.seen)

    def rotate(value: str) -> None:
        vault.set(SECRET, value)
        issues[0] = instance()

    def request() -> Callable[[], object]:
        token = issues[0].issue(RUN, lifetime=600)
        return lambda: verifies.verify(token)

    ended = stream(
        clock,
        request=request,
        attacker=lambda: verifies.verify(not_a_reverse_token(number())),
        events={31: lambda: rotate(f"{NEW} {OLD}"), 160: lambda: rotate(NEW)},
    )
    assert set(ended) == {"taken"}
    of_others = 3  # each of the three issuing instances reads once
    assert len(vault.seen) - reads <= (MINUTES_3 + 61) / REREAD_PAUSE + 1 + of_others * 2


def test_a_vault_that_is_away_loses_no_report_and_no_key(
    vault: LocalKeyVault, identity: object, clock: UnixClock
) -> None:
    """An attacker cannot make this app drop a valid key while the vault does not answer."""
    vault.set(SECRET, NEW)
    secrets = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.5)
    tokens = ReverseTokens(secrets, secret=SECRET, audience=URL, monotonic=clock)
    good = tokens.issue(RUN, lifetime=3_000)
    vault.inject(503, times=1_000)
    for number in range(20):
        with pytest.raises(KeysUnavailable):
            tokens.verify(not_a_reverse_token(number))
        assert tokens.verify(good) == RUN
        assert tokens.issue(RUN, lifetime=60)
        clock.now += REREAD_PAUSE


def test_a_slow_vault_holds_few_threads(vault: LocalKeyVault, identity: object, clock: UnixClock) -> None:
    """At a cold start attackers block the reading thread and two waiting ones; the others are free."""
    vault.set(SECRET, NEW)
    secrets = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.5)
    tokens = ReverseTokens(secrets, secret=SECRET, audience=URL, monotonic=clock)
    answer, handle = threading.Event(), vault.handle

    def slow(request: VaultRequest) -> Reply:
        answer.wait()
        return handle(request)

    def attacker(number: int) -> None:
        assert refusal(lambda: tokens.verify(not_a_reverse_token(number))).status in {401, 503}

    vault.handle = slow  # type: ignore[method-assign] # it answers once the others are free
    with ThreadPoolExecutor(32) as pool:
        free = as_completed([pool.submit(attacker, number) for number in range(32)])
        for _ in range(32 - (1 + MOST_WAITING)):
            next(free).result()
        answer.set()
        for held in free:
            held.result()


def test_a_report_under_a_new_key_is_not_refused_for_good_on_the_wire(
    caller: Caller, vault: LocalKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets 503 and a time to wait, and then its token is accepted; a forger gets the same 503."""
    monkeypatch.setattr(shared_secrets, "REREAD_PAUSE", 2.0)  # the app is built at the first request
    run = {"dag_id": "greet", "dag_run_id": "greet__1__a"}
    report = {"run": run, "state": "success"}
    held = caller.post("outcomes", not_a_reverse_token(1), report)
    assert held.status_code == 401
    vault.set("updraft-callback-key", f"{NEW} {KEY}")
    other_run = {"run": run | {"dag_run_id": "greet__2__b"}, "state": "success"}
    token = ReverseTokens(Vault(NEW), secret="key", audience=URL).issue(
        RunRef("stub", "greet", "greet__1__a"), lifetime=600
    )
    caller.watch.secrets.add(token.rpartition(".")[2])
    asked, forged = caller.post("outcomes", token, other_run), caller.post("outcomes", not_a_reverse_token(2))
    assert (asked.status_code, asked.json()["code"]) == (503, "keys_unavailable")
    assert asked.json() == forged.json()
    wish = int(asked.headers["Retry-After"])
    assert 1 <= wish <= 2
    time.sleep(wish)
    assert caller.post("outcomes", token, other_run).json()["code"] == "wrong_run"  # the token is known now


def test_githubs_secret_rotates_and_every_delivery_starts_its_run(
    vault: LocalKeyVault, identity: object, clock: UnixClock, delivering: Delivering, stub: AirflowStub
) -> None:
    """GitHub sends once: each delivery is accepted, and starts its run at once or when the secret is read.

    An attacker with the function's key uses up each read, and starts nothing.
    """
    endpoint, intake = github(vault, clock, delivering)
    vault.set(SECRET, OLD)
    began, secret, sent = clock.now, OLD, 0
    for second in range(61):
        clock.now = began + second
        if second == 20:
            vault.set(SECRET, f"{NEW} {OLD}")
        secret = NEW if second > 20 else OLD  # GitHub has the new secret after the vault has it
        if second % 3 == 0:
            forged = hook_of(1_000 + second, "z" * 43)
            assert answered(endpoint, forged) in {202, 403}
        if second % 4 == 0:
            sent += 1
            assert endpoint.receive(hook_of(second, secret), "github").status == 202
        come_back(delivering, intake)
    for _ in range(20):
        clock.now += 1
        come_back(delivering, intake)
    assert not delivering.parking.kept
    assert len(stub.runs) == sent
    assert all("1000" not in str(run["conf"]) for run in stub.runs.values())
    assert {letter.code for letter in delivering.letters.kept.values()} == {"BadSignature"}
    assert delivering.outcome_counts.balances()


def test_githubs_deliveries_wait_while_the_vault_is_away(
    vault: LocalKeyVault, identity: object, clock: UnixClock, delivering: Delivering, stub: AirflowStub
) -> None:
    """Before the secret was ever read, a delivery waits for the vault, and then starts its run."""
    clock.now -= 1_000  # the vault refuses a token of the future
    endpoint, intake = github(vault, clock, delivering)
    vault.set(SECRET, NEW)
    vault.inject(503, times=1_000)
    for number in range(5):
        assert endpoint.receive(hook_of(number, NEW), "github").body == {"outcomes": {"parked": 1}}
        clock.now += REREAD_PAUSE
        come_back(delivering, intake)
    assert not stub.runs
    vault.heal()
    clock.now += 700
    come_back(delivering, intake)
    assert len(stub.runs) == 5
    assert not delivering.parking.kept


def github(vault: LocalKeyVault, clock: UnixClock, delivering: Delivering) -> tuple[WebhooksEndpoint, Intake]:
    """Return the hook's endpoint, and an intake for parked deliveries, as on two instances."""
    rules = load_rules(RULES_OF_HOOK, file="rules.yaml", settings={})

    def instance(intake: Intake) -> WebhooksEndpoint:
        secrets = KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.5)
        return WebhooksEndpoint(
            intake=intake,
            secrets=secrets,
            github_secret=lambda: SECRET,
            rates=Rates(),
            rate="1000/s",
            clock=clock,
            monotonic=clock,
        )

    queue_side = instance(delivering.intake(rules))
    return instance(delivering.intake(rules)), delivering.intake(rules, verify_hook=queue_side.verify)


def hook_of(number: int, secret: str) -> Request:
    """Return a delivery of GitHub's about one workflow run, signed with a secret."""
    body = json.dumps(
        {
            "action": "completed",
            "workflow_run": {"id": number, "run_attempt": 1, "updated_at": "2026-01-01T00:00:00Z"},
            "workflow": {"id": 1},
            "repository": {"url": "https://api.github.com/repos/contoso/shop"},
        }
    ).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-github-event": "workflow_run",
        "x-hub-signature-256": f"sha256={digest}",
    }
    return Request(headers, body)


def answered(endpoint: WebhooksEndpoint, request: Request) -> int:
    """Return the status of the answer to a delivery."""
    try:
        return endpoint.receive(request, "github").status
    except CallRefused as refused:
        return refused.status


def come_back(delivering: Delivering, intake: Intake) -> None:
    """Deliver the messages that are parked, as if each were due now."""
    waiting, delivering.parking.kept = delivering.parking.kept, []
    for hook, _ in waiting:
        intake.receive_parked(hook.to_message())
