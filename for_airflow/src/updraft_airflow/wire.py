"""Sends one HTTP request, with limits.

Only https, or http to a loopback address; no redirect is followed; no response is read beyond its limit. It
uses the standard library, so that the api-server and the workers need no further dependency.
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
"""RFC 3986 appendix A; some clients read a backslash as a slash, and so another host."""

LONGEST_ANSWER = 1 << 20
"""The most bytes of a response; Entra's key set is about 20 KB."""


class WireError(Exception):
    """No response: refused URL, no connection, time-out, or a response that is too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's response.

    Attributes:
        status: The HTTP status code, also 3xx.
        body: At most as many bytes as the limit of `send`.
        retry_after: The seconds of a readable `Retry-After`.
    """

    status: int
    body: bytes
    retry_after: float | None = None


def is_loopback(host: str) -> bool:
    """Return whether a host name or address literal can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str, *, what: str) -> str:
    """Return a URL after a check.

    Args:
        url: The URL from a configuration or a document.
        what: Its name for the error, as in "the callback's url".

    Raises:
        WireError: It is not an absolute https URL (or http to a loopback host), or it holds a user name or
            characters that a URL cannot hold.
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
    """Return scheme, host and port of a URL, after `checked_url`."""
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
        """Return the redirect as the response, so that a token is not sent to another address."""


@functools.cache
def _trusted(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Return the authorities of OpenSSL's variables, cached: reading them takes 30 ms."""
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
    """Send one request and return the response with any status.

    Args:
        method: "GET" or "POST".
        url: A URL after `checked_url`.
        timeout: Seconds for the connection, and again for each read.
        headers: The headers; errors never have their values.
        body: The request's body.
        longest: The most bytes of the response.

    Raises:
        WireError: No response, or one longer than `longest`. Names only the host and the cause.
    """
    checked_url(url, what="the address")
    scheme, host, port = origin(url)
    where = f"{scheme}://{host}:{port}"
    # checked_url accepts only https and loopback http
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
    trusted = _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirects(),
        urllib.request.HTTPSHandler(context=trusted),
    ]
    if is_loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy's loopback is not this machine
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
    """Return an error with the host and the kind of failure: http.client may quote a header."""
    reason = getattr(exc, "reason", None)
    detail = f": {reason}" if isinstance(exc, urllib.error.URLError) and reason else ""
    raise WireError(f"no answer from {where} ({type(exc).__name__}{detail})") from None


def wish_in_seconds(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header: seconds, a date, or several; None if unreadable.

    The longest of several values counts, up to a day.

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
