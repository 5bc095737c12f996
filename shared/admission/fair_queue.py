"""A fair queue: it serves rules in rotation, so that a rule with many events does not starve the others."""

from collections import deque
from threading import Event as Signal


class Waiter(Signal):
    """The signal that a thread waits for.

    Attributes:
        served: Whether the thread got a slot; False if it was rejected.
    """

    def __init__(self) -> None:
        super().__init__()
        self.served = False


class FairQueue:
    """One queue for each rule, served in rotation; the caller locks it."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Waiter]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def ahead(self, rule: str) -> int:
        """Return how many would be served before a new waiter of this rule."""
        own = len(self._queues.get(rule, ()))
        return own + sum(min(len(queue), own + 1) for name, queue in self._queues.items() if name != rule)

    def join(self, rule: str) -> Waiter:
        """Return a new waiter, which is set when it is served or rejected."""
        waiter = Waiter()
        self._queues.setdefault(rule, deque()).append(waiter)
        self._count += 1
        return waiter

    def leave(self, rule: str, waiter: Waiter) -> None:
        """Remove a waiter that was not served."""
        queue = self._queues[rule]
        queue.remove(waiter)
        self._count -= 1
        if not queue:
            del self._queues[rule]

    def serve(self) -> None:
        """Serve the next waiter; its rule is then the last one."""
        rule = next(iter(self._queues))
        queue = self._queues.pop(rule)
        waiter = queue.popleft()
        waiter.served = True
        waiter.set()
        self._count -= 1
        if queue:
            self._queues[rule] = queue

    def reject_all(self) -> None:
        """Reject all waiters."""
        for queue in self._queues.values():
            for waiter in queue:
                waiter.set()
        self._queues.clear()
        self._count = 0
