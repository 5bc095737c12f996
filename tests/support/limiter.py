"""A limiter in virtual time, whose keeper is the test."""

import random

from shared.admission.limiter import SharedLimiter
from shared.admission.permit_store import Step
from shared.admission.permits import Permits
from tests.support.in_memory_permits import InMemoryPermits


class Kept:
    """A limiter without a thread; `keep` does the keeper's steps."""

    def __init__(self, places: int = 8, store: InMemoryPermits | None = None, name: str = "one") -> None:
        self.store = store or InMemoryPermits(places)
        self._seen = self.store.seen_by(name)
        chance = random.Random(1)  # noqa: S311 - chance, not a secret
        self.limiter = SharedLimiter(
            name,
            Permits(places, draw=chance.random),
            self._seen,
            most=places,
            clock=lambda: self.store.now,
            draw=lambda: 0.5,
            runs_keeper=False,
        )

    def keep(self, seconds: float = 0.0) -> None:
        """Do the steps that are due now and in the next seconds."""
        until = self.store.now + seconds
        while True:
            planned = self.limiter.plan()
            if isinstance(planned, Step):
                try:
                    result = planned.on(self._seen)
                except OSError:
                    self.limiter.record_failure(planned)
                else:
                    self.limiter.record_result(planned, result, sent=self.store.now)
            elif self.store.now + planned > until:
                self.store.now = until
                return
            else:
                self.store.now += planned

    def enter(self, rule: str = "a") -> bool:
        """Take a slot without waiting, after the keeper's steps."""
        if self.limiter.enter(rule, wait=0):
            return True
        self.keep()
        return self.limiter.enter(rule, wait=0)

    def serve(self, seconds: float = 0.03, *, healthy: bool = True) -> None:
        """Let one request take its time and leave."""
        self.store.now += seconds
        self.limiter.leave("a", seconds=seconds, healthy=healthy)

    def fill(self) -> int:
        """Take all the places there are, and return how many."""
        taken = 0
        while self.enter():
            taken += 1
        return taken
