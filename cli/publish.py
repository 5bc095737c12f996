"""`updraft publish EVENT.json`: send events to an Event Grid topic, as this process's managed identity."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.errors import CredentialError, EventError, SettingsError, UpdraftError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TOPIC_ENDPOINT: Final = "UPDRAFT_TOPIC_ENDPOINT"
"""The setting that names the topic, as in `https://<topic>.<region>-1.eventgrid.azure.net/api/events`."""


def publish(
    document: object, topic: str, *, credential: "TokenCredential | None" = None, timeout: float = 30
) -> list[str]:
    """Send one event or an array of events; which of the two schemas they have is seen by their members.

    Args:
        document: A decoded JSON object, or an array of objects of one schema.
        topic: The topic's endpoint; without a path, Event Grid's own (`/api/events`) is added, because the
            client adds none.
        credential: Whom to publish as; by default this process's one credential (`shared/credential.py`),
            which needs the role EventGrid Data Sender on the topic.
        timeout: Seconds to wait for the topic.

    Returns:
        The ids of the events, in their order.

    Raises:
        EventError: The document is no event that Event Grid would take.
        CredentialError: There is no token, or the topic refuses the identity.
        UpdraftError: The topic cannot be reached or refuses the events.
    """
    events = _read(document)
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError  # noqa: PLC0415 - seen only here
    from azure.core.messaging import CloudEvent  # noqa: PLC0415 - only publishing needs it
    from azure.eventgrid import EventGridPublisherClient  # noqa: PLC0415 - 50 ms that only publishing needs

    from shared.credential import azure_credential  # noqa: PLC0415 - as above

    body: list[Any] = [CloudEvent.from_dict(event) if "specversion" in event else event for event in events]
    try:
        with EventGridPublisherClient(
            endpoint(topic),
            credential or azure_credential(),
            connection_timeout=timeout,
            read_timeout=timeout,
        ) as client:
            client.send(body)
    except ClientAuthenticationError as error:
        raise CredentialError(
            f"{topic} refused this identity: it needs the role EventGrid Data Sender there", permanent=True
        ) from error
    except HttpResponseError as error:
        raise UpdraftError(f"{topic} answered {error.status_code}: {error.reason}") from error
    except AzureError as error:
        raise UpdraftError(f"{topic} cannot be reached: {error.message}") from error
    return [str(event["id"]) for event in events]


def endpoint(topic: str) -> str:
    """Return the address to post to for a topic's endpoint.

    Raises:
        SettingsError: It is not an https address: the identity's token travels there.
    """
    parts = urlsplit(topic)
    if parts.scheme != "https" or not parts.netloc:
        raise SettingsError(
            f"the topic is {topic!r}; it has to be an https address (--topic, or {TOPIC_ENDPOINT})"
        )
    return topic if parts.path.strip("/") else f"https://{parts.netloc}/api/events"


def _read(document: object) -> list[dict[str, Any]]:
    events = document if isinstance(document, list) else [document]
    if not events:
        raise EventError("there is no event in an empty array")
    read: list[dict[str, Any]] = []
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
        read.append(event)
    if len({"specversion" in event for event in read}) > 1:
        raise EventError(
            "the array mixes CloudEvents and Event Grid events; a topic takes one schema at a time"
        )
    return read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `updraft publish` takes."""
    parser.add_argument(
        "event", metavar="EVENT.json", help="a file with one event or an array; - reads stdin"
    )
    parser.add_argument("--topic", metavar="URL", help=f"the topic's endpoint (default: ${TOPIC_ENDPOINT})")


def run(options: argparse.Namespace) -> int:
    """Run `updraft publish`; returns the process's exit code: 0, or 1 with the reason on standard error."""
    topic = options.topic or os.environ.get(TOPIC_ENDPOINT, "")
    try:
        text = sys.stdin.read() if options.event == "-" else Path(options.event).read_text(encoding="utf-8")
        ids = publish(json.loads(text), topic)
    except OSError as error:
        print(f"updraft publish: {options.event}: {error.strerror}", file=sys.stderr)
    except ValueError as error:
        print(f"updraft publish: {options.event} is not JSON: {error}", file=sys.stderr)
    except UpdraftError as error:
        print(f"updraft publish: {error}", file=sys.stderr)
    else:
        for event_id in ids:
            print(f"published {event_id}")
        return 0
    return 1
