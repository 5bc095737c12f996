"""One Airflow, whichever version of its REST API it speaks."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared.airflow.api_v1 import AirflowV1
from shared.airflow.api_v2 import AirflowV2
from shared.airflow.response import AirflowResponse
from shared.airflow.transport import BODY_LIMIT, AirflowConnection, Transport

if TYPE_CHECKING:
    from shared.airflow.auth.source import TokenSource
    from shared.runs.request import RunRequest

__all__ = ["BODY_LIMIT", "AirflowClient", "AirflowConnection"]

type _Version = AirflowV1 | AirflowV2

_NOT_HERE: Final = {404, 405}


class AirflowClient:
    """Asks one Airflow; safe to use from any thread, and made for the life of the process.

    With `api: auto` it asks `/api/v2/version`, then `/api/v1/version`, before its first request, and
    remembers which one answered; a failure to find out is not remembered.

    Args:
        connection: Where Airflow is, which version it speaks, and how long to wait for it.
        tokens: Gives the headers that prove who we are.
    """

    def __init__(self, connection: AirflowConnection, tokens: "TokenSource") -> None:
        self._transport = _transport(connection, tokens)
        self._lock = threading.Lock()
        self._version: _Version | None = None
        if connection.api != "auto":
            self._version = (AirflowV1 if connection.api == "v1" else AirflowV2)(self._transport)

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Ask for a DAG run.

        Args:
            request: The run.
            within: Seconds that the request may take at most, where that is less than the connection's own.

        Raises:
            CredentialError: There is no token to ask with; nothing was sent.
        """
        return self._ask(lambda version, left: version.start_run(request, within=left), within)

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Ask whether we may start runs of a DAG, without starting one: 400 or 422 means yes."""
        return self._ask(lambda version, left: version.try_start(dag_id, within=left), within)

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up by its id; arguments and errors as `start_run`."""
        return self._ask(lambda version, left: version.get_run(dag_id, dag_run_id, within=left), within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up by its id; arguments and errors as `start_run`."""
        return self._ask(lambda version, left: version.get_dag(dag_id, within=left), within)

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> AirflowResponse:
        """Return a DAG's newest runs, newest first, among them those whose ids begin with `prefix`."""
        return self._ask(lambda version, left: version.newest_runs(dag_id, prefix, within=left), within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for what is at a path of the API, as in `/importErrors`; errors as `start_run`.

        Args:
            path: What follows `/api/v2` or `/api/v1`, its segments quoted; both have to know it.
            within: As in `start_run`.
        """
        return self._ask(lambda version, left: version.get(path, within=left), within)

    def _ask(
        self, call: Callable[[_Version, float | None], AirflowResponse], within: float | None
    ) -> AirflowResponse:
        version = self._version  # read once; it is only ever set from None
        if version is not None:
            return call(version, within)
        started = time.monotonic()
        patience = threading.TIMEOUT_MAX if within is None else min(max(within, 0.0), threading.TIMEOUT_MAX)
        if not self._lock.acquire(timeout=patience):
            return AirflowResponse(
                sent=False, error="this Airflow is still being asked for its API's version"
            )
        token_seconds = 0.0
        try:
            if self._version is None:
                found = self._find(_left(within, started))
                if isinstance(found, AirflowResponse):
                    return found
                self._version, token_seconds = found
            version = self._version
        finally:
            self._lock.release()
        answer = call(version, _left(within, started))
        return replace(answer, token_seconds=answer.token_seconds + token_seconds)

    def _find(self, within: float | None) -> tuple[_Version, float] | AirflowResponse:
        """Ask which version is spoken; the answer that stood in the way where neither tells.

        With the version come the seconds that the token took, which the first to ask has waited for.

        A redirect, a login page or an unknown path may mean that only the other version is there.
        """
        started = time.monotonic()
        first = self._transport.ask("GET", "/api/v2/version", within=within)
        if _tells_version(first):
            return AirflowV2(self._transport), first.token_seconds
        if not _is_elsewhere(first):
            return _before_the_request(first)
        second = self._transport.ask("GET", "/api/v1/version", within=_left(within, started))
        if _tells_version(second):
            return AirflowV1(self._transport), first.token_seconds + second.token_seconds
        if not _is_elsewhere(second):
            return _before_the_request(second)
        if first.status in _NOT_HERE and second.status in _NOT_HERE:
            text = "neither /api/v2/version nor /api/v1/version is there: check the connection's url"
            return AirflowResponse(status=404, text=text, seconds=first.seconds + second.seconds)
        return second if first.status in _NOT_HERE else first


def _transport(connection: AirflowConnection, tokens: "TokenSource") -> Transport:
    """Return how the connection's Airflow is reached: by itself, or through AWS."""
    from shared.airflow.auth.aws import AwsSigner  # noqa: PLC0415 - imports pydantic, which only acting needs

    if not isinstance(tokens, AwsSigner):
        return Transport(connection, tokens)
    from shared.airflow.mwaa import MwaaTransport  # noqa: PLC0415 - only this kind needs it

    return MwaaTransport(connection, tokens)


def _left(within: float | None, started: float) -> float | None:
    return None if within is None else within - (time.monotonic() - started)


def _tells_version(answer: AirflowResponse) -> bool:
    return answer.status == 200 and answer.body is not None and "version" in answer.body  # noqa: PLR2004 - HTTP's own number


def _is_elsewhere(answer: AirflowResponse) -> bool:
    """Tell whether an answer is of somebody who is there, but does not speak this version."""
    status = answer.status
    return status is not None and not answer.error and (status < 400 or status in _NOT_HERE)  # noqa: PLR2004 - as above


def _before_the_request(answer: AirflowResponse) -> AirflowResponse:
    """Return what an answer to the question for the version means for the request that has to wait for it.

    Nothing was asked for yet: an outage that would leave a run in doubt leaves none here.
    """
    outage = answer.status is None or bool(answer.error) or answer.status >= 500  # noqa: PLR2004 - as above
    return replace(answer, sent=False) if outage else answer
