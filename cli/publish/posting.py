"""One POST from the command line: the answer as it came, or a sentence that says why there is none."""

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
        body: The body where it is a JSON object; empty where it is not.
        words: What the answer says of itself, for a message.
    """

    status: int
    body: JsonObject
    words: str

    @property
    def good(self) -> bool:
        """Whether the server has taken what was posted."""
        return 200 <= self.status < 300


def post(url: str, content: bytes, headers: Mapping[str, str], *, timeout: float = 30) -> Answer:
    """Post a body as it is; no redirect is followed.

    A request that may not have arrived is sent again twice, and one that is answered 500, 503 or 504.
    What is posted has to be harmless when it arrives twice.

    Args:
        url: The address.
        content: The body.
        headers: The headers.
        timeout: Seconds to wait for the connection, and for the answer.

    Raises:
        UpdraftError: There is no answer; the sentence names the address without its query.
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
    return visible(named[-1]) if named else "the connection broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was made from, the innermost last, however its library keeps them."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            kept = [getattr(each, name, None) for name in ("inner_exception", "reason")]
            waiting += [each.__cause__, each.__context__, *kept, *each.args]
    yield from seen
