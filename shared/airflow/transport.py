"""Sends requests that prove who we are; a credential that Airflow calls stale is renewed once."""

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


class Transport[Proof](ABC):
    """Sends requests to one Airflow; safe to use from any thread, and made for the life of the process.

    Args:
        current: Returns what proves who we are; raises `CredentialError` where there is nothing.
        renewed: Returns another proof than the given one, which Airflow refused; equal to it where there is
            no other.
    """

    def __init__(self, current: Callable[[], Proof], renewed: Callable[[Proof], Proof]) -> None:
        self._current = current
        self._renewed = renewed

    @abstractmethod
    def send(
        self, method: str, path: str, body: object, proof: Proof, within: float | None
    ) -> AirflowResponse:
        """Send one request with a proof; arguments as `ask`."""

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        question: Question,
        within: float | None = None,
    ) -> AirflowResponse:
        """Send with a token; where Airflow calls it stale, once more with a new one.

        Args:
            method: GET or POST.
            path: From the connection's address on, its segments quoted (`segment`).
            body: What is sent as JSON, made of plain values; None sends nothing.
            question: What is asked: a good answer has to have the form that is documented for it.
            within: Seconds that the request may take at most, where that is less than the connection's own.

        Raises:
            CredentialError: There is no token to ask with; nothing was sent.
        """
        started = time.monotonic()
        proof = self._current()
        token_seconds = time.monotonic() - started
        answer = self.send(method, path, body, proof, within)
        if (answer.status or 0) >= HTTPStatus.BAD_REQUEST and is_unauthorized(
            replace(answer, question=question)
        ):
            renewal = time.monotonic()
            renewed = self._renewed(proof)
            token_seconds += time.monotonic() - renewal
            if renewed != proof:
                left = None if within is None else within - (time.monotonic() - started)
                first = answer.seconds
                answer = self.send(method, path, body, renewed, left)
                answer = replace(answer, seconds=answer.seconds + first)
        return replace(answer, token_seconds=token_seconds, question=question)


class HeaderTransport(Transport[Mapping[str, str]]):
    """The usual case: headers prove who we are.

    Args:
        connection: Where Airflow is, and how long to wait for it.
        tokens: Gives the headers.

    Attributes:
        wire: The HTTP connections.
    """

    def __init__(self, connection: "Connection", tokens: "TokenSource") -> None:
        super().__init__(tokens.headers, tokens.renew)
        self.wire = Wire(connection)

    def send(
        self, method: str, path: str, body: object, proof: Mapping[str, str], within: float | None
    ) -> AirflowResponse:
        """Send one request with these headers; see `Transport`."""
        return self.wire.send(method, path, body, proof, within)


def segment(name: str) -> str:
    """Quote one segment of a path, dots included where they alone would climb it (RFC 3986 section 5.2.4)."""
    return quote(name, safe="") if name.strip(".") else "%2E" * len(name)
