"""Connections with a separate error for a failed TLS handshake.

urllib3 raises the same error for a failed handshake and for a request that may have arrived. So a port
without TLS, or with another version of it, would leave a run in doubt. A request is sent only after the
handshake.
"""

import ssl
from typing import Any, Final

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

_NOT_SENT: Final = (SSLError, ssl.SSLError, ConnectionError, EOFError)


class _Connection(HTTPSConnection):
    def connect(self) -> None:
        """Connect and do the TLS handshake.

        Raises:
            NewConnectionError: It failed.
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
    """Make a pool manager use these connections.

    Args:
        pools: urllib3's `PoolManager` or `ProxyManager`, before its first request.
    """
    classes = pools.pool_classes_by_scheme
    if classes["https"] is HTTPSConnectionPool:  # a SOCKS proxy has another class
        pools.pool_classes_by_scheme = {**classes, "https": _Pool}
