"""The Event: one model for every schema, after CloudEvents 1.0."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.event.via import Via
from shared.values.json_text import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """One event of any schema.

    CloudEvents 1.0 defines the attributes (https://github.com/cloudevents/spec, core specification);
    an Event Grid schema event's `topic`, `eventType` and `eventTime` become `source`, `type` and `time`.

    Attributes:
        id: Unique together with `source`: the pair is the event's identity.
        source: The resource that it happened to: for Azure events its ARM id.
        type: What happened, as in `Microsoft.Web.SlotSwapCompleted`.
        subject: The part of the source that it is about.
        time: When it happened, RFC 3339, as it arrived.
        data: The payload; text in Base64 where `data_is_base64`.
        datacontenttype: The payload's media type.
        dataschema: The payload's schema, a URI (for Event Grid schema events its `dataVersion`).
        extensions: CloudEvents extension attributes, by their names.
        schema: Its schema at arrival: `event-grid`, `cloudevents`, `kudu`, `github`, `azure-devops` or `acr`.
            A parked event does not have it, so no decision may depend on it.
        data_is_base64: True if the payload is binary, as CloudEvents' `data_base64`.
        via: The channel of the event (`via.py`): the trigger sets it, and no body can.
        arrived: When it first arrived, RFC 3339, if its own time is too far ahead (`arrival.py`): then events
            are ordered by it and not by `time`.
        notes: Which parts of the event could not be used: `updraft explain` and the log show them. No body
            can set them, and a parked event does not have them.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    data: Json = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, Json] = field(default_factory=dict)
    schema: str = "cloudevents"
    data_is_base64: bool = False
    via: Via = "unknown"
    arrived: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def to_cloud_event(self) -> JsonObject:
        """Return the event as a CloudEvents 1.0 JSON object, absent attributes left out."""
        known: JsonObject = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": self.datacontenttype,
            "dataschema": self.dataschema,
            "data_base64" if self.data_is_base64 else "data": self.data,
        }
        return {**{name: value for name, value in known.items() if value is not None}, **self.extensions}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body, or one member of a batch, that cannot be read as an event.

    Attributes:
        error: The problem, with the member and the fix.
        raw: The whole text as it arrived, for the dead-letter store. Bytes that are not UTF-8, and halves of
            surrogate pairs, are backslash escapes.
        id: The event's id, if it could be read.
        type: The event's type, if it could be read.
        source: The event's source, if it could be read.
        via: The channel of the body.
    """

    error: str
    raw: str
    id: str | None = None
    type: str | None = None
    source: str | None = None
    via: Via = "unknown"
