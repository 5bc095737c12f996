"""Makes CloudEvents from the bodies of GitHub's webhooks.

It follows https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/github.md, with two differences.
There, headers have the id (`X-GitHub-Delivery`) and the event's name (`X-GitHub-Event`). GitHub signs only
the body, so here both come from the body: one signed body is one event with any headers.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

from shared.event.github_events import OTHER, doubt, event_of
from shared.event.members import (
    at,
    noted,
    required_text,
    shown,
    text_at,
    usable_text,
    usable_time,
)
from shared.event.model import Event
from shared.event.via import HOOK_VIAS
from shared.values.json_text import Json, JsonObject

SCHEMA: Final = "github"

_SOURCES: Final = (
    ("repository", "url"),
    ("organization", "url"),
    ("enterprise", "html_url"),
    ("installation", "account", "url"),
    ("sender", "url"),
)
"""Members that an event may be about, the most specific first: an app's installation has no repository."""

_API: Final = "https://api.github.com"
_VARIETY: Final = re.compile(r"[a-z0-9_-]{1,100}")
_NAME: Final = re.compile(r"[a-z_]{1,40}")
_PING: Final = "ping"


def read_github(body: JsonObject, headers: Mapping[str, str]) -> Event:
    """Return the event of a body.

    Args:
        body: The body.
        headers: The request's headers under lower-case names. Only `X-GitHub-Event` is read: if
            it differs from the body, the event gets a note.

    Raises:
        EventError: The body has no member that it is about.
    """
    event, notes = event_of(body), list[str]()
    about = at(body, event)
    source = next(filter(None, (text_at(body, *path) for path in _SOURCES)), None)
    if source is None and event == _PING:
        source = text_at(body, "hook", "url") or _API
    subject, variety, identity = text_at(about, "id"), text_at(body, "action"), None
    if event == "deployment_status":
        source = text_at(body, "deployment", "url") or source
        subject, variety, identity = text_at(about, "url"), text_at(about, "state"), text_at(about, "id")
    elif event == "workflow_run":
        identity = _workflow_identity(about, variety)
    times = (
        text_at(about, "updated_at"),
        text_at(about, "created_at"),
        text_at(body, "head_commit", "timestamp"),
    )
    header = headers.get("x-github-event", "")
    if header and (difference := _difference(body, header)):
        notes.append(difference)
    return Event(
        id=required_text(f"{event}/{identity or fingerprint(body)}", "id"),
        source=required_text(source, "repository.url"),
        type=_type(event, variety, notes),
        subject=usable_text(subject, "subject", notes),
        time=usable_time(next((time for time in times if time is not None), None), "time", notes),
        data=body,
        datacontenttype="application/json",
        schema=SCHEMA,
        via=HOOK_VIAS[SCHEMA],
        notes=noted(notes),
    )


def fingerprint(body: JsonObject) -> str:
    """Return a body's hash, which does not depend on the order and spacing of its members."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _difference(body: JsonObject, header: str) -> str | None:
    """Return how the header differs from the body; the header's text is shown only if it is a name."""
    if _NAME.fullmatch(header) is None:
        return "X-GitHub-Event is not the name of a GitHub event: the body decides"
    return doubt(body, header)


def _type(event: str, variety: str | None, notes: list[str]) -> str:
    if event == OTHER or variety is None:
        return f"com.github.{event}"
    if _VARIETY.fullmatch(variety.lower()) is None:
        notes.append(f"the action {shown(variety)} is not part of the type: only a-z, 0-9, - and _ can be")
        return f"com.github.{event}"
    return f"com.github.{event}.{variety.lower()}"


def _workflow_identity(run: Json, action: str | None) -> str | None:
    number = text_at(run, "id")
    if number is None:
        return None
    return "/".join(part for part in (number, text_at(run, "run_attempt") or "1", action) if part)
