"""The question which Airflow is there: its version, and with that the API that it speaks."""

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
    """An Airflow that gave its version.

    Attributes:
        api: The API that it speaks.
        version: Its version.
        mismatch: Why it cannot be served; empty where it can.
        answer: Its answer, with the time of every question that led to it.
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
    """Ask which version is there; what stood in the way where none tells.

    A redirect, a login page or an unknown path may mean that only the other API is there.

    Args:
        transport: How Airflow is reached.
        api: The connection's `api`. The other API is asked as well, so that a person is told what is there.
        first: The API that is asked first.
        within: Seconds for both questions.

    Raises:
        CredentialError: There is no token to ask with; nothing was sent.
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
            f"the connection has `api: {asked}`, and Airflow {version} is there, which speaks {api}: "
            "set `api: auto`"
        )
    return Found(api, version, mismatch, replace(answer, version=version, mismatch=mismatch))


def _is_elsewhere(answer: AirflowResponse) -> bool:
    """Tell whether an answer is of somebody who is there, but does not speak this version."""
    status = answer.status
    if status is None or classify(answer).answer_class in _DOUBTFUL:
        return False
    return status < 400 or status in _NOT_HERE
