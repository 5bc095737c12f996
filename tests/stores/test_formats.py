"""Each stored form has a version number; another version is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import EventError, StorageUnavailable
from shared.event import Unreadable
from shared.stores.dead_letter_reader import BadLetter, read_letters
from shared.stores.parked import Parked
from shared.stores.windows import from_lines, to_line
from shared.stores.work_items import Resent, RuleEvent, Subject, UnverifiedHook, WindowClose, Work
from tests.support.dead_letters import letter
from tests.support.delivery import event
from tests.support.direct_runs import CALLED
from tests.support.parked import of_message

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CLOSING = WindowClose("burst", "0123456789abcdef" * 2, "north")
WORK: tuple[Work, ...] = (
    RuleEvent(event(), "greet"),
    CALLED,
    CLOSING,
    Resent(event()),
    Resent(Unreadable("no JSON", "{")),
    UnverifiedHook("github", b"{}", f"sha256={'0' * 64}", {}),
)
SUBJECTS: tuple[Subject, ...] = (event(), CALLED, CLOSING, Unreadable("no JSON", "{"))

Read = Callable[[str], object]


def read_letter(text: str) -> object:
    """Read a dead letter; raise the error of a bad one."""
    (found,) = read_letters(text, ours=True)
    if isinstance(found, BadLetter):
        raise EventError(found.problem)
    return found


FORMS: dict[str, tuple[str, tuple[str, ...], Read]] = {
    **{
        f"parked: {type(each).__name__} {number}": (
            Parked(each, 1, NOW).to_message(),
            ("updraft",),
            of_message,
        )
        for number, each in enumerate(WORK)
    },
    **{
        f"a dead letter: {type(each).__name__}": (
            json.dumps(letter(subject=each).to_document()),
            ("updraft", "format"),
            read_letter,
        )
        for each in SUBJECTS
    },
    "a line of a window": (to_line(event()).decode(), ("updraft",), lambda text: from_lines(text.encode())),
}


def with_number(text: str, path: tuple[str, ...], number: object) -> str:
    """Return a document with another version number; with none if it is None."""
    document: dict[str, Any] = json.loads(text)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = number
    if number is None:
        del inner[path[-1]]
    return json.dumps(document)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [None, 0, 2, "1", [1], {"rule": "greet"}])
def test_a_form_of_another_version_is_refused_by_its_number(form: str, number: object) -> None:
    """A form of a newer version is refused, because reading a part could lose or repeat an event."""
    text, path, read = FORMS[form]
    assert read(text)
    assert read(with_number(text, path, 1))
    with pytest.raises((EventError, StorageUnavailable), match="1"):
        read(with_number(text, path, number))
