"""Faults 8 and 9: tokens expire or are not to be had, a role is missing, the vault is throttled or down."""

import threading

from local.stand_ins.loopback_server import Request
from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import StubbedAirflow, stubbed
from tests.faults.verdict import Verdict

_A_WHILE = 1.5


class SeenTokens:
    """Remembers the tokens that an Airflow was shown, so that they can be made to expire."""

    def __init__(self, stub: StubbedAirflow) -> None:
        self._stub = stub
        self._seen: set[str] = set()
        stub.inject(418, times=10**9, when=self._note)

    def expire(self) -> None:
        """Let every token that was shown so far be expired from now on."""
        self._stub.expired |= self._seen.copy()

    def _note(self, request: Request) -> bool:
        if token := request.headers.get("authorization", "").removeprefix("Bearer "):
            self._seen.add(token)
        return False


def expired_tokens(ground: Ground, events: int) -> Verdict:
    """Every token expires mid-burst, twice, and the second time nobody gives out new ones for a while."""
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
    """The app may not start runs of one DAG, until somebody grants it."""
    with stubbed(ground, stream(events, name="role")) as (trial, stub):
        stub.forbidden.add("orders")
        trial.feed((1.0, lambda: stub.forbidden.discard("orders")))
        return trial.audit(parked=trial.counted("parked"))


def vault_down(ground: Ground, events: int) -> Verdict:
    """Key Vault throttles from the start, then is down, then is back; tokens that hang on it expire."""
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
