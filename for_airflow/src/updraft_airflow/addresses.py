"""Compares an address out of a run's conf with the addresses that the operator lists.

Whoever may start a run chooses its conf. So no report and no token of this Airflow goes to an address that
only the conf names: `[updraft]` lists the addresses, and without a list there are none.

The comparison is narrower than what RFC 3986 calls equivalent, because two programs may read one spelling
differently: names of hosts are compared as they are written, and a path has neither `%` nor `//`.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from updraft_airflow.wire import WireError, checked_url, origin

_PATH = re.compile(r"(?:/[A-Za-z0-9\-_~!$&'()*+,;=:@][A-Za-z0-9\-._~!$&'()*+,;=:@]*)*/?")
"""Segments as they are, so without `%`; none is empty or begins with a dot (RFC 3986 section 3.3)."""


def listed(option: str) -> list[str]:
    """Split an option's value: addresses with commas or blanks between them."""
    return option.replace(",", " ").split()


def is_below(url: str, prefix: str) -> bool:
    """Compare whole origins and whole path segments, so that no look-alike host or path slips through.

    Args:
        url: The address in question.
        prefix: What the operator lists; one that `checked_prefix` refuses has nothing below it.
    """
    try:
        same = origin(checked_url(url, what="url")) == origin(checked_prefix(prefix, what="prefix"))
    except WireError:
        return False
    path, base = _path(url), _path(prefix).rstrip("/") + "/"
    return same and _PATH.fullmatch(path) is not None and (path + "/").startswith(base)


def checked_prefix(prefix: str, *, what: str) -> str:
    """Return an address that may be listed.

    Args:
        prefix: As the operator wrote it.
        what: The option, for the error.

    Raises:
        WireError: It cannot be called (`checked_url`), or it has more than a plain path.
    """
    checked_url(prefix, what=what)
    if "?" in prefix or "#" in prefix or not _PATH.fullmatch(_path(prefix)):
        raise WireError(
            f"{what} must end before `?` and `#`, and its path must have no `%`, `//` or segment that begins"
            f" with a dot, not {prefix[:200]!r}"
        )
    return prefix


def refusal(url: str, allowed: Sequence[str], *, option: str) -> str | None:
    """Say why an address of a run's conf may not be called.

    Args:
        url: The address, which `checked_url` let through.
        allowed: The listed addresses.
        option: The option of `[updraft]` that lists them.

    Returns:
        The reason and the line that would allow it; None where it is allowed.

    Raises:
        WireError: A listed address cannot be used.
    """
    for prefix in allowed:
        checked_prefix(prefix, what=f"[updraft] {option}")
    return None if any(is_below(url, prefix) for prefix in allowed) else not_listed(url, allowed, option)


def not_listed(url: str, allowed: Sequence[str], option: str) -> str:
    """Return the reason and the line that would allow an address; the arguments are those of `refusal`."""
    why = "does not list it" if allowed else "is not set"
    plain = url.partition("?")[0].partition("#")[0][:200]
    return (
        f"the run's conf names the address {plain}, and [updraft] {option} {why}; nothing was sent there."
        " Whoever starts a run chooses its conf: only if this is the address of your Updraft, write under"
        f" [updraft] in airflow.cfg: {option} = {', '.join([*allowed, plain])}"
    )


def _path(url: str) -> str:
    return urlsplit(url).path or "/"
