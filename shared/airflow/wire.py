"""Sends one request to an Airflow over HTTP; every failure becomes an `AirflowResponse`.

The official client makes addresses, bodies and connections. But it has no time-out, follows redirects with a
second POST, and raises validation errors for responses of newer servers after the run exists. So every call
has time-outs here, redirects are responses, and the body is read leniently and up to a limit.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.airflow.response import AirflowResponse
from shared.backoff import retry_after_seconds
from shared.version import VERSION

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from shared.rules import Connection
    from shared.values.json_text import JsonObject

BODY_LIMIT: Final = 1_048_576
"""The most bytes of a response; a run echoes its conf, which is far smaller."""
_CHUNK: Final = 65_536
TEXT_KEPT: Final = 600
"""The most characters of a response that is not JSON."""
_CODE_KEPT: Final = 80
_SHORTEST_TIMEOUT: Final = 0.05
_KEEP_ALIVE_SECONDS: Final = 60


class Wire:
    """The HTTP connections to one Airflow; safe to use from any thread, one object for the whole process.

    Args:
        connection: Airflow's address, and the time-outs.
    """

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self._lock = threading.Lock()
        self._api: Any = None

    def send(
        self, method: str, path: str, body: object, credential: Mapping[str, str], within: float | None
    ) -> AirflowResponse:
        """Send one request and read its response; only here the libraries' errors become responses.

        Args:
            method: GET or POST.
            path: The path after the connection's address, with quoted segments (`segment`).
            body: The JSON body, made of plain values; None sends no body.
            credential: The headers with the credential.
            within: The most seconds of the request, if less than the connection's time-outs.
        """
        from urllib3.exceptions import HTTPError

        from shared.airflow.official_client import slim_client

        api = self.client()
        headers = {"Accept": "application/json", **credential}
        if body is not None:
            headers["Content-Type"] = "application/json"
        most = max(within if within is not None else float("inf"), _SHORTEST_TIMEOUT)
        timeouts = (min(self.connection.connect_timeout, most), min(self.connection.read_timeout, most))
        started = time.monotonic()
        answer = AirflowResponse()
        try:
            # The body is plain JSON already; the client would copy it once more, which costs time.
            method, url, headers, *_ = api.param_serialize(method, path, header_params=headers)
            response = api.call_api(method, url, headers, body, _request_timeout=timeouts).response
            answer = _head(response)
            answer = _with_body(answer, response, until=started + min(sum(timeouts), most))
        except (HTTPError, slim_client().ApiException) as exc:
            from shared.airflow.connection_faults import Seconds, fault_of

            fault = fault_of(exc, self.connection.url, Seconds(*timeouts))
            sent = answer.status is not None or _may_be_sent(exc)
            answer = replace(answer, sent=sent, error=fault.words, fault=fault.code)
        except ValueError as exc:
            # http.client refuses a header with a line break, and its error shows the token. After a response,
            # urllib3 fails on a redirect to an invalid address.
            unsendable = isinstance(exc, UnicodeError) or str(exc).startswith("Invalid header")
            answer = (
                AirflowResponse(sent=False, error="the token has characters that a header cannot hold")
                if unsendable
                else replace(answer, sent=True, error="the response is a redirect to an invalid address")
            )
        return replace(answer, seconds=time.monotonic() - started)

    def client(self) -> Any:
        """Return the official client for this Airflow, made on first use."""
        with self._lock:
            if self._api is None:
                from urllib3.util import Retry

                from shared.airflow.official_client import slim_client

                slim = slim_client()
                self._api = slim.ApiClient(
                    slim.Configuration(
                        host=self.connection.url.rstrip("/"),
                        retries=Retry(total=False, redirect=False, raise_on_status=False),
                        connection_pool_maxsize=self.connection.in_flight,
                        socket_options=_socket_options(),
                    )
                )
                self._api.user_agent = f"updraft/{VERSION}"
                from shared.airflow.connections import tell_handshakes

                tell_handshakes(self._api.rest_client.pool_manager)
            return self._api


def _socket_options() -> list[tuple[int, int, int]]:
    """Keep idle connections alive: Azure's load balancers drop them after 4 minutes without notice.

    See https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-idle-timeout. A request on a
    dropped connection would wait for its time-out, and its run would be in doubt.
    """
    from urllib3.connection import HTTPConnection

    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if hasattr(socket, "TCP_KEEPIDLE"):  # macOS and old Windows have another name for it, or do not have it
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_SECONDS))
    return options


def _head(response: "BaseHTTPResponse") -> AirflowResponse:
    return AirflowResponse(
        status=response.status,
        retry_after=retry_after_seconds(response.headers.get("Retry-After"), lambda: datetime.now(UTC)),
        code=re.split("[:#]", response.headers.get("x-amzn-ErrorType", ""))[0][:_CODE_KEPT],
        location=_server_of(response.headers.get("Location", "")),
    )


def _server_of(location: str) -> str:
    """Return scheme and host of an address; empty if they are missing or cannot be read."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""


def _with_body(answer: AirflowResponse, response: "BaseHTTPResponse", *, until: float) -> AirflowResponse:
    """Read the body up to its limits, and return the connection to the pool or close it."""
    chunks: list[bytes] = []
    size = 0
    whole = False
    try:
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                return replace(answer, error=f"the response is larger than {BODY_LIMIT} bytes")
            if response.length_remaining == 0 and "Content-Encoding" not in response.headers:
                break  # the whole announced body was read
            if time.monotonic() > until:
                return replace(answer, error="the response did not end in time")
        whole = True
    finally:
        if whole:
            response.release_conn()
        else:
            response.close()
    raw = b"".join(chunks)
    body = _json_object(raw)
    text = "" if body is not None else " ".join(raw[: 4 * TEXT_KEPT].decode(errors="replace").split())
    return replace(answer, body=body, text=text[:TEXT_KEPT])


def _json_object(raw: bytes) -> "JsonObject | None":
    try:
        decoded = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _may_be_sent(exc: Exception) -> bool:
    """Return whether a request that failed with this error may have reached Airflow; True if uncertain.

    A failed TLS handshake is a `NewConnectionError` (`shared/airflow/connections.py`).
    """
    from urllib3 import exceptions

    certainly_not = (
        exceptions.ConnectTimeoutError,
        exceptions.NewConnectionError,  # refused, unreachable, or a name that does not resolve
        exceptions.ProxyError,
        exceptions.LocationValueError,
    )
    return not isinstance(exc, certainly_not)
