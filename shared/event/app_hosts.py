"""Finds the name and the deployment slot of an App Service app in a host name."""

import re
from typing import Final

_CLOUD: Final = r"(?:\.[a-z0-9-]+){1,3}"
"""The end of the domain in each Azure cloud: `.net`, `.us`, `.cn`, and longer ends in closed clouds."""

_APP_SERVICE_HOST: Final = re.compile(
    rf"(?P<label>[^.]+)\.(?:scm\.)?(?:"
    rf"(?:[^.]+\.p\.|(?P<region>[^.]+)\.)?(?:azurewebsites|chinacloudsites){_CLOUD}"
    rf"|[^.]+\.appserviceenvironment{_CLOUD})",
    re.IGNORECASE,
)
"""An app's host in App Service, in an App Service Environment (`<app>.<environment>.p.azurewebsites.net`)
or in an environment without public addresses (`<app>.<environment>.appserviceenvironment.net`)."""

_SCM_HOST: Final = re.compile(r"(?P<label>[^.]+)\.scm(?:\.[^.]+)+", re.IGNORECASE)
"""Kudu's host under an environment's custom domain; an app's custom domain never has an `scm`."""

_UNIQUE_HOST: Final = re.compile(r"-[a-z0-9]{16}$", re.IGNORECASE)


def app_service_label(host: str) -> str | None:
    """Return the part of an App Service host name with app and slot, as in `shop` or `shop-staging`.

    Hosts with a region have a random part at the end of the label, which is removed
    (`shop-e5f0a1b2c3d4e5f6.westeurope-01.azurewebsites.net`). A custom domain has neither app nor slot.

    Args:
        host: The host, with or without a port.

    Returns:
        The label, or None if the host has neither.
    """
    name = host.partition(":")[0].removesuffix(".")
    match = _APP_SERVICE_HOST.fullmatch(name)
    if match is None:
        scm = _SCM_HOST.fullmatch(name)
        return None if scm is None else scm["label"]
    return match["label"] if match["region"] is None else _UNIQUE_HOST.sub("", match["label"])


def slot_in_label(label: str, site: str) -> str | None:
    """Return the slot in a label; the app's name is needed to separate the two."""
    if label.lower() == site.lower():
        return "production"
    return label[len(site) + 1 :] if label.lower().startswith(f"{site.lower()}-") else None
