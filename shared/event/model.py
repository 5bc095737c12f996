"""The Event: one shape for whatever arrived, after CloudEvents 1.0."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.event.via import Via
from shared.values.json_text import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, whatever schema it arrived in.

    The attributes are those of CloudEvents 1.0 (https://github.com/cloudevents/spec, core specification);
    an Event Grid schema event's `topic`, `eventType` and `eventTime` become `source`, `type` and `time`.

    Attributes:
        id: Unique together with `source`: the pair is the event's identity.
        source: What it happened to: for Azure events the ARM id of the resource.
        type: What happened, as in `Microsoft.Web.SlotSwapCompleted`.
        subject: The part of the source that it is about.
        time: When it happened, RFC 3339, as it arrived.
        data: The payload; text in Base64 where `data_is_base64`.
        datacontenttype: The payload's media type.
        dataschema: The payload's schema, a URI (for Event Grid schema events its `dataVersion`).
        extensions: CloudEvents extension attributes, by their names.
        schema: How it arrived: `event-grid`, `cloudevents`, `kudu`, `github`, `azure-devops` or `acr`;
            parking forgets it, so nothing may be decided by it.
        data_is_base64: True where the payload is binary: it is carried unopened, as CloudEvents'
            `data_base64`.
        via: How it came (`via.py`): stamped at the trigger; no body can carry it.
        arrived: When it first arrived, RFC 3339, where its own time is too far ahead to be believed
            (`arrival.py`): then it counts in place of `time` where events are put in order.
        notes: What could not be used of the event as it arrived, in words: `updraft explain` and the log
            show them. No body can carry them, and parking forgets them.
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
        error: What is wrong, naming the member and the remedy.
        raw: The text as it arrived, whole: it goes to the dead-letter store. Bytes that are no UTF-8, and
            halves of surrogate pairs, stand in it as backslash escapes.
        id: The event's id, where that much could be read.
        type: The event's type, where that much could be read.
        source: The event's source, where that much could be read.
        via: How the body came.
    """

    error: str
    raw: str
    id: str | None = None
    type: str | None = None
    source: str | None = None
    via: Via = "unknown"
