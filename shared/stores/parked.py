"""A parked delivery, and its message in the queue.

A message is a JSON object in ASCII with `"updraft": 1`: the work item (`work_forms.py`), and the numbers of
its tries. A work item that does not fit into a message is stored in a blob of the same form, and the message
has the blob's name: a claim check (https://learn.microsoft.com/azure/architecture/patterns/claim-check).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import EventError
from shared.stores.work_forms import members_of, object_of, read_work, time_of
from shared.stores.work_items import Work
from shared.values.hashes import parts_hash
from shared.values.json_text import JsonObject, compact_text, parse_kept
from shared.visible_text import visible

FORMAT: Final = 1
"""The version of the form of a message and its blob."""
_REASON_KEPT: Final = 1_000
_CAUSE_KEPT: Final = 40


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked delivery.

    Attributes:
        work: The work item.
        attempt: The number of attempts so far.
        first_seen: When it first arrived, with a time zone; None if its age counts from its next delivery.
        reason: Why it is parked, in words.
        cause: Why it is parked, in one word, as last logged: the same cause is not logged again.
        claim: The blob with the work item, if it did not fit into the message.
        waits: How often it was parked without an attempt.
        rendered: Whether the run was rendered: then only other rules can make rendering fail.
        rule_changed_since: Since when no instance has had rules with a run for it, with a time zone; None if
            the last instance had.
        rule_changed_tries: The number of tries in a row without a run in the rules.
    """

    work: Work
    attempt: int
    first_seen: datetime | None
    reason: str = ""
    claim: str | None = None
    waits: int = 0
    rendered: bool = False
    rule_changed_since: datetime | None = None
    rule_changed_tries: int = 0
    cause: str = ""

    def to_message(self) -> str:
        """Return the message with the work item, as JSON text in ASCII."""
        return _encoded(self._tries() | members_of(self.work))

    def to_claim(self) -> str:
        """Return the message with the name of the blob instead of the work item."""
        return _encoded(self._tries() | {"claim": self.claim_name()})

    def claim_name(self) -> str:
        """Return the name of the blob, which is the same if one parking is repeated."""
        content = _encoded(members_of(self.work))
        return f"{parts_hash(content, str(self.first_seen), self.attempt, self.waits)}.json"

    def _tries(self) -> JsonObject:
        first_seen, since = self.first_seen, self.rule_changed_since
        return {
            "updraft": FORMAT,
            **({} if first_seen is None else {"first_seen": first_seen.isoformat()}),
            "attempt": self.attempt,
            "waits": self.waits,
            "reason": visible(self.reason, _REASON_KEPT),
            **({"cause": self.cause} if self.cause else {}),
            "rendered": self.rendered,
            **(
                {}
                if since is None
                else {"rule_changed": {"since": since.isoformat(), "tries": self.rule_changed_tries}}
            ),
        }


def opened(text: str | bytes) -> JsonObject:
    """Return the JSON object of a message or of its blob.

    Raises:
        EventError: It is not a message of this app.
    """
    try:
        document = parse_kept(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise EventError(f"a parked message is not JSON: {type(error).__name__}") from error
    if not isinstance(document, dict) or document.get("updraft") != FORMAT:
        raise EventError(f'a parked message is a JSON object with "updraft": {FORMAT}; this one is not')
    return document


def read_parked(document: JsonObject, *, claim: str | None = None) -> Parked:
    """Return the parked delivery of a message or of its blob.

    Args:
        document: From `opened`.
        claim: The blob's name, if the document is from a blob.

    Raises:
        EventError: A member is wrong; the message names it.
    """
    try:
        changed = object_of(document, "rule_changed") if "rule_changed" in document else None
        return Parked(
            work=read_work(document),
            attempt=_count(document, "attempt"),
            first_seen=time_of(document, "first_seen") if "first_seen" in document else None,
            reason=str(document.get("reason", "")),
            claim=claim,
            waits=_count(document, "waits"),
            rendered=document.get("rendered") is True,
            rule_changed_since=None if changed is None else time_of(changed, "since"),
            rule_changed_tries=0 if changed is None else _count(changed, "tries"),
            cause=str(document.get("cause", ""))[:_CAUSE_KEPT],
        )
    except EventError as error:
        raise EventError(f"a parked message cannot be used: {error}") from error


def _count(document: JsonObject, name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise EventError(f"the member `{name}` is not a count")
    return value


def _encoded(document: JsonObject) -> str:
    """Return JSON text in ASCII: all its characters are allowed in XML."""
    return compact_text(document, ascii_only=True)
