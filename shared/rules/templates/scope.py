"""The names that templates see: the event's attributes, its data, what is known of the site, and the rule."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import islice
from typing import Any, Final

from shared.event import Event
from shared.event.app_facts import AppFacts
from shared.values.wording import did_you_mean, near_miss

ATTRIBUTES: Final = (
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "specversion",
)
"""The attributes of CloudEvents 1.0."""

EVENT_GRID_NAMES: Final = {
    "topic": "source",
    "eventType": "type",
    "eventTime": "time",
    "dataVersion": "dataschema",
}
"""Event Grid's own names for the same things."""

EXTENSIONS: Final = (
    *("authid", "authtype", "dataref", "expirytime", "partitionkey", "recordedtime", "sampledrate"),
    *("sequence", "severitynumber", "severitytext", "traceparent", "tracestate"),
)
"""CloudEvents' documented extensions, by their bare names; others as `event.name`, or with `default`."""

NAMES: Final = frozenset(
    {*ATTRIBUTES, *EVENT_GRID_NAMES, *EXTENSIONS, "data", "app", "event", "extensions", "rule"}
)
"""Every name that a template may use without `default`."""

BURST_NAMES: Final = NAMES | {"events"}
"""The same for a rule with `coalesce`, whose run has the events of a window."""

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "app": tuple(fact.name for fact in fields(AppFacts)),
    "rule": ("name", "description"),
}
"""The names whose members are the same for every event, so that a wrong one is found before any event."""

TIME_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "second", "microsecond"})
"""The members of a time, as `parse_time` gives it."""

MISSING: Final = object()
"""What `member` gives where there is nothing."""

_LISTED: Final = 12
_OF_AIRFLOW: Final = frozenset(
    {"conn", "conf", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash"}
    | {"execution_date", "logical_date", "macros", "next_ds", "params", "prev_ds", "run_id", "task"}
    | {"task_instance", "ti", "ts", "ts_nodash", "var"}
)
"""Macros that a template in a DAG has."""
_OF_THE_APP: Final = frozenset({"env", "environ", "os", "secrets", "settings"})
_EXTENSION: Final = re.compile(r"[a-z0-9]+")
"""Names of an event's object that a message lists: a line's worth."""


def event_scope(
    event: Event,
    app: AppFacts | None,
    *,
    rule: str,
    description: str,
    events: Sequence[Event] | None = None,
) -> dict[str, Any]:
    """Return the names for one event and one rule; what the event does not have is left out.

    Args:
        event: The event.
        app: What is known of the site that it is about, if it is about one.
        rule: The rule's name.
        description: The rule's description.
        events: The events of a window, where there is one.
    """
    whole = event.to_cloud_event()
    scope: dict[str, Any] = {**event.extensions}
    scope.update((name, whole[name]) for name in ATTRIBUTES if name in whole)
    scope.update((name, whole[ours]) for name, ours in EVENT_GRID_NAMES.items() if ours in whole)
    scope |= {
        "data": event.data,
        "event": whole,
        "extensions": event.extensions,
        "rule": {"name": rule, "description": description},
    }
    if events is not None:
        scope["events"] = [each.to_cloud_event() for each in events]
    if app is None:
        scope.pop("app", None)
    else:
        scope["app"] = {name: getattr(app, name) for name in MEMBERS["app"]}
    return scope


def member(value: object, name: object) -> object:
    """Return one member of a JSON value or of a time, or `MISSING`; never a Python attribute.

    Args:
        value: An object, a list, text or a time.
        name: A key, an index (also as the digits of a dotted path) or a slice.
    """
    if isinstance(value, Mapping):
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)  # JSON's keys are text: Jinja reads the 0 of `data.0` as a number
        return value.get(name, MISSING) if isinstance(name, str) else MISSING
    if isinstance(value, (list, tuple, str)):
        if isinstance(name, str) and name.isascii() and name.isdigit() and not isinstance(value, str):
            name = int(name[:9])
        if isinstance(name, slice) or (isinstance(name, int) and -len(value) <= name < len(value)):
            return value[name]
    if isinstance(value, datetime) and name in TIME_PARTS:
        return getattr(value, str(name))
    return MISSING


def fixed_member_problem(name: str, inner: str) -> str | None:
    """Say what is wrong with `name.inner` for every event; None where nothing is."""
    known = MEMBERS.get(name)
    if (
        name == "event" and inner != "data_base64" and _EXTENSION.fullmatch(inner) is None
    ):  # the event's own members are all like this
        known = (*ATTRIBUTES, "data")
        hint = f" (did you mean `{EVENT_GRID_NAMES[inner]}`?)" if inner in EVENT_GRID_NAMES else ""
        hint = hint or did_you_mean(inner, known)
        return (
            f"`event` has no member `{inner}`{hint}; it has {', '.join(known)}, and its extension attributes"
        )
    if known is None or inner in known:
        return None
    return f"`{name}` has no member `{inner}`{did_you_mean(inner, known)}; it has {', '.join(known)}"


def unknown_name(name: str, known: frozenset[str]) -> str:
    """Say that templates have no such name, and which they have.

    Args:
        name: The name.
        known: The names of this template.
    """
    first = ("app", "data", "event", "events", "extensions", "rule", *ATTRIBUTES, *EVENT_GRID_NAMES)
    listed = f"write one of {', '.join(each for each in first if each in known)}"
    if name in _OF_AIRFLOW and name not in known:
        return f"`{name}` is not defined: Airflow's macros are not available here; {listed}"
    if name in _OF_THE_APP:
        return f"`{name}` is not defined: templates do not read settings; {listed}"
    extension = _EXTENSION.fullmatch(name) is not None
    hint = f", and extension attributes as `event.{name}`" if extension else ""
    near = did_you_mean(name, known)
    listed = listed.replace("write one of", "there are") if near else listed
    return f"`{name}` is not defined{near}; {listed}{hint}"


def missing_message(value: object, name: object, *, of: str = "") -> str:
    """Say that `value` has no member `name`, and what it has; names alone, never the event's values.

    It is made for every absence, also one that `| default(…)` allows, so its cost is the same for any event.
    """
    owner = f"`{of}`" if of else "the value"
    if isinstance(value, Mapping):
        if not isinstance(name, str) and str(name) in value:
            return f"{owner} has a member `{str(name)[:60]}`, whose name is text: write it in quotes"
        names = [str(known)[:40] for known in islice(value, _LISTED)]
        has = ", ".join(names) + (", …" if len(value) > _LISTED else "")
        return (
            f"{owner} has no member `{str(name)[:60]}`{near_miss(str(name), value)}; "
            f"it has {has or 'none'}; `| default(…)` allows its absence"
        )
    kind = "null" if value is None else type(value).__name__
    return f"{owner} is {kind} and has no member `{str(name)[:60]}`; `| default(…)` allows its absence"


def absent_name(name: str, known: Iterable[str]) -> str:
    """Say that this event offers no `name`."""
    if name == "app":
        return "the event is not about an App Service site, so there is no `app`; `| default(…)` allows that"
    return f"this event has no `{name}`{did_you_mean(name, known)}; `| default(…)` allows its absence"
