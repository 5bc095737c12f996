"""The client of one Airflow, for any version of its REST API."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from shared.airflow.api import AirflowApi
from shared.airflow.api_v1 import AirflowV1
from shared.airflow.api_v2 import AirflowV2
from shared.airflow.failure_table import AnswerClass, classify, forgets_version, needs_version
from shared.airflow.response import AirflowResponse
from shared.airflow.shapes import answers, is_error
from shared.airflow.transport import Transport
from shared.airflow.version_question import Found, ask_version

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

    type Starting = Callable[[RunRequest, Callable[[RunRequest], AirflowResponse]], AirflowResponse]


class AirflowClient:
    """Sends requests to one Airflow; safe to use from any thread, one object for the whole process.

    With `api: auto` it asks for the version before its first request, and remembers the API that answered,
    but no failure. After an unexpected response it asks for the version once again: then it uses the right
    API for an Airflow that was upgraded or rolled back, and a refusal counts only from an Airflow that
    returns its version.

    Args:
        transport: Sends the requests.
        api: The version of its API; `auto` to ask for it.
        starting: Called instead of each request that starts a run, with the run and a function that sends it:
            it may change the run and the response.
    """

    def __init__(
        self,
        transport: Transport[Any],
        api: Literal["auto", "v1", "v2"],
        starting: "Starting | None" = None,
    ) -> None:
        self._transport = transport
        self._starting = starting
        self._api = api
        self._lock = threading.Lock()
        self._known: AirflowApi | None = None if api == "auto" else self._speaking(api)

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Request a DAG run.

        Args:
            request: The run.
            within: The most seconds of the request, if less than the connection's time-outs.

        Raises:
            CredentialError: There is no token; nothing was sent.
        """
        if self._starting is None:
            return self._start(request, within)
        return self._starting(request, lambda changed: self._start(changed, within))

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Test the permission to start runs of a DAG without starting one: 400 or 422 means yes."""
        return self._ask(lambda version, left: version.try_start(dag_id, within=left), within)

    def ask_version(self, *, within: float | None = None) -> AirflowResponse:
        """Ask which Airflow is there: the answer's `version` is empty for none. Errors as `start_run`."""
        found = ask_version(self._transport, self._api, within=within)
        if not isinstance(found, Found):
            return found
        if self._api == "auto" and not found.mismatch:
            self._known = self._speaking(found.api)
        return found.answer

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up by its id; arguments and errors as `start_run`."""
        return self._ask(lambda version, left: version.get_run(dag_id, dag_run_id, within=left), within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up by its id; arguments and errors as `start_run`."""
        return self._ask(lambda version, left: version.get_dag(dag_id, within=left), within)

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> AirflowResponse:
        """Return a DAG's newest runs, newest first, including those whose ids begin with `prefix`."""
        return self._ask(lambda version, left: version.newest_runs(dag_id, prefix, within=left), within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Send GET for a path of the API, as in `/importErrors`; errors as `start_run`.

        Args:
            path: The path after `/api/v2` or `/api/v1`, with quoted segments; both APIs need it.
            within: As in `start_run`.
        """
        return self._ask(lambda version, left: version.get(path, within=left), within)

    def _start(self, request: "RunRequest", within: float | None) -> AirflowResponse:
        started = time.monotonic()
        answer = self._ask(lambda version, left: version.start_run(request, within=left), within)
        if answer.status not in {404, 405} or not answer.version or not _is_denied(answer):
            return answer
        # Airflow returned its version, but its response does not name the DAG: it may not have the DAG.
        version = self._known
        if version is None:  # another thread is asking for the version again
            return answer
        dag = version.get_dag(request.dag_id, within=_left(within, started))
        dag = replace(dag, version=answer.version)
        missing = classify(dag).answer_class is AnswerClass.DAG_NOT_FOUND
        return _together(answer, dag) if missing else _together(dag, answer)

    def _ask(
        self, call: Callable[[AirflowApi, float | None], AirflowResponse], within: float | None
    ) -> AirflowResponse:
        version, before = self._known, None
        started = time.monotonic()
        if version is None:
            before = self._first_version(within)
            version = self._known
            if before.mismatch or version is None:
                return before
        answer = call(version, _left(within, started))
        if not answers(answer):
            if needs_version(answer):
                answer = self._asked_again(call, version, answer, _left(within, started))
            elif self._api == "auto" and forgets_version(answer):
                self._known = None
        if before is None:
            return answer
        return replace(answer, token_seconds=answer.token_seconds + before.token_seconds)

    def _first_version(self, within: float | None) -> AirflowResponse:
        """Find out which API to use; returns the response to that question, which may be a failure.

        The first thread asks; the others wait for it, each within its own time.
        """
        started = time.monotonic()
        patience = threading.TIMEOUT_MAX if within is None else min(max(within, 0.0), threading.TIMEOUT_MAX)
        if not self._lock.acquire(timeout=patience):
            return AirflowResponse(
                sent=False, error="another thread is still asking this Airflow for its API's version"
            )
        try:
            if self._known is not None:
                return AirflowResponse()
            found = ask_version(self._transport, self._api, within=_left(within, started))
            if not isinstance(found, Found):
                return _before_the_request(found)
            if not found.mismatch:
                self._known = self._speaking(found.api)
            return found.answer
        finally:
            self._lock.release()

    def _asked_again(
        self,
        call: Callable[[AirflowApi, float | None], AirflowResponse],
        version: AirflowApi,
        answer: AirflowResponse,
        within: float | None,
    ) -> AirflowResponse:
        """Ask for the version, and return the response with it; use the other API if needed."""
        started = time.monotonic()
        found = ask_version(self._transport, self._api, first=version.version, within=within)
        if not isinstance(found, Found):
            if classify(found).answer_class in _OUTAGES and is_error(answer):  # it may be Airflow's
                return _together(answer, _before_the_request(found))
            return _together(found, answer)
        if found.mismatch or found.api == version.version:
            known = replace(answer, version=found.version, mismatch=found.mismatch)
            return _together(found.answer, known)
        now = self._speaking(found.api)
        self._known = now
        second = call(now, _left(within, started))
        return _together(answer, _together(found.answer, replace(second, version=found.version)))

    def _speaking(self, api: Literal["v1", "v2"]) -> AirflowApi:
        return AirflowV1(self._transport) if api == "v1" else AirflowV2(self._transport)


_OUTAGES: Final = frozenset({AnswerClass.AMBIGUOUS, AnswerClass.TRANSIENT})


def _left(within: float | None, started: float) -> float | None:
    return None if within is None else within - (time.monotonic() - started)


def _is_denied(answer: AirflowResponse) -> bool:
    return classify(answer).answer_class is AnswerClass.DENIED


def _together(earlier: AirflowResponse, answer: AirflowResponse) -> AirflowResponse:
    """Return a response with the time of an earlier one added."""
    return replace(
        answer,
        seconds=answer.seconds + earlier.seconds,
        token_seconds=answer.token_seconds + earlier.token_seconds,
    )


def _before_the_request(answer: AirflowResponse) -> AirflowResponse:
    """Return the response of a request that was not sent because the question for the version failed.

    Nothing was sent, so a run cannot be in doubt.
    """
    return replace(answer, sent=False) if classify(answer).answer_class in _OUTAGES else answer
