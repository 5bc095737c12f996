"""What each rule decides about each event of a body."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.event_files import read_event_file
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from shared.deciding.decide import Decision
    from shared.event import Event
    from shared.event.via import Via
    from shared.rules import Rules


@dataclass(frozen=True, slots=True)
class Explained:
    """One event, or a text that is not an event, with the decision of each rule."""

    id: str | None
    type: str | None
    source: str | None
    error: str | None
    decisions: "list[Decision]"
    notes: tuple[str, ...] = ()
    file: str | None = None
    via: str = "unknown"

    def to_json(self) -> JsonObject:
        """Return the event's part of the `--json` document, whose shape is stable."""
        return {
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "error": self.error,
            "via": self.via,
            **({"notes": [*self.notes]} if self.notes else {}),
            "decisions": [_decision_json(decision) for decision in self.decisions],
        }


def explain_body(
    body: bytes | OSError,
    rules: "Rules",
    kind: str | None,
    via: "Via | None" = None,
    *,
    as_asked: bool = False,
) -> list[Explained]:
    """Explain every event of one body; an event that cannot be read has an error instead of decisions.

    Args:
        body: The body, or the error that prevents reading it.
        rules: The rules.
        kind: The kind of a body without an event envelope whose members do not show it.
        via: How the events reached the app; None for a hook's body by its hook, and for unknown.
        as_asked: Whether an event of unknown `via` counts as having come by the `via` of each rule.
    """
    from shared.event import Unreadable

    if isinstance(body, OSError):
        return [Explained(None, None, None, f"the file cannot be read: {body.strerror or body}", [])]
    return [
        Explained(event.id, event.type, event.source, event.error, [])
        if isinstance(event, Unreadable)
        else _explained(event, rules, as_asked=as_asked and event.via == "unknown")
        for event in (each.event for each in read_event_file(body, kind, via))
    ]


def _explained(event: "Event", rules: "Rules", *, as_asked: bool) -> Explained:
    from shared.deciding.decide import explain, explain_for
    from shared.event.arrival import dated

    event = dated(event, datetime.now(UTC))
    decisions = explain(event, rules)
    if as_asked:
        decisions = [
            explain_for(replace(event, via=min(rule.via)), rule) if rule.via else each
            for rule, each in zip(rules.rules, decisions, strict=True)
        ]
    return Explained(event.id, event.type, event.source, None, decisions, event.notes, via=event.via)


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
