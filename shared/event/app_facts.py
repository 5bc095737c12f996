"""Facts about an app in an event of any schema: `app.site`, `app.slot`, … in rules.yaml.

The table "App facts" in docs/events.md has the mapping. The facts come from the event's type, source, subject
and data only, so that a parked event has the same facts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.event import Event
from shared.event.app_hosts import app_service_label, slot_in_label
from shared.event.kudu import kudu_site_and_slot, kudu_status
from shared.event.members import text_at
from shared.values.json_text import Json

_PRODUCTION: Final = "production"
_SITE: Final = re.compile(
    r"(?P<scope>/subscriptions/[^/]+/resourceGroups/[^/]+/providers)?/Microsoft\.Web/sites/"
    r"(?P<site>[^/?#]+)(?:/slots/(?P<slot>[^/?#]+))?",
    re.IGNORECASE,
)
_PLAN: Final = re.compile(r"/Microsoft\.Web/serverFarms/", re.IGNORECASE)
_SITE_OF_SLOT: Final = re.compile(r"(?P<site>[^()]+)\((?P<slot>[^()]+)\)")
_DEPLOYMENT: Final = re.compile(r"/(?:deployments|deploymentStatus)/(?P<id>[^/?#]+)", re.IGNORECASE)
_ENDING: Final = re.compile(
    r"(?P<started>Started|InProgress)$|(?P<completed>Completed|Succeeded|Success)$"
    r"|(?P<failed>Failed|Failure)$|(?P<cancelled>Cancel(?:l?ed)?)$",
    re.IGNORECASE,
)
_STATUS: Final = {
    "success": "Completed",
    "succeeded": "Completed",
    "partiallysucceeded": "Failed",
    "partialsuccess": "Failed",
    "conflict": "Failed",
    "failed": "Failed",
    "failure": "Failed",
    "error": "Failed",
    "rejected": "Failed",
    "canceled": "Cancelled",
    "cancelled": "Cancelled",
    "inactive": "Inactive",
}
_SUCCEEDED: Final = {"Completed": True, "Failed": False, "Cancelled": False}


@dataclass(frozen=True, slots=True)
class AppFacts:
    """The facts about an app; None for each fact that the event does not have.

    Attributes:
        site: The app's name.
        slot: The deployment slot; for a swap, the target slot.
        action: What was done: `Started`, `Completed`, `Failed` or `Cancelled` for operations, `Restarted`,
            `Stopped` or `ChangedAppSettings` for an updated app, ARM's operation name for an ARM event.
        resource_id: The ARM id of the app or slot.
        deployment_id: The deployment's id, or the id that correlates the events of the operation.
        succeeded: Whether the operation ended with success; None while it runs.
    """

    site: str | None = None
    slot: str | None = None
    action: str | None = None
    resource_id: str | None = None
    deployment_id: str | None = None
    succeeded: bool | None = None


def app_facts(event: Event) -> AppFacts | None:
    """Return the facts about the event's app, or None if it is not about an app."""
    kind = event.type.lower()
    for prefixes, reader in _READERS:
        if kind.startswith(prefixes):
            return reader(event)
    return _about_a_site(event)


def _app_service(event: Event) -> AppFacts | None:
    where = _SITE.search(event.source) or _SITE.search(event.subject or "")
    name = text_at(event.data, "name") or text_at(event.data, "siteName") or (where and where["site"])
    if name is None or _PLAN.search(event.source) is not None:
        return None
    site, slot = _site_and_slot(name, where)
    action = _ending(event.type)
    if action is None:
        detail = text_at(event.data, "appEventTypeDetail", "action")
        last = re.split(r"[./]", event.type)[-1]
        action = detail or (None if last == "AppUpdated" else last)
    return AppFacts(
        site=site,
        slot=text_at(event.data, "targetSlot") or slot,
        action=action,
        resource_id=_resource_id(where),
        deployment_id=text_at(event.data, "correlationRequestId"),
        succeeded=_SUCCEEDED.get(action or ""),
    )


def _kudu(event: Event) -> AppFacts:
    site, slot = kudu_site_and_slot(event.data)
    action = _STATUS.get(kudu_status(event.data).lower(), "Started")
    return AppFacts(
        site=site,
        slot=slot,
        action=action,
        deployment_id=text_at(event.data, "id"),
        succeeded=_SUCCEEDED.get(action),
    )


def _arm(event: Event) -> AppFacts | None:
    resource = text_at(event.data, "resourceUri") or event.subject or ""
    where = _SITE.search(resource)
    if where is None:
        return None
    site, slot = _site_and_slot(where["site"], where)
    deployment = _DEPLOYMENT.search(resource)
    return AppFacts(
        site=site,
        slot=slot,
        action=text_at(event.data, "operationName") or text_at(event.data, "authorization", "action"),
        resource_id=_resource_id(where),
        deployment_id=deployment["id"] if deployment else text_at(event.data, "correlationId"),
        succeeded=_SUCCEEDED.get(_ending(event.type) or ""),
    )


def _container_registry(event: Event) -> AppFacts | None:
    repository = text_at(event.data, "target", "repository")
    if repository is None:
        return None
    return AppFacts(
        site=repository,
        slot=text_at(event.data, "target", "tag"),
        action=event.type.rpartition(".")[2],
        resource_id=event.source if event.source.startswith("/") else None,
        deployment_id=text_at(event.data, "target", "digest"),
    )


def _github(event: Event) -> AppFacts:
    status = "deployment_status"
    site = text_at(event.data, "repository", "name")
    url = text_at(event.data, status, "environment_url") or text_at(event.data, status, "target_url")
    label = app_service_label(_host(url)) if url else None
    slot = slot_in_label(label, site) if label and site else None
    state = (text_at(event.data, status, "state") or "").lower()
    action = _STATUS.get(state, "Started")
    return AppFacts(
        site=label if label and slot is None else site,
        slot=slot or text_at(event.data, status, "environment"),
        action=action,
        deployment_id=text_at(event.data, "deployment", "id"),
        succeeded=_SUCCEEDED.get(action),
    )


_DEVOPS_SITE: Final = (
    ("environment", "releaseDefinition", "name"),
    ("deployment", "releaseDefinition", "name"),
    ("release", "releaseDefinition", "name"),
    ("pipeline", "name"),
    ("project", "name"),
)
_DEVOPS_SLOT: Final = (
    ("environment", "name"),
    ("stage", "name"),
    ("deployment", "releaseEnvironment", "name"),
)
_DEVOPS_ID: Final = (
    ("deployment", "id"),
    ("environment", "release", "id"),
    ("release", "id"),
    ("run", "id"),
)
_DEVOPS_STATUS: Final = (
    ("environment", "status"),
    ("stage", "result"),
    ("deployment", "deploymentStatus"),
    ("run", "result"),
)


def _azure_devops(event: Event) -> AppFacts:
    action = _STATUS.get((_first(event.data, _DEVOPS_STATUS) or "").lower(), "Started")
    return AppFacts(
        site=_first(event.data, _DEVOPS_SITE),
        slot=_first(event.data, _DEVOPS_SLOT),
        action=action,
        deployment_id=_first(event.data, _DEVOPS_ID),
        succeeded=_SUCCEEDED.get(action),
    )


def _about_a_site(event: Event) -> AppFacts | None:
    """Return the facts of an event of any other type, such as a pipeline's, if its source is a site."""
    where = _SITE.search(event.source) or _SITE.search(event.subject or "")
    if where is None:
        return None
    site, slot = _site_and_slot(where["site"], where)
    action = _ending(event.type)
    return AppFacts(
        site=site,
        slot=slot,
        action=action,
        resource_id=_resource_id(where),
        succeeded=_SUCCEEDED.get(action or ""),
    )


_READERS: Final[tuple[tuple[tuple[str, ...], Callable[[Event], AppFacts | None]], ...]] = (
    (("microsoft.web.kudu.",), _kudu),
    (("microsoft.web.", "microsoft.web/sites"), _app_service),
    (("microsoft.resources.",), _arm),
    (("microsoft.containerregistry.",), _container_registry),
    (("com.github.deployment_status",), _github),
    (("ms.vss-release.", "ms.vss-pipelines."), _azure_devops),
)
"""By the beginning of the event type, in lower case; the first match counts."""


def _first(body: Json, paths: tuple[tuple[str, ...], ...]) -> str | None:
    found = (text_at(body, "resource", *path) for path in paths)
    return next((text for text in found if text is not None), None)


def _site_and_slot(name: str, where: re.Match[str] | None) -> tuple[str, str]:
    """Return app and slot; an ARM id of an app without `/slots/…` means its production slot."""
    both = _SITE_OF_SLOT.fullmatch(name)  # App Service's internal name of a slot: shop(staging)
    if both is not None:
        return both["site"], both["slot"]
    return name, (where and where["slot"]) or _PRODUCTION


def _resource_id(where: re.Match[str] | None) -> str | None:
    return where.group() if where is not None and where["scope"] else None


def _ending(event_type: str) -> str | None:
    """Return the state of the operation from the end of an event type: `SlotSwapCompleted` is `Completed`."""
    match = _ENDING.search(event_type)
    return None if match is None or match.lastgroup is None else match.lastgroup.capitalize()


def _host(url: str) -> str:
    try:
        return urlsplit(url if "://" in url else f"//{url}").hostname or ""
    except ValueError:  # an invalid IPv6 address
        return ""
