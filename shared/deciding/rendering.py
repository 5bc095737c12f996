"""Renders the request to Airflow for a matching rule."""

from shared.errors import TemplateError, UnusableValue
from shared.event import Event
from shared.event.app_facts import AppFacts
from shared.event.arrival import time_in_order
from shared.event.bursts import Burst
from shared.rules import Rule, RuleSpec
from shared.rules.model.rule import CallbackSpec, seconds
from shared.rules.templates import Template, event_scope
from shared.rules.templates.presence import absence
from shared.runs.claim_check import claim_check
from shared.runs.ids import keyed, run_id_for_event, run_id_for_key, run_id_for_window, run_id_prefix
from shared.runs.provenance import RESERVED, provenance
from shared.runs.request import CallbackTerms, Latest, RunRequest, Terms
from shared.values.json_text import JsonObject
from shared.values.markdown_text import marked, note_text
from shared.values.reserved_keys import check_reserved_keys
from shared.values.storable import check_size, clean_text
from shared.values.times import parse_time, time_text
from shared.values.wording import MAX_SHOWN, clipped


class Rendering:
    """One event for the templates of rules.

    Args:
        event: The event.
        app: The event's app facts.
    """

    __slots__ = ("app", "event")

    def __init__(self, event: Event, app: AppFacts | None) -> None:
        self.event = event
        self.app = app

    def burst_key(self, rule: Rule) -> str:
        """Return the key of the event's burst, rendered by `coalesce.by`.

        The run is rendered later, from the whole window. An event that would make the run of all others
        impossible is refused here.

        Raises:
            UnusableValue: The key cannot be rendered, or is empty for this event; the event has no identity
                or too large attributes; or its data has a key that Airflow refuses.
        """
        assert rule.coalesce_by is not None
        scope = event_scope(self.event, self.app, rule=rule.name, description=rule.description)
        key = _key(rule.coalesce_by, scope, "coalesce.by")
        _check_id(self.event)
        check_size({RESERVED: provenance(rule.name, self.event, None)})
        self._check_reserved_keys(rule, key)
        return key

    def _check_reserved_keys(self, rule: Rule, key: str) -> None:
        """Refuse an event with a reserved key in its data if its run alone cannot be rendered."""
        try:
            check_reserved_keys(self.event.data, remedy="")
        except UnusableValue:
            self.request(rule, Burst("", key, (self.event,)))

    def request(self, rule: Rule, burst: Burst | None) -> RunRequest:
        """Return the request to Airflow.

        Args:
            rule: A rule that the event matched.
            burst: The burst, if the rule collects bursts; `event` is its newest event.

        Raises:
            UnusableValue: A template cannot be rendered for this event, or the conf is too large.
        """
        event = self.event
        events = burst.events if burst else None
        scope = event_scope(event, self.app, rule=rule.name, description=rule.description, events=events)
        key = _key(rule.dedupe_by, scope, "dedupe_by") if rule.dedupe_by and not burst else None
        if key is None:
            _check_id(event)
        conf = rule.conf.render(scope)
        assert isinstance(conf, dict)
        check_reserved_keys(conf, remedy="remove it on purpose with `| without_reserved`")
        conf[RESERVED] = identity = provenance(rule.name, event, burst.window if burst else key)
        whole = None
        if burst is not None:
            identity["window"] = {
                "by": clean_text(clipped(burst.key, MAX_SHOWN)),
                "events": len(burst.events),
                **({"undated": burst.undated} if burst.undated else {}),
                **_channels(burst),
            }
            run_id = run_id_for_window(rule.name, burst.key, burst.window)
            conf, whole = claim_check(conf, burst.conf_url)
        elif key is None:
            run_id = run_id_for_event(rule.name, event.source, event.id)
        else:
            run_id = run_id_for_key(rule.name, key)
        latest = None
        if rule.latest_by is not None and not burst:
            latest_key = _key(rule.latest_by, scope, "latest_by")
            run_id = keyed(run_id, rule.name, latest_key)
            latest = Latest(run_id_prefix(rule.name, latest_key), _order_time(event))
        check_size(conf)
        note = rule.note.render_text(scope) if rule.note else _default_note(rule, event, burst)
        return RunRequest(
            rule=rule.name,
            connection=rule.connection,
            dag_id=rule.spec.start.dag,
            dag_run_id=run_id,
            conf=conf,
            note=note_text(note),
            logical_date=_time(rule.logical_date, scope, "logical_date"),
            run_after=_time(rule.run_after, scope, "run_after"),
            callback=_callback(rule.spec),
            terms=Terms(max_age=seconds(rule.spec.max_age), when_paused=rule.spec.when_paused, latest=latest),
            whole_conf=whole,
        )


def _check_id(event: Event) -> None:
    if absence(event.id):
        raise TemplateError("id: the event's id has no visible character, so it has no identity")


def _channels(burst: Burst) -> JsonObject:
    """Return the channels by which the events of a burst came."""
    channels = sorted({event.via for event in burst.events} - {"unknown"})
    return {"via": [*channels]} if channels else {}


def _key(template: Template, scope: dict[str, object], name: str) -> str:
    try:
        key = template.render(scope)
        text = template.render_text(scope)
    except TemplateError as error:
        raise TemplateError(f"{name}: {error}") from error
    if key is None or not text.strip():
        raise TemplateError(f"{name}: `{template.source}` is empty for this event, so it has no identity")
    return text


def _order_time(event: Event) -> str:
    """Return the time that `latest_by` compares; without a time the event cannot be ordered."""
    try:
        return time_text(parse_time(time_in_order(event) or ""))
    except UnusableValue as error:
        lacks = "has no time" if event.time is None else f"has a time that cannot be read: {error}"
        raise TemplateError(f"latest_by: the event {lacks}, so it is neither older nor newer") from error


def _time(template: Template | None, scope: dict[str, object], name: str) -> str | None:
    if template is None:
        return None
    try:
        return time_text(parse_time(template.render_text(scope)))
    except UnusableValue as error:
        raise TemplateError(f"{name}: {error}") from error


def _callback(spec: RuleSpec) -> CallbackTerms | None:
    if spec.track != "callback":
        return None
    wanted = spec.callback or CallbackSpec()
    return CallbackTerms(seconds(wanted.lifetime), token=wanted.token == "reverse")  # noqa: S105 - not a token


def _default_note(rule: Rule, event: Event, burst: Burst | None) -> str:
    """Return the note for Airflow's UI: the rule and the event. The event's own texts are marked."""
    about = event.subject or event.source
    when = f" at {event.time}" if event.time else ""
    why = f" ({rule.description})" if rule.description else ""
    of = ""
    if burst:
        undated = f" ({burst.undated} without a time)" if burst.undated else ""
        of = f"{len(burst.events)} events{undated} of `{marked(burst.key, MAX_SHOWN)}`, the newest is "
    note = (
        f"Started by the Updraft rule `{rule.name}`{why}: {of}event `{marked(event.type, MAX_SHOWN)}` about "
        f"`{marked(about, MAX_SHOWN)}`{when}, id `{marked(event.id, MAX_SHOWN)}`."
    )
    return clean_text(note)
