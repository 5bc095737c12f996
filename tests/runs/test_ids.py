"""The run id: it never changes, is valid for Airflow, and differs for different identities."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runs.ids import (
    MAX_RULE_NAME,
    MAX_RUN_ID,
    RESERVED_RULE_NAMES,
    keyed,
    run_id_for_event,
    run_id_for_key,
    run_id_for_window,
    run_id_prefix,
)

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


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("9ac46505-2b8a", "deploy__9ac46505-2b8a-cd78f703fed6f3fc97116a16__"),
        ("__my..key__of_2~x__", "deploy__my.key-of-2-x-5a8ebe0ee70e210060791c7b__"),
        ("x" * 300, "deploy__" + "x" * 60 + "-5be2f1816f71454c2bc29087__"),
        ("", "deploy__key-be45e54f4ec6fc6a95089e82__"),
    ],
)
def test_prefixes_of_latest_by_never_change(key: str, expected: str) -> None:
    """The beginning that `latest_by` looks for never changes; the hash of the event follows it."""
    assert run_id_prefix("deploy", key) == expected
    by_event = run_id_for_event("deploy", "/s", "1")
    assert keyed(by_event, "deploy", key) == expected + "f22b23d035941446bae22804"


def test_a_windows_run_id_never_changes() -> None:
    """A window's run id is the same in every version, too."""
    expected = "deploy__shop__ea3ab644536f640fe1cdba1f"
    assert run_id_for_window("deploy", "shop", "2026-11-25T09:00:00Z/1") == expected


def test_what_of_a_long_text_is_read_never_changes() -> None:
    """Its first 400 characters give the readable part: the 400th character counts, the 401st does not."""
    assert run_id_for_key("deploy", "é" * 399 + "ab") == "deploy__a__694379358bc095c42c23e97b"
    assert run_id_for_key("deploy", "é" * 400 + "ab") == "deploy__event__147cc1d6888abd21ae3a7b20"
    assert run_id_prefix("deploy", "é" * 399 + "ab") == "deploy__a-8df94c6b3b7479ccb445474a__"
    assert run_id_prefix("deploy", "é" * 400 + "ab") == "deploy__key-ef637baf6d56524a037ed1fc__"


def test_the_longest_run_id_fits() -> None:
    """Airflow's column has 250 characters; the longest rule name and key leave some of them."""
    assert (MAX_RUN_ID, MAX_RULE_NAME) == (250, 63)
    rule, text = "r" * MAX_RULE_NAME, "x" * 1_000
    by_event = run_id_for_event(rule, "/s", text)
    assert (len(by_event), len(keyed(by_event, rule, text))) == (191, 176)


def test_the_reserved_names_are_what_a_rule_could_be_called() -> None:
    """A rule's name holds no underscore, so only two of Airflow's prefixes are possible names."""
    names = {prefix.removesuffix("__") for prefix in RESERVED_PREFIXES}
    assert {name for name in names if "_" not in name} == RESERVED_RULE_NAMES


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
