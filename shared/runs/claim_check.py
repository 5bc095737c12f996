"""Claim check: the largest members of a window's conf are passed by reference.

The whole conf is in a blob, and `_updraft.by_reference` in the run's conf has the blob's address and the
names of the missing members (https://learn.microsoft.com/azure/architecture/patterns/claim-check).
`updraft_airflow.whole_conf` reads it, but only from containers that Airflow's configuration lists.
Otherwise a caller that may start a run could choose, with its conf, where Airflow's token for Storage is
sent.
"""

from shared.runs.provenance import RESERVED
from shared.values.json_text import Json, JsonObject
from shared.values.storable import MAX_CONF_BYTES, size_of


def claim_check(conf: JsonObject, url: str) -> tuple[JsonObject, JsonObject | None]:
    """Return the conf to send, and the whole conf if it is too large to send.

    Args:
        conf: The whole conf, with `_updraft`.
        url: The address of the whole conf's blob.

    Returns:
        The same conf and None; or a conf without the largest members, and the whole conf.
    """
    if size_of(conf) <= MAX_CONF_BYTES:
        return conf, None
    largest = sorted(conf.keys() - {RESERVED}, key=lambda name: (-size_of(conf[name]), name))
    left_out: list[Json] = []
    sent = conf
    for name in largest:
        left_out.append(name)
        sent = _without(conf, left_out, url)
        if size_of(sent) <= MAX_CONF_BYTES:
            break
    return sent, conf


def _without(conf: JsonObject, names: list[Json], url: str) -> JsonObject:
    identity = conf[RESERVED]
    assert isinstance(identity, dict)
    reference: JsonObject = {"url": url, "members": list(names)}
    kept = {name: value for name, value in conf.items() if name not in names}
    return {**kept, RESERVED: {**identity, "by_reference": reference}}
