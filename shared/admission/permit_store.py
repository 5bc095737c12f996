"""The store of one Airflow's permits: its calls, one at a time."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

LEASE_SECONDS: Final = 60
"""The longest lease that expires in Storage (15 to 60 s)."""


@dataclass(frozen=True, slots=True)
class View:
    """The state of all permits.

    Attributes:
        free: The permits that no instance holds.
        ahead: How many instances wait before this one; all of them if it does not wait.
        waiting: How many other instances wait.
        queued: Whether this instance is in the wait queue.
    """

    free: frozenset[int] = frozenset()
    ahead: int = 0
    waiting: int = 0
    queued: bool = False


class PermitStore(Protocol):
    """The store of one Airflow's permits; every method may raise `StorageUnavailable`."""

    def acquire(self, index: int) -> str | None:
        """Acquire a permit for `LEASE_SECONDS`; returns the lease's id, or None if it is not free."""

    def renew(self, index: int, lease: str) -> bool:
        """Renew a lease; returns False if it is lost."""

    def release(self, index: int, lease: str) -> None:
        """Release a permit; no error if the lease is lost."""

    def look(self) -> View:
        """Return the free permits and the wait queue."""

    def join(self) -> None:
        """Join the wait queue."""

    def leave(self) -> None:
        """Leave the wait queue; no error if this instance is not in it."""

    def drop_first(self) -> None:
        """Remove the instance that was first at the last `look`: it has ended, or hangs."""


class StepKind(Enum):
    """The calls to the store."""

    ACQUIRE = auto()
    RENEW = auto()
    RELEASE = auto()
    LOOK = auto()
    JOIN = auto()
    LEAVE = auto()
    DROP_FIRST = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One call to the store.

    Attributes:
        kind: The call.
        index: The permit; -1 if the call has none.
        lease: The lease's id.
    """

    kind: StepKind
    index: int = -1
    lease: str = ""

    def on(self, store: PermitStore) -> "Result":
        """Make the call; raises as the store."""
        match self.kind:
            case StepKind.ACQUIRE:
                return store.acquire(self.index)
            case StepKind.RENEW:
                return store.renew(self.index, self.lease)
            case StepKind.LOOK:
                return store.look()
            case _:
                self._silently_on(store)
                return None

    def _silently_on(self, store: PermitStore) -> None:
        match self.kind:
            case StepKind.RELEASE:
                store.release(self.index, self.lease)
            case StepKind.JOIN:
                store.join()
            case StepKind.LEAVE:
                store.leave()
            case StepKind.DROP_FIRST:
                store.drop_first()


type Result = str | bool | View | None
