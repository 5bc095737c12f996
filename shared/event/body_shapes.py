"""Which sender's body a JSON object without an event envelope looks like, by the names of its members.

The app never guesses: each hook has a function of its own, and reads what it gets as its kind. The shape is
for files of samples, and for the remedy in an error.

Sources: as in the readers (`kudu.py`, `github_events.py`, `webhook_bodies.py`).
"""

from typing import Final

from shared.event.github_events import OTHER, event_of
from shared.values.json_text import JsonObject

_REGISTRY: Final = frozenset({"id", "timestamp", "action", "target", "request", "actor", "source"})
"""Every member of a registry's body; its ping may have `action` alone."""
_GITHUB_SENDERS: Final = ("repository", "organization", "enterprise", "installation")
_SITE_NAMES: Final = frozenset({"deployer", "siteName", "site_name"})


def kinds_like(document: JsonObject) -> tuple[str, ...]:
    """Return the kinds of hooks whose bodies look like this one, in alphabetical order.

    Args:
        document: A body without an event envelope.

    Returns:
        No kind where the shape is of none of them; several where the members fit more than one.
    """
    names = document.keys()
    registry = names >= {"action", "target", "request"} or (
        document.get("action") == "ping" and names <= _REGISTRY
    )
    fits = {
        "acr": registry,
        "azure-devops": names >= {"eventType", "publisherId"},
        "github": _is_github(document),
        "kudu": "id" in names and not _SITE_NAMES.isdisjoint(names),
    }
    return tuple(kind for kind, fit in fits.items() if fit)


def likely_kind(document: JsonObject) -> str | None:
    """Return the one kind that a body looks like; None where it looks like none, or like several."""
    kinds = kinds_like(document)
    return kinds[0] if len(kinds) == 1 else None


def _is_github(document: JsonObject) -> bool:
    """Return whether GitHub sent a body: it has a `sender`, or it fits an event and names its origin."""
    if isinstance(document.get("sender"), dict):
        return True
    event = event_of(document)
    return event == "ping" or (
        event != OTHER and any(isinstance(document.get(name), dict) for name in _GITHUB_SENDERS)
    )
