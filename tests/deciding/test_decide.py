"""Deciding: the order of the conditions, the reasons and the request; no other error is ever raised."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.deciding.decide import Decision, decide, decide_for, explain
from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.event.via import Via
from shared.rules import Rules, load_rules
from shared.runs.ids import run_id_for_event, run_id_for_key
from shared.values.json_text import Json
from shared.values.markdown_text import MAX_NOTE

CONNECTIONS = "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
SWAP = Event(
    id="e1",
    source="/subscriptions/1/resourceGroups/Web/providers/Microsoft.Web/sites/shop",
    type="Microsoft.Web.SlotSwapCompleted",
    subject="/Microsoft.Web/sites/shop",
    time="2026-03-01T10:00:00.1234567Z",
    data={"name": "shop", "targetSlot": "production", "correlationRequestId": "c1", "n": 5},
)


def rules_of(text: str) -> Rules:
    """Load rules that share one connection."""
    return load_rules(CONNECTIONS + text, file="rules.yaml", settings={})


def one(when: str, start: str = "{dag: d}", more: str = "") -> Rules:
    """Load a single rule `r`."""
    return rules_of(f"rules:\n- name: r\n  when: {when}\n  start: {start}\n{more}")


def ask(rules: Rules, event: Event = SWAP) -> Decision:
    """Return the decision of the only rule, which is the same from all three functions."""
    [explained] = explain(event, rules)
    assert decide(event, rules) == ([explained] if explained.matched else [])
    assert decide_for(event, rules, "r") == explained
    return explained


@pytest.mark.parametrize(
    "when",
    [
        "{types: [Microsoft.Web.SlotSwapCompleted]}",
        "{types: [microsoft.web.slotswapcompleted]}",
        "{types: [Other, Microsoft.Web.*]}",
        "{types: ['*']}",
        "{sources: [/SUBSCRIPTIONS/1/resourcegroups/web]}",
        "{sources: [/x, /subscriptions/1]}",
        "{subject: {begins_with: /microsoft.web}}",
        "{subject: {ends_with: SHOP}}",
        "{subject: {begins_with: /Microsoft.Web/, ends_with: shop, case_sensitive: true}}",
        "{filter: {operatorType: StringIn, key: app.site, values: [shop]}}",
        "{filter: []}",
    ],
)
def test_conditions_that_hold(when: str) -> None:
    """Types and sources match in any letter case, and families match by their beginning."""
    assert ask(one(when)).matched


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (
            "{types: [A, B]}",
            "type is `Microsoft.Web.SlotSwapCompleted`, not `A` or `B`",
        ),
        ("{types: [Microsoft.Web.SlotSwap]}", "type is `Microsoft.Web.SlotSwapCompleted`"),
        ("{types: [A, B, C, D, E, F, G]}", "`E` or 2 more"),
        ("{sources: [/subscriptions/2]}", "which does not begin with `/subscriptions/2`"),
        (
            "{subject: {begins_with: /orders}}",
            "subject is `/Microsoft.Web/sites/shop`, which does not begin with `/orders`",
        ),
        ("{subject: {ends_with: .csv}}", "which does not end with `.csv`"),
        ("{subject: {begins_with: /microsoft, case_sensitive: true}}", "does not begin with `/microsoft`"),
        (
            "{filter: {operatorType: StringIn, key: data.targetSlot, values: [staging]}}",
            "data.targetSlot StringIn",
        ),
    ],
)
def test_the_reason_names_the_first_condition_that_failed(when: str, reason: str) -> None:
    """A rule that did not match names the condition that failed, and the value."""
    decision = ask(one(when))
    assert not decision.matched
    assert decision.request is None
    assert decision.reason is not None
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("when", "event", "reason"),
    [
        ("{via: [queue]}", SWAP, "via is unknown (--via sets it), not `queue`"),
        (
            "{via: [webhook, queue]}",
            replace(SWAP, via="call"),
            "via is `call`, not `queue` or `webhook`",
        ),
        (
            "{sources: [/a]}",
            replace(SWAP, source="/A-2/x"),
            "source is `/A-2/x`, which continues the last segment of `/a`",
        ),
        (
            "{sources: [/a]}",
            replace(SWAP, source="/a/../b"),
            "source is `/a/../b`, which has a segment `.` or `..`, so it may not be below `/a`",
        ),
        (
            "{sources: [/a/b*]}",
            replace(SWAP, source="/a/c"),
            "source is `/a/c`, which does not begin with `/a/b*`",
        ),
        ("{subject: {ends_with: SHOP, case_sensitive: true}}", SWAP, "which does not end with `SHOP`"),
    ],
)
def test_the_reason_says_how_a_condition_failed(when: str, event: Event, reason: str) -> None:
    """A way that is not known, a path that goes on, and a path with `..` have their own words."""
    assert str(ask(one(when), event).reason).endswith(reason)


@pytest.mark.parametrize("via", ["queue", "webhook"])
def test_a_rule_takes_events_that_came_its_way(via: Via) -> None:
    """The ways of a rule are those that it lists."""
    assert ask(one(f"{{types: ['*'], via: [{via}]}}"), replace(SWAP, via=via)).matched
    assert not ask(one(f"{{types: ['*'], via: [{via}]}}"), replace(SWAP, via="call")).matched


def test_an_event_without_subject_matches_no_subject() -> None:
    """A rule with `subject` does not match an event without a subject, and the reason names it."""
    event = Event(id="1", source="s", type="t")
    assert ask(one("{subject: {begins_with: /}}"), event).reason == "the event has no subject"


def test_the_order_of_the_conditions_is_fixed() -> None:
    """enabled, types, via, sources, subject, filter: the reason names the first condition that fails."""
    parts = {
        "types": ("[x]", "type is"),
        "via": ("[queue]", "via is unknown"),
        "sources": ("[x]", "source is"),
        "subject": ("{begins_with: x}", "subject is"),
        "filter": ("{operatorType: IsNotNull, key: data.gone}", "data.gone"),
    }
    names = list(parts)
    for start, name in enumerate(names):
        when = "{" + ", ".join(f"{each}: {parts[each][0]}" for each in names[start:]) + "}"
        assert str(ask(one(when)).reason).startswith(parts[name][1])
    disabled = one("{types: [x]}", more="  enabled: false\n")
    assert ask(disabled).reason == "the rule is not enabled"
    assert not ask(one("{types: ['*']}", more="  enabled: false\n")).matched


def test_every_rule_decides_on_its_own_in_the_files_order() -> None:
    """An event can match several rules by every form of type, and each rule decides once."""
    rules = rules_of(
        "rules:\n"
        "- {name: a, when: {types: [Microsoft.*, Microsoft.Web.*]}, start: {dag: d}}\n"
        "- {name: b, when: {sources: [/]}, start: {dag: d}}\n"
        "- {name: c, when: {types: [Other]}, start: {dag: d}}\n"
        "- {name: d, when: {types: [Microsoft.Web.SlotSwapCompleted, '*']}, start: {dag: d}}\n"
    )
    assert [decision.rule for decision in decide(SWAP, rules)] == ["a", "b", "d"]
    assert [decision.matched for decision in explain(SWAP, rules)] == [True, True, False, True]
    assert decide(Event(id="1", source="s", type="Else"), rules_of("rules: []")) == []


def test_the_request_is_what_airflow_gets() -> None:
    """The request has connection, DAG, run id, conf with the event's identity, and a note with the reason."""
    request = ask(
        one("{types: [Microsoft.Web.*]}", "{dag: smoke, conf: {site: '{{ app.site }}', n: '{{ data.n }}'}}")
    ).request
    assert request is not None
    assert (request.rule, request.connection, request.dag_id) == ("r", "main", "smoke")
    assert request.dag_run_id == run_id_for_event("r", SWAP.source, "e1")
    assert request.conf == {
        "site": "shop",
        "n": 5,
        "_updraft": {
            "rule": "r",
            "event": {
                "id": "e1",
                "source": SWAP.source,
                "type": SWAP.type,
                "time": SWAP.time,
                "subject": SWAP.subject,
            },
            "key": None,
        },
    }
    assert request.note == (
        "Started by the Updraft rule `r`: event `Microsoft.Web.SlotSwapCompleted` about "
        "`/Microsoft.Web/sites/shop` at 2026-03-01T10:00:00.1234567Z, id `e1`."
    )
    assert request.logical_date is None
    assert request.run_after is None


def test_note_and_dates_are_templates() -> None:
    """A note is cut at Airflow's limit; dates are RFC 3339 in UTC."""
    start = (
        "{dag: d, note: '{{ data.n }} {{ data.name }}', logical_date: '{{ time }}', run_after: '{{ time }}'}"
    )
    request = ask(one("{types: ['*']}", start)).request
    assert request is not None
    assert request.note == "5 shop"
    assert request.logical_date == request.run_after == "2026-03-01T10:00:00.123456Z"
    long = ask(one("{types: ['*']}", "{dag: d, note: '" + "x" * 1_200 + "'}")).request
    assert long is not None
    assert long.note == "x" * (MAX_NOTE - 1) + "…"


def test_the_description_stands_in_the_note() -> None:
    """The note in Airflow has the rule's description."""
    request = ask(one("{types: ['*']}", more="  description: Checks the shop\n")).request
    assert request is not None
    assert "(Checks the shop)" in str(request.note)


def test_dedupe_by_is_the_identity() -> None:
    """Events with one key have one run id, whatever their own id; a number equals its text."""
    by_text = one("{types: ['*']}", more="  dedupe_by: '{{ data.correlationRequestId }}'\n")
    by_number = one("{types: ['*']}", more="  dedupe_by: '{{ data.n }}'\n")
    for rules, key in ((by_text, "c1"), (by_number, "5")):
        request = ask(rules).request
        assert request is not None
        assert request.dag_run_id == run_id_for_key("r", key)
        identity = request.conf["_updraft"]
        assert isinstance(identity, dict)
        assert identity["key"] == key


@pytest.mark.parametrize(
    ("start", "more", "reason"),
    [
        (
            "{dag: d, conf: {a: {b: '{{ data.gone }}'}}}",
            "",
            "a.b: `{{ data.gone }}`: `data` has no member `gone`",
        ),
        ("{dag: d, note: '{{ data.gone }}'}", "", "`data` has no member `gone`"),
        ("{dag: d, logical_date: '{{ data.name }}'}", "", "logical_date: `shop` is not an RFC 3339 time"),
        ("{dag: d, run_after: '{{ data.n }}'}", "", "run_after: `5` is not an RFC 3339 time"),
        ("{dag: d}", "  dedupe_by: '{{ data.gone }}'\n", "dedupe_by: "),
        ("{dag: d}", "  dedupe_by: '{{ data.gone | default(none) }}'\n", "has no identity"),
        ("{dag: d}", "  dedupe_by: '{{ data.gone | default }}'\n", "has no identity"),
        ("{dag: d, conf: {all: '{{ data }}'}}", "", None),
    ],
)
def test_a_match_that_cannot_be_rendered_says_why(start: str, more: str, reason: str | None) -> None:
    """A match whose templates fail has no request, but a reason for the dead letter."""
    decision = ask(one("{types: ['*']}", start, more))
    assert decision.matched
    if reason is None:
        assert decision.reason is None
    else:
        assert decision.request is None
        assert reason in str(decision.reason)


def test_a_conf_that_is_too_large_is_named() -> None:
    """An event whose conf is too large for Airflow is refused with the size."""
    event = Event(id="1", source="s", type="t", data="x" * 60_000)
    decision = ask(one("{types: ['*']}", "{dag: d, conf: {all: '{{ data }}'}}"), event)
    assert decision.matched
    assert decision.request is None
    assert "bytes as JSON, more than 49,152" in str(decision.reason)


def test_a_parked_delivery_meets_the_rules_as_they_are_now() -> None:
    """The decision differs for a deleted rule, a rule that no longer matches, and a rule that matches."""
    rules = one("{types: [Other]}")
    assert decide_for(SWAP, rules, "r").reason == "type is `Microsoft.Web.SlotSwapCompleted`, not `Other`"
    gone = decide_for(SWAP, rules, "rr")
    assert not gone.matched
    assert gone.reason == "there is no rule `rr` (did you mean `r`?)"


def test_a_parked_event_decides_as_it_did() -> None:
    """An event that is stored as a CloudEvent and read again has the same request."""
    rules = one(
        "{types: ['*']}", "{dag: d, conf: {site: '{{ app.site }}', e: '{{ data }}', t: '{{ time }}'}}"
    )
    again = read_cloud_event(json.loads(json.dumps(SWAP.to_cloud_event())))
    assert ask(rules, again) == ask(rules)


FUZZED = one(
    "{types: ['*']}",
    "{dag: d, note: '{{ subject | default(\"none\") }}', conf: {all: '{{ event }}', "
    "site: '{{ app.site | d }}', text: 'a {{ data | default }} b', "
    "up: '{{ data.a | default | string | upper }}'}}",
    "  dedupe_by: '{{ data.key | default(id) }}'\n",
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["{{ 7*7 }}", "\x00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "key", "name", "b\x00"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=15,
)
ENVELOPES = st.fixed_dictionaries(
    {
        "id": st.text() | JSON_VALUES,
        "source": st.text() | JSON_VALUES,
        "type": st.text() | st.just("Microsoft.Web.SlotSwapCompleted"),
        "specversion": st.just("1.0"),
        "data": JSON_VALUES,
    },
    optional={"subject": st.text(), "time": st.text() | st.just("2026-01-01T00:00:00Z"), "ext1": JSON_VALUES},
)


@settings(deadline=None)
@given(body=ENVELOPES | JSON_VALUES | st.lists(ENVELOPES, max_size=3))
def test_a_fuzzed_event_never_raises_and_always_has_a_valid_run_id(body: object) -> None:
    """Reading and deciding end in a decision or an Unreadable, for any body."""
    for event in read_events(json.dumps(body)):
        if isinstance(event, Unreadable):
            continue
        for decision in decide(event, FUZZED):
            assert decision.matched
            assert (decision.request is None) == (decision.reason is not None)
            if decision.request is not None:
                check_storable(decision.request.conf)
                assert len(decision.request.dag_run_id) <= 250
                assert len(decision.request.note or "") <= MAX_NOTE


def check_storable(value: Json) -> None:
    """Check that Airflow's database can hold a value."""
    json.dumps(value, allow_nan=False)
    if isinstance(value, dict):
        for name, member in value.items():
            check_storable(name)
            check_storable(member)
    elif isinstance(value, list):
        for member in value:
            check_storable(member)
    elif isinstance(value, str):
        value.encode()
        assert "\x00" not in value
