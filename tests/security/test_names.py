"""Attacks through keys and ids that a sender chooses: they become run ids, paths and names of blobs."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.runs.ids import (
    MAX_RUN_ID,
    keyed,
    run_id_for_event,
    run_id_for_key,
    run_id_for_window,
    run_id_prefix,
)
from tests.support.dead_letters import letter
from tests.support.delivery import event

HOSTILE = (
    "../../etc/passwd", "..", ".", "/", "//", "\\", "%2e%2e%2f", "%252e", "a/../../b", "x\x00y", "x\ny",
    "\r\nHost: x", "?x=1", "#x", "a&b=c", "~", "%", "_", "__", "manual__x", "scheduled__2026", "{{ 7*7 }}",
    "<script>", "'; --", "\u202egpj", "\ufeff", "\ud800", "e\u0301", "é", "Ⅸ", "ﬁ", "a" * 5_000, "💥" * 300,
    " ", "\t", "", "-", "--help", "CON", "aux.", "a.", ".a", "$root", "$logs", "*", "a:b", "+",
    "a..b", "..a", "~1",
)  # fmt: skip
"""Path steps, separators, encodings, Airflow's prefixes, wildcards, and look-alikes."""
ANY = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=300), st.lists(st.sampled_from(HOSTILE)).map("".join)
)
ALLOWED = re.compile(r"[A-Za-z0-9_.~:+-]+")
RULE = "load-orders"


def ids_of(text: str) -> list[str]:
    """Return every run id that the text can get into."""
    by_event = run_id_for_event(RULE, text, text)
    return [
        by_event,
        run_id_for_key(RULE, text),
        run_id_for_window(RULE, text, text),
        keyed(by_event, RULE, text),
    ]


@settings(deadline=None)
@given(text=ANY)
def test_every_run_id_is_one_that_airflow_takes_and_is_the_rules_own(text: str) -> None:
    """For any key, a run id has Airflow's characters and length, and begins with the rule's name."""
    for run_id in ids_of(text):
        assert ALLOWED.fullmatch(run_id), run_id
        assert len(run_id) <= MAX_RUN_ID
        assert ".." not in run_id
        assert run_id.startswith(f"{RULE}__")


@settings(deadline=None)
@given(first=ANY, second=ANY)
def test_two_keys_never_share_a_run_id(first: str, second: str) -> None:
    """Different keys have different run ids: look-alikes differ in the hash."""
    if first != second:
        assert not set(ids_of(first)) & set(ids_of(second))
        assert not run_id_prefix(RULE, first).startswith(run_id_prefix(RULE, second))


@settings(deadline=None)
@given(source=ANY, identity=ANY)
def test_source_and_id_cannot_be_shifted_into_each_other(source: str, identity: str) -> None:
    """The border between an event's source and its id is part of the identity."""
    if identity:
        shifted = run_id_for_event(RULE, source + identity[0], identity[1:])
        assert run_id_for_event(RULE, source, identity) != shifted


@settings(deadline=None)
@given(identity=ANY, source=ANY, time=st.one_of(st.none(), ANY))
def test_the_name_of_a_dead_letter_stays_in_its_folder(identity: str, source: str, time: str | None) -> None:
    """No id, source or time leads out of the rule's folder, or makes a name that Storage would change."""
    name = letter(subject=event(id=identity or "e", source=source or "/s", time=time)).name
    parts = name.split("/")
    assert parts[0] == "smoke"
    assert re.fullmatch(r"[A-Za-z0-9_./-]+", name), name
    assert not {"", ".", ".."} & set(parts)
    assert len(name) < 1_024  # learn.microsoft.com, "Naming and referencing containers, blobs, and metadata"
