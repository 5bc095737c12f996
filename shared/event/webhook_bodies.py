"""Bodies that carry no event envelope, turned into CloudEvents: Kudu, GitHub, Azure DevOps, ACR.

Each event's id, source, type and time come from the body alone, so that a redelivery has the same identity.
The table of what becomes what is in docs/events.md. The whole body is the event's data.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from shared.errors import EventError
from shared.event.members import at, optional_text, required_text, text_at, timestamp
from shared.event.model import Event
from shared.values.json_text import Json, JsonObject

_APP_SERVICE_HOST: Final = re.compile(
    r"(?P<label>[^.]+)\.(?:scm\.)?(?:(?P<region>[^.]+)\.)?(?:azurewebsites|chinacloudsites)\.\w+(?:\.\w+)?",
    re.IGNORECASE,
)
_UNIQUE_HOST: Final = re.compile(r"-[a-z0-9]{16}$", re.IGNORECASE)
_IIS_SLOT: Final = re.compile(r"__[0-9a-z]+$", re.IGNORECASE)

_GITHUB_EVENTS: Final = (
    "deployment_status",
    "deployment",
    "workflow_job",
    "workflow_run",
    "registry_package",
)
"""Events that can be told by a member of the same name, the more telling before the less."""

_ACR_TYPES: Final = {
    "push": "Microsoft.ContainerRegistry.ImagePushed",
    "delete": "Microsoft.ContainerRegistry.ImageDeleted",
    "chart_push": "Microsoft.ContainerRegistry.ChartPushed",
    "chart_delete": "Microsoft.ContainerRegistry.ChartDeleted",
}


def app_service_label(host: str) -> str | None:
    """Return the part of an App Service host name that says app and slot, as in `shop` or `shop-staging`.

    Hosts with a region have a random part at the label's end, which is dropped
    (`shop-e5f0a1b2c3d4e5f6.westeurope-01.azurewebsites.net`).

    Returns:
        The label, or None where the host is none of App Service's.
    """
    match = _APP_SERVICE_HOST.fullmatch(host)
    if match is None:
        return None
    return match["label"] if match["region"] is None else _UNIQUE_HOST.sub("", match["label"])


def slot_in_label(label: str, site: str) -> str | None:
    """Return the slot that a label names, given its app: only with that can the two be told apart."""
    if label.lower() == site.lower():
        return "production"
    return label[len(site) + 1 :] if label.lower().startswith(f"{site.lower()}-") else None


def kudu_site_and_slot(body: Json) -> tuple[str | None, str | None]:
    """Return the app and the slot that a Kudu body is about; None for what it does not say."""
    name, host = text_at(body, "siteName"), text_at(body, "hostName")
    label = None if host is None else app_service_label(host)
    if name is None:
        return label, None
    site = _IIS_SLOT.sub("", name)
    return site, None if label is None else slot_in_label(label, site)


def _kudu(body: JsonObject, _: Mapping[str, str]) -> Event:
    deployment = required_text(body.get("id"), "id")
    site, slot = kudu_site_and_slot(body)
    if site is None:
        raise EventError("siteName is missing: without it nobody can tell which app was deployed")
    finished = text_at(body, "endTime") or text_at(body, "startTime") or text_at(body, "receivedTime")
    status = optional_text(body.get("status"), "status") or "pending"  # Kudu leaves out an enum's first value
    return _event(
        "kudu",
        body,
        # One commit may be deployed twice, under one deployment id: the time tells the two apart.
        event_id="/".join(part for part in (deployment, status, finished) if part),
        source=f"https://{text_at(body, 'hostName') or f'{site}.scm.azurewebsites.net'}",
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
    source = text_at(body, "repository", "url") or text_at(body, "organization", "url")
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
        return "ping"
    for event in _GITHUB_EVENTS:
        if isinstance(body.get(event), dict):
            return event
    raise EventError(
        "the body does not tell which GitHub event it is: pass on the header X-GitHub-Event with it"
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
    return _event(
        "acr",
        body,
        event_id=required_text(body.get("id"), "id"),
        source=f"https://{required_text(at(body, 'request', 'host'), 'request.host')}",
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
    return Event(
        id=required_text(event_id, "id"),
        source=required_text(source, "source"),
        type=required_text(event_type, "type"),
        subject=optional_text(subject, "subject"),
        time=timestamp(time, "time"),
        data=body,
        datacontenttype="application/json",
        schema=schema,
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
