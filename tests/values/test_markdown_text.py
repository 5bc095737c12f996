import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from shared.values.markdown_text import MAX_NOTE, marked, note_text

AIRFLOW = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""Airflow's UI renders CommonMark with GitHub's tables and strikethrough; its links are below."""

ADDRESS = re.compile(r"https?://[-.\w]|www\.[-.\w]|[-.\w+]@[-\w]+\.[-\w]", re.IGNORECASE)
"""The plain text of which GitHub's extension makes a link, escaped or not."""

HARMLESS = {"inline", "text", "text_special", "softbreak", "code_inline"}

HOSTILE = (
    "![x](http://evil.example/p.png)",
    "[click](https://evil.example)",
    "[click][1]",
    "<https://evil.example>",
    "<img src=x onerror=alert(1)>",
    "https://evil.example/a?b=c&d",
    "WWW.evil.example",
    "http\\://evil.example www\\.evil.example",
    "mailto:a@evil.example",
    "# heading",
    "heading\n===",
    "===",
    "---",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "```\ncode\n```",
    "~~~",
    "`![x](http://evil.example)`",
    "`` ` `` [x](http://evil.example)",
    "**bold** _italic_ ~~gone~~",
    "| a | b |\n|---|---|",
    ":-",
    "\\[x](http://evil.example)",
    "\\",
    "`",
    "[",
    "](http://evil.example)",
    "&lt;img&gt; &#91;x](http://evil.example)",
    "    code",
    "a\r\n\r\n# b",
    "\ue001![x](http://evil.example)\ue000",
    "\u202e\u2066\x1b]8;;http://evil.example\x07x",
    "\ud800",
    "`" * 600 + "![x](http://evil.example)" * 20,
    "",
    " ",
)

TEMPLATES = (
    "{}",
    "About {}.",
    "Deployed `{}` by {}",
    "Title\n{}",
    "# {}",
    "- {} and {}",
    "`{}` `{}` {}",
    "it`s {} of `{}`",
    "a ` b\nevent `{}` c",
    "C:\\{}",
    "\\\\{}",
    "`C:\\{}`",
    "``{}`` {}",
    "{}{}",
    "!{}[{}]{}",
    "| a | `b |\n|---|---|\n| {} | ` {} |",
    "```\n{}\n```\n{}",
    "<b title='`'> {} `",
    "**{}** *{}*",
    "x" * 980 + " `{}` {}",
    "x" * 900 + " [a]({}) `{}`",
)


def tokens(note: str) -> Iterator[Token]:
    """Yield the blocks and inlines of a note."""
    for token in AIRFLOW.parse(note):
        yield token
        yield from token.children or ()


def live(note: str) -> Counter[str]:
    """Count the parts of a note that are more than text: images, links, headings and so on."""
    return Counter(token.type for token in tokens(note) if token.type not in HARMLESS)


def plain_text(note: str) -> str:
    """Return the visible text of a note outside code; other parts are line ends."""
    children = [child for token in AIRFLOW.parse(note) for child in token.children or ()]
    return "".join(child.content if child.type in {"text", "text_special"} else "\n" for child in children)


def filled(template: str, values: list[str]) -> str:
    """Return a note as a template makes it, with the values in order."""
    first, *rest = template.split("{}")
    return note_text(
        first + "".join(marked(values[number % len(values)]) + own for number, own in enumerate(rest))
    )


@cache
def with_words(template: str, words: tuple[str, ...]) -> Counter[str]:
    """Count the parts of a note whose values are plain words."""
    return live(filled(template, [*words]))


def check(template: str, values: list[str]) -> None:
    """Fail if a value adds a part to a note that a plain word does not add, or makes an address."""
    note = filled(template, values)
    assert len(note) <= MAX_NOTE
    assert note.replace("\n", "").isprintable()
    assert live(note) <= with_words(template, tuple("x" if value.split() else "" for value in values)), note
    assert ADDRESS.search(plain_text(note)) is None, note


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_value_is_markdown(template: str) -> None:
    """With any value, the note has the same parts as with a plain word."""
    others = HOSTILE if template.count("{}") > 1 else ("",)
    for one in HOSTILE:
        for other in others:
            check(template, [one, other])


@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.text("[]()!<>`*_#|~\\&\"'-+=:/.@1 \nwhtps", max_size=40), min_size=1, max_size=3),
)
def test_no_random_value_is_markdown(template: str, values: list[str]) -> None:
    """The same for values of all characters with a meaning in Markdown."""
    check(template, values)


def test_a_value_reads_as_it_was_sent() -> None:
    """The rendered note shows the unchanged value, in text and in code."""
    value = "release_7 [main] #12 (a*b) <c> `d` 50% & more"
    assert plain_text(filled("About {}", [value])) == f"About {value}"
    (code,) = [token for token in tokens(filled("About `{}`", [value])) if token.type == "code_inline"]
    assert code.content == value.replace("`", "'")


def test_the_own_text_of_a_note_keeps_its_markdown() -> None:
    """The operator's headings, links, images and code are rendered."""
    note = filled(
        "# Swap of `{}`\n![b](https://own.example/b.png) [run](https://own.example/{})", ["my_slot", "a b"]
    )
    assert note == ("# Swap of `my_slot`\n![b](https://own.example/b.png) [run](https://own.example/a%20b)")


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("https://shop.example/a_b?x=1&y=(2)", "https://shop.example/a_b?x=1&y=(2)"),
        ("javascript:alert(1)", "javascript%3Aalert(1)"),
        ("data:text/html,x", "data%3Atext/html,x"),
        ("x) ![y](http://evil.example", "x)%20![y](http%3A//evil.example"),
        ('x "title', "x%20%22title"),
    ],
)
def test_a_value_may_be_the_target_of_the_operators_link(value: str, target: str) -> None:
    """In a link's target a value is an address of http or https, and does not end the target."""
    note = filled("[run]({})", [value])
    links = [token for token in tokens(note) if token.type == "link_open"]
    assert not any(token.type == "image" for token in tokens(note))
    assert [unquote(str(link.attrs["href"])) for link in links] == [unquote(target)]


@pytest.mark.parametrize("length", range(990, 1_010))
def test_a_cut_opens_nothing(length: int) -> None:
    """After a cut at any position, the values of a note are still text."""
    for template in (
        "{}` {}`".replace("{}", "x" * (length - 40) + " `{}", 1),
        "x" * (length - 40) + " [a]({}) {}",
    ):
        note = filled(template, ["![x](http://evil.example/a)"])
        assert len(note) <= MAX_NOTE
        assert live(note) <= Counter(paragraph_open=1, paragraph_close=1, link_open=1, link_close=1)
