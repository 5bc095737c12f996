"""An imitation of an Event Grid custom topic: it accepts and delivers events like Event Grid.

The real publisher client can use it, and its deliveries are like Event Grid's: the handshakes, the headers,
one event in each request, at least once, the retry schedule (which tests can speed up), the dead letters.

    topic          the server; `subscribe` adds a subscription
    access         who may publish
    schemas        events in both schemas, and their conversion
    subscriptions  the filter and the retries of a subscription
    deliveries     delivers events to subscriptions
    destinations   webhooks and Storage queues
    records        records of published, delivered and given-up events
"""

from local.stand_ins.event_grid_topic.destinations import HandshakeFailed, StorageQueue, Webhook
from local.stand_ins.event_grid_topic.records import DeadLetter, DeliveryRecord, PublishedRecord
from local.stand_ins.event_grid_topic.schemas import Schema
from local.stand_ins.event_grid_topic.subscriptions import RetryPolicy, Subscription
from local.stand_ins.event_grid_topic.topic import EventGridTopic

__all__ = (
    "DeadLetter",
    "DeliveryRecord",
    "EventGridTopic",
    "HandshakeFailed",
    "PublishedRecord",
    "RetryPolicy",
    "Schema",
    "StorageQueue",
    "Subscription",
    "Webhook",
)
