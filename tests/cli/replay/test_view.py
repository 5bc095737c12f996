"""The text that `updraft replay` prints for dead letters."""

from typing import Any

import pytest

from cli.replay.container import Kept
from cli.replay.view import blob_json, overview, show
from shared.event import Event, Unreadable
from shared.stores.dead_letter_reader import Letter
from shared.stores.work_items import Subject, WindowClose
from tests.support.delivery import event
from tests.support.direct_runs import CALLED


def kept(name: str, code: str) -> Kept:
    """Return a blob with one dead letter."""
    return Kept(name, [Letter(event(), code, "no", text="{}")])


def test_a_list_names_the_page_of_each_code_once() -> None:
    """A code of several dead letters has one link, and a code of Event Grid has none."""
    codes = ["DagNotFound", "BadRequest", "DagNotFound", "UndeliverableDueToClientError"]
    lines = list(overview([kept(f"{n}.json", code) for n, code in enumerate(codes)], "letters"))
    pages = [line for line in lines if "docs/codes.md" in line]
    assert pages == ["  see docs/codes.md#BadRequest, docs/codes.md#DagNotFound"]


def test_a_body_that_is_not_an_event_has_words_for_what_it_lacks() -> None:
    """A column of the list is never a bare sign."""
    blob = Kept("1.json", [Letter(Unreadable("no JSON", "{"), "Unreadable", "no", text="{}")])
    assert "undated  (any rule)  Unreadable  (no id)  1.json" in list(overview([blob], "letters"))


def test_the_reason_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The event follows, with its characters as they are."""
    stored = '{"updraft": {"reason": "no … item"}}'
    show(Kept("1.json", [Letter(event(data={"site": "Köln …"}), "DagNotFound", "no … item", text=stored)]))
    out = capsys.readouterr().out
    assert out.count("no … item") == 1
    assert '    "site": "Köln …"' in out


def test_an_empty_list_names_no_page() -> None:
    """Without dead letters there is no link."""
    assert list(overview([], "letters")) == ["0 dead letters in letters"]


@pytest.mark.parametrize(
    ("code", "help_line"),
    [("DagNotFound", "help      docs/codes.md#DagNotFound\n"), ("UndeliverableDueToClientError", "")],
)
def test_a_letter_names_the_page_of_its_code(
    code: str, help_line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead letter has the link to its code below its reason."""
    show(kept("1.json", code))
    out = capsys.readouterr().out
    about = "subject   event e-1 of type Microsoft.Web.SlotSwapCompleted\n"
    assert out.startswith(f"rule      (any rule)\n{about}reason    {code}: no\n{help_line}attempts")


@pytest.mark.parametrize(
    ("subject", "type_and_source", "about"),
    [
        (
            event(source="/shop"),
            ("Microsoft.Web.SlotSwapCompleted", "/shop"),
            "event e-1 of type Microsoft.Web.SlotSwapCompleted",
        ),
        (
            CALLED,
            (None, CALLED.source),
            "the run of DAG smoke_tests that the caller pipeline asked for, key k-1",
        ),
        (WindowClose("smoke", "a1", "north"), (None, None), "the close of window a1 for north"),
        (Unreadable("no JSON", "{"), (None, None), "a body that is not an event"),
    ],
)
def test_the_document_says_what_a_letter_is_about(
    subject: Subject, type_and_source: tuple[str | None, str | None], about: str
) -> None:
    """A dead letter without an event has no type; `subject` is as printed, and the body is whole."""
    blob = Kept("1.json", [Letter(subject, "DagNotFound", "no", text="{}")])
    document: Any = blob_json(blob, whole=True)
    (told,) = document["events"]
    assert ((told["type"], told["source"]), told["subject"]) == (type_and_source, about)
    assert (told["event"] is None) == (not isinstance(subject, Event))
    assert (told["body"] is None) == isinstance(subject, Event)
