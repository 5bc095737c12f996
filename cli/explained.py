"""What each rule decides about each event of a body."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from shared.deciding.decide import Decision
    from shared.rules import Rules


@dataclass(frozen=True, slots=True)
class Explained:
    """One event, or what should have been one, with every rule's decision."""

    id: str | None
    type: str | None
    source: str | None
    error: str | None
    decisions: "list[Decision]"
    notes: tuple[str, ...] = ()
    file: str | None = None

    def to_json(self) -> JsonObject:
        """Return the event's part of the `--json` document, whose shape is stable."""
        return {
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "error": self.error,
            **({"notes": [*self.notes]} if self.notes else {}),
            "decisions": [_decision_json(decision) for decision in self.decisions],
        }


def explain_body(
    body: bytes | OSError, rules: "Rules", kind: str | None, headers: Mapping[str, str] | None = None
) -> list[Explained]:
    """Explain every event of one body; what cannot be read has its error instead of decisions.

    Args:
        body: The body, or why it could not be had.
        rules: The rules to ask.
        kind: How to read a body without an event envelope.
        headers: The HTTP headers that it would come with.
    """
    from shared.deciding.decide import explain  # noqa: PLC0415 - only the command itself needs it
    from shared.event import Unreadable, read_events  # noqa: PLC0415 - as above

    if isinstance(body, OSError):
        return [Explained(None, None, None, f"the file cannot be read: {body.strerror or body}", [])]
    return [
        Explained(event.id, event.type, event.source, event.error, [])
        if isinstance(event, Unreadable)
        else Explained(event.id, event.type, event.source, None, explain(event, rules), event.notes)
        for event in read_events(body, kind=kind, headers=headers)
    ]


def read_body(file: str) -> bytes | OSError:
    """Return what a file holds (`-`: standard input), or why it cannot be read."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return error


def _decision_json(decision: "Decision") -> JsonObject:
    request: Json = None
    if decision.request is not None:
        request = asdict(decision.request)
        del request["rule"]
        order = ("connection", "dag_id", "dag_run_id", "conf", "note", "logical_date", "run_after")
        request = {name: request[name] for name in order}
    return {
        "rule": decision.rule,
        "matched": decision.matched,
        "reason": decision.reason,
        "request": request,
    }
