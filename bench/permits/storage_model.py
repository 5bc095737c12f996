"""A model of leases and the wait queue in Azure Storage, in virtual time."""

import itertools
from collections.abc import Callable

from shared.admission.permit_store import LEASE_SECONDS, View
from shared.errors import StorageUnavailable


class ModelStorage:
    """Leases in virtual time.

    Attributes:
        calls: How many calls were made.
        down: Whether no call is answered.
        most_held: The most leases that were held.
    """

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        self._leases: list[tuple[str, float] | None] = [None] * places
        self._clock = clock
        self._names = itertools.count()
        self._line: list[int] = []
        self.calls = 0
        self.down = False
        self.most_held = 0

    def acquire(self, index: int) -> str | None:
        """Acquire a permit; see `PermitStore`."""
        self._called()
        if self._holder(index) is not None:
            return None
        lease = f"lease-{next(self._names)}"
        self._leases[index] = (lease, self._clock() + LEASE_SECONDS)
        self.most_held = max(self.most_held, len(self._leases) - len(self._free()))
        return lease

    def renew(self, index: int, lease: str) -> bool:
        """Renew a lease; see `PermitStore`."""
        self._called()
        if self._holder(index) != lease:
            return False
        self._leases[index] = (lease, self._clock() + LEASE_SECONDS)
        return True

    def release(self, index: int, lease: str) -> None:
        """Release a permit; see `PermitStore`."""
        self._called()
        if self._holder(index) == lease:
            self._leases[index] = None

    def look(self, who: int) -> View:
        """Return the free permits and the wait queue; see `PermitStore`."""
        self._called()
        ahead = self._line.index(who) if who in self._line else len(self._line)
        waiting = len(self._line) - (who in self._line)
        return View(self._free(), ahead, waiting, queued=who in self._line)

    def join(self, who: int) -> None:
        """Join the wait queue; see `PermitStore`."""
        self._called()
        self._line.append(who)

    def leave(self, who: int) -> None:
        """Leave the wait queue; see `PermitStore`."""
        self._called()
        if who in self._line:
            self._line.remove(who)

    def drop_first(self) -> None:
        """Remove the first instance from the wait queue; see `PermitStore`."""
        self._called()
        del self._line[:1]

    def _free(self) -> frozenset[int]:
        return frozenset(index for index in range(len(self._leases)) if self._holder(index) is None)

    def _holder(self, index: int) -> str | None:
        kept = self._leases[index]
        return kept[0] if kept is not None and kept[1] > self._clock() else None

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise StorageUnavailable("it is down")


class SeenStorage:
    """The store of one instance: a `PermitStore`."""

    def __init__(self, storage: ModelStorage, who: int) -> None:
        self.acquire = storage.acquire
        self.renew = storage.renew
        self.release = storage.release
        self.drop_first = storage.drop_first
        self._storage = storage
        self._who = who

    def look(self) -> View:
        """Return the free permits and the wait queue."""
        return self._storage.look(self._who)

    def join(self) -> None:
        """Join the wait queue."""
        self._storage.join(self._who)

    def leave(self) -> None:
        """Leave the wait queue."""
        self._storage.leave(self._who)
