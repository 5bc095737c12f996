"""HTTP requests, replies and refusals, without a framework's types.

A refusal becomes a problem document (RFC 9457), which shows the caller only what to fix.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.codes import HELP, HttpCode
from shared.errors import ConfigurationError, EventError, StorageUnavailable, UpdraftError
from shared.log import LOGGER
from shared.log_throttle import may_log
from shared.values.json_text import Json, JsonObject, parse
from shared.visible_text import visible

PROBLEM: Final = "application/problem+json"
JSON_TYPES: Final = frozenset({"application/json"})

_TITLES: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_DETAIL_KEPT: Final = 1_000
_OUR_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its whole body.

    Attributes:
        headers: Names in lower case.
        body: The bytes; may be empty.
    """

    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters; empty if it is missing."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        status: The HTTP status.
        body: A JSON object.
        headers: More headers; no value has text of the request.
        media_type: The body's content type.
    """

    status: int
    body: JsonObject
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class CallRefused(UpdraftError):
    """A call that is refused, with the answer for its caller.

    Args:
        status: The HTTP status.
        code: One word for programs; docs/codes.md explains it.
        detail: Why, for a person; never a token, nor anything that the caller may not know.
        headers: More headers of the answer.
        inside: More detail for the log only.
    """

    def __init__(
        self,
        status: int,
        code: HttpCode,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        inside: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = visible(detail)
        self.headers = dict(headers or {})
        self.inside = inside

    def reply(self) -> Reply:
        """Return the answer: a problem document (RFC 9457)."""
        body: JsonObject = {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Error"),
            "status": self.status,
            "code": self.code,
            "detail": visible(self.detail, _DETAIL_KEPT),
            "help": HELP + self.code,
        }
        return Reply(self.status, body, self.headers, PROBLEM)


def read_body(request: Request, *, limit: int, media_types: frozenset[str]) -> bytes:
    """Return the body of a request after a check of its size and type.

    The Functions host does not decompress a body, and this app refuses compressed ones: a small compressed
    body may be too large for the process's memory.

    Args:
        request: The request.
        limit: Bytes at most.
        media_types: The content types that are accepted.

    Raises:
        CallRefused: 413 or 415.
    """
    if len(request.body) > limit:
        raise CallRefused(
            413, "too_large", f"the body has {len(request.body):,} bytes; send at most {limit:,}"
        )
    coding = request.headers.get("content-encoding", "")
    if any(each.strip().lower() not in {"", "identity"} for each in coding.split(",")):
        raise CallRefused(
            415,
            "unsupported_content_encoding",
            "the body is compressed: send it without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )
    if request.media_type not in media_types:
        wanted = ", ".join(sorted(media_types))
        raise CallRefused(415, "unsupported_media_type", f"the Content-Type has to be {wanted}")
    return request.body


def read_object(request: Request, *, limit: int) -> JsonObject:
    """Return the JSON object of a request; an empty body counts as an empty object.

    Raises:
        CallRefused: 400, 413 or 415.
    """
    if not request.body:
        return {}
    body = read_body(request, limit=limit, media_types=JSON_TYPES)
    try:
        document: Json = parse(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise CallRefused(400, "bad_body", "the body is not UTF-8") from None
    except EventError as error:
        raise CallRefused(400, "bad_body", str(error)) from None
    if not isinstance(document, dict):
        raise CallRefused(400, "bad_body", "the body has to be a JSON object")
    return document


def bearer(request: Request) -> str:
    """Return the token of a request's Authorization header (RFC 6750 section 2.1).

    Raises:
        CallRefused: 401 if it is missing.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("no_token", "send an access token in the header Authorization: Bearer …", error="")
    return token.strip()


def unauthorized(
    code: HttpCode, detail: str, *, error: str = "invalid_token", inside: str = ""
) -> CallRefused:
    """Return the refusal of a token, with the challenge that RFC 6750 section 3 asks for.

    Args:
        code: One word for programs.
        detail: Why; never text of the request, because a header holds it too.
        error: RFC 6750's error code; empty if no token was sent.
        inside: More detail for the log only.
    """
    challenge = 'Bearer realm="updraft"' + (
        f', error="{error}", error_description="{detail}"' if error else ""
    )
    return CallRefused(401, code, detail, headers={"WWW-Authenticate": challenge}, inside=inside)


def respond(request: Request, handle: Callable[[Request], Reply], *, function: str = "") -> Reply:
    """Return the answer to a call; nothing is raised, and no answer shows the cause of an internal error.

    Unauthenticated clients can cause refusals, so each kind is logged once a minute, the others as a count.

    Args:
        request: The request.
        handle: Answers the request, or raises a refusal.
        function: The function's name, for the log.
    """
    try:
        return handle(request)
    except CallRefused as refused:
        level = logging.ERROR if refused.status >= _OUR_FAULT else logging.WARNING
        if may_log(level, function, refused.status, refused.code):
            why = _one_line(f"{refused.detail} {refused.inside}")
            link = HELP + refused.code
            LOGGER.log(
                level, "a call was refused: %d %s: %s; see %s", refused.status, refused.code, why, link
            )
        return refused.reply()
    except ConfigurationError as error:
        if may_log(logging.ERROR, function, 503, "not_configured"):
            LOGGER.error("a call could not be handled: %s", error)
        return CallRefused(
            503,
            "not_configured",
            "this app is not set up for such calls: its log names the setting or the mistake",
        ).reply()
    except StorageUnavailable as error:
        if may_log(logging.ERROR, function, 503, "temporarily_unavailable"):
            LOGGER.error("a call could not be handled: %s", error)
        later = "this app cannot store the request now; send it again"
        return CallRefused(503, "temporarily_unavailable", later, headers={"Retry-After": "10"}).reply()
    except Exception:  # noqa: BLE001 - the log has the error, and the caller a definite answer
        if may_log(logging.ERROR, function, 500, "internal_error"):
            LOGGER.exception("a call could not be handled")
        return CallRefused(
            500, "internal_error", "this app has an internal error; its log has the details"
        ).reply()


def _one_line(text: str) -> str:
    return visible(text.strip(), _DETAIL_KEPT)
