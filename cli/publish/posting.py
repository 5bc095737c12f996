"""Makes one POST request: returns the answer, or raises an error with the cause in words."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import UpdraftError
from shared.values.json_text import JsonObject
from shared.version import VERSION
from shared.visible_text import visible

_SHOWN: Final = 300
_RETRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The HTTP status.
        body: The body, if it is a JSON object; else empty.
        words: The message in the answer.
    """

    status: int
    body: JsonObject
    words: str

    @property
    def good(self) -> bool:
        """Whether the server has accepted the body."""
        return 200 <= self.status < 300


def post(url: str, content: bytes, headers: Mapping[str, str], *, timeout: float = 30) -> Answer:
    """Post a body unchanged; no redirect is followed.

    A request without an answer, or with the answer 500, 503 or 504, is sent again up to twice.
    So the server must accept the same body twice.

    Args:
        url: The address.
        content: The body.
        headers: The headers.
        timeout: Seconds to wait for the connection, and for the answer.

    Raises:
        UpdraftError: There is no answer; the message names the address without its query.
    """
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy, UserAgentPolicy
    from azure.core.rest import HttpRequest, HttpResponse

    policies = [
        RequestIdPolicy(),
        UserAgentPolicy(f"updraft/{VERSION}"),
        RetryPolicy(retry_total=_RETRIES, retry_backoff_factor=0.3, retry_backoff_max=2),
    ]
    request = HttpRequest("POST", url, content=content, headers=dict(headers))
    try:
        client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(url, policies=policies)
        with client:
            response = client.send_request(request, connection_timeout=timeout, read_timeout=timeout)
            text = response.text()
    except AzureError as error:
        address = url.partition("?")[0]
        raise UpdraftError(f"{address} cannot be reached: {_why(error, timeout)}") from error
    return _answer(response.status_code, text)


def _answer(status: int, text: str) -> Answer:
    import json

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    body = document if isinstance(document, dict) else {}
    error = body.get("error")
    said = error.get("message") if isinstance(error, dict) else body.get("detail")
    words = str(said) if isinstance(said, str) and said else "" if body else text.strip()
    return Answer(status, body, visible(words[:_SHOWN]))


def _why(error: BaseException, timeout: float) -> str:
    """Return the innermost cause of a failed request in words, without the libraries' class names."""
    causes = [*_causes(error)]
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"it does not speak TLS as expected ({cause.reason})"
    if any("timed out" in str(cause) for cause in causes):
        return f"there was no answer within {timeout:.0f} s"
    named = [str(cause.strerror) for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return visible(named[-1]) if named else "the connection was lost"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all its causes, the innermost last; the attribute depends on the library."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            kept = [getattr(each, name, None) for name in ("inner_exception", "reason")]
            waiting += [each.__cause__, each.__context__, *kept, *each.args]
    yield from seen
