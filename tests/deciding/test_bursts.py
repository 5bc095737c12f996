"""Rules that collect bursts: what one event gives, what a window gives, and what `explain` shows of it."""

from dataclasses import replace
from typing import Final

import pytest

from shared.deciding.decide import Decision, decide, decide_burst, decide_for, explain, explain_for
from shared.event import Event
from shared.event.bursts import Burst, BurstKey
from shared.rules import Rules, load_rules
from shared.runs.ids import run_id_for_window
from shared.values.json_text import Json

HEAD: Final = "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\nrules:\n"
RULE: Final = """
- name: r
  when: {types: [t]}
  start: {dag: d, conf: {ids: "{{ events | map(attribute='id') }}"}}
"""
COLLECTS: Final = RULE + "  coalesce: {window: 5m, by: '{{ data.shop }}'}\n"
ONE: Final = Event(
    id="1", source="s", type="t", time="2026-03-01T10:00:00Z", data={"shop": "north"}, via="webhook"
)
TWO: Final = replace(ONE, id="2", time="2026-03-01T10:00:01Z", via="queue")


def rules(text: str = COLLECTS) -> Rules:
    """Return these rules."""
    return load_rules(HEAD + text, file="rules.yaml", settings={})


def window_of(*events: Event, key: str = "north") -> object:
    """Return the `window` of the run that a window of these events starts."""
    request = decide_burst(Burst("w-1", key, events), rules(), "r").request
    assert request is not None
    identity = request.conf["_updraft"]
    assert isinstance(identity, dict)
    assert identity["key"] == "w-1"
    return identity["window"]


def test_one_event_gives_the_key_of_its_burst() -> None:
    """An event matches without a run of its own: the window has the run."""
    collected = Decision("r", matched=True, reason=None, request=None, burst_key=BurstKey("north", 300))
    assert decide(ONE, rules()) == [collected]
    assert decide_for(ONE, rules(), "r") == collected


def test_explain_shows_the_run_of_the_event_alone() -> None:
    """The preview has the key too, and a rule that does not collect or match has no preview."""
    (shown,) = explain(ONE, rules())
    assert (shown.matched, shown.burst_key) == (True, BurstKey("north", 300))
    assert shown.request is not None
    assert shown.request.conf["ids"] == ["1"]
    assert explain_for(ONE, rules().rules[0]) == shown
    (other,) = explain(replace(ONE, type="else"), rules())
    assert (other.matched, other.burst_key, other.request) == (False, None, None)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(ONE, data={}), "coalesce.by: "),
        (replace(ONE, data={"shop": " "}), "so it has no identity"),
        (replace(ONE, id="\u200b"), "the event's id has no visible character"),
        (replace(ONE, subject="x" * 60_000), "bytes as JSON, more than 49,152"),
    ],
)
def test_an_event_with_which_no_run_can_be_started_joins_no_burst(event: Event, reason: str) -> None:
    """It is a match without a key, and says why."""
    (decision,) = decide(event, rules())
    assert (decision.matched, decision.request, decision.burst_key) == (True, None, None)
    assert reason in str(decision.reason)


@pytest.mark.parametrize(("data", "is_refused"), [({"__type": 1}, True), ({"__other": 1}, False)])
def test_a_reserved_key_matters_where_the_conf_has_it(data: dict[str, Json], *, is_refused: bool) -> None:
    """An event whose data has a key that Airflow reserves is refused if its own conf would have it."""
    event = replace(ONE, data={"shop": "north", **data})
    whole = rules(COLLECTS.replace("map(attribute='id')", "map(attribute='data')"))
    assert decide(event, rules())[0].burst_key == BurstKey("north", 300)
    decision = decide(event, whole)[0]
    assert (decision.burst_key is None) == is_refused == ("without_reserved" in str(decision.reason))


def test_a_window_starts_one_run_about_its_newest_event() -> None:
    """Its id comes from the window, its note counts the events, and its identity names key and ways."""
    decision = decide_burst(Burst("w-1", "north", (ONE, TWO)), rules(), "r")
    assert (decision.rule, decision.matched, decision.reason, decision.burst_key) == ("r", True, None, None)
    request = decision.request
    assert request is not None
    assert request.dag_run_id == run_id_for_window("r", "north", "w-1")
    assert request.conf["ids"] == ["1", "2"]
    assert request.note == (
        "Started by the Updraft rule `r`: 2 events of `north`, the newest is event `t` about `s` at "
        "2026-03-01T10:00:01Z, id `2`."
    )


def test_the_identity_of_a_window_tells_what_is_in_it() -> None:
    """Events without a time are counted, each known way is named once, and a long key is cut."""
    unknown, undated = replace(ONE, via="unknown"), replace(ONE, id="3", time=None)
    assert window_of(ONE, TWO, ONE) == {"by": "north", "events": 3, "via": ["queue", "webhook"]}
    assert window_of(unknown) == {"by": "north", "events": 1}
    assert window_of(unknown, undated) == {"by": "north", "events": 2, "undated": 1, "via": ["webhook"]}
    assert window_of(unknown, key="k" * 1_000) == {"by": "k" * 199 + "…", "events": 1}


def test_a_window_without_its_rule_starts_nothing() -> None:
    """The reason names a deleted rule and a rule with a similar name; a disabled rule has its own reason."""
    burst = Burst("w-1", "north", (ONE,))
    gone = decide_burst(burst, rules(), "rr")
    assert gone == Decision(
        "rr", matched=False, reason="there is no rule `rr` (did you mean `r`?)", request=None
    )
    off = decide_burst(burst, rules(COLLECTS + "  enabled: false\n"), "r")
    assert off == Decision("r", matched=False, reason="the rule is not enabled", request=None)
    other = decide_burst(
        burst, rules(RULE.replace("data.shop", "data.gone").replace("events | map", "data.gone | map")), "r"
    )
    assert (other.matched, other.request) == (True, None)
    assert "has no member `gone`" in str(other.reason)
