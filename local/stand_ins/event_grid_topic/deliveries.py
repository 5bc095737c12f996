"""Delivers each event to each subscription in the background, at least once."""

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.stand_ins.event_grid_topic.destinations import Attempt
from local.stand_ins.event_grid_topic.records import DeadLetter, DeliveryRecord
from local.stand_ins.event_grid_topic.schemas import NotConvertible, Schema, converted, schema_of, type_of
from local.stand_ins.event_grid_topic.subscriptions import NEVER_RETRIED, Subscription

_log = logging.getLogger(__name__)

_WORKERS = 8
REMEMBERED = 1000
"""The most records, dead letters and published events in memory."""


@dataclass(slots=True)
class _Delivery:
    """The delivery of one event to one subscription."""

    event: dict[str, Any]
    subscription: Subscription
    published: datetime
    started: float
    attempt: int = 1


class Deliveries:
    """All deliveries that have not ended.

    Args:
        limit: The most waiting deliveries.
        on_dead_letter: Called with each event that was given up.
    """

    def __init__(self, *, limit: int, on_dead_letter: Callable[[DeadLetter], None] | None) -> None:
        self.limit = limit
        self.records: deque[DeliveryRecord] = deque(maxlen=REMEMBERED)
        self.dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)
        self._on_dead_letter = on_dead_letter
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, _Delivery]] = []
        self._order = itertools.count()
        self._pending = 0
        self._stopping = False
        self._pool: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start delivering."""
        self._pool = ThreadPoolExecutor(_WORKERS, "event-grid-delivery")
        self._thread = threading.Thread(target=self._schedule, name="event-grid-schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; running attempts end first, the rest is dropped."""
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._thread = self._pool = None

    def has_room_for(self, count: int) -> bool:
        """Whether so many more deliveries may wait."""
        with self._changed:
            return self._pending + count <= self.limit

    def add(self, event: dict[str, Any], subscription: Subscription) -> None:
        """Deliver an event, until it succeeds or is given up."""
        delivery = _Delivery(event, subscription, datetime.now(UTC), time.monotonic())
        with self._changed:
            self._pending += 1
            self._push(delivery, 0.0)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until all deliveries have ended; False if `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout)

    def _push(self, delivery: _Delivery, wait: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + wait, next(self._order), delivery))
        self._changed.notify_all()

    def _schedule(self) -> None:
        pool = self._pool
        assert pool is not None
        while True:
            with self._changed:
                while not self._stopping and (not self._waiting or self._waiting[0][0] > time.monotonic()):
                    due = self._waiting[0][0] - time.monotonic() if self._waiting else None
                    self._changed.wait(due)
                if self._stopping:
                    return
                delivery = heapq.heappop(self._waiting)[2]
            pool.submit(self._attempt, delivery)

    def _attempt(self, delivery: _Delivery) -> None:
        try:
            self._try(delivery)
        except Exception:  # noqa: BLE001 - one delivery's trouble is its own
            _log.exception("delivery to %s failed unexpectedly", delivery.subscription.name)
            self._done()

    def _try(self, delivery: _Delivery) -> None:
        subscription, retry = delivery.subscription, delivery.subscription.retry
        if time.monotonic() - delivery.started > retry.time_to_live:
            self._give_up(delivery, "TimeToLiveExceeded", "TimedOut", delivery.attempt - 1)
            return
        try:
            event = converted(delivery.event, subscription.schema)
        except NotConvertible:
            self._give_up(delivery, "SchemaNotConvertible", "NotConvertible", 0)
            return
        began, clock = datetime.now(UTC), time.perf_counter()
        ended = subscription.destination.deliver(
            event, subscription=subscription.name, attempt=delivery.attempt
        )
        self._record(delivery, ended, began, (time.perf_counter() - clock) * 1000)
        if ended.succeeded:
            self._done()
        elif ended.status in NEVER_RETRIED:
            self._give_up(delivery, "UndeliverableDueToClientError", ended.outcome, delivery.attempt)
        elif delivery.attempt >= retry.max_attempts:
            self._give_up(delivery, "MaxDeliveryAttemptsExceeded", ended.outcome, delivery.attempt)
        else:
            wait = retry.wait(delivery.attempt, ended.status)
            delivery.attempt += 1
            with self._changed:
                if not self._stopping:
                    self._push(delivery, wait)

    def _record(self, delivery: _Delivery, ended: Attempt, began: datetime, milliseconds: float) -> None:
        record = DeliveryRecord(
            time=began,
            subscription=delivery.subscription.name,
            event_id=str(delivery.event["id"]),
            event_type=type_of(delivery.event),
            attempt=delivery.attempt,
            status=ended.status,
            succeeded=ended.succeeded,
            outcome=ended.outcome,
            milliseconds=milliseconds,
        )
        self.records.append(record)
        _log.info("%s", record)

    def _give_up(self, delivery: _Delivery, reason: str, outcome: str, attempts: int) -> None:
        members = {
            "deadLetterReason": reason,
            "deliveryAttempts": attempts,
            "lastDeliveryOutcome": outcome,
            "publishTime": delivery.published.isoformat(),
            "lastDeliveryAttemptTime": datetime.now(UTC).isoformat(),
        }
        if schema_of(delivery.event) is Schema.CLOUD_EVENTS:
            members = {name.lower(): value for name, value in members.items()}
        letter = DeadLetter(delivery.subscription.name, {**delivery.event, **members})
        self.dead_letters.append(letter)
        try:
            if self._on_dead_letter:
                self._on_dead_letter(letter)
        except Exception:  # noqa: BLE001 - whatever the caller's function does, the topic goes on
            _log.exception("the dead letter of event %s was not taken", delivery.event["id"])
        self._done()

    def _done(self) -> None:
        with self._changed:
            self._pending -= 1
            self._changed.notify_all()
