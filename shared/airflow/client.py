"""One Airflow, whichever version of its REST API it speaks."""

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
    """Asks one Airflow; safe to use from any thread, and made for the life of the process.

    With `api: auto` it asks for the version before its first request, and remembers which API answered; a
    failure to find out is not remembered. After an answer that is not the wanted one it asks again, once: an
    Airflow that was upgraded or rolled back is then spoken to as it is now, and a refusal counts only from an
    Airflow that gives its version.

    Args:
        transport: How this Airflow is reached.
        api: The version of its API; `auto` to ask for it.
        starting: Called around each request that starts a run, with the run and what sends it: it may change
            the run, and what is seen of the answer.
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
        """Ask for a DAG run.

        Args:
            request: The run.
            within: Seconds that the request may take at most, where that is less than the connection's own.

        Raises:
            CredentialError: There is no token to ask with; nothing was sent.
        """
        if self._starting is None:
            return self._start(request, within)
        return self._starting(request, lambda changed: self._start(changed, within))

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Ask whether we may start runs of a DAG, without starting one: 400 or 422 means yes."""
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
        """Return a DAG's newest runs, newest first, among them those whose ids begin with `prefix`."""
        return self._ask(lambda version, left: version.newest_runs(dag_id, prefix, within=left), within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for what is at a path of the API, as in `/importErrors`; errors as `start_run`.

        Args:
            path: What follows `/api/v2` or `/api/v1`, its segments quoted; both have to know it.
            within: As in `start_run`.
        """
        return self._ask(lambda version, left: version.get(path, within=left), within)

    def _start(self, request: "RunRequest", within: float | None) -> AirflowResponse:
        started = time.monotonic()
        answer = self._ask(lambda version, left: version.start_run(request, within=left), within)
        if answer.status not in {404, 405} or not answer.version or not _is_denied(answer):
            return answer
        # An Airflow is there, and its answer does not name the DAG: whether it has the DAG is the last doubt.
        version = self._known
        if version is None:  # another thread doubts it, and asks anew
            return answer
        dag = version.get_dag(request.dag_id, within=_left(within, started))
        dag = replace(dag, version=answer.version)
        missing = classify(dag).answer_class is AnswerClass.DAG_NOT_FOUND
        return _together(answer, dag) if missing else _together(dag, answer)

    def _ask(
        self, call: Callable[[AirflowApi, float | None], AirflowResponse], within: float | None
    ) -> AirflowResponse:
        version, before = self._known, None  # read once
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
        """Find out which API to speak; returns the answer to that question, which may be a failure.

        The first thread asks, and the others wait for it, each within its own time.
        """
        started = time.monotonic()
        patience = threading.TIMEOUT_MAX if within is None else min(max(within, 0.0), threading.TIMEOUT_MAX)
        if not self._lock.acquire(timeout=patience):
            return AirflowResponse(
                sent=False, error="this Airflow is still being asked for its API's version"
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
        """Ask who is there now, and return what an answer means with that; speak the other API if need be."""
        started = time.monotonic()
        found = ask_version(self._transport, self._api, first=version.version, within=within)
        if not isinstance(found, Found):
            if classify(found).answer_class in _OUTAGES and is_error(answer):  # it may well be Airflow's
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
    """Return an answer with the time that an earlier one took as well."""
    return replace(
        answer,
        seconds=answer.seconds + earlier.seconds,
        token_seconds=answer.token_seconds + earlier.token_seconds,
    )


def _before_the_request(answer: AirflowResponse) -> AirflowResponse:
    """Return what an answer to the question for the version means for the request that has to wait for it.

    Nothing was asked for yet: an outage that would leave a run in doubt leaves none here.
    """
    return replace(answer, sent=False) if classify(answer).answer_class in _OUTAGES else answer
