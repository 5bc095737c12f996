"""Whether a caller may still have what it asked for: a right is checked again when it is used.

What a verified caller sent may wait for days. When it comes back, the entry of `callers` that allowed it is
looked up by its name and asked everything again, by the functions that the endpoints ask: whether it is about
this identity, and allows this DAG and these keys of conf, or this type and source.
"""

from typing import TYPE_CHECKING, Final

from shared.event.caller_stamp import ATTRIBUTE, caller_of
from shared.runs.direct_run import DirectRun

if TYPE_CHECKING:
    from shared.callers import Identity
    from shared.event import Event
    from shared.rules import Rules
    from shared.rules.model.callers import CallerSpec
    from shared.values.json_text import Json

PERMISSION_REVOKED: Final = "PermissionRevoked"
"""The code of a dead letter whose caller may no longer ask for it; nothing waits for a right."""


def revoked_permission(asked: "Event | DirectRun", rules: "Rules") -> str | None:
    """Return why a caller may no longer have what it asked for; None where it may, and where nobody called.

    Args:
        asked: The event or the direct run that comes back; one that has just arrived was checked by its
            endpoint.
        rules: The rules in force.
    """
    if isinstance(asked, DirectRun):
        stamp: Json = asked.caller
    elif ATTRIBUTE in asked.extensions:
        stamp = caller_of(asked)
    else:
        return None
    from shared.callers.stamps import identity_of

    identity = identity_of(stamp)
    if identity is None or not isinstance(stamp, dict):
        return "its caller cannot be read"
    name = stamp.get("entry")
    entry = rules.caller(name)
    if entry is None:
        return f"there is no entry `{name}` under `callers` any more, which had allowed it"
    return _refusal(asked, identity, entry)


def _refusal(asked: "Event | DirectRun", identity: "Identity", entry: "CallerSpec") -> str | None:
    from shared.callers import check_conf, entry_applies, event_entry, start_entry
    from shared.callers.errors import NotAllowed

    if not entry_applies(entry, identity):
        return f"the entry `{entry.name}` of `callers` is no longer about {identity}"
    try:
        if isinstance(asked, DirectRun):
            start_entry([entry], identity, dag_id=asked.dag_id, connection=asked.connection)
            check_conf(entry, asked.conf)
        else:
            event_entry([entry], identity, event_type=asked.type, source=asked.source)
    except NotAllowed as refused:
        return f"the entry `{entry.name}` of `callers` no longer allows it: {refused}"
    return None
