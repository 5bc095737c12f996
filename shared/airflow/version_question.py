"""Asks for Airflow's version, which decides the API."""

import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from shared.airflow.failure_table import AnswerClass, classify
from shared.airflow.response import AirflowResponse, Question
from shared.airflow.shapes import version_numbers, version_of
from shared.airflow.transport import Transport

type Api = Literal["v1", "v2"]

OLDEST: Final = (2, 9)
"""The oldest Airflow that is supported; 2.9 to 2.11 with best effort."""
_NOT_HERE: Final = frozenset({404, 405})
_DOUBTFUL: Final = frozenset({AnswerClass.AMBIGUOUS, AnswerClass.TRANSIENT})


@dataclass(frozen=True, slots=True)
class Found:
    """An Airflow that returned its version.

    Attributes:
        api: The version of its API.
        version: Its version.
        mismatch: Why this app does not support it; empty if it does.
        answer: Its response, with the time of all questions before it.
    """

    api: Api
    version: str
    mismatch: str
    answer: AirflowResponse


def ask_version(
    transport: Transport[Any],
    api: Literal["auto", "v1", "v2"],
    *,
    first: Api | None = None,
    within: float | None = None,
) -> Found | AirflowResponse:
    """Ask for the version; return the failed response if none is returned.

    A redirect, a login page or an unknown path may mean that only the other API exists.

    Args:
        transport: Sends the requests.
        api: The connection's `api`. The other API is asked too, so that the message has the real version.
        first: The API that is asked first.
        within: Seconds for both questions.

    Raises:
        CredentialError: There is no token; nothing was sent.
    """
    started = time.monotonic()
    begin: Api = api if api != "auto" else first or "v2"
    one = _ask(transport, begin, within)
    if given := version_of(one):
        return _found(begin, given, api, one)
    if not _is_elsewhere(one):
        return one
    other: Api = "v1" if begin == "v2" else "v2"
    two = _ask(transport, other, None if within is None else within - (time.monotonic() - started))
    two = replace(two, seconds=one.seconds + two.seconds, token_seconds=one.token_seconds + two.token_seconds)
    if given := version_of(two):
        return _found(other, given, api, two)
    if not _is_elsewhere(two):
        return two
    if one.status in _NOT_HERE and two.status in _NOT_HERE:
        said = two.message or one.message
        text = "neither /api/v2/version nor /api/v1/version is there"
        return replace(two, status=404, body=None, text=f"{text}; {said}" if said else text)
    return two if one.status in _NOT_HERE else one


def _ask(transport: Transport[Any], api: Api, within: float | None) -> AirflowResponse:
    return transport.ask("GET", f"/api/{api}/version", question=Question("version", api), within=within)


def _found(api: Api, version: str, asked: Literal["auto", "v1", "v2"], answer: AirflowResponse) -> Found:
    mismatch = ""
    if version_numbers(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        mismatch = f"Airflow {version} is older than {oldest}, the oldest that Updraft supports: upgrade it"
    elif asked not in {"auto", api}:
        mismatch = (
            f"the connection has `api: {asked}`, but Airflow {version} has the API {api}: set `api: auto`"
        )
    return Found(api, version, mismatch, replace(answer, version=version, mismatch=mismatch))


def _is_elsewhere(answer: AirflowResponse) -> bool:
    """Return whether a response comes from a server that may have the other API."""
    status = answer.status
    if status is None or classify(answer).answer_class in _DOUBTFUL:
        return False
    return status < 400 or status in _NOT_HERE
