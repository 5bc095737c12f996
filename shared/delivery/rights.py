"""Checks a caller's permission again before a parked delivery is tried.

A delivery may be parked for days. The entry of `callers` that allowed it is looked up by its name, and the
checks of the endpoints are repeated: the identity, the DAG and the keys of conf, or the type and source.
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
"""The code of a dead letter whose caller has no permission any more."""


def revoked_permission(asked: "Event | DirectRun", rules: "Rules") -> str | None:
    """Return why a caller has no permission any more; None if it has it, or if no caller sent the event.

    Args:
        asked: The parked event or direct run.
        rules: The current rules.
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
        return "the caller's identity cannot be read"
    name = stamp.get("entry")
    entry = rules.caller(name)
    if entry is None:
        return f"the entry `{name}` of `callers`, which had allowed it, was removed"
    return _refusal(asked, identity, entry)


def _refusal(asked: "Event | DirectRun", identity: "Identity", entry: "CallerSpec") -> str | None:
    from shared.callers import check_conf, entry_applies, event_entry, start_entry
    from shared.callers.errors import NotAllowed

    if not entry_applies(entry, identity):
        return f"the entry `{entry.name}` of `callers` no longer applies to {identity}"
    try:
        if isinstance(asked, DirectRun):
            start_entry([entry], identity, dag_id=asked.dag_id, connection=asked.connection)
            check_conf(entry, asked.conf)
        else:
            event_entry([entry], identity, event_type=asked.type, source=asked.source)
    except NotAllowed as refused:
        return f"the entry `{entry.name}` of `callers` no longer allows it: {refused}"
    return None
