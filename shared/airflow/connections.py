"""Connections that tell a failed TLS handshake from a request that may have arrived.

urllib3 raises one error for both, so that a port which speaks no TLS, or another version of it, would leave a
run in doubt. No request is sent before the handshake is done: what fails until then was not sent.
"""

import ssl
from typing import Any, Final

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

_NOT_SENT: Final = (SSLError, ssl.SSLError, ConnectionError, EOFError)


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        """Connect and shake hands.

        Raises:
            NewConnectionError: That failed.
            ConnectTimeoutError: It took too long.
        """
        try:
            super().connect()
        except TimeoutError as exc:
            raise ConnectTimeoutError(self, "the TLS handshake did not end in time") from exc
        except _NOT_SENT as exc:
            raise NewConnectionError(self, f"the TLS handshake failed: {exc}") from exc


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


def tell_handshakes(pools: Any) -> None:
    """Let a pool manager make such connections.

    Args:
        pools: urllib3's `PoolManager` or `ProxyManager`, before its first request.
    """
    classes = pools.pool_classes_by_scheme
    if classes["https"] is HTTPSConnectionPool:  # through a SOCKS proxy it is another one
        pools.pool_classes_by_scheme = {**classes, "https": _Pool}
