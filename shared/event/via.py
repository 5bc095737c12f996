"""The channel of an event.

The function that was triggered sets `via`. It is a field of the Event, and no body, extension attribute or
header can set it. It is stored with the event in parked messages, windows and dead letters.

| via | came by | who can send so |
|---|---|---|
| `queue` | the queue `updraft-events` | identities that may write into it: Event Grid's |
| `webhook` | Event Grid's webhook trigger | senders with the key `eventgrid_extension` |
| `hook/<kind>` | that kind's function | senders with its function key; GitHub also signs |
| `events` | `POST /api/events` | callers whose entry allows the type and the source |
| `call` | `POST /api/dags/{id}/runs` | callers whose entry allows the DAG |
| `replay` | `updraft replay` of a dead letter from another program | the operator |
| `unknown` | a file that is explained | nobody |

The functions `app_service` and `event_grid` have the same `via`, because they accept the same key.
"""

from typing import Final, Literal, TypeGuard, get_args

type Via = Literal[
    "queue",
    "webhook",
    "hook/acr",
    "hook/azure-devops",
    "hook/github",
    "hook/kudu",
    "events",
    "call",
    "replay",
    "unknown",
]

VIAS: Final[tuple[Via, ...]] = get_args(Via.__value__)
"""All channels, in the order of the table."""

HOOK_VIAS: Final[dict[str, Via]] = {
    "acr": "hook/acr",
    "azure-devops": "hook/azure-devops",
    "github": "hook/github",
    "kudu": "hook/kudu",
}
"""The channels of the hooks, by their kinds."""

KINDS: Final = tuple(HOOK_VIAS)
"""The kinds of hooks: of bodies without an envelope."""


def is_via(value: object) -> TypeGuard[Via]:
    """Return whether a value is a channel."""
    return isinstance(value, str) and value in VIAS
