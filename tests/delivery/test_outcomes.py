import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.delivery.outcomes import NO_RULE, Outcome, OutcomeCounts, OutcomeKind

STARTED = Outcome(OutcomeKind.STARTED, rule="smoke")


def test_nothing_counted_balances() -> None:
    """Counts without a delivery balance."""
    assert OutcomeCounts().balances()
    assert OutcomeCounts().by_rule() == {}


def test_a_delivery_without_an_end_is_missed() -> None:
    """The counts do not balance if a delivery has no end or two ends."""
    outcome_counts = OutcomeCounts()
    with outcome_counts.delivery("smoke"):
        assert outcome_counts.balances()
    assert not outcome_counts.balances()
    outcome_counts.end(STARTED)
    assert outcome_counts.balances()
    outcome_counts.end(STARTED)
    assert not outcome_counts.balances()


def test_a_second_end_is_seen_before_the_delivery_is_over() -> None:
    """A delivery in progress may have ended once, but not twice."""
    outcome_counts = OutcomeCounts()
    with outcome_counts.delivery("smoke"):
        outcome_counts.end(STARTED)
        assert outcome_counts.balances()
        outcome_counts.end(STARTED)
        assert not outcome_counts.balances()


def test_a_delivery_that_raised_comes_again() -> None:
    """Errors are counted separately, and a delivery that ended before its error is found."""
    outcome_counts = OutcomeCounts()
    with pytest.raises(KeyError), outcome_counts.delivery("smoke"):
        raise KeyError
    assert outcome_counts.balances()
    assert outcome_counts.by_rule()["smoke"]["raised"] == outcome_counts.by_rule()["smoke"]["received"] == 1
    with contextlib.suppress(KeyError), outcome_counts.delivery("smoke"):
        outcome_counts.end(STARTED)
        raise KeyError
    assert not outcome_counts.balances()


def test_rules_do_not_make_up_for_each_other() -> None:
    """A delivery that ends at another rule does not balance."""
    outcome_counts = OutcomeCounts()
    with outcome_counts.delivery("one"):
        outcome_counts.end(STARTED)
        assert not outcome_counts.balances()
    assert not outcome_counts.balances()
    assert outcome_counts.by_rule()["smoke"]["received"] == 0


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_word_is_counted_under_its_own_name(kind: OutcomeKind) -> None:
    """Each kind has a column, and events that match no rule have a row."""
    outcome_counts = OutcomeCounts()
    with outcome_counts.delivery():
        outcome_counts.end(Outcome(kind))
    counts = outcome_counts.by_rule()[NO_RULE]
    assert counts[kind.value] == counts["received"] == 1
    assert set(counts) == {"received", "raised", "in_progress", *(word.value for word in OutcomeKind)}


def test_threads_count_together() -> None:
    """Counts from many threads are complete."""
    outcome_counts = OutcomeCounts()

    def deliver(_: int) -> None:
        with outcome_counts.delivery("smoke"):
            outcome_counts.end(Outcome(OutcomeKind.DUPLICATE, rule="smoke"))
        assert outcome_counts.balances()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, range(2000)))
    assert (
        outcome_counts.by_rule()["smoke"]["duplicate"]
        == outcome_counts.by_rule()["smoke"]["received"]
        == 2000
    )
    assert outcome_counts.balances()


def test_a_reason_is_visible_text() -> None:
    """Whatever Airflow or an event put into it, a reason writes nothing but text to a terminal or a log."""
    assert "\x1b" not in Outcome(OutcomeKind.REJECTED, reason="a\x1b[31mb").reason
