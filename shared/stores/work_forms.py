"""Work items as JSON, in parked messages, dead letters and lines of windows.

| `kind` | class | members |
|---|---|---|
| `event` | `RuleEvent` | `rule`, `event`, `schema`, `via`, `arrived` |
| `direct-run` | `DirectRun` | `run` |
| `window-close` | `WindowClose` | `rule`, `window` |
| `resent` | `Resent`, an event | `event`, `schema`, `via`, `arrived` |
| `unreadable` | `Resent`, a body | `unreadable` |
| `unverified-hook` | `UnverifiedHook` | `hook`, `body`, `signature`, `headers` |

The `via` and the time of arrival are members beside the event. The errors of this module do not quote values,
because they may come from an unauthenticated client.
"""

import base64
import re
from dataclasses import fields, replace
from datetime import datetime
from typing import Final

from shared.errors import EventError, UnusableValue
from shared.event import Event, Unreadable, read_cloud_event
from shared.event.via import Via, is_via
from shared.runs.direct_run import DirectRun
from shared.stores.work_items import HEADERS_KEPT, Resent, RuleEvent, UnverifiedHook, WindowClose, Work
from shared.values.json_text import JsonObject
from shared.values.times import parse_time, time_text

_SIGNING_HOOKS: Final = frozenset({"github"})
_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}")
_WINDOW: Final = re.compile(r"[0-9a-f]{32}")
_HEADER_KEPT: Final = 100


def members_of(work: Work) -> JsonObject:
    """Return a work item as members of a JSON object; `read_work` is the inverse."""
    match work:
        case RuleEvent(event, rule):
            return {"kind": "event", "rule": rule, **event_members(event)}
        case DirectRun():
            run = {each.name: getattr(work, each.name) for each in fields(work)}
            return {"kind": "direct-run", "run": run}
        case WindowClose(rule, window, key):
            return {"kind": "window-close", "rule": rule, "window": {"id": window, "key": key}}
        case Resent(subject):
            if isinstance(subject, Event):
                return {"kind": "resent", **event_members(subject)}
            return {"kind": "unreadable", "unreadable": _unreadable_members(subject)}
        case UnverifiedHook():
            return {
                "kind": "unverified-hook",
                "hook": work.hook,
                "body": base64.b64encode(work.body).decode(),
                "signature": work.signature,
                "headers": {
                    name: value[:_HEADER_KEPT] for name, value in work.headers.items() if name in HEADERS_KEPT
                },
            }


def read_work(document: JsonObject) -> Work:
    """Return the work item of a JSON object.

    Raises:
        EventError: The kind is unknown, or a member is wrong; the message names the member.
    """
    match document.get("kind"):
        case "event":
            return RuleEvent(read_event(document), text_of(document, "rule"))
        case "direct-run":
            return _read_run(object_of(document, "run"))
        case "window-close":
            window = object_of(document, "window")
            if not _WINDOW.fullmatch(text_of(window, "id")):
                raise EventError("the member `id` of `window` is not the id of a window")
            return WindowClose(text_of(document, "rule"), text_of(window, "id"), text_of(window, "key"))
        case "unreadable":
            return Resent(_read_unreadable(object_of(document, "unreadable")))
        case "resent":
            return Resent(read_event(document))
        case "unverified-hook":
            return _read_hook(document)
    raise EventError("the member `kind` is not a known kind of work")


def event_members(event: Event) -> JsonObject:
    """Return an event with its `via` and its time of arrival; `read_event` is the inverse."""
    return {
        "event": event.to_cloud_event(),
        "schema": event.schema,
        "via": event.via,
        **({"arrived": event.arrived} if event.arrived else {}),
    }


def read_event(document: JsonObject) -> Event:
    """Return the event of `event_members`.

    Raises:
        EventError: A member is missing or wrong.
    """
    return replace(
        read_cloud_event(object_of(document, "event"), _via_of(document)),
        schema=text_of(document, "schema"),
        arrived=time_text(time_of(document, "arrived")) if "arrived" in document else None,
    )


def text_of(document: JsonObject, name: str) -> str:
    """Return a member that is text; raises EventError if it is not."""
    value = document.get(name)
    if not isinstance(value, str):
        raise EventError(f"the member `{name}` is not text")
    return value


def object_of(document: JsonObject, name: str) -> JsonObject:
    """Return a member that is an object; raises EventError if it is not."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise EventError(f"the member `{name}` is not an object")
    return value


def time_of(document: JsonObject, name: str) -> datetime:
    """Return a member that is a time with a time zone; raises EventError if it is not."""
    try:
        return parse_time(text_of(document, name))
    except UnusableValue as error:
        raise EventError(f"the member `{name}` is not a time with a time zone") from error


def _optional_text(document: JsonObject, name: str) -> str | None:
    return None if document.get(name) is None else text_of(document, name)


def _via_of(document: JsonObject) -> Via:
    via = document.get("via")
    if not is_via(via):
        raise EventError("the member `via` is not a known `via`")
    return via


def _read_run(run: JsonObject) -> DirectRun:
    return DirectRun(
        caller=object_of(run, "caller"),
        dag_id=text_of(run, "dag_id"),
        connection=text_of(run, "connection"),
        id=text_of(run, "id"),
        time=text_of(run, "time"),
        conf=object_of(run, "conf"),
        note=_optional_text(run, "note"),
        logical_date=_optional_text(run, "logical_date"),
        run_after=_optional_text(run, "run_after"),
    )


def _unreadable_members(body: Unreadable) -> JsonObject:
    """Return an unreadable body: as text, or as base64 if it has half of a surrogate pair."""
    raw = body.raw.encode(errors="surrogatepass")
    try:
        content: JsonObject = {"text": raw.decode()}
    except UnicodeDecodeError:  # other readers of JSON refuse it
        content = {"base64": base64.b64encode(raw).decode()}
    known = {each: getattr(body, each) for each in ("error", "via", "id", "type", "source")}
    return {**{name: value for name, value in known.items() if value is not None}, **content}


def _read_unreadable(body: JsonObject) -> Unreadable:
    return Unreadable(
        error=text_of(body, "error"),
        raw=_bytes_of(body, "base64").decode(errors="surrogatepass")
        if "base64" in body
        else text_of(body, "text"),
        id=_optional_text(body, "id"),
        type=_optional_text(body, "type"),
        source=_optional_text(body, "source"),
        via=_via_of(body),
    )


def _read_hook(document: JsonObject) -> UnverifiedHook:
    hook, signature = text_of(document, "hook"), text_of(document, "signature")
    if hook not in _SIGNING_HOOKS:
        raise EventError("the member `hook` is not a kind of signed webhook")
    if not _SIGNATURE.fullmatch(signature):
        raise EventError("the member `signature` is not a signature")
    headers = object_of(document, "headers")
    return UnverifiedHook(
        hook=hook,
        body=_bytes_of(document, "body"),
        signature=signature,
        headers={name: text_of(headers, name) for name in headers},
    )


def _bytes_of(document: JsonObject, name: str) -> bytes:
    try:
        return base64.b64decode(text_of(document, name), validate=True)
    except ValueError as error:
        raise EventError(f"the member `{name}` is not Base64") from error
