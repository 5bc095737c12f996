"""Writes a caller's identity to an event, and reads it, so that its permission can be checked again."""

from typing import TYPE_CHECKING

from shared.callers.verifier import Identity
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from shared.rules.model.callers import CallerSpec


def stamp_of(spec: "CallerSpec", identity: Identity) -> JsonObject:
    """Return the stored part of a caller's identity: its ids, and the parts of the token that decided.

    A token may list hundreds of groups; only those that allowed the call are stored.

    Args:
        spec: The entry of `callers` that allowed the event.
        identity: The caller.
    """
    stamp: JsonObject = {"entry": spec.name, **identity.members()}
    if spec.group is not None:
        stamp["group"] = spec.group
    if spec.role is not None:
        stamp["role"] = spec.role
    if not identity.is_app:
        stamp["scopes"] = [*sorted(identity.scopes.intersection(spec.scopes or ()))]
    return stamp


def identity_of(stamp: Json) -> Identity | None:
    """Return the identity of a stamp; None if it has none."""
    if not isinstance(stamp, dict):
        return None
    object_id, app_id, kind = (stamp.get(name) for name in ("object_id", "app_id", "kind"))
    if not isinstance(object_id, str) or not isinstance(app_id, str) or kind not in ("application", "user"):
        return None
    scopes = stamp.get("scopes")
    return Identity(
        object_id=object_id,
        app_id=app_id,
        is_app=kind == "application",
        groups=_texts([stamp.get("group")]),
        roles=_texts([stamp.get("role")]),
        scopes=_texts(scopes if isinstance(scopes, list) else []),
    )


def _texts(values: list[Json]) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str))
