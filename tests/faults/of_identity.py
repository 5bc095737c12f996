"""Faults 8 and 9: tokens expire or are not issued, a role is missing, Key Vault throttles or is down."""

import threading

from local.stand_ins.loopback_server import Request
from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import StubbedAirflow, stubbed
from tests.faults.verdict import Verdict

_A_WHILE = 1.5


class SeenTokens:
    """Stores the tokens that an Airflow received, so that the test can make them expire."""

    def __init__(self, stub: StubbedAirflow) -> None:
        self._stub = stub
        self._seen: set[str] = set()
        stub.inject(418, times=10**9, when=self._note)

    def expire(self) -> None:
        """Make all tokens that Airflow has received so far expire."""
        self._stub.expired |= self._seen.copy()

    def _note(self, request: Request) -> bool:
        if token := request.headers.get("authorization", "").removeprefix("Bearer "):
            self._seen.add(token)
        return False


def expired_tokens(ground: Ground, events: int) -> Verdict:
    """All tokens expire in the burst, twice, and the second time no new ones are issued for some time."""
    with stubbed(ground, stream(events, name="expired")) as (trial, stub):
        tokens = SeenTokens(stub)

        def none_to_be_had() -> None:
            ground.identity.inject(500, times=10**9)
            stub.inject(503, times=10**9, when=lambda request: request.path == "/auth/token")
            tokens.expire()
            threading.Timer(_A_WHILE, heal).start()

        def heal() -> None:
            ground.identity.heal()
            stub.heal()

        trial.feed((0.3, tokens.expire), (0.6, none_to_be_had))
        verdict = trial.audit()
        heal()
        return verdict


def role_granted_late(ground: Ground, events: int) -> Verdict:
    """The app may not start runs of one DAG until it gets the role."""
    with stubbed(ground, stream(events, name="role")) as (trial, stub):
        stub.forbidden.add("orders")
        trial.feed((1.0, lambda: stub.forbidden.discard("orders")))
        return trial.audit(parked=trial.counted("parked"))


def vault_down(ground: Ground, events: int) -> Verdict:
    """Key Vault throttles, then is down, then answers again; meanwhile tokens that need it expire."""
    with stubbed(ground, stream(events, name="vault")) as (trial, stub):
        tokens = SeenTokens(stub)
        ground.vault.inject(429, retry_after=1, times=6)

        def down() -> None:
            ground.vault.inject(0, times=10**9)
            tokens.expire()
            threading.Timer(_A_WHILE, ground.vault.heal).start()

        trial.feed((0.5, down))
        verdict = trial.audit()
        ground.vault.heal()
        return verdict
