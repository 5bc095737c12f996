"""The destinations of a subscription: a webhook, with its handshake, or a Storage queue."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from local.stand_ins.event_grid_topic.schemas import CLOUD_EVENT, Schema, schema_of

if TYPE_CHECKING:
    from azure.storage.queue import QueueServiceClient

_ORIGIN = "eventgrid.azure.net"
_SUCCESSES = frozenset({200, 201, 202, 203, 204})
_OUTCOMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    429: "Busy",
    503: "Busy",
}


class HandshakeFailed(Exception):
    """A webhook failed the handshake; the subscription is not made."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended.

    Attributes:
        succeeded: Whether the destination took the event.
        outcome: One word.
        status: The HTTP status, if any.
    """

    succeeded: bool
    outcome: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP endpoint.

    Attributes:
        url: The endpoint, with its query.
        headers: Custom delivery headers; never logged.
        response_timeout: Seconds to wait for a response; Event Grid waits 30.
        verify: A file with the trusted certificate authority, or the system's.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    response_timeout: float = 30.0
    verify: bool | str = True

    def shake_hands(self, subscription: str, schema: Schema, topic: str) -> None:
        """Do the handshake with the endpoint, as Event Grid before it creates a subscription.

        Args:
            subscription: The subscription's name.
            schema: Decides which handshake: CloudEvents' OPTIONS or Event Grid's validation event.
            topic: The topic's resource id.

        Raises:
            HandshakeFailed: If the endpoint does not answer correctly.
        """
        try:
            if schema is Schema.CLOUD_EVENTS:
                self._ask_permission()
            else:
                self._validate(subscription, topic)
        except OSError as error:
            raise HandshakeFailed(
                f"{subscription}: no answer to the handshake: {type(error).__name__}"
            ) from None

    def deliver(self, event: dict[str, Any], *, subscription: str, attempt: int) -> Attempt:
        """Post one event; any status other than 200 to 204 is a failure."""
        cloud_event = schema_of(event) is Schema.CLOUD_EVENTS
        headers = {
            **self.headers,
            "Content-Type": f"{CLOUD_EVENT if cloud_event else 'application/json'}; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": subscription.upper(),
            "aeg-delivery-count": str(attempt - 1),
        }
        if not cloud_event:
            headers["aeg-data-version"] = str(event["dataVersion"])
            headers["aeg-metadata-version"] = str(event["metadataVersion"])
        body = json.dumps(event if cloud_event else [event], ensure_ascii=False).encode()
        try:
            status = self._send("POST", body, headers).status_code
        except requests.Timeout:
            return Attempt(succeeded=False, outcome="TimedOut")
        except OSError:  # requests' errors are OSErrors, and so is a missing certificate file
            return Attempt(succeeded=False, outcome="SocketError")
        if status in _SUCCESSES:
            return Attempt(succeeded=True, outcome="Success", status=status)
        return Attempt(succeeded=False, outcome=_OUTCOMES.get(status, "GenericError"), status=status)

    def _ask_permission(self) -> None:
        answer = self._send("OPTIONS", b"", {**self.headers, "WebHook-Request-Origin": _ORIGIN})
        allowed = answer.headers.get("WebHook-Allowed-Origin", "")
        if answer.status_code != requests.codes.ok or allowed not in {_ORIGIN, "*"}:
            raise HandshakeFailed(
                f"OPTIONS was answered {answer.status_code} with WebHook-Allowed-Origin {allowed!r}; "
                f"it must be 200 with {_ORIGIN} or *"
            )

    def _validate(self, subscription: str, topic: str) -> None:
        code = str(uuid.uuid4())
        event = {
            "id": str(uuid.uuid4()),
            "topic": topic,
            "subject": "",
            "data": {"validationCode": code, "validationUrl": ""},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": datetime.now(UTC).isoformat(),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {
            **self.headers,
            "Content-Type": "application/json; charset=utf-8",
            "aeg-event-type": "SubscriptionValidation",
            "aeg-subscription-name": subscription.upper(),
            "aeg-delivery-count": "0",
        }
        answer = self._send("POST", json.dumps([event]).encode(), headers)
        try:
            given = json.loads(answer.content)["validationResponse"]
        except (ValueError, LookupError, TypeError):
            given = None
        if answer.status_code != requests.codes.ok or given != code:
            raise HandshakeFailed(
                f"{subscription}: the validation event was answered {answer.status_code} "
                f"{'with another code' if given else 'without its code'}; it must be 200 and give it back"
            )

    def _send(self, method: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # No proxy for loopback, and no credentials from .netrc.
            return session.request(
                method,
                self.url,
                data=body,
                headers=dict(headers),
                timeout=self.response_timeout,
                allow_redirects=False,
                verify=self.verify,
            )


@dataclass(frozen=True, slots=True)
class StorageQueue:
    """A Storage queue; each message is one event, as base64 text.

    Source: https://github.com/MicrosoftDocs/azure-docs/issues/102923 (2022; 69702 of 2021: plain text).

    Attributes:
        service: A client of the queue service, with any identity.
        queue: The queue's name; it must exist, as for Event Grid.
        time_to_live: Seconds a message lives; -1: for ever.
    """

    service: "QueueServiceClient"
    queue: str
    time_to_live: int = -1

    def deliver(self, event: dict[str, Any], *, subscription: str, attempt: int) -> Attempt:  # noqa: ARG002 - as Webhook's
        """Put one event into the queue."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        text = base64.b64encode(json.dumps(event, ensure_ascii=False).encode()).decode()
        try:
            self.service.get_queue_client(self.queue).send_message(text, time_to_live=self.time_to_live)
        except ResourceNotFoundError:
            return Attempt(succeeded=False, outcome="NotFound", status=404)
        except (AzureError, ValueError):
            return Attempt(succeeded=False, outcome="GenericError")
        return Attempt(succeeded=True, outcome="Success")
