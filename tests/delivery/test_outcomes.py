import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.delivery.outcomes import NO_RULE, Ledger, Outcome, OutcomeKind

STARTED = Outcome(OutcomeKind.STARTED, rule="smoke")


def test_an_empty_ledger_balances() -> None:
    """Nothing received is nothing lost."""
    assert Ledger().balances()
    assert Ledger().counts() == {}


def test_a_delivery_without_an_end_is_missed() -> None:
    """The ledger does not balance where a delivery has no end, nor where it has two."""
    ledger = Ledger()
    with ledger.delivery("smoke"):
        assert ledger.balances()
    assert not ledger.balances()
    ledger.end(STARTED)
    assert ledger.balances()
    ledger.end(STARTED)
    assert not ledger.balances()


def test_a_second_end_is_seen_before_the_delivery_is_over() -> None:
    """While a delivery is in progress it may have ended once, and not twice."""
    ledger = Ledger()
    with ledger.delivery("smoke"):
        ledger.end(STARTED)
        assert ledger.balances()
        ledger.end(STARTED)
        assert not ledger.balances()


def test_a_delivery_that_raised_comes_again() -> None:
    """An error is counted apart from the ends, and a delivery that ended before its error is seen."""
    ledger = Ledger()
    with pytest.raises(KeyError), ledger.delivery("smoke"):
        raise KeyError
    assert ledger.balances()
    assert ledger.counts()["smoke"]["raised"] == ledger.counts()["smoke"]["received"] == 1
    with contextlib.suppress(KeyError), ledger.delivery("smoke"):
        ledger.end(STARTED)
        raise KeyError
    assert not ledger.balances()


def test_rules_do_not_make_up_for_each_other() -> None:
    """A delivery that ends at another rule is a loss here and a surplus there, not a balance."""
    ledger = Ledger()
    with ledger.delivery("one"):
        ledger.end(STARTED)
        assert not ledger.balances()
    assert not ledger.balances()
    assert ledger.counts()["smoke"]["received"] == 0


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_word_is_counted_under_its_own_name(kind: OutcomeKind) -> None:
    """Each word of the promise has a column, and an event that no rule claimed a row."""
    ledger = Ledger()
    with ledger.delivery():
        ledger.end(Outcome(kind))
    counts = ledger.counts()[NO_RULE]
    assert counts[kind.value] == counts["received"] == 1
    assert set(counts) == {"received", "raised", "in_progress", *(word.value for word in OutcomeKind)}


def test_threads_count_together() -> None:
    """Counts made by many threads at once are all there."""
    ledger = Ledger()

    def deliver(_: int) -> None:
        with ledger.delivery("smoke"):
            ledger.end(Outcome(OutcomeKind.DUPLICATE, rule="smoke"))
        assert ledger.balances()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, range(2000)))
    assert ledger.counts()["smoke"]["duplicate"] == ledger.counts()["smoke"]["received"] == 2000
    assert ledger.balances()
