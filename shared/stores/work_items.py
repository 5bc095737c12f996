"""Work that can wait in the parking queue, by kind.

| class | what it is | what happens when it comes back |
|---|---|---|
| `RuleEvent` | an event, for one rule | the rule is decided again, and its run asked for |
| `DirectRun` (`shared/runs`) | a run that a caller asks for by the DAG's name | the run is asked for |
| `WindowClose` | a window whose time is over | the window is closed, and its run asked for |
| `Resent` | an event, or a body, for all rules | it is handled as if it had just arrived |
| `UnverifiedHook` | a delivery of a hook | its signature is verified; only then is its body read |

How each is written is in `work_forms.py`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from shared.event.model import Event, Unreadable
from shared.runs.direct_run import DirectRun

HEADERS_KEPT: Final = ("x-github-event",)
"""Headers of a hook that its body is read with. They are not signed; what reads them knows that."""


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """An event, and the rule that it is for."""

    event: Event
    rule: str


@dataclass(frozen=True, slots=True)
class WindowClose:
    """The close of a window.

    Attributes:
        rule: The rule whose window it is.
        id: The window's id.
        key: The value that its events have in common.
    """

    rule: str
    id: str
    key: str


@dataclass(frozen=True, slots=True)
class Resent:
    """What was given up before any rule had it, and is sent again to all rules (`resent.py` reads it)."""

    rule: ClassVar[str] = ""
    subject: Event | Unreadable


@dataclass(frozen=True, slots=True)
class UnverifiedHook:
    """A delivery of a hook whose signature could not be verified when it came.

    Its sender is not known: nothing of it is read, started or logged before the signature is verified.

    Attributes:
        hook: The kind of hook, as in `github`.
        body: The raw body, which is what is signed.
        signature: What the sender says is its signature.
        headers: Those of `HEADERS_KEPT` that came with it.
    """

    hook: str
    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the body: it says which body this was without having it."""
        return hashlib.sha256(self.body).hexdigest()


type RunWork = RuleEvent | DirectRun | WindowClose
"""Work that one run is started for, or an event put into a window."""

type Work = RunWork | Resent | UnverifiedHook
"""What can wait."""

type Subject = Event | Unreadable | DirectRun | WindowClose
"""What a dead letter is about."""


def subject_of(work: RunWork | Resent) -> Subject:
    """Return what the dead letter of a work item is about."""
    if isinstance(work, RuleEvent):
        return work.event
    return work.subject if isinstance(work, Resent) else work


def type_of(subject: Subject) -> str:
    """Return an event's type, as the log has it; empty for what is not an event."""
    return "" if isinstance(subject, DirectRun | WindowClose) else subject.type or ""


def source_of(subject: Subject) -> str:
    """Return the source of an event, or of a direct run, as the log has it; empty where there is none."""
    return "" if isinstance(subject, WindowClose) else subject.source or ""
