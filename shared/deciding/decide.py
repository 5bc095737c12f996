"""Deciding: from an event and the rules to what each rule would start, or why not. Pure, no I/O.

The order is fixed, and a decision that did not match names the first step that failed, with the value seen:

    enabled -> types -> sources -> subject -> filter -> (a match) -> templates

`decide` is the hot path: it looks at the rules that can take the event's type, and returns those that
matched. `explain` asks every rule. `decide_for` asks one, for a parked delivery that comes back.
"""

from dataclasses import dataclass
from typing import Final

from shared.deciding.direct_runs import CallWithdrawn, request_of
from shared.errors import TemplateError
from shared.event import Event
from shared.rules import Rule, Rules, RuleSpec
from shared.rules.callback import CallbackSpec, seconds
from shared.rules.filters import Fields
from shared.rules.model.rule import CALL
from shared.rules.templates import Template, check_size, clean_text, event_scope, parse_time, time_text
from shared.runs.claim_check import handed_over
from shared.runs.ids import keyed, run_id_for_event, run_id_for_key, run_id_for_window, run_id_prefix
from shared.runs.provenance import run_identity
from shared.runs.request import CallbackTerms, Latest, RunRequest, Terms
from shared.stores.windows import Burst, Gathering
from shared.values.wording import did_you_mean

MAX_NOTE: Final = 1_000
"""Characters of a note; Airflow refuses more."""

MAX_SHOWN: Final = 200
"""Characters of a value of the event that a reason or a note shows."""


_NOT_ENABLED: Final = "the rule is not enabled"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one rule says of one event.

    Attributes:
        rule: The rule's name.
        matched: Whether the event is one that the rule starts a run for.
        reason: Where it did not match, the first condition that failed with the value it saw; where it
            matched without a request, why the request cannot be rendered.
        request: What Airflow would be asked; None where there is a reason.
        gathering: Where the rule collects bursts, that of this event; the request is then what Airflow
            would be asked if the event stayed alone.
    """

    rule: str
    matched: bool
    reason: str | None
    request: RunRequest | None
    gathering: Gathering | None = None


def decide(event: Event, rules: Rules) -> list[Decision]:
    """Return the decisions of the rules that an event matches, in the file's order.

    The cost does not grow with the number of rules for other types of events.
    """
    candidates = rules.for_type(event.type.lower())
    if not candidates:
        return []
    view = _View(event)
    return [view.request(rule) for rule in candidates if view.holds_after_types(rule)]


def explain(event: Event, rules: Rules) -> list[Decision]:
    """Return the decision of every rule about an event, in the file's order."""
    view = _View(event)
    return [view.decision(rule) for rule in rules.rules]


def decide_for(event: Event, rules: Rules, rule_name: str) -> Decision:
    """Return the decision of one rule, as the rules are now.

    Args:
        event: The event.
        rules: The rules.
        rule_name: The rule's name; where it is gone the decision has not matched, and says so. `call` stands
            for a run that a caller asked for by the DAG's name.
    """
    if rule_name == CALL:
        return _decide_call(event, rules)
    rule = rules.named(rule_name)
    return _View(event).decision(rule) if rule is not None else _no_rule(rule_name, rules)


def decide_burst(burst: Burst, rules: Rules, rule_name: str) -> Decision:
    """Return what a rule starts for the events of a window: they matched it when they arrived.

    Args:
        burst: What the window has collected.
        rules: The rules.
        rule_name: The rule's name; where it is gone, or no longer in force, the decision has not matched.
    """
    rule = rules.named(rule_name)
    if rule is None:
        return _no_rule(rule_name, rules)
    if not rule.enabled:
        return Decision(rule_name, matched=False, reason=_NOT_ENABLED, request=None)
    return _View(burst.newest).request(rule, burst)


def _no_rule(rule_name: str, rules: Rules) -> Decision:
    near = did_you_mean(rule_name, [known.name for known in rules.rules])
    return Decision(rule_name, matched=False, reason=f"there is no rule `{rule_name}`{near}", request=None)


def _decide_call(event: Event, rules: Rules) -> Decision:
    try:
        return Decision(CALL, matched=True, reason=None, request=request_of(event, rules))
    except CallWithdrawn as withdrawn:
        return Decision(CALL, matched=False, reason=str(withdrawn), request=None)


class _View:
    """One event as rules look at it; what several rules need of it is made once."""

    __slots__ = ("_event", "_fields", "_source", "_type")

    def __init__(self, event: Event) -> None:
        self._event = event
        self._fields = Fields(event)
        self._type = event.type.lower()
        self._source = event.source.lower()

    def decision(self, rule: Rule) -> Decision:
        """Ask one rule everything, in the fixed order."""
        reason = (
            self._enabled_failure(rule)
            or self._type_failure(rule)
            or self._place_failure(rule)
            or (rule.condition.failure(self._fields) if rule.condition is not None else None)
        )
        if reason is not None:
            return Decision(rule.name, matched=False, reason=reason, request=None)
        return self.request(rule)

    def holds_after_types(self, rule: Rule) -> bool:
        """Tell whether everything but `types` holds, which the index of the rules has seen to."""
        return (
            rule.enabled
            and self._place_failure(rule) is None
            and (rule.condition is None or rule.condition.holds(self._fields))
        )

    def _enabled_failure(self, rule: Rule) -> str | None:
        return None if rule.enabled else _NOT_ENABLED

    def _type_failure(self, rule: Rule) -> str | None:
        if rule.any_type or self._type in rule.exact_types or self._type.startswith(rule.type_families):
            return None
        return f"type is {_shown(self._event.type)}, not {_one_of(rule.spec.when.types or [])}"

    def _place_failure(self, rule: Rule) -> str | None:
        """Return the first of `sources` and `subject` that fails, in words; None where both hold."""
        if rule.sources and not self._source.startswith(rule.sources):
            wanted = _one_of(rule.spec.when.sources or [])
            return f"source is {_shown(self._event.source)}, which does not begin with {wanted}"
        return self._subject_failure(rule) if rule.spec.when.subject is not None else None

    def _subject_failure(self, rule: Rule) -> str | None:
        wanted = rule.spec.when.subject
        assert wanted is not None
        subject = self._event.subject
        if subject is None:
            return "the event has no subject"
        seen = subject if wanted.case_sensitive else subject.lower()
        for part, holds, words in (
            (wanted.begins_with, seen.startswith, "does not begin with"),
            (wanted.ends_with, seen.endswith, "does not end with"),
        ):
            if part is not None and not holds(part if wanted.case_sensitive else part.lower()):
                return f"subject is {_shown(subject)}, which {words} `{part}`"
        return None

    def request(self, rule: Rule, burst: Burst | None = None) -> Decision:
        """Render what a rule that matched asks of Airflow."""
        gathering = None
        try:
            if burst is None and rule.spec.coalesce is not None:
                gathering = Gathering(self._burst_key(rule), seconds(rule.spec.coalesce.window))
                burst = Burst("", gathering.key, (self._event,))
            request = self._render(rule, burst)
            return Decision(rule.name, matched=True, reason=None, request=request, gathering=gathering)
        except TemplateError as error:
            return Decision(rule.name, matched=True, reason=str(error), request=None)

    def _burst_key(self, rule: Rule) -> str:
        assert rule.coalesce_by is not None
        scope = event_scope(self._event, self._fields.app, rule=rule.name, description=rule.description)
        return _key(rule.coalesce_by, scope, "coalesce.by")

    def _render(self, rule: Rule, burst: Burst | None) -> RunRequest:
        event = self._event
        events = burst.events if burst else None
        scope = event_scope(
            event, self._fields.app, rule=rule.name, description=rule.description, events=events
        )
        key = _key(rule.dedupe_by, scope, "dedupe_by") if rule.dedupe_by and not burst else None
        conf = rule.conf.render(scope)
        assert isinstance(conf, dict)
        conf["_updraft"] = identity = run_identity(rule.name, event, burst.window if burst else key)
        whole = None
        if burst is not None:
            identity["window"] = {
                "by": clean_text(_clipped(burst.key, MAX_SHOWN)),
                "events": len(burst.events),
            }
            run_id = run_id_for_window(rule.name, burst.key, burst.window)
            conf, whole = handed_over(conf, burst.conf_url)
        elif key is None:
            run_id = run_id_for_event(rule.name, event.source, event.id)
        else:
            run_id = run_id_for_key(rule.name, key)
        latest = None
        if rule.latest_by is not None and not burst:
            latest_key = _key(rule.latest_by, scope, "latest_by")
            run_id = keyed(run_id, rule.name, latest_key)
            latest = Latest(run_id_prefix(rule.name, latest_key), _event_time(event))
        check_size(conf)
        note = rule.note.render_text(scope) if rule.note else _default_note(rule, event, burst)
        return RunRequest(
            rule=rule.name,
            connection=rule.connection,
            dag_id=rule.spec.start.dag,
            dag_run_id=run_id,
            conf=conf,
            note=_clipped(note, MAX_NOTE),
            logical_date=_time(rule.logical_date, scope, "logical_date"),
            run_after=_time(rule.run_after, scope, "run_after"),
            callback=_callback(rule.spec),
            terms=Terms(max_age=seconds(rule.spec.max_age), when_paused=rule.spec.when_paused, latest=latest),
            whole_conf=whole,
        )


def _key(template: Template, scope: dict[str, object], name: str) -> str:
    try:
        key = template.render(scope)
        text = template.render_text(scope)
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from error
    if key is None or not text.strip():
        raise TemplateError(f"{name}: `{template.source}` is empty for this event, so it has no identity")
    return text


def _event_time(event: Event) -> str | None:
    try:
        return time_text(parse_time(event.time or ""))
    except TemplateError:
        return None


def _time(template: Template | None, scope: dict[str, object], name: str) -> str | None:
    if template is None:
        return None
    try:
        return time_text(parse_time(template.render_text(scope)))
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from error


def _callback(spec: RuleSpec) -> CallbackTerms | None:
    if spec.track != "callback":
        return None
    wanted = spec.callback or CallbackSpec()
    return CallbackTerms(seconds(wanted.lifetime), token=wanted.token == "reverse")  # noqa: S105 - a kind, no token


def _default_note(rule: Rule, event: Event, burst: Burst | None) -> str:
    """Say why the run exists, for whoever finds it in Airflow's UI."""
    about = event.subject or event.source
    when = f" at {event.time}" if event.time else ""
    why = f" ({rule.description})" if rule.description else ""
    of = f"{len(burst.events)} events of `{_clipped(burst.key, MAX_SHOWN)}`, the newest is " if burst else ""
    note = (
        f"Started by the Updraft rule `{rule.name}`{why}: {of}event `{event.type}` about "
        f"{_clipped(about, MAX_SHOWN)}{when}, id {_clipped(event.id, MAX_SHOWN)}."
    )
    return clean_text(note)


def _shown(value: str) -> str:
    return f"`{_clipped(value, MAX_SHOWN)}`"


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _one_of(values: list[str]) -> str:
    shown = [f"`{value}`" for value in values[:5]]
    rest = f" or {len(values) - 5} more" if len(values) > 5 else ""  # noqa: PLR2004 - a line's worth
    return " or ".join(shown) + rest
