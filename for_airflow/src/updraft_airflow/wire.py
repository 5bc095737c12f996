"""One HTTP request, with the limits that both halves of this package want.

Only https, or http to a loopback address; no redirect is followed; no answer is read past its limit. It uses
the standard library, so that neither the api-server nor a worker gains a dependency.
"""

import functools
import http.client
import ipaddress
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import IO, NoReturn
from urllib.parse import urlsplit

_LONGEST_WISH = 86_400.0
_HEADER_READ = 400
_WISH = re.compile(
    r"\s*(?:[\"']\s*)?\+?([0-9]{1,400}(?:\.[0-9]{0,400})?)\s*(?:(?:s|secs?|seconds?)\s*)?(?:[\"']\s*)?",
    re.IGNORECASE,
)

_IN_NO_URL = re.compile(r"[ \\\"<>^`{|}]")
"""RFC 3986 appendix A; some clients take a backslash for a slash, and so another host."""

LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read; Entra's key set is about 20 KB."""


class WireError(Exception):
    """No answer: refused URL, no connection, time-out, or an answer that is too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status code, 3xx included.
        body: At most as many bytes as `send` was asked to read.
        retry_after: The server's wish in seconds, where it stated one that can be read.
    """

    status: int
    body: bytes
    retry_after: float | None = None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address literal can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str, *, what: str) -> str:
    """Give back a URL that may be called.

    Args:
        url: As configured, or as found in a document.
        what: Its name for the error, as in "the callback's url".

    Raises:
        WireError: It is not an absolute https URL (or http to a loopback host), or it holds a user name or
            characters that no URL holds.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise WireError(f"{what} is not a URL: {exc}") from None
    if parts.username is not None:
        raise WireError(f"{what} must not hold a user name or a password")
    if not host or not url.isascii() or not url.isprintable() or _IN_NO_URL.search(url):
        raise WireError(f"{what} must be an absolute URL in ASCII, not {url[:200]!r}")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise WireError(f"{what} must begin with https:// (http:// is for loopback only), not {url[:200]!r}")
    return url


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL that `checked_url` let through."""
    parts = urlsplit(url)
    port = {"https": 443, "http": 80}[parts.scheme] if parts.port is None else parts.port
    return parts.scheme, (parts.hostname or "").lower(), port


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Leave the redirect as the answer: a token or a key set is never taken elsewhere."""


@functools.cache
def _trusted(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Return the authorities that OpenSSL's variables name: reading them takes 30 ms, at each request."""
    return ssl.create_default_context()


def send(
    method: str,
    url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    longest: int = LONGEST_ANSWER,
) -> Answer:
    """Send one request and give back whatever status comes.

    Args:
        method: "GET" or "POST".
        url: Checked by `checked_url` first.
        timeout: Seconds for the connection, and again for each read.
        headers: Sent as they are; the values are never put in an error.
        body: The request's body.
        longest: Bytes of an answer that are read.

    Raises:
        WireError: No answer, or one longer than `longest`. Names the host and the cause only.
    """
    checked_url(url, what="the address")
    scheme, host, port = origin(url)
    where = f"{scheme}://{host}:{port}"
    # checked_url has let only https and loopback http through
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
    trusted = _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirects(),
        urllib.request.HTTPSHandler(context=trusted),
    ]
    if is_loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy's loopback is not ours
    opener = urllib.request.build_opener(*handlers)
    try:
        try:
            response = opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as exc:
            response = exc
        with response:
            content: bytes = response.read(longest + 1)
            if len(content) > longest:
                raise WireError(f"{where} answered with more than {longest} bytes")
            status = int(response.status or 0)
            return Answer(status, content, wish_in_seconds(response.headers.get("Retry-After")))
    except (OSError, http.client.HTTPException, ValueError) as exc:
        _raise_without_details(where, exc)


def _raise_without_details(where: str, exc: Exception) -> NoReturn:
    """Name the host and the kind of failure; a ValueError of http.client may quote a header."""
    reason = getattr(exc, "reason", None)
    detail = f": {reason}" if isinstance(exc, urllib.error.URLError) and reason else ""
    raise WireError(f"no answer from {where} ({type(exc).__name__}{detail})") from None


def wish_in_seconds(header: str | None) -> float | None:
    """Read a `Retry-After` header as servers send it: seconds, a date, or several; None if unreadable.

    The longest of several wishes counts, and no wish is longer than a day.

    Args:
        header: The header's value.
    """
    text = (header or "")[:_HEADER_READ].strip()
    wishes = [float(found[1]) for part in text.split(",") if (found := _WISH.fullmatch(part))]
    if not wishes:
        when = _date(text.strip(' "'))
        if when is None:
            return None
        wishes = [(when - datetime.now(timezone.utc)).total_seconds()]
    return min(max(*wishes, 0.0), _LONGEST_WISH)


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(text)
            return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (ValueError, TypeError, OverflowError, IndexError):  # noqa: PERF203 - of no form or calendar
            continue
    return None
