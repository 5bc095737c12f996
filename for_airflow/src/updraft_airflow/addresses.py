"""Compares an address in a run's conf with the addresses that the operator allows.

A caller that may start a run chooses its conf. So no report and no token of this Airflow is sent to an
address that only the conf names: `[updraft]` lists the allowed addresses; without a list none is allowed.

The comparison is stricter than RFC 3986, because two programs may read the same address differently: names of
hosts are compared as text, and a path must not have `%` or `//`.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from updraft_airflow.wire import WireError, checked_url, origin

_PATH = re.compile(r"(?:/[A-Za-z0-9\-_~!$&'()*+,;=:@][A-Za-z0-9\-._~!$&'()*+,;=:@]*)*/?")
"""Segments without `%`; no segment is empty or begins with a dot (RFC 3986 section 3.3)."""


def listed(option: str) -> list[str]:
    """Split an option's value: addresses with commas or blanks between them."""
    return option.replace(",", " ").split()


def is_below(url: str, prefix: str) -> bool:
    """Return whether an address is below a listed one; whole origins and whole path segments are compared.

    Args:
        url: The address.
        prefix: The listed address; no address is below one that `checked_prefix` refuses.
    """
    try:
        same = origin(checked_url(url, what="url")) == origin(checked_prefix(prefix, what="prefix"))
    except WireError:
        return False
    path, base = _path(url), _path(prefix).rstrip("/") + "/"
    return same and _PATH.fullmatch(path) is not None and (path + "/").startswith(base)


def checked_prefix(prefix: str, *, what: str) -> str:
    """Return a listed address after a check.

    Args:
        prefix: As the operator wrote it.
        what: The option, for the error.

    Raises:
        WireError: `checked_url` refuses it, or it has more than a plain path.
    """
    checked_url(prefix, what=what)
    if "?" in prefix or "#" in prefix or not _PATH.fullmatch(_path(prefix)):
        raise WireError(
            f"{what} must end before `?` and `#`, and its path must have no `%`, `//` or segment that begins"
            f" with a dot, not {prefix[:200]!r}"
        )
    return prefix


def refusal(url: str, allowed: Sequence[str], *, option: str) -> str | None:
    """Return why an address of a run's conf may not be called.

    Args:
        url: The address, after `checked_url`.
        allowed: The listed addresses.
        option: The option of `[updraft]` that lists them.

    Returns:
        The reason and the setting that would allow it; None if it is allowed.

    Raises:
        WireError: A listed address cannot be used.
    """
    for prefix in allowed:
        checked_prefix(prefix, what=f"[updraft] {option}")
    return None if any(is_below(url, prefix) for prefix in allowed) else not_listed(url, allowed, option)


def not_listed(url: str, allowed: Sequence[str], option: str) -> str:
    """Return the reason and the setting that would allow an address; arguments as `refusal`."""
    why = "does not list it" if allowed else "is not set"
    plain = url.partition("?")[0].partition("#")[0][:200]
    return (
        f"the run's conf names the address {plain}, and [updraft] {option} {why}; nothing was sent there."
        " Only if this is the address of your Updraft, write under [updraft] in airflow.cfg:"
        f" {option} = {', '.join([*allowed, plain])}"
    )


def _path(url: str) -> str:
    return urlsplit(url).path or "/"
