"""Checks addresses in rules.yaml and in application settings: https, or http to this machine.

Only the text is checked and no network is used, so that a mistake is found before anything runs.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.values.app_settings import setting_names
from shared.values.invisible import invisible_in, named

_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_LONGEST_HOST: Final = 253
_BAD_OCTET: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AIRFLOW_PATH: Final = re.compile(
    r"/(?:api/(?:v[12]|experimental)(?:/.*)?|auth(?:/.*)?|(?:dags|dag_runs|assets)(?:/.*)?"
    r"|home|docs|redoc|swagger|openapi\.json|log(?:in|out)|ui(?:/.*)?|health|execution(?:/.*)?)$",
    re.IGNORECASE,
)
"""The pages and APIs of Airflow 2 and 3 that people copy from a browser or another client."""


def check_address(url: str, *, name: str, example: str, allow_http: bool | None = None) -> None:
    """Check an address that tokens and secrets are sent to; one that names a setting is not checked here.

    Args:
        url: The address.
        name: The key or setting that holds it.
        example: A valid address.
        allow_http: Whether the operator allows plain http to another machine; None if it cannot be allowed.

    Raises:
        ValueError: What is wrong with it.
    """
    _check_characters(url, name)
    if setting_names(url):
        return
    parts = _split(url, name, example)
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host:
        spelling = "; a setting is written `%NAME%`, with both signs" if url.count("%") == 1 else ""
        raise ValueError(f"`{name}` is not an address; write one such as {example}{spelling}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"`{name}` holds a user name or password; write `auth`, with the secret in Key Vault"
        )
    _check_host(host, name, example)
    if parts.query or parts.fragment:
        raise ValueError(f"`{name}` has a `?` or `#`; write it without them and what follows")
    if _BAD_OCTET.search(parts.path):
        raise ValueError(
            f"`{name}` has the path `{parts.path}`, in which a `%` begins neither a setting (`%NAME%`) nor "
            "an encoded character (`%20`); write `%25` for a percent sign"
        )
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        remedy = "" if allow_http is None else "; `allow_http: true` allows http:// on purpose"
        raise ValueError(f"`{name}` begins with http://; write https://{remedy}")


def check_airflow_path(url: str, *, name: str) -> None:
    """Refuse the address of a page or an API of Airflow; the address of the web server is expected.

    The settings that the address names are not needed, so that `updraft validate` finds it offline.

    Raises:
        ValueError: What to write instead.
    """
    address = re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/")
    host = re.match(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/]*", address)
    begins = host.end() if host else 0
    path = re.sub(r"/{2,}", "/", address[begins:])
    found = _AIRFLOW_PATH.search(path)
    if found is None:
        return
    raise ValueError(
        f"`{name}` ends with `{found.group()}`, which this app adds or never asks for; write "
        f"{address[:begins]}{path[: found.start()]}"
    )


def check_vault_address(url: str, *, name: str) -> None:
    """Check the address of a Key Vault: https, even on this machine, and no path.

    Raises:
        ValueError: What is wrong with it.
    """
    example = "https://contoso.vault.azure.net"
    check_address(url, name=name, example=example, allow_http=True)
    if setting_names(url):
        return
    if urlsplit(url).scheme != "https":
        raise ValueError(
            f"`{name}` begins with http://; write https://, as in {example}: secrets and tokens travel there"
        )
    check_no_path(url, name=name)


def check_no_path(url: str, *, name: str) -> None:
    """Refuse an address with a path; the address of the server is expected.

    Raises:
        ValueError: What to write instead.
    """
    parts = urlsplit(url)
    if parts.path.strip("/"):
        raise ValueError(f"`{name}` has the path `{parts.path}`; write {parts.scheme}://{parts.netloc}")


def _check_characters(url: str, name: str) -> None:
    """Refuse invisible characters and blanks: urlsplit drops some of them without an error."""
    character = invisible_in(url) or (" " if " " in url else None)
    if character is not None:
        what = "a blank" if character == " " else named(character)
        where = "" if "@" in url else f": `{url.replace(character, '␣')}` (at ␣)"  # it may hold a password
        raise ValueError(f"`{name}` holds {what}{where}; delete it")


def _split(url: str, name: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"`{name}` is not an address; write one such as {example}") from error
    return parts


def _check_host(host: str, name: str, example: str) -> None:
    if ":" in host:  # an IPv6 address: urlsplit has checked its brackets
        return
    labels = host.removesuffix(".").split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(
            f"`{name}` has the host `{host}`, which is not a host name; write one as in {example}"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
