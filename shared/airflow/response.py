"""What came back from Airflow, or from the way there: one shape for answers and for the lack of one."""

from dataclasses import dataclass
from typing import Literal

from shared.airflow.words import words_of_json, words_of_text
from shared.values.json_text import JsonObject

WORDS_SHOWN = 600
"""Characters of Airflow's own words that reach outcomes, logs and dead letters."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: it says in which form Airflow's answer has to come.

    Attributes:
        what: `start` asks for a run, `run`, `runs` and `dag` look one up, `version` asks who is there,
            `refusal` asks for a run in a way that is always refused, `other` is any other path.
        api: The version of the REST API that is asked; empty where a path tells nothing about it.
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
    """The end of one request to Airflow.

    Attributes:
        status: The HTTP status; None where none came.
        body: The body where it is a JSON object, whatever its content type said.
        text: The beginning of a body that is not, on one line.
        retry_after: Seconds that the server asked to wait.
        code: The error's name, where a gateway of AWS's gives it beside the body (`x-amzn-ErrorType`).
        location: Where a redirect pointed: scheme and host, never path or query, which may carry tokens.
        sent: Whether the request may have reached Airflow.
        invalid: Why the request was not even tried and never will be: it is not one for a DAG run.
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
        """The answer's own words on one line, without the input that a validation error echoes."""
        found = words_of_text(self.text) if self.body is None else words_of_json(self.body)
        return found[:WORDS_SHOWN]
