"""Sends requests with a credential; a credential that Airflow calls stale is renewed once."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.airflow.failure_table import is_unauthorized
from shared.airflow.response import AirflowResponse, Question
from shared.airflow.wire import Wire

if TYPE_CHECKING:
    from shared.airflow.auth.source import TokenSource
    from shared.rules import Connection


class Transport[Credential](ABC):
    """Sends requests to one Airflow; safe to use from any thread, one object for the whole process.

    Args:
        current: Returns the credential; raises `CredentialError` if it cannot get one.
        renewed: Gets a refused credential and returns another one, or the same if there is no other.
    """

    def __init__(
        self, current: Callable[[], Credential], renewed: Callable[[Credential], Credential]
    ) -> None:
        self._current = current
        self._renewed = renewed

    @abstractmethod
    def send(
        self, method: str, path: str, body: object, credential: Credential, within: float | None
    ) -> AirflowResponse:
        """Send one request with a credential; arguments as `ask`."""

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        question: Question,
        within: float | None = None,
    ) -> AirflowResponse:
        """Send with a token; if Airflow calls it stale, send once more with a new one.

        Args:
            method: GET or POST.
            path: The path after the connection's address, with quoted segments (`segment`).
            body: The JSON body, made of plain values; None sends no body.
            question: What the request asks for: a 2xx response needs the documented form for it.
            within: The most seconds of the request, if less than the connection's time-outs.

        Raises:
            CredentialError: There is no token; nothing was sent.
        """
        started = time.monotonic()
        credential = self._current()
        token_seconds = time.monotonic() - started
        answer = self.send(method, path, body, credential, within)
        if (answer.status or 0) >= HTTPStatus.BAD_REQUEST and is_unauthorized(
            replace(answer, question=question)
        ):
            renewal = time.monotonic()
            renewed = self._renewed(credential)
            token_seconds += time.monotonic() - renewal
            if renewed != credential:
                left = None if within is None else within - (time.monotonic() - started)
                first = answer.seconds
                answer = self.send(method, path, body, renewed, left)
                answer = replace(answer, seconds=answer.seconds + first)
        return replace(answer, token_seconds=token_seconds, question=question)


class HeaderTransport(Transport[Mapping[str, str]]):
    """The usual case: the credential is a set of headers.

    Args:
        connection: Airflow's address, and the time-outs.
        tokens: Returns the headers.

    Attributes:
        wire: The HTTP connections.
    """

    def __init__(self, connection: "Connection", tokens: "TokenSource") -> None:
        super().__init__(tokens.headers, tokens.renew)
        self.wire = Wire(connection)

    def send(
        self, method: str, path: str, body: object, credential: Mapping[str, str], within: float | None
    ) -> AirflowResponse:
        """Send one request with these headers; see `Transport`."""
        return self.wire.send(method, path, body, credential, within)


def segment(name: str) -> str:
    """Quote one segment of a path, and the dots of `.` and `..` (RFC 3986 section 5.2.4)."""
    return quote(name, safe="") if name.strip(".") else "%2E" * len(name)
