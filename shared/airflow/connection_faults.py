"""Why no answer came: the errors of the HTTP libraries as a code and a sentence for people.

A person reads these in logs, dead letters and `updraft doctor`, so no name of a Python class is in them.
"""

import re
import ssl
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from shared.values.wording import clipped, duration_text

_SHOWN: Final = 300
"""Characters of a library's own words that are shown."""
_OBJECT: Final = re.compile(r"^(?:<[^>]*>|\w+\([^()]*\)): ")
"""How urllib3 begins a message: with the connection or the pool that it is about."""
_PLAIN_HTTP: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL calls bytes that are not TLS."""


class Fault(NamedTuple):
    """Why no answer came.

    Attributes:
        code: The kind of fault, for programs.
        words: What was seen, for people.
    """

    code: str
    words: str


class Seconds(NamedTuple):
    """How long a request waited at most.

    Attributes:
        connect: For the connection.
        read: For the answer.
    """

    connect: float
    read: float


def fault_of(exc: Exception, url: str, waited: Seconds) -> Fault:
    """Return why a request that ended in an exception has no answer.

    Args:
        exc: What urllib3 or the official client raised.
        url: The connection's address.
        waited: The request's time-outs.
    """
    from urllib3 import exceptions

    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    match exc:
        case exceptions.NameResolutionError():
            fault = Fault("NameNotResolved", f"the host name {parts.hostname} is unknown (DNS)")
        case exceptions.ConnectTimeoutError() if not isinstance(exc, exceptions.NewConnectionError):
            seconds = duration_text(waited.connect)
            fault = Fault("ConnectTimeout", f"no connection to {server} within {seconds}")
        case exceptions.ReadTimeoutError():
            fault = Fault("ReadTimeout", f"{server} answers nothing within {duration_text(waited.read)}")
        case exceptions.ProxyError():
            fault = Fault("ProxyFailed", f"the proxy on the way to {server} cannot be used: {_words(exc)}")
        case _:
            causes = (_fault_of_cause(cause, server) for cause in _causes(exc))
            unknown = Fault("ConnectionFailed", f"the connection to {server} failed: {_words(exc)}")
            fault = next(filter(None, causes), unknown)
    return fault


def _fault_of_cause(cause: BaseException, server: str) -> Fault | None:
    fault = None
    match cause:
        case ssl.SSLCertVerificationError():
            why = cause.verify_message or _words(cause)
            fault = Fault("CertificateNotTrusted", f"the TLS certificate of {server} is not trusted: {why}")
        case ssl.SSLError() if cause.reason in _PLAIN_HTTP:
            fault = Fault("NotHttps", f"{server} speaks http, not https")
        case ssl.SSLError():
            reason = (cause.reason or _words(cause)).replace("_", " ").lower()
            fault = Fault("TlsFailed", f"the TLS handshake with {server} failed: {reason}")
        case ConnectionRefusedError():
            fault = Fault("ConnectionRefused", f"nothing listens at {server}: the connection was refused")
        case RemoteDisconnected() | ConnectionResetError() | BrokenPipeError() | EOFError():
            fault = Fault("ConnectionReset", f"{server} closed the connection before it answered")
        case BadStatusLine():
            fault = Fault("NotHttp", f"{server} does not speak http")
        case OSError() if cause.strerror:
            fault = Fault("ConnectionFailed", f"no connection to {server}: {cause.strerror}")
    return fault


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it was raised for, also what urllib3 puts among its arguments."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [exc]
    while left:
        each = left.pop(0)
        if each is None or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        inner = [argument for argument in each.args if isinstance(argument, BaseException)]
        left += [*inner, each.__cause__, each.__context__]


def _words(exc: BaseException) -> str:
    """Return a library's own words without the object that they are about."""
    message = " ".join(str(getattr(exc, "reason", None) or exc).split())
    return clipped(_OBJECT.sub("", message), _SHOWN) or "no reason was given"
