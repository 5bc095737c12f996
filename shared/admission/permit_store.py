"""Where the permits of one Airflow are kept: what can be asked of that place, one call at a time."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

LEASE_SECONDS: Final = 60
"""The longest that Storage allows a lease that ends by itself (15 to 60 s)."""


@dataclass(frozen=True, slots=True)
class View:
    """What a look at all permits shows.

    Attributes:
        free: The permits that nobody holds.
        ahead: How many instances stand in line before this one; all of them where it does not.
        waiting: How many others stand in line.
        in_line: Whether this instance stands in line.
    """

    free: frozenset[int] = frozenset()
    ahead: int = 0
    waiting: int = 0
    in_line: bool = False


class PermitStore(Protocol):
    """Where the permits of one Airflow are kept. Every method raises `StorageUnavailable` where it fails."""

    def acquire(self, index: int) -> str | None:
        """Take a permit for `LEASE_SECONDS`; returns the lease's id, or None where another holds it."""

    def renew(self, index: int, lease: str) -> bool:
        """Begin the lease's time anew; returns False where it is lost."""

    def release(self, index: int, lease: str) -> None:
        """Give a permit back; harmless where the lease is lost."""

    def look(self) -> View:
        """Return which permits are free, and who waits."""

    def join(self) -> None:
        """Stand at the end of the line."""

    def leave(self) -> None:
        """Step out of the line; harmless where this process does not stand in it."""

    def drop_first(self) -> None:
        """Take the first of the line, as last seen, out of it: it is dead, or asleep."""


class StepKind(Enum):
    """What can be done about permits, one call to Storage each."""

    ACQUIRE = auto()
    RENEW = auto()
    RELEASE = auto()
    LOOK = auto()
    JOIN = auto()
    LEAVE = auto()
    DROP_FIRST = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One call to Storage.

    Attributes:
        kind: Which.
        index: For which permit; -1 where it is for none.
        lease: Under which lease.
    """

    kind: StepKind
    index: int = -1
    lease: str = ""

    def on(self, store: PermitStore) -> "Result":
        """Make the call; raises what the store raises."""
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
