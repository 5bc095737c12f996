"""What a caller may do: the entries of `callers` in rules.yaml for its identity, and their rates."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from shared.callers.errors import ConfNotAllowed, NotAllowed, RateExceeded, TooManyEvents
from shared.callers.verifier import Identity
from shared.rules.model.callers import CallerSpec
from shared.rules.model.rule import UNIT_SECONDS
from shared.rules.wildcards import matches_any
from shared.runs.ref import RunRef
from shared.values.path_prefixes import has_dot_segments

MOST_BUCKETS: Final = 10_000
"""The most identities with a bucket in one instance; the least recently used one is dropped first."""

WITHOUT_ENTRY: Final = "60/m"
"""The rate of identities without an entry, and of runs with their own token."""


def entry_applies(spec: CallerSpec, identity: Identity) -> bool:
    """Return whether an entry applies to an identity.

    A client id means the application: a user's token from that application (such as Azure's command line) has
    the same client id, and needs an entry for its object id, group or role. A user needs one of the entry's
    `scopes`, and one of its `clients` if it has any: otherwise every application that a user trusts could
    call in the user's name.
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
    """Return the entry that allows an identity to start a DAG.

    Args:
        callers: The entries in force, each with its connection.
        identity: Who calls.
        dag_id: The DAG.
        connection: The connection that the caller named, if it did.

    Raises:
        NotAllowed: No entry does; the message is the same if the DAG does not exist.
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
    """Return the entry that allows an identity to send an event.

    Raises:
        NotAllowed: It may not.
    """
    for spec in callers:
        if (
            entry_applies(spec, identity)
            and matches_any(spec.events, event_type, case=False)
            and (spec.sources is None or _is_from(spec.sources, source))
        ):
            return spec
    raise denied(identity, f"send events of type {event_type[:200]!r} about {source[:200]!r}")


def _is_from(sources: Iterable[str], source: str) -> bool:
    """Return whether a source is one of an entry's; a path with `..` means another resource."""
    return matches_any(sources, source, case=False) and not has_dot_segments(source)


def check_may_send(callers: Iterable[CallerSpec], identity: Identity) -> None:
    """Check that an identity may send any events, before its body is read.

    Raises:
        NotAllowed: It may not.
    """
    if not any(spec.events is not None and entry_applies(spec, identity) for spec in callers):
        raise denied(identity, "send events")


def check_may_report(callers: Iterable[CallerSpec], identity: Identity) -> None:
    """Check that an identity may report runs of any DAG, before its body is read.

    Raises:
        NotAllowed: It may not.
    """
    if not any(spec.outcomes is not None and entry_applies(spec, identity) for spec in callers):
        raise denied(identity, "report outcomes")


def report_entry(callers: Iterable[CallerSpec], identity: Identity, *, dag_id: str) -> CallerSpec:
    """Return the entry that allows an identity to report how a DAG's run ended.

    Raises:
        NotAllowed: It may not.
    """
    for spec in callers:
        if entry_applies(spec, identity) and matches_any(spec.outcomes, dag_id):
            return spec
    raise denied(identity, f"report outcomes of the DAG {dag_id}")


def status_entry(callers: Iterable[CallerSpec], identity: Identity) -> CallerSpec:
    """Return the entry that allows an identity to read this app's status.

    Raises:
        NotAllowed: It may not.
    """
    for spec in callers:
        if entry_applies(spec, identity) and spec.status:
            return spec
    raise denied(identity, "read the status")


def check_conf(spec: CallerSpec, keys: Iterable[str]) -> None:
    """Check the keys of a caller's conf.

    Raises:
        ConfNotAllowed: Some are not allowed; the message names them.
    """
    extra = sorted(key for key in keys if not matches_any(spec.conf, key))
    if extra:
        shown = ", ".join(repr(key[:60]) for key in extra[:5]) + (" and more" if len(extra) > 5 else "")
        raise ConfNotAllowed(f"this caller may not set the conf keys {shown}")


def denied(identity: Identity, what: str) -> NotAllowed:
    """Return the refusal of a call that no entry allows."""
    return NotAllowed(
        f"{identity} may not {what}; the operator of this app can allow it under `callers` in rules.yaml"
    )


type _Buckets = OrderedDict[tuple[str, str], tuple[float, float]]


class Rates:
    """One token bucket for each identity and entry in this instance; safe to use from any thread.

    A refused request costs work too, so it takes from the bucket like any other.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: _Buckets = OrderedDict()
        self._without_entry: _Buckets = (
            OrderedDict()
        )  # separate, so that many unknown identities do not drop a caller's bucket

    def check_any_left(self, callers: Iterable[CallerSpec], identity: Identity) -> None:
        """Check the rate of a request before its body is read.

        An identity with several entries is allowed while one of its buckets is not empty. An identity without
        an entry takes from its bucket here.

        Args:
            callers: The entries in force.
            identity: Who calls.

        Raises:
            RateExceeded: The identity exceeds its rate.
        """
        entries = [spec for spec in callers if entry_applies(spec, identity)]
        if not entries:
            self._take(("", identity.object_id), WITHOUT_ENTRY, 1, self._without_entry)
        else:
            self._check_one_has_any(entries, identity)

    def spend_refusal(self, callers: Iterable[CallerSpec], identity: Identity) -> None:
        """Take one for a request that was refused after `check_any_left`, at each entry of the identity."""
        for spec in callers:
            if entry_applies(spec, identity):
                self._take_if_any((spec.name, identity.object_id), spec.rate)

    def spend_run(self, run: RunRef) -> None:
        """Take one report from the bucket of a run with its own token.

        Raises:
            RateExceeded: The bucket is empty.
        """
        self._take(("run", str(run)), WITHOUT_ENTRY, 1, self._without_entry)

    def spend(self, spec: CallerSpec, identity: Identity, count: int = 1) -> None:
        """Take from the identity's bucket, which holds one unit of time of the rate.

        Args:
            spec: The entry whose rate counts.
            identity: Who calls.
            count: How many runs, events, reports or responses it asks for.

        Raises:
            RateExceeded: There is not enough; nothing is taken.
            TooManyEvents: The bucket is too small for the count.
        """
        capacity, _ = _rate(spec.rate)
        if count > capacity:
            raise TooManyEvents(f"one call may hold at most {capacity:.0f} events: the caller's rate")
        self._take((spec.name, identity.object_id), spec.rate, count)

    def spend_hook(self, kind: str, rate: str) -> None:
        """Take one delivery from the bucket of a kind of hook.

        Args:
            kind: The kind.
            rate: The rate of the kind, as in `600/m`.

        Raises:
            RateExceeded: The bucket is empty.
        """
        self._take(("hook", kind), rate, 1)

    def _take(self, key: tuple[str, str], rate: str, count: int, buckets: _Buckets | None = None) -> None:
        """Take from a bucket, or raise if it does not hold enough."""
        kept = self._buckets if buckets is None else buckets
        with self._lock:
            level = self._level(kept, key, rate)
            enough = level >= count
            kept[key] = (level - count if enough else level, self._clock())
            if len(kept) > MOST_BUCKETS:
                kept.popitem(last=False)
        if not enough:
            raise RateExceeded(rate, (count - level) / _rate(rate)[1])

    def _take_if_any(self, key: tuple[str, str], rate: str) -> None:
        with self._lock:
            level = self._level(self._buckets, key, rate)
            self._buckets[key] = (max(level - 1, 0.0), self._clock())
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)

    def _check_one_has_any(self, entries: Iterable[CallerSpec], identity: Identity) -> None:
        waits: list[tuple[float, str]] = []
        with self._lock:
            for spec in entries:
                key = (spec.name, identity.object_id)
                level = self._level(self._buckets, key, spec.rate)
                if level >= 1:
                    return
                waits.append(((1 - level) / _rate(spec.rate)[1], spec.rate))
        seconds, rate = min(waits)
        raise RateExceeded(rate, seconds)

    def _level(self, buckets: _Buckets, key: tuple[str, str], rate: str) -> float:
        """Return the level of a bucket, and mark it as the last used; the lock is held."""
        capacity, per_second = _rate(rate)
        now = self._clock()
        level, at = buckets.get(key, (capacity, now))
        if key in buckets:
            buckets.move_to_end(key)
        return min(capacity, level + (now - at) * per_second)


@lru_cache(maxsize=64)
def _rate(text: str) -> tuple[float, float]:
    count, _, unit = text.partition("/")
    return float(count), float(count) / UNIT_SECONDS[unit]
