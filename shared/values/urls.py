"""What an address in rules.yaml may be: https, or http to this machine."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

SETTING: Final = re.compile(r"%([A-Za-z_][A-Za-z0-9_:.-]*)%")
"""An application setting by name, as in Azure Functions' binding expressions."""


def check_address(url: str, *, name: str, example: str, allow_http: bool | None = None) -> None:
    """Check an address that tokens and secrets travel to; one that names a setting is left for later.

    Args:
        url: The address.
        name: The key that it stands at.
        example: An address as it could be.
        allow_http: Whether plain http to another machine was chosen on purpose; None where it cannot be.

    Raises:
        ValueError: What is wrong with it.
    """
    if SETTING.search(url):
        return
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"`{name}` is not an address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"`{name}` must be an address such as {example}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"`{name}` holds a user name or password; write `auth`, with the secret in Key Vault"
        )
    if parts.query or parts.fragment:
        raise ValueError(f"`{name}` ends before `?` and `#`")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        remedy = "" if allow_http is None else "; `allow_http: true` allows http:// on purpose"
        raise ValueError(f"`{name}` must begin with https://{remedy}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
