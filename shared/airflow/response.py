"""The response of Airflow or of a server before it, or the error if none came."""

from dataclasses import dataclass
from typing import Literal

from shared.airflow.words import words_of_json, words_of_text
from shared.values.json_text import JsonObject

WORDS_SHOWN = 600
"""The most characters of Airflow's message in outcomes, logs and dead letters."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: it decides the form of Airflow's response.

    Attributes:
        what: `start` requests a run, `run`, `runs` and `dag` look one up, `version` asks for the version,
            `refusal` requests a run so that it is always refused, `other` is any other path.
        api: The version of the REST API; empty if the path has none.
        dag_id: The DAG.
        dag_run_id: The run.
    """

    what: Literal["start", "run", "runs", "dag", "version", "refusal", "other"] = "other"
    api: Literal["v1", "v2", ""] = ""
    dag_id: str = ""
    dag_run_id: str = ""


_NO_QUESTION = Question()


@dataclass(frozen=True, slots=True)
class AirflowResponse:
    """The result of one request to Airflow.

    Attributes:
        status: The HTTP status; None if none came.
        body: The body if it is a JSON object, with any content type.
        text: The beginning of any other body, on one line.
        retry_after: Seconds that the server asked to wait.
        code: The error's name in a header of AWS (`x-amzn-ErrorType`).
        location: The target of a redirect: scheme and host, never path or query, which may hold tokens.
        sent: Whether the request may have reached Airflow.
        invalid: Why the request was not sent and never will be: it is not valid for a DAG run.
        question: What was asked.
        version: The version that Airflow gave when it was asked, after this answer, whether it is there;
            empty where it was not asked, or did not answer.
        mismatch: Why this Airflow cannot be served: its version is not one that we speak.
        error: What broke on the way, in words; empty where a whole answer came.
        fault: The kind of what broke, as in `ReadTimeout` (`shared/airflow/connection_faults.py`).
        seconds: From sending to the whole answer.
        token_seconds: How long the token took before that.
    """

    status: int | None = None
    body: JsonObject | None = None
    text: str = ""
    retry_after: float | None = None
    code: str = ""
    location: str = ""
    sent: bool = True
    invalid: str = ""
    question: Question = _NO_QUESTION
    version: str = ""
    mismatch: str = ""
    error: str = ""
    fault: str = ""
    seconds: float = 0.0
    token_seconds: float = 0.0

    @property
    def message(self) -> str:
        """The response's message on one line, without the input that a validation error echoes."""
        found = words_of_text(self.text) if self.body is None else words_of_json(self.body)
        return found[:WORDS_SHOWN]
