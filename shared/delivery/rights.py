"""Whether a caller may still have what it asked for: a right is checked again when it is used.

What a verified caller sent may wait for days. When it comes back, the entry of `callers` that allowed it is
looked up by its name and asked everything again, by the functions that the endpoints ask: whether it is about
this identity, and allows this DAG and these keys of conf, or this type and source.
"""

from typing import TYPE_CHECKING, Final

from shared.deciding.direct_runs import DirectRun
from shared.event.caller_stamp import ATTRIBUTE, caller_of
from shared.rules.model.rule import CALL

if TYPE_CHECKING:
    from shared.callers import Identity
    from shared.event import Event
    from shared.rules import Rules
    from shared.rules.model.callers import CallerSpec

PERMISSION_REVOKED: Final = "PermissionRevoked"
"""The code of a dead letter whose caller may no longer ask for it; nothing waits for a right."""


def revoked_permission(event: "Event", rule: str, rules: "Rules") -> str | None:
    """Return why an event's caller may no longer ask for it; None where it may, and where nobody called.

    Args:
        event: An event that comes back; one that has just arrived was checked by its endpoint.
        rule: The rule that it is for; `call` for a run that was asked for by the DAG's name.
        rules: The rules in force.
    """
    if ATTRIBUTE not in event.extensions:
        return "it is a call, and nobody is named who called" if rule == CALL else None
    from shared.callers.stamps import identity_of

    stamp = caller_of(event)
    identity = identity_of(stamp)
    if identity is None or not isinstance(stamp, dict):
        return "its caller cannot be read"
    name = stamp.get("entry")
    entry = next((each for each in rules.callers if each.name == name), None)
    if entry is None:
        return f"there is no entry `{name}` under `callers` any more, which had allowed it"
    return _refusal(event, rule, identity, entry)


def _refusal(event: "Event", rule: str, identity: "Identity", entry: "CallerSpec") -> str | None:
    from shared.callers import check_conf, entry_applies, event_entry, start_entry
    from shared.callers.errors import NotAllowed

    if not entry_applies(entry, identity):
        return f"the entry `{entry.name}` of `callers` is no longer about {identity}"
    try:
        if rule != CALL:
            event_entry([entry], identity, event_type=event.type, source=event.source)
            return None
        call = DirectRun.of(event)
        if call is None:
            return "it is not a call"
        start_entry([entry], identity, dag_id=call.dag_id, connection=call.connection)
        check_conf(entry, call.conf)
    except NotAllowed as refused:
        return f"the entry `{entry.name}` of `callers` no longer allows it: {refused}"
    return None
