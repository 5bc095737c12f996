"""Permits as leases in virtual time, like leases in Azure Storage."""

import itertools

from shared.admission.permit_store import LEASE_SECONDS, View


class InMemoryPermits:
    """The leases of one Airflow's permits.

    Attributes:
        now: The time, which a test advances.
        leases: Holder's lease and its end, by permit.
        line: The waiting instances, in order.
        down: Whether no call is answered.
    """

    def __init__(self, places: int = 8) -> None:
        self.places = places
        self.now = 0.0
        self.leases: dict[int, tuple[str, float]] = {}
        self.line: list[str] = []
        self.down = False
        self.calls = 0
        self._names = itertools.count()

    def holders(self) -> int:
        """Return how many permits are held."""
        return len(self.leases_ever(self.now))

    def leases_ever(self, now: float) -> list[int]:
        """Return the permits whose lease has not ended."""
        return [index for index, (_, end) in self.leases.items() if end > now]

    def seen_by(self, name: str) -> "SeenPermits":
        """Return the store as one instance sees it."""
        return SeenPermits(self, name)

    def called(self) -> None:
        """Count a call, which fails during an outage."""
        self.calls += 1
        if self.down:
            raise OSError("it is down")

    def acquire(self, index: int) -> str | None:
        """Take a permit."""
        self.called()
        if index in self.leases_ever(self.now):
            return None
        lease = f"lease-{next(self._names)}"
        self.leases[index] = (lease, self.now + LEASE_SECONDS)
        return lease

    def renew(self, index: int, lease: str) -> bool:
        """Renew a lease."""
        self.called()
        if self.leases.get(index, ("", 0.0))[0] != lease:
            return False
        self.leases[index] = (lease, self.now + LEASE_SECONDS)
        return True

    def release(self, index: int, lease: str) -> None:
        """Give a permit back."""
        self.called()
        if self.leases.get(index, ("", 0.0))[0] == lease:
            del self.leases[index]


class SeenPermits:
    """The leases, and the line as one instance sees it."""

    def __init__(self, kept: InMemoryPermits, name: str) -> None:
        self.acquire = kept.acquire
        self.renew = kept.renew
        self.release = kept.release
        self._kept = kept
        self._name = name

    def look(self) -> View:
        """Return the free permits and the wait queue."""
        self._kept.called()
        line = self._kept.line
        mine = self._name in line
        free = frozenset(range(self._kept.places)) - frozenset(self._kept.leases_ever(self._kept.now))
        return View(
            free, line.index(self._name) if mine else len(line), waiting=len(line) - mine, queued=mine
        )

    def join(self) -> None:
        """Join the wait queue."""
        self._kept.called()
        self._kept.line.append(self._name)

    def leave(self) -> None:
        """Step out of the line."""
        self._kept.called()
        if self._name in self._kept.line:
            self._kept.line.remove(self._name)

    def drop_first(self) -> None:
        """Take the first out of the line."""
        self._kept.called()
        del self._kept.line[:1]
