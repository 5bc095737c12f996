"""The names that templates see: the event's attributes, its data, the app facts and the rule."""

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
"""Event Grid's names for the same attributes."""

EXTENSIONS: Final = (
    *("authid", "authtype", "dataref", "expirytime", "partitionkey", "recordedtime", "sampledrate"),
    *("sequence", "severitynumber", "severitytext", "traceparent", "tracestate"),
)
"""The extensions that CloudEvents documents; others are read as `event.name`, or with `default`."""

NAMES: Final = frozenset(
    {*ATTRIBUTES, *EVENT_GRID_NAMES, *EXTENSIONS, "data", "app", "event", "extensions", "rule"}
)
"""Every name that a template may use without `default`."""

BURST_NAMES: Final = NAMES | {"events"}
"""The names for the run of a rule with `coalesce`, which has the events of a window."""

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "app": tuple(fact.name for fact in fields(AppFacts)),
    "rule": ("name", "description"),
}
"""The names whose members are the same for every event: a wrong member is an error of the rule."""

TIME_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "second", "microsecond"})
"""The members of a time, the result of `parse_time`."""

MISSING: Final = object()
"""The result of `member` if there is no such member."""

_LISTED: Final = 12
"""Names of an object that a message lists, so that it fits on a line."""
_OF_AIRFLOW: Final = frozenset(
    {"conn", "conf", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash"}
    | {"execution_date", "logical_date", "macros", "next_ds", "params", "prev_ds", "run_id", "task"}
    | {"task_instance", "ti", "ts", "ts_nodash", "var"}
)
"""Airflow's macros, which are available in DAGs."""
_OF_THE_APP: Final = frozenset({"env", "environ", "os", "secrets", "settings"})
_EXTENSION: Final = re.compile(r"[a-z0-9]+")


def event_scope(
    event: Event,
    app: AppFacts | None,
    *,
    rule: str,
    description: str,
    events: Sequence[Event] | None = None,
) -> dict[str, Any]:
    """Return the names for one event and one rule, without those that the event lacks.

    Args:
        event: The event.
        app: The app facts, if it is about a web app.
        rule: The rule's name.
        description: The rule's description.
        events: The events of the window, for a rule with `coalesce`.
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
    """Return what is wrong with `name.inner` for every event, or None."""
    known = MEMBERS.get(name)
    if name == "event" and inner != "data_base64" and _EXTENSION.fullmatch(inner) is None:
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
    """Return the message for an unknown name, with the names that exist.

    Args:
        name: The unknown name.
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
    """Return the message that `value` has no member `name`, with the names that it has but not their values.

    It is made also for a member that `| default(…)` replaces, so its cost must not depend on the event.
    """
    owner = f"`{of}`" if of else "the value"
    if isinstance(value, Mapping):
        if not isinstance(name, str) and str(name) in value:
            return f"{owner} has a member `{str(name)[:60]}`, whose name is text: write it in quotes"
        names = [str(known)[:40] for known in islice(value, _LISTED)]
        has = ", ".join(names) + (", …" if len(value) > _LISTED else "")
        return (
            f"{owner} has no member `{str(name)[:60]}`{near_miss(str(name), value)}; "
            f"it has {has or 'no members'}; `| default(…)` allows its absence"
        )
    kind = "null" if value is None else type(value).__name__
    return f"{owner} is {kind} and has no member `{str(name)[:60]}`; `| default(…)` allows its absence"


def absent_name(name: str, known: Iterable[str]) -> str:
    """Return the message that this event has no `name`."""
    if name == "app":
        return "the event is not about an App Service site, so there is no `app`; `| default(…)` allows that"
    return f"this event has no `{name}`{did_you_mean(name, known)}; `| default(…)` allows its absence"
