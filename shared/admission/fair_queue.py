"""Who waits for a place: served by rule in turn, so that a rule with many events cannot starve the others."""

from collections import deque
from threading import Event as Signal


class Waiter(Signal):
    """The signal that somebody waits for.

    Attributes:
        served: Whether it is that somebody's turn; False where the line was sent away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.served = False


class FairQueue:
    """One line a rule, whose heads are served in turn. The caller keeps threads apart."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Waiter]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def ahead(self, rule: str) -> int:
        """Return how many would be served before one of this rule who joins now."""
        own = len(self._lines.get(rule, ()))
        return own + sum(min(len(line), own + 1) for name, line in self._lines.items() if name != rule)

    def join(self, rule: str) -> Waiter:
        """Return a signal that is set when it is this caller's turn, or when nobody's turn will come soon."""
        turn = Waiter()
        self._lines.setdefault(rule, deque()).append(turn)
        self._count += 1
        return turn

    def leave(self, rule: str, turn: Waiter) -> None:
        """Go without having been served."""
        line = self._lines[rule]
        line.remove(turn)
        self._count -= 1
        if not line:
            del self._lines[rule]

    def serve(self) -> None:
        """Let the next one go; whose rule then comes after all the others."""
        rule = next(iter(self._lines))
        line = self._lines.pop(rule)
        turn = line.popleft()
        turn.served = True
        turn.set()
        self._count -= 1
        if line:
            self._lines[rule] = line

    def send_away(self) -> None:
        """Let all go without having been served."""
        for line in self._lines.values():
            for turn in line:
                turn.set()
        self._lines.clear()
        self._count = 0
