"""Deciding: for an event and each rule, the run that is started, or the reason why none is. No I/O.

The conditions are checked in a fixed order. A decision without a match names the first one that failed, with
the value of the event:

    enabled -> types -> via -> sources -> subject -> filter -> (a match) -> templates

`decide` is the hot path: it looks at the rules that can take the event's type, and returns those that
matched. `explain` asks every rule. `decide_for` asks one, for a parked delivery that comes back.
`decide_direct_run` asks none: its caller has named the DAG.

For a rule with `coalesce` only the key of the event's burst is rendered. `decide_burst` renders the run from
all events when the window closes. Only `explain` renders the run of a single event.
"""

from dataclasses import dataclass, replace

from shared.deciding.direct_runs import request_of
from shared.deciding.matching import NOT_ENABLED, Matching
from shared.deciding.rendering import Rendering
from shared.errors import UnusableValue
from shared.event import Event
from shared.event.bursts import Burst, BurstKey
from shared.rules import Rule, Rules
from shared.rules.model.rule import seconds
from shared.runs.direct_run import DirectRun
from shared.runs.request import RunRequest
from shared.values.wording import did_you_mean


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of one rule about one event.

    Attributes:
        rule: The rule's name.
        matched: Whether the rule matches the event.
        reason: Without a match, the first condition that failed, with the value of the event. With a match,
            why the request cannot be rendered.
        request: The request to Airflow; None if there is a reason, and for a collected event.
        burst_key: The key of the event's burst, if the rule collects bursts. Only `explain` also returns a
            request or a reason then: for this event alone.
    """

    rule: str
    matched: bool
    reason: str | None
    request: RunRequest | None
    burst_key: BurstKey | None = None


def decide(event: Event, rules: Rules) -> list[Decision]:
    """Return the decisions of the rules that an event matches, in the file's order.

    The cost does not depend on the number of rules for other types.
    """
    candidates = rules.for_type(event.type.lower())
    if not candidates:
        return []
    matching = Matching(event)
    return [_run_of(matching, rule) for rule in candidates if matching.holds_after_types(rule)]


def explain(event: Event, rules: Rules) -> list[Decision]:
    """Return the decision of every rule about an event, in the file's order."""
    matching = Matching(event)
    return [_previewed(matching, rule, _decision(matching, rule)) for rule in rules.rules]


def explain_for(event: Event, rule: Rule) -> Decision:
    """Return the decision of one rule about an event, as `explain` does."""
    matching = Matching(event)
    return _previewed(matching, rule, _decision(matching, rule))


def decide_for(event: Event, rules: Rules, rule_name: str) -> Decision:
    """Return the decision of one rule, as the rules are now.

    Args:
        event: The event.
        rules: The rules.
        rule_name: The rule's name. If there is no such rule, the decision has not matched, with that reason.
    """
    rule = rules.named(rule_name)
    return _decision(Matching(event), rule) if rule is not None else _no_rule(rule_name, rules)


def decide_direct_run(run: DirectRun, rules: Rules) -> Decision:
    """Return what a caller's direct run asks for.

    Args:
        run: The run.
        rules: The rules; where they lack the entry of `callers` that allowed it, the decision has not
            matched.
    """
    name = run.caller.get("entry")
    entry = rules.caller(name)
    if entry is None:
        return Decision(
            run.rule,
            matched=False,
            reason=f"there is no entry `{name}` under `callers`, which allowed this call",
            request=None,
        )
    return Decision(run.rule, matched=True, reason=None, request=request_of(run, entry))


def decide_burst(burst: Burst, rules: Rules, rule_name: str) -> Decision:
    """Return the decision of a rule about the events of a window, which matched it when they arrived.

    Args:
        burst: The events of the window.
        rules: The rules.
        rule_name: The rule's name. If there is no such rule, or it is disabled, the decision does not match.
    """
    rule = rules.named(rule_name)
    if rule is None:
        return _no_rule(rule_name, rules)
    if not rule.enabled:
        return Decision(rule_name, matched=False, reason=NOT_ENABLED, request=None)
    return _rendered(Matching(burst.newest), rule, burst)


def _no_rule(rule_name: str, rules: Rules) -> Decision:
    near = did_you_mean(rule_name, [known.name for known in rules.rules])
    return Decision(rule_name, matched=False, reason=f"there is no rule `{rule_name}`{near}", request=None)


def _decision(matching: Matching, rule: Rule) -> Decision:
    """Return the decision of one rule."""
    reason = matching.failure(rule)
    if reason is not None:
        return Decision(rule.name, matched=False, reason=reason, request=None)
    return _run_of(matching, rule)


def _run_of(matching: Matching, rule: Rule) -> Decision:
    """Render the request of a matching rule, or the key of the burst."""
    coalesce = rule.spec.coalesce
    if coalesce is None:
        return _rendered(matching, rule, None)
    try:
        key = Rendering(matching.event, matching.fields.app).burst_key(rule)
    except UnusableValue as error:
        return Decision(rule.name, matched=True, reason=str(error), request=None)
    burst_key = BurstKey(key, seconds(coalesce.window))
    return Decision(rule.name, matched=True, reason=None, request=None, burst_key=burst_key)


def _rendered(matching: Matching, rule: Rule, burst: Burst | None) -> Decision:
    try:
        request = Rendering(matching.event, matching.fields.app).request(rule, burst)
    except UnusableValue as error:
        return Decision(rule.name, matched=True, reason=str(error), request=None)
    return Decision(rule.name, matched=True, reason=None, request=request)


def _previewed(matching: Matching, rule: Rule, decision: Decision) -> Decision:
    """Return a decision with the run of a burst that has only this event."""
    if decision.burst_key is None:
        return decision
    alone = Burst("", decision.burst_key.key, (matching.event,))
    return replace(_rendered(matching, rule, alone), burst_key=decision.burst_key)
