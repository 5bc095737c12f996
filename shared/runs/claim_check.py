"""The conf of a window's run: what Airflow can take stands in it, the rest is handed over by reference.

The whole conf lies in a blob then, and `_updraft.by_reference` in the run's conf has its address and the
names of what was left out (a claim check, https://learn.microsoft.com/azure/architecture/patterns/claim-check).
`updraft_airflow.whole_conf` reads it, and only from containers that Airflow's own configuration lists.
Whoever may start a run chooses its conf, and would else choose where Airflow's token for Storage goes.
"""

from shared.runs.provenance import RESERVED
from shared.values.json_text import Json, JsonObject
from shared.values.storable import MAX_CONF_BYTES, size_of


def claim_check(conf: JsonObject, url: str) -> tuple[JsonObject, JsonObject | None]:
    """Return the conf to send, and the whole one where that is too large to be sent.

    Args:
        conf: The whole conf, with what stands under `_updraft`.
        url: Where the whole conf will lie.

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
