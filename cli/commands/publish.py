"""`updraft publish EVENT.json`: send events to an Event Grid topic, as this process's managed identity."""

import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from cli.options import FILE
from cli.output import printable
from shared.errors import CredentialError, EventError, SettingsError, UpdraftError
from shared.values.app_settings import setting
from shared.values.json_text import JsonObject
from shared.values.urls import check_address

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TOPIC_ENDPOINT: Final = "UPDRAFT_TOPIC_ENDPOINT"
"""The setting that names the topic, as in `https://<topic>.<region>-1.eventgrid.azure.net/api/events`."""


def publish(
    events: Sequence[JsonObject],
    topic: str,
    *,
    credential: "TokenCredential | None" = None,
    timeout: float = 30,
) -> None:
    """Send events of one schema in one request; which of the two it is is seen by their members.

    Args:
        events: As `read` returns them.
        topic: The topic's endpoint; without a path, Event Grid's own (`/api/events`) is added, because the
            client adds none.
        credential: Whom to publish as; by default the process's one (`shared/azure/credential.py`), which
            needs the role EventGrid Data Sender on the topic.
        timeout: Seconds to wait for the topic.

    Raises:
        SettingsError: The topic's address is missing or unusable.
        CredentialError: There is no token, or the topic refuses the identity.
        UpdraftError: The topic cannot be reached or refuses the events.
    """
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from azure.eventgrid import EventGridPublisherClient

    from shared.azure.credential import azure_credential

    body: list[Any] = [*events]
    # With the call: the client's constructor drops its options (azure-eventgrid 4.22)
    options: dict[str, Any] = {
        "connection_timeout": timeout,
        "read_timeout": timeout,
        "permit_redirects": False,
    }
    try:
        with EventGridPublisherClient(endpoint(topic), credential or azure_credential()) as client:
            client.send(body, **options)
    except ClientAuthenticationError as error:
        raise CredentialError(
            f"{topic} refused this identity: it needs the role EventGrid Data Sender there", permanent=True
        ) from error
    except HttpResponseError as error:
        raise UpdraftError(f"{topic} answered {error.status_code}: {error.reason}") from error
    except AzureError as error:
        raise UpdraftError(f"{topic} cannot be reached: {error.message}") from error


def endpoint(topic: str) -> str:
    """Return the address to post to for a topic's endpoint.

    Raises:
        SettingsError: It is not an https address: the identity's token travels there.
    """
    try:
        check_address(topic, name="topic", example="https://contoso.westeurope-1.eventgrid.azure.net")
    except ValueError as error:
        raise SettingsError(f"{error} (--topic, or {TOPIC_ENDPOINT})") from None
    parts = urlsplit(topic)
    if parts.scheme != "https":
        raise SettingsError(
            f"the topic is {topic!r}; it has to be an https address (--topic, or {TOPIC_ENDPOINT})"
        )
    return topic if parts.path.strip("/") else f"https://{parts.netloc}/api/events"


def read(document: object) -> list[JsonObject]:
    """Check what is to be published, before anything is sent.

    An Event Grid event's `topic` is left out: it is Event Grid's to write, and it refuses events that have
    another (https://learn.microsoft.com/azure/event-grid/event-schema). So an event that was delivered once,
    or a sample, can be published as it is.

    Args:
        document: A decoded JSON object, or an array of objects of one schema.

    Raises:
        EventError: It holds nothing that Event Grid would take, with the reason.
    """
    events = document if isinstance(document, list) else [document]
    if not events:
        raise EventError("there is no event in an empty array")
    read: list[JsonObject] = []
    for number, event in enumerate(events):
        where = f"event {number + 1} of {len(events)}" if len(events) > 1 else "the document"
        if not isinstance(event, dict):
            raise EventError(f"{where} is a {type(event).__name__}, not a JSON object")
        needed = (
            ("id", "source", "type")
            if "specversion" in event
            else ("id", "subject", "eventType", "eventTime")
        )
        missing = [name for name in needed if not event.get(name)]
        if missing:
            raise EventError(f"{where} lacks {', '.join(missing)}; Event Grid would refuse it")
        read.append(event if "specversion" in event else without_topic(event))
    if len({"specversion" in event for event in read}) > 1:
        raise EventError(
            "the array mixes CloudEvents and Event Grid events; a topic takes one schema at a time"
        )
    return read


def without_topic(event: JsonObject) -> JsonObject:
    """Return an Event Grid event as its publisher has it."""
    return {name: value for name, value in event.items() if name != "topic"}


def renewed(event: JsonObject) -> JsonObject:
    """Return the event as if it happened now: with an id of its own and the present time."""
    time = "time" if "specversion" in event else "eventTime"
    return {**event, "id": str(uuid.uuid4()), time: datetime.now(UTC).isoformat()}


@click.command(
    "publish",
    help="Send one event, or an array of events, to an Event Grid topic as this process's managed identity. "
    "The schema, Event Grid's or CloudEvents, is seen by the events' own members.",
    epilog="Exit status: 0; 1 where the topic or the identity refuses; 2 where the file holds no event.",
)
@click.argument("file", metavar="EVENT.json", type=FILE, help="the file; - for standard input")
@click.option("--topic", metavar="URL", help=f"the topic's endpoint (default: ${TOPIC_ENDPOINT})")
@click.option("--new", is_flag=True, help="give each event a new id and the present time: no duplicate, then")
def command(*, file: str, topic: str | None, new: bool) -> int:
    """Publish the events of the file.

    Returns:
        0; 2 where the file cannot be read or holds no event.

    Raises:
        UpdraftError: The topic or the identity refuses.
    """
    try:
        document = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
        events = read(document)
    except OSError as error:
        print(printable(f"{file}: {error.strerror}"), file=sys.stderr)
        return 2
    except (ValueError, EventError) as error:
        print(printable(f"{file}: {error}"), file=sys.stderr)
        return 2
    if new:
        events = [renewed(event) for event in events]
    publish(events, topic or setting(os.environ, TOPIC_ENDPOINT))
    for event in events:
        print(printable(f"published {event['id']}"))
    return 0
