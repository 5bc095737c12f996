"""What a caller may do: the entries of `callers` in rules.yaml that its identity fits, and their rates."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from shared.callers.verifier import Identity
from shared.rules.model.callers import CallerSpec
from shared.rules.wildcards import matches_any
from shared.web import CallRefused

MOST_BUCKETS: Final = 10_000
"""Identities whose rate one instance remembers; the one that called longest ago is forgotten first."""

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}


def entry_applies(spec: CallerSpec, identity: Identity) -> bool:
    """Tell whether an entry is about an identity.

    A client id means the application itself: a token of a user who came by way of that application (as by
    Azure's command line) has the same client id, and has to be let in by its own object id, group or role.
    A user is let in only with one of the entry's `scopes`, and by way of one of its `clients` if it has any:
    otherwise each application that a user trusts with anything could call in the user's name.
    """
    if not identity.is_app and not _lets_users_in(spec, identity):
        return False
    if spec.app_id is not None:
        return identity.is_app and spec.app_id == identity.app_id
    if spec.object_id is not None:
        return spec.object_id == identity.object_id
    if spec.group is not None:
        return spec.group in identity.groups
    return spec.role in identity.roles


def _lets_users_in(spec: CallerSpec, identity: Identity) -> bool:
    return not identity.scopes.isdisjoint(spec.scopes or ()) and (
        spec.clients is None or identity.app_id in spec.clients
    )


def start_entry(
    callers: Iterable[CallerSpec], identity: Identity, *, dag_id: str, connection: str | None
) -> CallerSpec:
    """Return the entry that lets an identity start a DAG.

    Args:
        callers: The entries in force, each with its connection.
        identity: Who calls.
        dag_id: The DAG.
        connection: The connection that the caller named, if it did.

    Raises:
        CallRefused: 403. It is the same whether the DAG exists or not.
    """
    for spec in callers:
        if (
            entry_applies(spec, identity)
            and matches_any(spec.dags, dag_id)
            and (connection is None or connection == spec.connection)
        ):
            return spec
    raise denied(identity, f"start the DAG {dag_id}")


def event_entry(
    callers: Iterable[CallerSpec], identity: Identity, *, event_type: str, source: str
) -> CallerSpec:
    """Return the entry that lets an identity send an event.

    Raises:
        CallRefused: 403.
    """
    for spec in callers:
        if (
            entry_applies(spec, identity)
            and matches_any(spec.events, event_type, case=False)
            and (spec.sources is None or matches_any(spec.sources, source, case=False))
        ):
            return spec
    raise denied(identity, f"send events of type {event_type[:200]!r} about {source[:200]!r}")


def outcome_entry(callers: Iterable[CallerSpec], identity: Identity, *, dag_id: str) -> CallerSpec:
    """Return the entry that lets an identity report how a DAG's run ended.

    Raises:
        CallRefused: 403.
    """
    for spec in callers:
        if entry_applies(spec, identity) and matches_any(spec.outcomes, dag_id):
            return spec
    raise denied(identity, f"report outcomes of the DAG {dag_id}")


def status_entry(callers: Iterable[CallerSpec], identity: Identity) -> CallerSpec:
    """Return the entry that lets an identity read this app's status.

    Raises:
        CallRefused: 403.
    """
    for spec in callers:
        if entry_applies(spec, identity) and spec.status:
            return spec
    raise denied(identity, "read the status")


def check_conf(spec: CallerSpec, keys: Iterable[str]) -> None:
    """Check the keys of the conf that a caller asks for.

    Raises:
        CallRefused: 403, with the keys that are not allowed.
    """
    extra = sorted(key for key in keys if not matches_any(spec.conf, key))
    if extra:
        shown = ", ".join(repr(key[:60]) for key in extra[:5]) + (" and more" if len(extra) > 5 else "")  # noqa: PLR2004 - a line's worth
        raise CallRefused(403, "conf_denied", f"this caller may not set the conf keys {shown}")


def denied(identity: Identity, what: str) -> CallRefused:
    """Return the refusal of what no entry allows."""
    return CallRefused(
        403,
        "not_allowed",
        f"{identity} may not {what}; whoever runs this app can allow it under `callers` in rules.yaml",
    )


class Rates:
    """One token bucket for each identity at each entry, in this instance; safe to use from any thread.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def spend(self, spec: CallerSpec, identity: Identity, count: int = 1) -> None:
        """Take from the identity's bucket, which holds what the rate allows in its unit of time.

        Args:
            spec: The entry whose rate counts.
            identity: Who calls.
            count: How many runs, events, outcomes or answers it asks for.

        Raises:
            CallRefused: 429 with the seconds to wait; nothing is taken then.
        """
        capacity, _ = _rate(spec.rate)
        if count > capacity:
            raise CallRefused(
                413, "too_many_events", f"one call may hold at most {capacity:.0f} events: the caller's rate"
            )
        self._take((spec.name, identity.object_id), spec.rate, count)

    def spend_hook(self, kind: str, rate: str) -> None:
        """Take one delivery from the bucket of a kind of hook.

        Args:
            kind: The kind.
            rate: What the kind may use, as in `600/m`.

        Raises:
            CallRefused: 429 with the seconds to wait.
        """
        self._take(("hook", kind), rate, 1)

    def _take(self, key: tuple[str, str], rate: str, count: int) -> None:
        """Take from a bucket, or raise where it does not hold enough."""
        capacity, per_second = _rate(rate)
        with self._lock:
            now = self._clock()
            level, at = self._buckets.pop(key, (capacity, now))
            level = min(capacity, level + (now - at) * per_second)
            enough = level >= count
            self._buckets[key] = (level - count if enough else level, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if not enough:
            wait = int((count - level) / per_second) + 1
            raise CallRefused(
                429,
                "too_many_calls",
                f"more than {rate} calls; wait {wait} s",
                headers={"Retry-After": str(wait)},
            )


@lru_cache(maxsize=64)
def _rate(text: str) -> tuple[float, float]:
    count, _, unit = text.partition("/")
    return float(count), float(count) / _SECONDS[unit]
