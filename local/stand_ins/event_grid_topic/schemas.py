"""The two schemas of an event: checks of published bodies, and the conversion.

Sources: learn.microsoft.com/azure/event-grid/event-schema, .../cloud-event-schema (and CloudEvents 1.0),
.../event-schema-compatibility for the conversion.
"""

import json
from datetime import datetime
from enum import StrEnum
from typing import Any

CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"


class Schema(StrEnum):
    """The names of the schemas in subscriptions."""

    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENTS = "CloudEventSchemaV1_0"


class InvalidBody(Exception):
    """A published body that Event Grid would refuse; the message has the reason."""


class NotConvertible(Exception):
    """An event that cannot be converted to a subscription's schema."""


def read_published(body: bytes, content_type: str, *, topic: str) -> list[dict[str, Any]]:
    """Read a published body, check it like Event Grid, and add the members that Event Grid adds.

    Args:
        body: The request's body.
        content_type: The request's Content-Type: CloudEvents have their own, all others mean Event Grid's
            schema.
        topic: The topic's resource id, which each event without a topic gets.

    Raises:
        InvalidBody: For the first event that is not valid; none of the batch is then accepted.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidBody(f"the body is not JSON: {error}") from None
    if kind == CLOUD_EVENT:
        if not isinstance(document, dict):
            raise InvalidBody(f"a body of type {CLOUD_EVENT} must be one JSON object")
        return [_check_cloud_event(document)]
    if not isinstance(document, list):
        raise InvalidBody("the body must be a JSON array of events")
    if kind == CLOUD_EVENTS:
        return [_check_cloud_event(event) for event in document]
    return [_check_and_stamp(event, topic) for event in document]


def schema_of(event: dict[str, Any]) -> Schema:
    """The schema of an event that was accepted."""
    return Schema.CLOUD_EVENTS if "specversion" in event else Schema.EVENT_GRID


def type_of(event: dict[str, Any]) -> str:
    """The event's type, in either schema."""
    return str(event["type"] if "specversion" in event else event["eventType"])


def converted(event: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    """Return the event in a subscription's schema; None: as it was published.

    Raises:
        NotConvertible: If a CloudEvent should become an Event Grid event; Event Grid does not convert it.
    """
    if schema is None or schema is schema_of(event):
        return event
    if schema is Schema.EVENT_GRID:
        raise NotConvertible("a CloudEvent cannot be delivered in the Event Grid schema")
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "dataschema": f"#{event.get('dataVersion') or ''}",
        "data": event.get("data"),
    }


def _check_and_stamp(event: object, topic: str) -> dict[str, Any]:
    document = _require(event, ("id", "subject", "eventType", "eventTime"))
    _check_time(document["eventTime"], "eventTime")
    if document.get("topic") not in {None, "", topic}:
        raise InvalidBody(f"event {document['id']!r}: 'topic' is not this topic; leave it out")
    if str(document.get("metadataVersion") or "1") != "1":
        raise InvalidBody(f"event {document['id']!r}: 'metadataVersion' must be \"1\", or left out")
    return {
        **document,
        "topic": topic,
        "dataVersion": document.get("dataVersion") or "",
        "metadataVersion": "1",
    }


def _check_cloud_event(event: object) -> dict[str, Any]:
    document = _require(event, ("id", "source", "type", "specversion"))
    if document["specversion"] != "1.0":
        raise InvalidBody(f"event {document['id']!r}: 'specversion' must be \"1.0\"")
    if document.get("time") is not None:
        _check_time(document["time"], "time")
    if "data" in document and "data_base64" in document:
        raise InvalidBody(f"event {document['id']!r}: 'data' and 'data_base64' exclude each other")
    return document


def _require(event: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise InvalidBody("a member of the array is not a JSON object")
    for name in names:
        if not isinstance(event.get(name), str) or not event[name]:
            raise InvalidBody(f"event {event.get('id', '')!r}: '{name}' must be a string that is not empty")
    return event


def _check_time(value: object, name: str) -> None:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise InvalidBody(f"'{name}' is not an ISO 8601 time: {value!r}") from None
