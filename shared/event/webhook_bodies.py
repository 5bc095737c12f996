"""Bodies that carry no event envelope, turned into CloudEvents: Kudu, GitHub, Azure DevOps, ACR.

Each event's id, source, type and time come from the body alone, so that a redelivery has the same identity.
The table of what becomes what is in docs/events.md. The whole body is the event's data.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from shared.errors import EventError
from shared.event.kudu import kudu_host, kudu_member, kudu_site_and_slot, kudu_status
from shared.event.members import (
    at,
    noted,
    optional_text,
    required_text,
    text_at,
    usable_text,
    usable_time,
)
from shared.event.model import Event
from shared.values.json_text import Json, JsonObject

_GITHUB_EVENTS: Final = (
    "deployment_status",
    "deployment",
    "workflow_job",
    "workflow_run",
    "registry_package",
)
"""Events that can be told by a member of the same name, the more telling before the less."""

_GITHUB_SOURCES: Final = (
    ("repository", "url"),
    ("organization", "url"),
    ("enterprise", "html_url"),
    ("installation", "account", "url"),
    ("sender", "url"),
)
"""What an event is about, the nearest first: an app's installation and authorisation have no repository."""

_PING: Final = "ping"
"""What GitHub and a registry call the event that only tries a webhook."""

_ACR_TYPES: Final = {
    "push": "Microsoft.ContainerRegistry.ImagePushed",
    "delete": "Microsoft.ContainerRegistry.ImageDeleted",
    "chart_push": "Microsoft.ContainerRegistry.ChartPushed",
    "chart_delete": "Microsoft.ContainerRegistry.ChartDeleted",
}


def _kudu(body: JsonObject, _: Mapping[str, str]) -> Event:
    deployment = required_text(body.get("id"), "id")
    site, slot = kudu_site_and_slot(body)
    if site is None:
        raise EventError("siteName is missing: without it nobody can tell which app was deployed")
    times = (kudu_member(body, name) for name in ("endTime", "startTime", "receivedTime"))
    finished = next((time for time in times if time is not None), None)
    if not isinstance(body.get("status"), int):
        optional_text(body.get("status"), "status")
    status = kudu_status(body)
    return _event(
        "kudu",
        body,
        # One commit may be deployed twice, under one deployment id: the time tells the two apart.
        event_id="/".join(part for part in (deployment, status, finished) if part),
        source=f"https://{kudu_host(body) or f'{site}.scm.azurewebsites.net'}",
        event_type="Microsoft.Web.Kudu.PostDeployment",
        subject=f"/Microsoft.Web/sites/{site}" + ("" if slot in {None, "production"} else f"/slots/{slot}"),
        time=finished,
    )


def _github(body: JsonObject, headers: Mapping[str, str]) -> Event:
    """Read a GitHub webhook after https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/github.md.

    The id differs from the adapter's, which is a header (`X-GitHub-Delivery`): ours comes from the body.
    """
    event = optional_text(headers.get("x-github-event"), "X-GitHub-Event") or _github_event(body)
    about = at(body, event)
    source = next(filter(None, (text_at(body, *path) for path in _GITHUB_SOURCES)), None)
    if source is None and event == _PING:
        source = text_at(body, "hook", "url") or "https://api.github.com"
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
    return _event(
        "github",
        body,
        event_id=f"{event}/{identity or _digest(body)}",
        source=required_text(source, "repository.url"),
        event_type=".".join(part for part in ("com.github", event, variety) if part),
        subject=subject,
        time=next((time for time in times if time is not None), None),
    )


def _github_event(body: JsonObject) -> str:
    if "zen" in body and "hook" in body:
        return _PING
    for event in _GITHUB_EVENTS:
        if isinstance(body.get(event), dict):
            return event
    raise EventError(
        "the body does not tell which GitHub event it is: pass on the header X-GitHub-Event with it"
        " (updraft explain --event NAME)"
    )


def _workflow_identity(run: Json, action: str | None) -> str | None:
    number = text_at(run, "id")
    if number is None:
        return None
    return "/".join(part for part in (number, text_at(run, "run_attempt") or "1", action) if part)


def _azure_devops(body: JsonObject, _: Mapping[str, str]) -> Event:
    containers = body.get("resourceContainers")
    organization = text_at(containers, "account", "id") or text_at(containers, "collection", "id")
    project = text_at(containers, "project", "id") or text_at(body, "resource", "project", "id")
    parts = ["/azure-devops"]
    if organization is not None:
        parts.append(f"organizations/{organization}")
    if project is not None:
        parts.append(f"projects/{project}")
    if len(parts) == 1:
        parts.append(f"publishers/{required_text(body.get('publisherId'), 'publisherId')}")
    return _event(
        "azure-devops",
        body,
        event_id=required_text(body.get("id"), "id"),
        source="/".join(parts),
        event_type=required_text(body.get("eventType"), "eventType"),
        subject=_azure_devops_subject(body.get("resource")),
        time=text_at(body, "createdDate"),
    )


def _azure_devops_subject(resource: Json) -> str | None:
    for path in (("pipeline", "name"), ("environment", "release", "name"), ("repository", "name"), ("name",)):
        name = text_at(resource, *path)
        if name is not None:
            return name
    return None


def _acr(body: JsonObject, _: Mapping[str, str]) -> Event:
    action = required_text(body.get("action"), "action")
    tag, repository = text_at(body, "target", "tag"), text_at(body, "target", "repository")
    host, event_id = at(body, "request", "host"), body.get("id")
    if action == _PING:  # it tries the webhook, and nothing has happened in the registry
        host, event_id = host or "azurecr.io", event_id or _digest(body)
    return _event(
        "acr",
        body,
        event_id=required_text(event_id, "id"),
        source=f"https://{required_text(host, 'request.host')}",
        event_type=_ACR_TYPES.get(action, f"Microsoft.ContainerRegistry.Webhook.{action}"),
        subject=f"{repository}:{tag}" if repository and tag else repository,
        time=text_at(body, "timestamp"),
    )


def _event(
    schema: str,
    body: JsonObject,
    *,
    event_id: str,
    source: str,
    event_type: str,
    subject: str | None,
    time: str | None,
) -> Event:
    """Return the event, after the same checks that an envelope's attributes get."""
    notes: list[str] = []
    return Event(
        id=required_text(event_id, "id"),
        source=required_text(source, "source"),
        type=required_text(event_type, "type"),
        subject=usable_text(subject, "subject", notes),
        time=usable_time(time, "time", notes),
        data=body,
        datacontenttype="application/json",
        schema=schema,
        notes=noted(notes),
    )


KINDS: Final[Mapping[str, Callable[[JsonObject, Mapping[str, str]], Event]]] = {
    "kudu": _kudu,
    "github": _github,
    "azure-devops": _azure_devops,
    "acr": _acr,
}
"""The readers by kind. Each takes the body and the HTTP headers under lower-case names."""


def likely_kind(document: JsonObject) -> str | None:
    """Return the kind that a body without envelope looks like, to name it in an error's remedy."""
    names = document.keys()
    if names >= {"eventType", "publisherId"}:
        return "azure-devops"
    if names >= {"action", "target", "request"}:
        return "acr"
    if names >= {"repository", "sender"}:
        return "github"
    if names >= {"id", "deployer"}:
        return "kudu"
    return None


def read_webhook_body(document: JsonObject, kind: str, headers: Mapping[str, str]) -> Event:
    """Return the CloudEvent that a body without envelope becomes.

    Args:
        document: The body.
        kind: One of `KINDS`.
        headers: The request's headers, under any letter case; only `X-GitHub-Event` is looked at.

    Raises:
        EventError: The body lacks what its identity is made of, or a member is of the wrong type.
    """
    try:
        return KINDS[kind](document, {name.lower(): value for name, value in headers.items()})
    except EventError as error:
        seen = likely_kind(document)
        if seen is None or seen == kind:
            raise
        raise EventError(f"{error}; the body looks like one of kind {seen}, not {kind}") from None


def _digest(body: JsonObject) -> str:
    """Return a body's fingerprint, the same whatever the order and spacing of its members."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
