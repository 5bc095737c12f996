"""The host's configuration: host.json, local.settings.json, and `%NAME%` in bindings.

Sources: the host.json reference (learn.microsoft.com/azure/azure-functions/functions-host-json) and the queue
binding's (functions-bindings-storage-queue); local.settings.json in functions-develop-local.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TIME_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2}(?:\.\d+)?)"
)
_SETTING_NAME = re.compile(r"%([^%]+)%")
_LARGEST_BATCH = 32
BODY_LIMIT = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
_BODY_LIMIT_UNSET = 100 * 1024 * 1024
"""Bytes that the real host accepts by default (functions-bindings-http-webhook-trigger, Limits)."""


class HostSettingsError(Exception):
    """host.json, local.settings.json or a binding has a value that the host cannot use."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`extensions.queues` of host.json, with the real host's defaults. Times are in seconds.

    Attributes:
        batch_size: Messages of one fetch, 1 to 32.
        new_batch_threshold: The most messages in work at which the next batch is fetched.
        max_dequeue_count: The number of failures after which a message goes to the poison queue.
        visibility_timeout: How long a failed message stays hidden.
        max_polling_interval: The longest wait between two polls of an empty queue; 2 s, as in `func start`.
        base64: Whether message bodies are base64 text (`messageEncoding`).
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    max_polling_interval: float = 2.0
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The values of host.json that this host uses.

    Attributes:
        route_prefix: The prefix of all HTTP routes; `api` by default, may be empty.
        function_timeout: The most seconds of an invocation; 1800 by default, None for no limit.
        queues: The queue trigger's options.
    """

    route_prefix: str = "api"
    function_timeout: float | None = 1800.0
    queues: QueueOptions = field(default_factory=QueueOptions)


def time_span(text: str) -> float:
    """Return the seconds of a .NET time span, as in `00:00:30` or `1.00:00:00`.

    Raises:
        HostSettingsError: If the text is not a time span.
    """
    found = _TIME_SPAN.fullmatch(text.strip())
    if not found:
        raise HostSettingsError(f"{text!r} is not a time span: write hours:minutes:seconds, as in 00:00:30")
    return (
        int(found["days"] or 0) * 86400
        + int(found["hours"]) * 3600
        + int(found["minutes"]) * 60
        + float(found["seconds"])
    )


def read_host_settings(app: Path) -> HostSettings:
    """Read host.json in the app's folder.

    Raises:
        HostSettingsError: If the file is missing, is not JSON, or has a value that the real host rejects.
    """
    path = app / "host.json"
    document = _read_object(path, required=True)
    if document.get("version") != "2.0":
        raise HostSettingsError(f'{path}: "version" must be "2.0"')
    extensions = document.get("extensions") or {}
    timeout = str(document.get("functionTimeout") or "00:30:00")
    try:
        return HostSettings(
            route_prefix=str((extensions.get("http") or {}).get("routePrefix", "api")).strip("/"),
            function_timeout=None if timeout == "-1" else time_span(timeout),
            queues=_queue_options(extensions.get("queues") or {}),
        )
    except HostSettingsError as error:
        raise HostSettingsError(f"{path}: {error}") from None


def _queue_options(section: Mapping[str, Any]) -> QueueOptions:
    batch_size = int(section.get("batchSize", 16))
    if not 1 <= batch_size <= _LARGEST_BATCH:
        raise HostSettingsError(
            f"extensions.queues.batchSize is {batch_size}; it must be 1 to {_LARGEST_BATCH}"
        )
    encoding = str(section.get("messageEncoding", "base64")).lower()
    if encoding not in {"base64", "none"}:
        raise HostSettingsError(
            f"extensions.queues.messageEncoding is {encoding!r}; it must be base64 or none"
        )
    longest = time_span(str(section.get("maxPollingInterval", "00:00:02")))
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=int(section.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=max(1, int(section.get("maxDequeueCount", 5))),
        visibility_timeout=time_span(str(section.get("visibilityTimeout", "00:00:00"))),
        max_polling_interval=max(0.1, longest),
        base64=encoding == "base64",
    )


def load_local_settings(app: Path, environment: dict[str, str] | None = None) -> list[str]:
    """Put `Values` of the app's local.settings.json into the environment, as `func start` does.

    Variables that the environment already has keep their values, so a caller can override the file.

    Returns:
        The names of the new variables.
    """
    target = os.environ if environment is None else environment
    values = _read_object(app / "local.settings.json", required=False).get("Values") or {}
    fresh = {str(name): str(value) for name, value in values.items() if name not in target}
    target.update(fresh)
    return list(fresh)


def resolve_names(text: str, settings: Mapping[str, str], *, where: str) -> str:
    """Replace each `%NAME%` in a binding's value by the application setting of that name.

    Raises:
        HostSettingsError: If the setting does not exist; the message has `where`, the binding's function.
    """

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if name not in settings:
            raise HostSettingsError(f"{where}: '%{name}%' does not resolve to a value; set {name}")
        return settings[name]

    return _SETTING_NAME.sub(value_of, text)


def _read_object(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if required:
            raise HostSettingsError(f"{path} is missing: a Functions app needs it") from None
        return {}
    try:
        document = json.loads(text)
    except ValueError as error:
        raise HostSettingsError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise HostSettingsError(f"{path} must be a JSON object")
    return document


def largest_body(settings: Mapping[str, str]) -> int:
    """Return the most bytes of a request's body.

    `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT`: https://learn.microsoft.com/azure/azure-functions/functions-app-settings

    Raises:
        HostSettingsError: If the setting is not a number.
    """
    given = settings.get(BODY_LIMIT, "").strip()
    if not given:
        return _BODY_LIMIT_UNSET
    if not (given.isascii() and given.isdigit() and int(given)):
        raise HostSettingsError(f"{BODY_LIMIT} is {given!r}: write a number of bytes, as in 2097152")
    return int(given)


def is_disabled(function: str, settings: Mapping[str, str]) -> bool:
    """Return whether the settings disable a function's trigger.

    `AzureWebJobs.<function>.Disabled`: https://learn.microsoft.com/azure/azure-functions/disable-function
    """
    return settings.get(f"AzureWebJobs.{function}.Disabled", "").lower() in {"true", "1"}
