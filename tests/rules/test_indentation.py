"""A wrong indentation in rules.yaml is one error, and its fix gives the file that was meant."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import pytest

from shared.errors import Problem, RulesError
from shared.rules import load_rules
from shared.rules.indentation import reindented
from shared.rules.yaml_document import read_yaml
from shared.values.json_text import Json
from tests.rules.mistakes import RULES
from tests.rules.test_messages_fuzz import EVERYTHING, OWN

FOUR: Final = re.sub(r"(?m)^( +)(- )?", lambda found: found[1] * 2 + ("-   " if found[2] else ""), OWN)
"""The examples with four spaces for each level."""
FLAT: Final = OWN.partition("rules:\n")[0] + "rules:\n" + re.sub(r"(?m)^  ", "", OWN.partition("rules:\n")[2])
"""The examples with the list of rules on the level of `rules:`."""
FIXES: Final = re.compile(
    r"indent `[^`]*` by (?P<to>\d+) spaces?"
    r"(?:, and the (?:line|(?P<count>\d+) lines) below it by (?P<by>\d+) spaces? (?P<way>more|less))?"
)


class Shift(NamedTuple):
    """A file with one wrong indentation.

    Attributes:
        row: The first line that was moved, from 0.
        lines: The file.
    """

    row: int
    lines: list[str]


def shifts(text: str) -> Iterator[Shift]:
    """Yield a file for each line and each of -4 to +4 spaces: the line is moved alone, and with its block."""
    lines = text.split("\n")
    for row, line in enumerate(lines):
        if not has_content(line):
            continue
        deeper = [at for at in range(row + 1, len(lines)) if has_content(lines[at])]
        end = next((at for at in deeper if indentation(lines[at]) <= indentation(line)), len(lines))
        block = [row, *(at for at in deeper if at < end)]
        for moved in [[row], block] if len(block) > 1 else [[row]]:
            for by in (-4, -3, -2, -1, 1, 2, 3, 4):
                if indentation(line) + by >= 0:
                    yield Shift(row, [shifted(each, by * (at in moved)) for at, each in enumerate(lines)])


def has_content(line: str) -> bool:
    """Return whether a line is neither empty nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def indentation(line: str) -> int:
    """Return the number of spaces before a line."""
    return len(line) - len(line.lstrip(" "))


def shifted(line: str, by: int) -> str:
    """Return a line with more or fewer spaces before it."""
    return " " * (indentation(line) + by) + line.lstrip(" ")


def errors_of(text: str) -> Sequence[Problem]:
    """Return the errors of a file."""
    try:
        load_rules(text, file="rules.yaml", settings=None)
    except RulesError as error:
        return error.problems
    return ()


def meaning(text: str) -> Json:
    """Return what a file says, without its layout."""
    document, _ = read_yaml(text, file="rules.yaml")
    assert document is not None
    return document.value


def fixed(lines: Sequence[str], problem: Problem) -> str:
    """Return a file after a literal application of a fix."""
    found = FIXES.match(problem.fix)
    assert found, problem
    row = problem.line - 1
    count = int(found["count"] or 1) if found["by"] else 0
    by = int(found["by"] or 0) * (1 if found["way"] == "more" else -1)
    below = [at for at in range(row + 1, len(lines)) if has_content(lines[at])][:count]
    changed = [shifted(line, by if at in below else 0) for at, line in enumerate(lines)]
    changed[row] = " " * int(found["to"]) + lines[row].lstrip(" ")
    return "\n".join(changed)


@pytest.mark.parametrize(
    ("text", "every"),
    [(OWN, 1), (EVERYTHING, 4), (FOUR, 9), (FLAT, 9)],
    ids=["examples", "every key", "four spaces", "flat list"],
)
def test_the_fix_of_a_shifted_line_gives_the_file_that_was_meant(text: str, every: int) -> None:
    """The only error marks the line or a neighbour, and its fix restores the file's meaning.

    Before the search for the line, the fix did so in 40 of 100 shifts of the examples.
    """
    wanted = meaning(text)
    counts: Counter[str] = Counter()
    for shift in list(shifts(text))[::every]:
        errors = errors_of("\n".join(shift.lines))
        if not errors:
            counts["same" if meaning("\n".join(shift.lines)) == wanted else "other"] += 1
            continue
        counts["errors"] += 1
        if len(errors) == 1 and FIXES.match(errors[0].fix):
            repaired = fixed(shift.lines, errors[0])
            assert len(errors_of(repaired)) <= 1, errors
            counts["fixed"] += not errors_of(repaired) and meaning(repaired) == wanted
            counts["near"] += abs(errors[0].line - 1 - shift.row) <= 1
    assert counts["errors"] > 25
    assert counts["fixed"] >= 0.98 * counts["errors"], counts
    assert counts["near"] >= 0.95 * counts["errors"], counts
    assert counts["other"] <= 1, counts  # `track` on the level of the keys of `conf` is a key of `conf`


@pytest.mark.parametrize(
    ("old", "new", "marked", "fix"),
    [
        (
            "    start:\n      connection: analytics\n      dag: smoke_tests",
            "  start:\n      connection: analytics\n      dag: smoke_tests",
            ("13:3", "swap", "start:", "2 spaces"),
            "indent `start:` by 4 spaces",
        ),
        (
            "      connection: analytics\n      dag: load_orders",
            "    connection: analytics\n      dag: load_orders",
            ("29:5", "orders", "connection:", "4 spaces"),
            "indent `connection:` by 6 spaces",
        ),
        (
            "  - name: orders",
            "   - name: orders",
            ("22:4", "orders", "- name:", "3 spaces"),
            "indent `- name:` by 2 spaces",
        ),
        (
            '      conf:\n        site: "{{ app.site }}"\n        slot: "{{ app.slot }}"',
            '    conf:\n      site: "{{ app.site }}"\n      slot: "{{ app.slot }}"',
            ("16:5", "swap", "conf:", "4 spaces"),
            "indent `conf:` by 6 spaces, and the 2 lines below it by 2 spaces more",
        ),
        (
            "        begins_with: /blobServices/default/containers/orders/\n        ends_with: .csv",
            "         begins_with: /blobServices/default/containers/orders/\n        ends_with: .csv",
            ("26:10", "orders", "begins_with:", "9 spaces"),
            "indent `begins_with:` by 8 spaces",
        ),
    ],
    ids=["key beside its item", "key of a child", "item", "object with its members", "one space"],
)
def test_the_message_names_the_line_its_rule_and_its_indentation(
    old: str, new: str, marked: tuple[str, str, str, str], fix: str
) -> None:
    """The error has the present and the right indentation of the line, and the right rule."""
    assert RULES.count(old) == 1
    place, rule, key, spaces = marked
    message = f"`{key}` is indented by {spaces}, which puts it on the wrong level"
    assert [str(error) for error in errors_of(RULES.replace(old, new))] == [
        f"rules.yaml:{place}: rule `{rule}`: {message}; {fix}"
    ]


def test_other_errors_of_the_file_stay() -> None:
    """A wrong indentation is found beside an error of another kind, and both are reported."""
    text = RULES.replace("max_age: 24h", "max_age: 1 day").replace(
        "      dag: load_orders", "    dag: load_orders"
    )
    assert [(error.line, error.rule, error.fix.partition(":")[0]) for error in errors_of(text)] == [
        (20, "swap", "write `24h`"),
        (30, "orders", "indent `dag"),
    ]


def test_an_error_that_no_indentation_explains_stays() -> None:
    """A missing key and a key that the language does not have keep their own messages."""
    for old, new, message in (
        ("      dag: smoke_tests\n", "", "`dag` is missing"),
        ("    track: callback", "    zzz: callback", "unknown key `zzz`"),
    ):
        [error] = errors_of(RULES.replace(old, new))
        assert error.message.startswith(message)


def test_the_search_ends_soon_in_a_large_file() -> None:
    """The number of tries falls with the size of the file, and is limited in a small one."""
    text = RULES.replace("    start:", "  start:", 1)
    problem = Problem("unknown key `start`", "rules.yaml", 13, 3)
    for comment, most in (("", 120), ("#" * 40_000, 9), ("#" * 400_000, 0)):
        tried: list[str] = []

        def refuse(changed: str, tried: list[str] = tried) -> Sequence[Problem]:
            tried.append(changed)
            return [problem, Problem("another", "rules.yaml", 1, 1)]

        assert reindented(f"{text}{comment}", [problem], refuse) == [problem]
        assert bool(tried) == bool(most)
        assert len(tried) <= most
        assert len(tried) == len(set(tried))
