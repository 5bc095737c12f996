"""Work that can be parked, by kind.

| class | what it is | when the message becomes visible |
|---|---|---|
| `RuleEvent` | an event, for one rule | the rule is decided again, and its run requested |
| `DirectRun` (`shared/runs`) | a run that a caller requests by the DAG's name | the run is requested |
| `WindowClose` | the close of a window | the window is closed, and its run requested |
| `Resent` | a replayed event or body, for all rules | it is handled as a new event |
| `UnverifiedHook` | a webhook delivery | its signature is verified, and then its body is read |

`work_forms.py` has their JSON.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from shared.event.model import Event, Unreadable
from shared.event.via import Via
from shared.runs.direct_run import DirectRun

HEADERS_KEPT: Final = ("x-github-event",)
"""The webhook headers that are needed to read the body. They are not signed."""


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """An event, and the rule that it is for."""

    event: Event
    rule: str


@dataclass(frozen=True, slots=True)
class WindowClose:
    """The close of a window.

    Attributes:
        rule: The window's rule.
        id: The window's id.
        key: The key that all its events have.
    """

    rule: str
    id: str
    key: str


@dataclass(frozen=True, slots=True)
class Resent:
    """A replayed dead letter without a rule; it goes to all rules (`resent.py`)."""

    rule: ClassVar[str] = ""
    subject: Event | Unreadable


@dataclass(frozen=True, slots=True)
class UnverifiedHook:
    """A webhook delivery whose signature could not be verified at its arrival.

    Its content is not read, started or logged before the signature is verified.

    Attributes:
        hook: The kind of webhook, as in `github`.
        body: The raw body, which is signed.
        signature: The signature, as the sender wrote it.
        headers: The headers of `HEADERS_KEPT`.
    """

    hook: str
    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the body: identifies it in a dead letter that does not have the body."""
        return hashlib.sha256(self.body).hexdigest()


type RunWork = RuleEvent | DirectRun | WindowClose
"""Work for which one run starts, or an event is put into a window."""

type Work = RunWork | Resent | UnverifiedHook
"""Work that can be parked."""

type Subject = Event | Unreadable | DirectRun | WindowClose
"""The content of a dead letter."""


def subject_of(work: RunWork | Resent) -> Subject:
    """Return the content of a work item's dead letter."""
    if isinstance(work, RuleEvent):
        return work.event
    return work.subject if isinstance(work, Resent) else work


def type_of(subject: Subject) -> str:
    """Return the type of an event, for the log; empty if the subject is not an event."""
    return "" if isinstance(subject, DirectRun | WindowClose) else subject.type or ""


def source_of(subject: Subject) -> str:
    """Return the source of an event or direct run, for the log; may be empty."""
    return "" if isinstance(subject, WindowClose) else subject.source or ""


def via_of(subject: Subject) -> Via | Literal[""]:
    """Return the channel of an event or of a body; empty for a direct run and for a window."""
    return "" if isinstance(subject, DirectRun | WindowClose) else subject.via
