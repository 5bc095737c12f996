"""Reads deployments of Kudu: of its webhook `PostDeployment`, and of its REST API `/api/deployments`.

The API has the same members in snake case, and the status as a number; scripts of operators forward it.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from shared.event.app_hosts import app_service_label, slot_in_label
from shared.event.members import at, text_at
from shared.values.json_text import Json

_IIS_SLOT: Final = re.compile(r"__[0-9a-z]+$", re.IGNORECASE)

_STATUSES: Final = {
    0: "pending",
    1: "building",
    2: "deploying",
    3: "failed",
    4: "success",
    5: "conflict",
    6: "partialsuccess",
}
"""Kudu's `DeployStatus`, whose numbers `/api/deployments` returns
(https://github.com/projectkudu/kudu/blob/master/Kudu.Contracts/Deployment/DeployStatus.cs)."""


def kudu_site_and_slot(body: Json) -> tuple[str | None, str | None]:
    """Return the app and the slot of a Kudu body; None for one that is missing."""
    name, host = kudu_member(body, "siteName"), kudu_host(body)
    label = None if host is None else app_service_label(host)
    if name is None:
        return label, None
    site = _IIS_SLOT.sub("", name)
    return site, None if label is None else slot_in_label(label, site)


def kudu_member(body: Json, name: str) -> str | None:
    """Return a member of Kudu's webhook (`siteName`) or of its `/api/deployments` (`site_name`)."""
    return text_at(body, name) or text_at(body, re.sub(r"(?=[A-Z])", "_", name).lower())


def kudu_status(body: Json) -> str:
    """Return the name of a deployment's status; the webhook leaves out the first one."""
    status = at(body, "status")
    if isinstance(status, int) and not isinstance(status, bool):
        return _STATUSES.get(status, str(status))
    return text_at(body, "status") or _STATUSES[0]


def kudu_host(body: Json) -> str | None:
    """Return Kudu's host: the webhook's `hostName`, or the host of the address in `/api/deployments`."""
    named, url = text_at(body, "hostName"), text_at(body, "url")
    if named is not None or url is None:
        return named
    try:
        return urlsplit(url).hostname
    except ValueError:  # an invalid address
        return None
