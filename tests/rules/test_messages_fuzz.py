"""Every change of a valid rules file gives rules, or messages with a line, the error and the fix."""

import re
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.rules_problems import problem_lines, problems_json
from shared.errors import Problem, RulesError
from shared.rules import load_rules
from tests.rules.mistakes import RULES
from tests.support.paths import EXAMPLE_RULES

OWN: Final = EXAMPLE_RULES.read_text(encoding="utf-8")
EVERYTHING: Final = """\
vaults: {partner: "https://partner.vault.azure.net"}
connections:
  one: {url: "http://airflow.example", allow_http: true, api: v2, in_flight: 4, read_timeout: 5,
        vault: partner, auth: {kind: airflow, username: updraft, password_secret: airflow-password}}
  two:
    url: "https://two.example"
    auth:
      - {kind: oidc, token_url: "https://login.example/token", client_id: updraft, header: X-Proxy}
      - kind: entra
        scope: api://two/.default
callers:
  - name: release
    role: Runs.Start
    connection: one
    dags: ["load_*"]
    conf: ["*"]
    rate: 60/m
rules:
  - name: burst
    enabled: true
    when:
      types: [Microsoft.Storage.*]
      sources: [/subscriptions/1]
      subject: {ends_with: .csv, case_sensitive: false}
      via: [queue, hook/*]
      filter:
        any:
          - not: {operatorType: IsNotNull, key: data.x}
          - {operatorType: NumberInRange, key: data.size, values: [[1, 5]]}
    start:
      connection: two
      dag: load
      note: "{{ events | length }} files"
      conf: {urls: "{{ events | map(attribute='data.url') }}"}
      run_after: "{{ time }}"
    coalesce: {window: 5m, by: "{{ data.container }}"}
    when_paused: hold
    track: callback
    callback: {token: reverse, lifetime: 2h}
"""
FILES: Final = (OWN, RULES, EVERYTHING)
KEYS: Final = [
    (text, found.span(1)) for text in FILES for found in re.finditer(r"([a-z_A-Z]+):(?=\s|$)", text)
]
"""Every key of the files, with its position."""
MENTIONED: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|'[^']*'")
VALUES: Final = (
    *(
        "5",
        "0x1F",
        "1.5",
        "true",
        "null",
        "",
        "[a]",
        "[]",
        "{}",
        "{a: 1}",
        "yes",
        "2 days",
        "x: y",
        "*a",
        "~",
    ),
    *("{{ app.site }}", '"{{ x', '"{{ ds }}"', "%SETTING%", "'", '"', "-", "- a", "|", "&a", "!!int x"),
)
WORDS_OF_LIBRARIES: Final = re.compile(
    r"input should|field required|extra inputs|valid (?:string|dictionary|integer)"
    r"|value error|assertion failed"
    r"|while (?:parsing|scanning)|did not find|could not find|found (?:character|un\w+)"
    r"|mapping values|block (?:mapping|collection|end)|flow (?:mapping|sequence)|end of (?:print )?statement"
    r"|expected token|jinja was|unexpected (?:char|end)|NoneType|\bdict\b|\bstr\b|\bbool\b|\btuple\b"
    r"|Traceback|\b[A-Z]\w+(?:Error|Exception|Node|Spec|Match)\b",
)


def found_in(text: str) -> tuple[Problem, ...]:
    """Return the errors of a file, after a check of their form."""
    try:
        problems: tuple[Problem, ...] = ()
        warnings = load_rules(text, file="rules.yaml", settings=None).warnings
    except RulesError as error:
        problems, warnings = error.problems, error.warnings
        assert problems
    for problem in (*problems, *warnings):
        check_form(problem, text)
    return problems


def check_form(problem: Problem, text: str) -> None:
    """Check that a message has its three parts, without terms of libraries."""
    lines = text.split("\n")
    assert 1 <= problem.line <= len(lines), problem
    assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
    assert problem.message, problem
    assert problem.fix, problem
    said = MENTIONED.sub("", f"{problem.message}; {problem.fix}")
    assert not WORDS_OF_LIBRARIES.search(said), said
    assert str(problem).startswith(f"rules.yaml:{problem.line}:{problem.column}: ")
    shown = "\n".join(problem_lines(problem))
    assert shown.replace("\n", "").isprintable()
    assert problems_json([problem])


def test_the_files_are_right() -> None:
    """The files have no error before each change."""
    for text in FILES:
        assert found_in(text) == ()


@given(text=st.sampled_from(FILES), data=st.data())
def test_a_character_less_or_more(text: str, data: st.DataObject) -> None:
    """A character is deleted, doubled, exchanged or replaced."""
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(
        st.sampled_from(["", text[at] * 2, *"\t{}[]:,\"'-*&@%`|>#!\\ \n\u00e9\ufeff\x00"])
        | st.characters(codec="utf-8")
    )
    found_in(text[:at] + new + text[at + 1 :])


@given(text=st.sampled_from(FILES), data=st.data())
def test_lines_that_are_moved(text: str, data: st.DataObject) -> None:
    """A line is deleted, doubled, moved or indented differently."""
    lines = text.split("\n")
    at, to = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    change = data.draw(st.sampled_from(["delete", "double", "swap", "indent", "outdent", "tab"]))
    match change:
        case "delete":
            del lines[at]
        case "double":
            lines.insert(to, line)
        case "swap":
            lines[at], lines[to] = lines[to], lines[at]
        case "indent":
            lines[at] = " " * data.draw(st.integers(1, 5)) + line
        case "outdent":
            lines[at] = line.removeprefix(" ")
        case _:
            lines[at] = "\t" + line.lstrip()
    found_in("\n".join(lines))


@given(text=st.sampled_from(FILES), data=st.data())
def test_values_of_another_type(text: str, data: st.DataObject) -> None:
    """A value becomes a number, a list, null or anything else."""
    places = [found.span(1) for found in re.finditer(r": ([^\n{\[,}]+)(?=[\n,}])", text)]
    start, end = data.draw(st.sampled_from(places))
    new = data.draw(st.sampled_from(VALUES))
    found_in(text[:start] + new + text[end:])


@pytest.mark.parametrize("end", ["x", "zzz", ""])
@pytest.mark.parametrize(
    ("text", "span"), KEYS, ids=lambda value: str(value) if isinstance(value, tuple) else ""
)
def test_a_misspelt_key_is_one_mistake(text: str, span: tuple[int, int], end: str) -> None:
    """A misspelt key gives at most one message, without errors that only follow from it."""
    start, after = span
    key = text[start:after]
    changed = "zzz" if end == "zzz" else key[:-1] + end
    problems = found_in(text[:start] + changed + text[after:]) if changed else ()
    assert len(problems) <= 1, [str(problem) for problem in problems]


@settings(max_examples=300)
@given(place=st.sampled_from(KEYS), data=st.data())
def test_however_a_key_is_misspelt_it_is_one_mistake(
    place: tuple[str, tuple[int, int]], data: st.DataObject
) -> None:
    """One character is missing, replaced, added, swapped or a capital."""
    text, (start, end) = place
    key = text[start:end]
    at, letter = data.draw(st.integers(0, len(key) - 1)), data.draw(st.sampled_from("abcxyz_"))
    changed = data.draw(
        st.sampled_from(
            (
                key[:at] + key[at + 1 :],
                key[:at] + letter + key[at + 1 :],
                key[:at] + letter + key[at:],
                key[:at] + key[at : at + 2][::-1] + key[at + 2 :],
                key.upper(),
            )
        )
    )
    problems = found_in(text[:start] + changed + text[end:]) if changed else ()
    assert len(problems) <= 1, [str(problem) for problem in problems]
