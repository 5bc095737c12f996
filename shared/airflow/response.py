"""What came back from Airflow, or from the way there: one shape for answers and for the lack of one."""

import math
from dataclasses import dataclass

from shared.values.json_text import Json, JsonObject

WORDS_SHOWN = 600
"""Characters of Airflow's own words that reach outcomes, logs and dead letters."""


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
        unsendable: Why the request was not even tried and never will be: it cannot be put into JSON.
        other_run: The body names another run than the one asked for.
        error: What broke on the way, in words; empty where a whole answer came.
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
    other_run: bool = False
    error: str = ""
    seconds: float = 0.0
    token_seconds: float = 0.0

    @property
    def message(self) -> str:
        """Airflow's own words on one line, without the input that a validation error echoes."""
        if self.body is None:
            return self.text[:WORDS_SHOWN]
        detail = self.body.get("detail", self.body.get("message", self.body.get("title")))
        return " ".join(_in_words(detail).split())[:WORDS_SHOWN]


def _in_words(detail: Json) -> str:
    if isinstance(detail, list):
        return "; ".join(_in_words(member) for member in detail)
    if not isinstance(detail, dict):
        return "" if detail is None else str(detail)
    if isinstance(place := detail.get("loc"), list):
        return f"{'.'.join(map(str, place))}: {detail.get('msg', '')}"
    said = [detail.get(name) for name in ("reason", "message")]
    return ": ".join(str(part) for part in said if part)


def why_unsendable(body: JsonObject, *, deepest: int = 200) -> str:
    """Return why Airflow must not be sent this body, or an empty string where it may.

    JSON has no NaN or Infinity (RFC 8259 section 6). A conf nested deeper than about 255 levels makes Airflow
    3.3 answer 500 for ever, so the bound stays below that.
    """
    level: list[tuple[str, Json]] = list(body.items())
    for _ in range(deepest):
        inner: list[tuple[str, Json]] = []
        for path, value in level:
            if isinstance(value, dict):
                inner.extend((f"{path}.{name}", member) for name, member in value.items())
            elif isinstance(value, list):
                inner.extend((f"{path}[{place}]", member) for place, member in enumerate(value))
            elif isinstance(value, float) and not math.isfinite(value):
                return f"{path} is {value}, which JSON cannot hold: change the rule's template"
        if not inner:
            return ""
        level = inner
    return f"{level[0][0][:60]}… is nested deeper than {deepest} levels: hand over less of the event"
