from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.delivery.outcomes import NO_RULE, Ledger, Outcome, OutcomeKind


def test_an_empty_ledger_balances() -> None:
    """Nothing received is nothing lost."""
    assert Ledger().balances()
    assert Ledger().counts() == {}


def test_a_delivery_without_an_end_is_missed() -> None:
    """The ledger does not balance while a delivery has no outcome, nor when one has two."""
    ledger = Ledger()
    ledger.receive("smoke")
    assert not ledger.balances()
    ledger.end(Outcome(OutcomeKind.STARTED, rule="smoke"))
    assert ledger.balances()
    ledger.end(Outcome(OutcomeKind.PARKED, rule="smoke"))
    assert not ledger.balances()


def test_rules_do_not_make_up_for_each_other() -> None:
    """A loss at one rule and a surplus at another are two faults, not a balance."""
    ledger = Ledger()
    ledger.receive("one")
    ledger.receive("two")
    for _ in range(2):
        ledger.end(Outcome(OutcomeKind.STARTED, rule="two"))
    assert not ledger.balances()


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_word_is_counted_under_its_own_name(kind: OutcomeKind) -> None:
    """Each word of the promise has a column, and an event that no rule claimed a row."""
    ledger = Ledger()
    ledger.receive()
    ledger.end(Outcome(kind))
    counts = ledger.counts()[NO_RULE]
    assert counts[kind.value] == counts["received"] == 1
    assert set(counts) == {"received", *(word.value for word in OutcomeKind)}


def test_threads_count_together() -> None:
    """Counts made by many threads at once are all there."""
    ledger = Ledger()

    def deliver(_: int) -> None:
        ledger.receive("smoke")
        ledger.end(Outcome(OutcomeKind.DUPLICATE, rule="smoke"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, range(2000)))
    assert ledger.counts()["smoke"]["duplicate"] == 2000
    assert ledger.balances()
