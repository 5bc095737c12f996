"""The webhook of the Event Grid trigger: `/runtime/webhooks/EventGrid?functionName=`.

Microsoft.Azure.WebJobs.Extensions.EventGrid gives the same answers (HttpRequestProcessor and
EventGridExtensionConfigProvider in Azure/azure-sdk-for-net).
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.functions_host.invocations import Invocations, message_of
from local.functions_host.protos import TypedData
from local.functions_host.worker import Function, Result

log = logging.getLogger("Host.Triggers.EventGrid")

_ORIGINS = (
    "eventgrid.azure.net",
    "eventgrid.azure.us",
    "eventgrid.azure.cn",
    "eventgrid.azure.eaglex.ic.gov",
    "eventgrid.azure.microsoft.scloud",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the webhook."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class EventGridWebhook:
    """Answers Event Grid's requests by running the functions.

    Args:
        functions: The app's Event Grid functions.
        invocations: Runs them.
    """

    def __init__(self, functions: Mapping[str, Function], invocations: Invocations) -> None:
        self._names = frozenset(functions)
        self._invocations = invocations

    async def answer(
        self, method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request.

        Args:
            method: The HTTP method.
            query: The query's parameters; the case of their names is ignored.
            headers: The request's headers; the case of their names is ignored.
            body: The request's body.
        """
        name = {key.lower(): value for key, value in query.items()}.get("functionname", "")
        if name not in self._names:
            log.info(
                "cannot find function: '%s', available function names: [%s]",
                name,
                ", ".join(sorted(self._names)),
            )
            return Answer(404, f"cannot find function: '{name}'")
        lowered = {key.lower(): value for key, value in headers.items()}
        if method == "OPTIONS":
            return _allow(lowered.get("webhook-request-origin", ""))
        kind = lowered.get("aeg-event-type", "").lower()
        try:
            if kind == "subscriptionvalidation":
                log.info("perform handshake with eventGrid for function: %s", name)
                return Answer(200, json.dumps({"validationResponse": _validation_code(_parse(body))}))
            if kind == "notification":
                return await self._notify(name, _parse(body))
        except _UnreadableBodyError as error:
            # The extension does not catch its parser's exception: the web server answers an empty 500.
            log.error("An unhandled exception in the Event Grid webhook of '%s': %s", name, error)  # noqa: TRY400 - the message is enough
            return Answer(500)
        return Answer(202) if kind == "unsubscribe" else Answer(400)

    async def _notify(self, name: str, document: object) -> Answer:
        events = document if isinstance(document, list) else [document]
        if not isinstance(document, (list, dict)):
            raise _UnreadableBodyError("the request's body is not a JSON object or array")
        results = await asyncio.gather(*(self._run(name, event) for event in events))
        failed = next((result for result in results if not result.succeeded), None)
        return Answer(500, message_of(name, failed)) if failed else Answer(202)

    async def _run(self, name: str, event: object) -> Result:
        reason = f"EventGrid trigger fired at {datetime.now(UTC).isoformat()}"
        if not isinstance(event, dict):
            error = f"a member of the array is not a JSON object but {type(event).__name__}"
            return await self._invocations.refuse(name, reason=reason, error=error)
        data = TypedData(json=json.dumps(event, ensure_ascii=False))
        return await self._invocations.run(name, data, reason=reason)


class _UnreadableBodyError(Exception):
    """The extension cannot read the request's body."""


def _parse(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise _UnreadableBodyError(str(error)) from None


def _validation_code(document: Any) -> str:
    try:
        if isinstance(document, list):
            return str(document[0]["data"]["validationCode"])
        data = document["data"]
        return str((json.loads(data) if isinstance(data, str) else data)["validationCode"])
    except (LookupError, TypeError, ValueError) as error:
        raise _UnreadableBodyError(f"no data.validationCode: {error!r}") from None


def _allow(origin: str) -> Answer:
    allowed = origin if origin.lower() in _ORIGINS else _ORIGINS[0]
    return Answer(200, headers={"Webhook-Allowed-Origin": allowed})
