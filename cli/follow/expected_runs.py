"""The runs that events should start, computed as the app computes them: from rules.yaml and the event."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.deciding.decide import Decision
    from shared.deciding.nearest import Unmatched
    from shared.event import Event
    from shared.event.via import Via
    from shared.rules import Rule, Rules
    from shared.stores.dead_letter_reader import Letter

_TOPIC_VIAS: Final[tuple["Via", ...]] = ("queue", "webhook")
"""How an event of a topic reaches the app; the subscription decides which of the two."""


@dataclass(frozen=True, slots=True)
class ExpectedRun:
    """A run that a rule should start for an event.

    Attributes:
        event: The event's id.
        rule: The rule.
        connection: The Airflow.
        dag: The DAG.
        run: The run's id; its beginning if `exact` is false.
        exact: Whether the whole id is known. The id ends in a hash of the event's source, and Event Grid
            writes the source of events of its own schema.
        problem: Why no run is expected, in words; empty if one is.
        doomed: Whether the app will reject the event at this rule.
    """

    event: str
    rule: str
    connection: str = ""
    dag: str = ""
    run: str = ""
    exact: bool = True
    problem: str = ""
    doomed: bool = False


def expected_from_topic(event: "Event", rules: "Rules", *, exact: bool) -> "list[ExpectedRun] | Unmatched":
    """Return the runs that the rules should start for an event that a topic delivers.

    Args:
        event: The event.
        rules: The rules.
        exact: Whether its source is the one that the app will read.

    Returns:
        One run for each rule that matches; the nearest rule if none matches.
    """
    from shared.deciding.decide import explain_for
    from shared.deciding.nearest import nearest
    from shared.event.arrival import dated

    event = dated(event, datetime.now(UTC))
    decisions = [explain_for(replace(event, via=_way_for(rule)), rule) for rule in rules.rules]
    matched = [each for each in decisions if each.matched]
    if matched:
        return [_expected(event.id, each, exact=exact) for each in matched]
    of_type = rules.for_type(event.type.lower())
    return nearest(replace(event, via=_way_for(of_type[0]) if of_type else _TOPIC_VIAS[0]), rules)


def expected_of_letter(letter: "Letter", rules: "Rules") -> list[ExpectedRun]:
    """Return the runs that a dead letter should start when it is sent again, as the rules are now.

    Args:
        letter: The dead letter. If it has a rule, only that rule gets the event; otherwise all rules get it.
        rules: The rules.
    """
    from shared.deciding.decide import decide, decide_direct_run, decide_for
    from shared.event import Unreadable
    from shared.runs.direct_run import DirectRun
    from shared.stores.work_items import WindowClose

    event = letter.subject
    if isinstance(event, DirectRun):
        return [_expected(event.id, decide_direct_run(event, rules), exact=True)]
    if isinstance(event, Unreadable):
        problem = "it was not an event, and what the app reads of it now is not followed"
        return [ExpectedRun(event.id or "", letter.rule, problem=problem)]
    if isinstance(event, WindowClose):
        problem = "it closes a window, whose run is not followed"
        return [ExpectedRun(event.id, letter.rule, problem=problem)]
    if not letter.rule:
        matched = decide(event, rules)
        none = ExpectedRun(event.id, "", problem="no rule matches the event: it ends as unmatched")
        return [_expected(event.id, each, exact=True) for each in matched] or [none]
    decision = decide_for(event, rules, letter.rule)
    if not decision.matched:
        problem = f"rule {letter.rule} does not match the event any more: {decision.reason}"
        return [ExpectedRun(event.id, letter.rule, problem=problem)]
    return [_expected(event.id, decision, exact=True)]


def _way_for(rule: "Rule") -> "Via":
    return next((via for via in _TOPIC_VIAS if not rule.via or via in rule.via), _TOPIC_VIAS[0])


def _expected(event_id: str, decision: "Decision", *, exact: bool) -> ExpectedRun:
    request, burst = decision.request, decision.burst_key
    if burst is not None:
        problem = (
            f"the event is collected for {burst.seconds} s with others of the key {burst.key}, and their "
            "run is not followed"
        )
        return ExpectedRun(event_id, decision.rule, problem=problem)
    if request is None:
        problem = f"the run cannot be requested: {decision.reason}"
        return ExpectedRun(event_id, decision.rule, problem=problem, doomed=True)
    run = request.dag_run_id
    return ExpectedRun(
        event_id,
        decision.rule,
        request.connection,
        request.dag_id,
        run if exact else run.removesuffix(run.rpartition("__")[2]),
        exact=exact,
    )
