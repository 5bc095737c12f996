"""The finding for an Airflow that gives no answer, or for an answer that is not Airflow's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cli.findings import Finding

if TYPE_CHECKING:
    from shared.airflow.response import AirflowResponse
    from shared.rules import Connection

FIXES: Final = {
    "CertificateNotTrusted": "correct the host name in the connection's `url`, or name the file of the "
    "certificate's authority in SSL_CERT_FILE",
    "ConnectionFailed": "check the connection's `url`, and the network between here and there",
    "ConnectionRefused": "start Airflow's api-server there, or correct the connection's `url`",
    "ConnectionReset": "read the log of Airflow's api-server, and of the proxy before it",
    "ConnectTimeout": "check the connection's `url`, and the firewalls between here and there",
    "NameNotResolved": "correct the host name in the connection's `url`, or check the DNS of this network",
    "NotHttp": "if that port speaks https, write `https://` in the connection's `url`; else correct the port",
    "NotHttps": "correct the port in the connection's `url`, or switch on TLS there",
    "ProxyFailed": "check the settings HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
    "ReadTimeout": "Airflow's api-server hangs or is overloaded: read its log, and restart it if it hangs",
    "TlsFailed": "check which versions of TLS that server takes",
}
"""The fix, by the fault of `shared/airflow/connection_faults.py`."""
NO_APP_ROLE: Final = (
    "the token names no app role: assign the identity the app role of this Airflow "
    "(docs/airflow-side.md); Azure reuses the token of a managed identity for up to 24 hours"
)
_REFUSED: Final = frozenset({401, 403})
_BUSY: Final = frozenset({408, 421, 423, 425, 429, 460, 499})
_SERVER_ERRORS: Final = 500


def unreachable(
    answer: "AirflowResponse", connection: "Connection", rules: Sequence[str], *, without_roles: bool
) -> Finding:
    """Return the finding.

    Args:
        answer: The result of a request.
        connection: The connection.
        rules: The rules that start runs there.
        without_roles: Whether the connection's Entra token names no app role.
    """
    from shared.airflow.failure_table import AnswerClass, classify

    row = classify(answer)
    code = answer.fault or row.name
    if answer.fault:
        message, fix = answer.error, FIXES[answer.fault]
    elif answer.mismatch or answer.invalid or answer.status is None or answer.error:
        message, fix = answer.mismatch or answer.invalid or answer.error or row.sentence, ""
    elif row.answer_class is AnswerClass.UNAUTHORIZED:
        message = f"{connection.url} refuses the token of this identity{_seen(answer)}"
        fix = NO_APP_ROLE if without_roles else "check the connection's `auth` (docs/identity.md)"
    elif answer.status >= _SERVER_ERRORS or answer.status in _BUSY:
        message = f"{connection.url} is overloaded or out of order{_seen(answer)}"
        fix = "read the log of Airflow's api-server, and of the proxy before it"
    elif answer.status in _REFUSED:
        message = f"{connection.url} refuses the request{_seen(answer)}"
        fix = "check what is in front of Airflow, and the connection's `auth` (docs/identity.md)"
    else:
        message = f"no Airflow answers at {connection.url}{_seen(answer)}"
        fix = "correct the connection's `url`; if a login page or a proxy is in the way, its `auth`"
    return Finding(code, message, fix, connection=connection.name, rules=tuple(rules))


def _seen(answer: "AirflowResponse") -> str:
    """Return the answer in brackets: the status, the address of a redirect, the message or the title."""
    place = f" to {answer.location}" if answer.location else ""
    words = f": {answer.message}" if answer.message else ""
    return f" (HTTP {answer.status}{place}{words})"
