"""The event types and sources that each kind of hook may send, checked after reading.

A hook's sender proves only that it has the kind's key. So each kind has a closed set of types, and a source
that no other channel's events have. A hook therefore cannot start a rule for Event Grid's events of storage
accounts, web apps or callers. Letter case does not count, as in rules.
"""

import re
from collections.abc import Mapping
from typing import Final

from shared.errors import EventError
from shared.event.members import shown
from shared.event.model import Event

TYPE_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "acr": (
        "Microsoft.ContainerRegistry.ImagePushed",
        "Microsoft.ContainerRegistry.ImageDeleted",
        "Microsoft.ContainerRegistry.ChartPushed",
        "Microsoft.ContainerRegistry.ChartDeleted",
        "Microsoft.ContainerRegistry.Webhook.",
    ),
    "azure-devops": (
        "build.",
        "git.",
        "message.",
        "ms.vss-code.",
        "ms.vss-pipelinechecks-events.",
        "ms.vss-pipelines.",
        "ms.vss-release.",
        "ms.vss-work.",
        "tfvc.",
        "workitem.",
    ),
    "github": ("com.github.",),
    "kudu": ("Microsoft.Web.Kudu.",),
}
"""The beginnings of each kind's types. Azure DevOps' types are in
https://learn.microsoft.com/azure/devops/service-hooks/events."""

SOURCES: Final[Mapping[str, re.Pattern[str]]] = {
    "acr": re.compile(
        r"https://(?:[a-z0-9-]+\.)*azurecr\.(?:io|us|cn|eaglex\.ic\.gov|microsoft\.scloud)", re.IGNORECASE
    ),
    "azure-devops": re.compile(
        r"/azure-devops(?:/(?:organizations|projects|publishers)/[A-Za-z0-9][\w.-]*)+"
    ),
    "github": re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[^\s?#]*)?"),
    "kudu": re.compile(r"https://[\w-]+\.[A-Za-z0-9.-]+"),
}
"""The form of each kind's sources. GitHub's is any https address, because an enterprise's GitHub has its own
host, and the body is signed."""

_TYPE: Final = re.compile(r"[A-Za-z0-9._-]+")


def check_claims(kind: str, event: Event) -> None:
    """Check that an event's type and source are allowed for its kind of hook.

    Args:
        kind: The kind.
        event: The event that the kind's reader made of the body.

    Raises:
        EventError: Its type or its source is not allowed.
    """
    allowed = TYPE_PREFIXES[kind]
    if not event.type.lower().startswith(tuple(prefix.lower() for prefix in allowed)) or not _TYPE.fullmatch(
        event.type
    ):
        raise EventError(
            f"a hook of kind {kind} cannot send events of the type {shown(event.type)}: its types begin with "
            f"{', '.join(allowed)}"
        )
    if SOURCES[kind].fullmatch(event.source) is None:
        raise EventError(f"a hook of kind {kind} cannot send events of the source {shown(event.source)}")
