"""Work that waits in the parking queue, by kind; the kind of a message stands in its member `kind`.

| kind | class | its turn |
|---|---|---|
| `event`, or no `kind` | `Parked` (`parking.py`) | the event is delivered to the rule that it is parked for |
| `unverified-hook` | `UnverifiedHook` | the signature is verified; only then is the body read and handled |

A message is a JSON object in ASCII with `"updraft": 1`. An item that does not fit into one is kept in a blob,
and the message names the blob.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.errors import EventError, UnusableValue
from shared.values.hashes import parts_hash
from shared.values.json_text import JsonObject, compact_text, parse_kept
from shared.values.times import parse_time

UNVERIFIED_HOOK: Final = "unverified-hook"
HEADERS_KEPT: Final = ("x-github-event",)
"""Headers of a hook that its body is read with. They are not signed; what reads them knows that."""
FORMAT: Final = 1
"""The version of a message's form, and of its blob's."""
_SIGNING_HOOKS: Final = frozenset({"github"})
_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}")
_HEADER_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class UnverifiedHook:
    """A delivery of a hook whose signature could not be verified when it came.

    Nobody knows who sent it: nothing of it is read, started or logged before the signature is verified.

    Attributes:
        hook: The kind of hook, as in `github`.
        body: The raw body, which is what is signed.
        signature: What the sender says is its signature.
        headers: Those of `HEADERS_KEPT` that came with it.
        first_seen: When it came, with a time zone.
        waits: How often it was parked again.
        claim: The blob that keeps it, where the message was too small for it.
    """

    hook: str
    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    first_seen: datetime
    waits: int = 0
    claim: str | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the body: it says which body this was without having it."""
        return hashlib.sha256(self.body).hexdigest()

    def to_message(self) -> str:
        """Return the message with the body in it."""
        kept = {name: value[:_HEADER_KEPT] for name, value in self.headers.items() if name in HEADERS_KEPT}
        return encode(
            {
                **self._envelope(),
                "hook": self.hook,
                "body": base64.b64encode(self.body).decode(),
                "signature": self.signature,
                "headers": dict(kept),
                "first_seen": self.first_seen.isoformat(),
                "waits": self.waits,
            }
        )

    def to_claim(self) -> str:
        """Return the message with only the name of the blob that keeps the rest."""
        return encode({**self._envelope(), "claim": self.claim_name()})

    def claim_name(self) -> str:
        """Return the name of the blob: the same for the same parking, however often it is tried."""
        identity = (self.hook, self.digest, self.signature, self.first_seen.isoformat(), self.waits)
        return f"{parts_hash(*identity)}.json"

    def _envelope(self) -> JsonObject:
        return {"updraft": FORMAT, "kind": UNVERIFIED_HOOK}

    @staticmethod
    def from_document(document: JsonObject) -> "UnverifiedHook":
        """Read an item from a message, or from the blob that a message names.

        Raises:
            EventError: It is not such an item; says which member is wrong, and nothing of the body.
        """
        hook, body, signature = (document.get(name) for name in ("hook", "body", "signature"))
        headers, waits = document.get("headers"), document.get("waits")
        if not isinstance(hook, str) or hook not in _SIGNING_HOOKS:
            raise EventError("a parked hook is of no kind that is signed")
        if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
            raise EventError("a parked hook has no signature")
        if (
            not isinstance(headers, dict)
            or not isinstance(waits, int)
            or isinstance(waits, bool)
            or waits < 0
        ):
            raise EventError("a parked hook has no headers, or no count of its waits")
        try:
            content = base64.b64decode(body if isinstance(body, str) else "", validate=True)
        except ValueError as error:
            raise EventError("a parked hook's body is not Base64") from error
        return UnverifiedHook(
            hook=hook,
            body=content,
            signature=signature,
            headers={name: value for name, value in headers.items() if isinstance(value, str)},
            first_seen=time_of(document, "first_seen"),
            waits=waits,
        )


def is_unverified_hook(document: JsonObject) -> bool:
    """Tell whether a message is of this kind.

    Raises:
        EventError: It is of a kind that nobody knows.
    """
    kind = document.get("kind", "event")
    if kind not in ("event", UNVERIFIED_HOOK):  # a list or an object would have no place in a set
        raise EventError(f"a parked message is of the kind {str(kind)[:40]!r}, which this app does not know")
    return kind == UNVERIFIED_HOOK


def encode(document: JsonObject) -> str:
    """Return JSON text in ASCII, which XML carries as it is: every other character is escaped."""
    return compact_text(document, ascii_only=True)


def opened(text: str | bytes) -> JsonObject:
    """Return the JSON object of a message, or of the blob that one names.

    Raises:
        EventError: It is not a message of this app.
    """
    try:
        document = parse_kept(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as exc:
        raise EventError(f"a parked message is not JSON: {type(exc).__name__}") from exc
    if not isinstance(document, dict) or document.get("updraft") != FORMAT:
        raise EventError(f'a parked message is a JSON object with "updraft": {FORMAT}; this one is not')
    return document


def time_of(document: JsonObject, name: str) -> datetime:
    """Return a member that is a time.

    Raises:
        EventError: It is not one.
    """
    try:
        return parse_time(str(document.get(name)))
    except UnusableValue as exc:
        raise EventError(f"a parked message's {name} cannot be used: {exc}") from exc
