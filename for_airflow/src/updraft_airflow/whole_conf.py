"""Reads the part of a run's conf that Updraft passed by reference.

If the conf of a rule with `coalesce` is too large for Airflow, its largest members are in a blob, and
`conf["_updraft"]["by_reference"]` is `{"url": <address of the blob>, "members": [<names>]}`.

A caller that may start a run chooses its conf, and this process's token for Storage can read every account
that its identity may read. So the token is sent only to the containers that `[updraft] windows_urls` lists.
An address of a conf is compared with them character by character and has to end in the name of a conf's blob;
no redirect is followed, and no response can request another token.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf as airflow_conf

from updraft_airflow.addresses import checked_prefix, listed, not_listed
from updraft_airflow.callback import CallbackError, Patience, entra_token
from updraft_airflow.wire import Answer, WireError, checked_url, send

SCOPE = "https://storage.azure.com/.default"
"""The scope of Azure Storage in every cloud; no response changes it."""

LARGEST = 128 << 20
"""The most bytes of a conf. A window has at most 64 MiB of events."""

IN_A_TASK = Patience()

_OPTION = "windows_urls"
_RESERVED = "_updraft"
_API_VERSION = "2021-08-06"
_BLOB = re.compile(r"/[a-z0-9][a-z0-9-]{0,99}/confs/[A-Za-z0-9_-]{1,100}\.json")
"""`<rule>/confs/<window>.json`, as `shared/stores/window_blobs.py` names it."""
_BLOB_AT_END = re.compile(rf"{_BLOB.pattern}\Z")
_OK = 200
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_REMEDIES = {
    401: "it does not accept this identity's token: check that account and identity are in the same tenant",
    403: "give this identity the role Storage Blob Data Reader on the container, and check that the"
    " account's firewall allows this network",
    404: "the blob does not exist; it may have been deleted",
}


class WholeConfError(Exception):
    """The conf cannot be completed. The message never holds a token."""


def whole_conf(conf: Mapping[str, Any] | None, *, patience: Patience = IN_A_TASK) -> dict[str, Any]:
    """Return a run's conf with the members that were passed by reference.

    Args:
        conf: The run's conf, as in `get_current_context()["dag_run"].conf`.
        patience: How long to try.

    Raises:
        WholeConfError: No listed container has the blob, or it cannot be read.
    """
    return completed(
        conf,
        containers=listed(airflow_conf.get("updraft", _OPTION, fallback="")),
        own_token=partial(entra_token, SCOPE),
        patience=patience,
    )


def completed(
    conf: Mapping[str, Any] | None,
    *,
    containers: Sequence[str],
    own_token: Callable[[], str],
    patience: Patience = IN_A_TASK,
) -> dict[str, Any]:
    """Do as `whole_conf` with the settings given.

    Args:
        conf: The run's conf.
        containers: Addresses of the containers that may be read.
        own_token: Returns a token for Storage; called only for an address in a listed container.
        patience: How long to try.

    Raises:
        WholeConfError: See `whole_conf`.
    """
    conf = {} if conf is None else conf
    updraft = conf.get(_RESERVED) if isinstance(conf, Mapping) else None
    reference = updraft.get("by_reference") if isinstance(updraft, Mapping) else None
    if reference is None:
        return dict(conf)
    url, members = _read_reference(reference)
    try:
        address = _in_a_container(url, containers)
        token = own_token()
    except (CallbackError, WireError) as exc:
        raise WholeConfError(str(exc)) from None
    whole = _document(_fetched(address, token, patience))
    missing = [name for name in members if name not in whole]
    if missing:
        raise WholeConfError(f"the blob of the run's conf lacks {', '.join(missing)[:300]}")
    return {**conf, **{name: whole[name] for name in members}}


def _read_reference(reference: Any) -> tuple[str, list[str]]:
    """Return the address and the names; the run's conf always has `_updraft`."""
    url = reference.get("url") if isinstance(reference, Mapping) else None
    members = reference.get("members") if isinstance(reference, Mapping) else None
    fits = isinstance(members, list) and all(isinstance(name, str) and name != _RESERVED for name in members)
    if not isinstance(url, str) or not isinstance(members, list) or not fits:
        raise WholeConfError("conf's _updraft.by_reference needs `url` and the names in `members`")
    return url, members


def _in_a_container(url: str, containers: Sequence[str]) -> str:
    """Return the address to call, made of a listed container and a name of a fixed form.

    Raises:
        WireError: No listed container has it, or a listed container cannot be used.
    """
    for each in containers:
        _check_container(each)
    for each in containers:
        base = each.rstrip("/")
        name = url.removeprefix(base)
        if name != url and _BLOB.fullmatch(name):
            return base + name
    checked_url(url, what="_updraft.by_reference.url")
    end = _BLOB_AT_END.search(url)
    if end is None:
        raise WireError(f"_updraft.by_reference.url is not the address of a conf's blob: {url[:200]!r}")
    raise WireError(not_listed(url.removesuffix(end.group()), containers, _OPTION))


def _check_container(address: str) -> None:
    what = f"[updraft] {_OPTION}"
    parts = urlsplit(checked_prefix(address, what=what))
    if parts.scheme != "https" or not parts.path.strip("/"):
        raise WireError(
            f"{what} must hold addresses of containers, as in"
            f" https://contoso.blob.core.windows.net/updraft-windows, not {address[:200]!r}"
        )


def _fetched(address: str, token: str, patience: Patience) -> bytes:
    """Get the blob (https://learn.microsoft.com/rest/api/storageservices/get-blob)."""
    failure = ""
    for attempt in range(1, patience.attempts + 1):
        headers = {
            "Authorization": f"Bearer {token}",
            "x-ms-version": _API_VERSION,
            "x-ms-date": formatdate(usegmt=True),
        }
        wish = 0.0
        try:
            answer = send("GET", address, headers=headers, timeout=patience.timeout, longest=LARGEST)
        except WireError as exc:
            failure = str(exc)
        else:
            if answer.status == _OK:
                return answer.body
            failure = _in_words(answer)
            wish = answer.retry_after or 0.0
            if answer.status not in _PASSING:
                break
        if attempt < patience.attempts:
            backoff = random.uniform(0, patience.first_delay * 2 ** (attempt - 1))  # noqa: S311 - full jitter
            time.sleep(min(patience.longest_delay, max(backoff, wish)))
    raise WholeConfError(f"the run's conf cannot be read from {address}: {failure}")


def _in_words(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"it answered {answer.status}: redirects are not followed"
    remedy = _REMEDIES.get(answer.status)
    return f"it answered {answer.status}" + (f"; {remedy}" if remedy else "")


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise WholeConfError("the blob of the run's conf is not a JSON object")
    return document
