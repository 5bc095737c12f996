"""The topic's web server: accepts events and delivers them to the subscriptions."""

import ssl
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from local.stand_ins.event_grid_topic.access import NotAllowed, ReadClaims, check_access, unsigned_claims
from local.stand_ins.event_grid_topic.deliveries import REMEMBERED, Deliveries
from local.stand_ins.event_grid_topic.destinations import Webhook
from local.stand_ins.event_grid_topic.records import DeadLetter, DeliveryRecord, PublishedRecord
from local.stand_ins.event_grid_topic.schemas import InvalidBody, Schema, read_published, type_of
from local.stand_ins.event_grid_topic.subscriptions import RetryPolicy, Subscription
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request

PATH = "/api/events"
API_VERSION = "2018-01-01"
LARGEST_BODY = 1024 * 1024
"""The most bytes of a request, and so of an event, in Event Grid."""


class EventGridTopic(LoopbackServer):
    """A custom topic on a loopback port.

    Args:
        tls: The server's TLS context; the publisher client sends tokens over HTTPS only.
        port: 0: a free one.
        key: The topic's access key; None: only tokens are accepted.
        read_claims: Checks a token, as `IdentityEndpoint.claims`; by default every signature is accepted.
        name: The topic's name, the end of its resource id.
        retry: The retries of subscriptions without their own.
        on_dead_letter: Called with each event that a subscription gave up.
        limit: The most waiting deliveries; beyond, publishing is answered 503.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        key: str | None = None,
        read_claims: ReadClaims = unsigned_claims,
        name: str = "local",
        retry: RetryPolicy | None = None,
        on_dead_letter: Callable[[DeadLetter], None] | None = None,
        limit: int = 10_000,
    ) -> None:
        super().__init__(tls=tls, port=port)
        self.resource_id = (
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
            f"/providers/Microsoft.EventGrid/topics/{name}"
        )
        self._key = key
        self._read_claims = read_claims
        self._retry = retry or RetryPolicy()
        self._subscriptions: dict[str, Subscription] = {}
        self._remembering = threading.Lock()
        self._events: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._published: deque[PublishedRecord] = deque(maxlen=REMEMBERED)
        self._deliveries = Deliveries(limit=limit, on_dead_letter=on_dead_letter)

    @property
    def endpoint(self) -> str:
        """The address for a publisher client."""
        return self.url + PATH

    @property
    def published(self) -> tuple[PublishedRecord, ...]:
        """The last events that were accepted, oldest first."""
        return tuple(self._published)

    @property
    def deliveries(self) -> tuple[DeliveryRecord, ...]:
        """The last attempts to deliver, oldest first."""
        return tuple(self._deliveries.records)

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last events that a subscription gave up, oldest first."""
        return tuple(self._deliveries.dead_letters)

    def start(self) -> "EventGridTopic":
        """Start answering and delivering."""
        self._deliveries.start()
        super().start()
        return self

    def stop(self) -> None:
        """Stop answering and delivering; events that wait for a retry are dropped."""
        super().stop()
        self._deliveries.stop()

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, after the handshake if it delivers to a webhook.

        Raises:
            HandshakeFailed: If the webhook fails the handshake.
            ValueError: If the name exists.
        """
        if subscription.name in self._subscriptions:
            raise ValueError(f"there is a subscription {subscription.name!r} already")
        if isinstance(subscription.destination, Webhook):
            schema = subscription.schema or Schema.EVENT_GRID
            subscription.destination.shake_hands(subscription.name, schema, self.resource_id)
        if subscription.retry == RetryPolicy():
            subscription = replace(subscription, retry=self._retry)
        self._subscriptions[subscription.name] = subscription

    def unsubscribe(self, name: str) -> None:
        """Remove a subscription; deliveries that have begun continue."""
        del self._subscriptions[name]

    def redeliver(self, event_id: str) -> int:
        """Deliver an event again, as at-least-once delivery may at any time.

        Returns:
            The number of its subscriptions.

        Raises:
            KeyError: If the event was never published here, or too long ago.
        """
        return self._deliver(self._events[event_id])

    def wait_idle(self, timeout: float) -> bool:
        """Wait until all deliveries have ended; False if `timeout` seconds were not enough."""
        return self._deliveries.wait_idle(timeout)

    def handle(self, request: Request) -> Reply:
        """Answer a publisher like Event Grid: 200, or 400, 401, 404, 413 with an error in JSON."""
        if request.path.rstrip("/") != PATH or request.method != "POST":
            return _refusal(404, "NotFound", f"Events are published with POST {PATH}.")
        if request.query.get("api-version") != API_VERSION:
            return _refusal(400, "InvalidApiVersion", f"The query must have api-version={API_VERSION}.")
        try:
            check_access(request.headers, key=self._key, read_claims=self._read_claims)
        except NotAllowed as error:
            return _refusal(401, "Unauthorized", str(error))
        if len(request.body) > LARGEST_BODY:
            return _refusal(413, "PayloadTooLarge", f"The body is larger than {LARGEST_BODY} bytes.")
        return self._take(request.body, request.headers.get("content-type", ""))

    def _take(self, body: bytes, content_type: str) -> Reply:
        try:
            events = read_published(body, content_type, topic=self.resource_id)
        except InvalidBody as error:
            return _refusal(400, "InvalidRequest", str(error))
        if not self._deliveries.has_room_for(len(events) * max(1, len(self._subscriptions))):
            return _refusal(503, "ServiceUnavailable", "Too many deliveries are waiting.")
        for event in events:
            self._accept(event)
        return Reply(200)

    def _accept(self, event: dict[str, Any]) -> None:
        identity = str(event["id"])
        with self._remembering:
            self._events[identity] = event
            self._events.move_to_end(identity)
            if len(self._events) > REMEMBERED:
                self._events.popitem(last=False)
        self._published.append(PublishedRecord(datetime.now(UTC), identity, type_of(event)))
        self._deliver(event)

    def _deliver(self, event: dict[str, Any]) -> int:
        wanting = [one for one in tuple(self._subscriptions.values()) if one.wants(event)]
        for subscription in wanting:
            self._deliveries.add(event, subscription)
        return len(wanting)


def _refusal(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"error": {"code": code, "message": f"{message} Report '{uuid.uuid4()}'."}})
