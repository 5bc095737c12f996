"""Ends a delivery: writes its dead letter where it has one, counts it and logs it."""

from typing import TYPE_CHECKING

from shared.delivery.outcome_log import report

if TYPE_CHECKING:
    from shared.delivery.outcomes import Ledger, Outcome
    from shared.stores.dead_letters import DeadLetter, DeadLetters


class Closing:
    """Ends deliveries; safe to use from any thread.

    Args:
        dead_letters: Where what cannot be delivered is kept.
        ledger: Counts every delivery.
    """

    def __init__(self, dead_letters: "DeadLetters", ledger: "Ledger") -> None:
        self._dead_letters = dead_letters
        self._ledger = ledger

    def end(self, outcome: "Outcome") -> "Outcome":
        """Count and log how a delivery ended, and return that."""
        self._ledger.receive(outcome.rule)
        self._ledger.end(outcome)
        report(outcome)
        return outcome

    def reject(self, letter: "DeadLetter", outcome: "Outcome") -> "Outcome":
        """Write a dead letter, then end its delivery.

        Raises:
            StorageUnavailable: The letter is not written; the event must not be acknowledged.
        """
        self._dead_letters.write(letter)
        return self.end(outcome)
