"""Sends events to an Event Grid topic.

Azure's publisher client reads each event and writes it again, and a time with an offset becomes another
moment (azure-core 1.41 reads `+05:30` as `+00:30`). So this module sends the text of the events.

Source of the request: https://learn.microsoft.com/rest/api/eventgrid/dataplane/publish-events.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cli.hints import or_local
from cli.publish.posting import post
from shared.errors import CredentialError, EventError, SettingsError, UpdraftError
from shared.values.urls import check_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.core.credentials import TokenCredential

    from cli.publish.outgoing import Outgoing

TOPIC_ENDPOINT: Final = "UPDRAFT_TOPIC_ENDPOINT"
"""The setting that names the topic, as in `https://<topic>.<region>-1.eventgrid.azure.net/api/events`."""
SCOPE: Final = "https://eventgrid.azure.net/.default"
LARGEST: Final = 1_048_576
"""Bytes of one request that Event Grid takes
(https://learn.microsoft.com/azure/event-grid/quotas-limits)."""
_EXAMPLE: Final = "https://contoso.westeurope-1.eventgrid.azure.net"
_API_VERSION: Final = "2018-01-01"
_NO_RIGHT: Final = frozenset({401, 403})


def send(
    events: "Sequence[Outgoing]",
    topic: str,
    *,
    credential: "TokenCredential | None" = None,
    timeout: float = 30,
) -> None:
    """Send events of one schema in one request, each with its text unchanged.

    Args:
        events: As `read_outgoing` returns them.
        topic: The topic's endpoint; without a path, Event Grid's own (`/api/events`) is added.
        credential: The identity; by default the identity of the process (`shared/azure/credential.py`), which
            needs the role EventGrid Data Sender on the topic.
        timeout: Seconds to wait for the topic.

    Raises:
        EventError: They are too large for one request.
        SettingsError: The topic's address is missing or unusable.
        CredentialError: There is no token, or the topic refuses the identity.
        UpdraftError: The topic cannot be reached or refuses the events.
    """
    from shared.azure.credential import azure_credential, fetch_token

    url = endpoint(topic)
    content = f"[{','.join(each.text for each in events)}]".encode()
    if len(content) > LARGEST:
        raise EventError(
            f"the events have {len(content)} bytes, and Event Grid takes {LARGEST} in one request: "
            "publish them in parts"
        )
    batch = "cloudevents-batch+json" if events[0].cloud_event else "json"
    token = fetch_token(credential or azure_credential(), SCOPE).token
    headers = {"Content-Type": f"application/{batch}; charset=utf-8", "Authorization": f"Bearer {token}"}
    answer = post(f"{url}?api-version={_API_VERSION}", content, headers, timeout=timeout)
    if answer.status in _NO_RIGHT:
        raise CredentialError(
            f"{topic} refused this identity: it needs the role EventGrid Data Sender there", permanent=True
        )
    if not answer.good:
        raise UpdraftError(
            f"{topic} answered {answer.status}" + (f": {answer.words}" if answer.words else "")
        )


def endpoint(topic: str) -> str:
    """Return the address to post to for a topic's endpoint.

    Raises:
        SettingsError: It is missing or not an https address: the request has the identity's token.
    """
    if not topic:
        raise SettingsError(
            f"no topic is named: pass --topic URL, or set {TOPIC_ENDPOINT}, to the topic's endpoint such as "
            f"{_EXAMPLE}/api/events{or_local()}"
        )
    try:
        check_address(topic, name="topic", example=_EXAMPLE)
    except ValueError as error:
        raise SettingsError(f"{error} (--topic, or {TOPIC_ENDPOINT})") from None
    parts = urlsplit(topic)
    if parts.scheme != "https":
        raise SettingsError(
            f"the topic is {topic!r}; it has to be an https address (--topic, or {TOPIC_ENDPOINT})"
        )
    return topic if parts.path.strip("/") else f"https://{parts.netloc}/api/events"
