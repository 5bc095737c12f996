"""An Event Grid custom topic on one machine: takes events as Event Grid does, and delivers them as it does.

The real publisher client talks to it, and a function app cannot tell its deliveries from Event Grid's: the
handshakes, the headers, one event a request, at least once, the retry schedule (which tests can speed up),
the dead letters.

    topic          the server; `subscribe` adds a subscription
    access         who may publish
    schemas        events in both schemas, and from one to the other
    subscriptions  which events a subscription takes, and how often it retries
    deliveries     one event on its way to one subscription
    destinations   webhooks and Storage queues
    records        what was published, delivered and given up
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
