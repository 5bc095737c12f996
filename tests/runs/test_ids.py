"""The run id: the same for ever, always valid for Airflow, different for different identities."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runs.ids import MAX_RUN_ID, RESERVED_RULE_NAMES, run_id_for_event, run_id_for_key

AIRFLOW_PATTERN = re.compile(r"[A-Za-z0-9_.~:+-]+")
RESERVED_PREFIXES = (
    "scheduled__",
    "backfill__",
    "asset_triggered__",
    "operator_triggered__",
    "asset_materialization__",
    "dataset_triggered__",
)
RULE_NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True).filter(
    lambda name: name not in RESERVED_RULE_NAMES
)


@pytest.mark.parametrize(
    ("rule", "source", "event_id", "expected"),
    [
        (
            "smoke-test-after-swap",
            "/subscriptions/1/resourceGroups/web/providers/Microsoft.Web/sites/shop",
            "7c5d6de5-eb70-4de2-b788-c52a544e68b8",
            "smoke-test-after-swap__7c5d6de5-eb70-4de2-b788-c52a544e68b8__f6c32a2c35dc49894726c95b",
        ),
        ("r", "", "", "r__event__d4b1ce0f1957da0ba7d31e71"),
        ("r", "s", "../../etc/passwd é \ud800", "r__etc-passwd__d474e8c2dd194d79cb9eab03"),
        ("r" * 63, "s", "x" * 300, "r" * 63 + "__" + "x" * 100 + "__bc057b0fe9bcc084f3be0a5a"),
    ],
)
def test_event_run_ids_never_change(rule: str, source: str, event_id: str, expected: str) -> None:
    """An event's run id is the same in every version: otherwise every run would be started again."""
    assert run_id_for_event(rule, source, event_id) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "9ac46505-2b8a-4e06-834c-05ffbe2e8c3a",
            "deploy__9ac46505-2b8a-4e06-834c-05ffbe2e8c3a__61da8b162576fe99775a1259",
        ),
        ("__my..key__of_2__", "deploy__my.key_of_2__3770ed20aff3cda31b30b81c"),
        ("shop (production)", "deploy__shop-production__9de44b7e254a79f6c5560dbe"),
    ],
)
def test_key_run_ids_never_change(key: str, expected: str) -> None:
    """A key's run id is the same in every version."""
    assert run_id_for_key("deploy", key) == expected


@given(rule=RULE_NAMES, source=st.text(), event_id=st.text())
def test_every_run_id_is_valid(rule: str, source: str, event_id: str) -> None:
    """Whatever the event holds, Airflow accepts the run id."""
    for run_id in (run_id_for_event(rule, source, event_id), run_id_for_key(rule, event_id)):
        assert AIRFLOW_PATTERN.fullmatch(run_id)
        assert ".." not in run_id
        assert len(run_id) <= MAX_RUN_ID
        assert not run_id.startswith(RESERVED_PREFIXES)
        assert run_id.startswith(f"{rule}__")


@given(first=st.tuples(RULE_NAMES, st.text(), st.text()), second=st.tuples(RULE_NAMES, st.text(), st.text()))
def test_different_identities_have_different_run_ids(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    """Two events share a run id only where rule, source and id are all the same."""
    assert (run_id_for_event(*first) == run_id_for_event(*second)) == (first == second)


@given(text=st.text(min_size=2), cut=st.integers(min_value=0), other=st.integers(min_value=0))
def test_where_source_ends_and_id_begins_counts(text: str, cut: int, other: int) -> None:
    """("ab", "c") and ("a", "bc") are two identities."""
    first, second = cut % (len(text) + 1), other % (len(text) + 1)
    ids = [run_id_for_event("r", text[:at], text[at:]) for at in (first, second)]
    assert (ids[0] == ids[1]) == (first == second)


@given(key=st.text())
def test_a_key_is_not_mistaken_for_an_event(key: str) -> None:
    """A key never gives the run id of an event with that id."""
    assert run_id_for_key("r", key) not in {run_id_for_event("r", "", key), run_id_for_event("r", key, "")}
