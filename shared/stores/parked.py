"""A delivery that waits, and its message in the parking queue.

A message is a JSON object in ASCII with `"updraft": 1`: the work item (`work_forms.py`), and beside it how
often that was tried. An item that does not fit into a message lies in a blob of the same form, and the
message names the blob: a claim check
(https://learn.microsoft.com/azure/architecture/patterns/claim-check).
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
"""The version of a message's form, and of its blob's."""
_REASON_KEPT: Final = 1_000
_CAUSE_KEPT: Final = 40


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that waits.

    Attributes:
        work: The work item.
        attempt: How many deliveries there were so far that count.
        first_seen: When it first arrived, with a time zone; None where its age counts from its next delivery.
        reason: Why it waits, in words.
        cause: Why it waits, in one word, as it was last logged: the same cause is not logged again.
        claim: The blob that keeps the work item, where the message was too small for it.
        waits: How often it was parked without that being an attempt.
        rendered: Whether the run that it waits for was rendered: then only other rules can fail to.
        rule_changed_since: Since when no instance has had rules with a run for it, with a time zone; None
            where the last instance had.
        rule_changed_tries: How many instances in a row had no such rules.
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
        """Return the message with the work item in it, as JSON text in ASCII."""
        return _encoded(self._tries() | members_of(self.work))

    def to_claim(self) -> str:
        """Return the message with only the name of the blob that keeps the work item."""
        return _encoded(self._tries() | {"claim": self.claim_name()})

    def claim_name(self) -> str:
        """Return the name of the blob: the same for the same parking, however often it is tried."""
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
    """Return the JSON object of a message, or of the blob that one names.

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
    """Return the delivery that a message, or its blob, holds.

    Args:
        document: From `opened`.
        claim: The blob's name, where it is the blob's.

    Raises:
        EventError: It is not one; says which member is wrong.
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
    """Return JSON text in ASCII, which XML carries as it is: every other character is escaped."""
    return compact_text(document, ascii_only=True)
