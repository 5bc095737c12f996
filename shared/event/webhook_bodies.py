"""Makes CloudEvents from bodies without an event envelope: Kudu, GitHub, Azure DevOps, ACR.

Each event's id, source, type and time come from the body alone, so that a redelivery has the same identity.
docs/events.md has the table of members. The whole body is the event's data.

A sender can write anything into a body. So the type and the source of each event are checked against its
kind's (`channels.py`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from shared.errors import EventError
from shared.event.app_hosts import app_service_label
from shared.event.body_shapes import likely_kind
from shared.event.channels import check_claims
from shared.event.github import fingerprint, read_github
from shared.event.kudu import kudu_host, kudu_member, kudu_site_and_slot, kudu_status
from shared.event.members import (
    at,
    noted,
    optional_text,
    required_text,
    shown,
    text_at,
    usable_text,
    usable_time,
)
from shared.event.model import Event
from shared.event.via import HOOK_VIAS
from shared.values.json_text import Json, JsonObject

_PING: Final = "ping"
"""The action of a registry's test of a webhook."""

_SITE: Final = re.compile(r"\w[\w-]{0,127}")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+")
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ACTION: Final = re.compile(r"[a-z_]{1,40}")

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
        raise EventError("siteName is missing: send the name of the app that was deployed")
    if _SITE.fullmatch(site) is None:
        raise EventError(f"siteName is {shown(site)}, which is not the name of an app")
    host = kudu_host(body)
    if host is None or app_service_label(host) is None or _HOST.fullmatch(host) is None:
        host = f"{site}.scm.azurewebsites.net"  # a custom domain does not name the app
    times = (kudu_member(body, name) for name in ("endTime", "startTime", "receivedTime"))
    finished = next((time for time in times if time is not None), None)
    if not isinstance(body.get("status"), int):
        optional_text(body.get("status"), "status")
    status = kudu_status(body)
    return _event(
        "kudu",
        body,
        # One commit may be deployed twice with the same deployment id, and only the time differs.
        event_id="/".join(part for part in (deployment, status, finished) if part),
        source=f"https://{host}",
        event_type="Microsoft.Web.Kudu.PostDeployment",
        subject=f"/Microsoft.Web/sites/{site}" + ("" if slot in {None, "production"} else f"/slots/{slot}"),
        time=finished,
    )


def _azure_devops(body: JsonObject, _: Mapping[str, str]) -> Event:
    containers = body.get("resourceContainers")
    organization = text_at(containers, "account", "id") or text_at(containers, "collection", "id")
    project = text_at(containers, "project", "id") or text_at(body, "resource", "project", "id")
    parts = ["/azure-devops"]
    if organization is not None:
        parts.append(f"organizations/{_part(organization, 'resourceContainers')}")
    if project is not None:
        parts.append(f"projects/{_part(project, 'resourceContainers.project.id')}")
    if len(parts) == 1:
        publisher = required_text(body.get("publisherId"), "publisherId")
        parts.append(f"publishers/{_part(publisher, 'publisherId')}")
    return _event(
        "azure-devops",
        body,
        event_id=required_text(body.get("id"), "id"),
        source="/".join(parts),
        event_type=required_text(body.get("eventType"), "eventType"),
        subject=_azure_devops_subject(body.get("resource")),
        time=text_at(body, "createdDate"),
    )


def _part(text: str, name: str) -> str:
    """Return a part of a source; a slash in it would change the meaning of the source."""
    if _PART.fullmatch(text) is None:
        raise EventError(f"{name} holds {shown(text)}, which is not an id of Azure DevOps")
    return text


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
    if action == _PING:  # a test of the webhook, which is not about an image
        host, event_id = host or "azurecr.io", event_id or fingerprint(body)
    if _ACTION.fullmatch(action) is None:
        raise EventError(f"action is {shown(action)}, which is not an action of a registry's webhook")
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
    """Return the event, after the same checks as for an envelope's attributes."""
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
        via=HOOK_VIAS[schema],
        notes=noted(notes),
    )


_READERS: Final[Mapping[str, Callable[[JsonObject, Mapping[str, str]], Event]]] = {
    "kudu": _kudu,
    "github": read_github,
    "azure-devops": _azure_devops,
    "acr": _acr,
}
"""The readers by kind. Each gets the body, and the HTTP headers under lower-case names."""


def read_webhook_body(document: JsonObject, kind: str, headers: Mapping[str, str]) -> Event:
    """Return the CloudEvent of a body without envelope.

    Args:
        document: The body.
        kind: One of `KINDS` (`via.py`).
        headers: The request's headers, in any letter case; only `X-GitHub-Event` is read, for a note.

    Raises:
        EventError: A member of the identity is missing, a member has the wrong type, or the kind does not
            allow the event's type or source.
    """
    try:
        event = _READERS[kind](document, {name.lower(): value for name, value in headers.items()})
        check_claims(kind, event)
    except EventError as error:
        seen = likely_kind(document)
        if seen is None or seen == kind:
            raise
        raise EventError(f"{error}; the body looks like one of kind {seen}, not {kind}") from None
    return event
