"""Messages about errors of rules.yaml: what is wrong, where, and what to write."""

import json
from pathlib import Path

import pytest

from cli.main import main
from cli.rules_problems import problem_lines
from shared.errors import Problem, RulesError
from shared.rules import load_rules
from tests.rules.mistakes import MISTAKES, RULES, Mistake


def problems_of(
    text: str, settings: dict[str, str] | None = None
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return the errors and the warnings of a file."""
    try:
        return (), load_rules(text, file="rules.yaml", settings=settings).warnings
    except RulesError as error:
        return error.problems, error.warnings


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_has_one_message_of_three_parts(mistake: Mistake) -> None:
    """The message has what is wrong, the rule, a caret under the error, and what to write."""
    assert RULES.count(mistake.old) == 1
    text = RULES.replace(mistake.old, mistake.new)
    errors, warnings = problems_of(text)
    [problem] = warnings if mistake.warning else errors
    assert not (errors if mistake.warning else warnings)
    assert mistake.message in problem.message
    assert mistake.fix in problem.fix
    assert problem.rule == mistake.rule
    lines = text.split("\n")
    at = sum(len(line) + 1 for line in lines[: problem.line - 1]) + problem.column - 1
    assert text[at:].startswith(mistake.at), text[at : at + 20]
    first, source, caret, fix = problem_lines(problem)
    assert first.startswith(f"rules.yaml:{problem.line}:{problem.column}: ")
    assert (f"rule `{mistake.rule}`: " in first) == bool(mistake.rule)
    assert source.startswith(f"{problem.line:>5} | ")
    shown = source[caret.index("^") :]
    assert shown.startswith(mistake.at.split("\n")[0].replace("\t", "\\t").replace("\ufeff", "\\ufeff"))
    assert fix == f"  fix: {problem.fix}"


def test_the_file_has_no_mistake() -> None:
    """The file has no error before each change."""
    assert problems_of(RULES) == ((), ())


def test_one_cause_in_several_rules_is_one_message() -> None:
    """One message names all rules and lines; `--json` has an object for each."""
    errors, _ = problems_of(RULES.replace("connection: analytics", "connection: analytix"))
    [problem] = errors
    assert str(problem) == (
        "rules.yaml:14:19: rules `swap`, `orders`: start.connection: there is no connection `analytix` "
        "(also on line 29); did you mean `analytics`?"
    )
    errors, _ = problems_of(RULES.replace("  analytics:\n", "  analytic:\n"))
    assert [problem.subject for problem in errors] == ["rules `swap`, `orders`: start.connection: "]


def test_a_mistake_in_an_anchor_is_one_message() -> None:
    """An error in a value that several rules share is reported once, at its position."""
    text = (
        "x-conf: &conf {site: '{{ dta.site }}'}\n"
        "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
        "rules:\n"
        "- {name: a, when: {types: [t]}, start: {dag: d, conf: *conf}}\n"
        "- {name: b, when: {types: [t]}, start: {dag: d, conf: *conf}}\n"
    )
    [problem], _ = problems_of(text)
    assert str(problem).startswith("rules.yaml:1:22: rules `a`, `b`: start.conf.site: `dta` is not defined; ")


def test_different_mistakes_stay_apart() -> None:
    """All errors are shown, in the file's order."""
    text = RULES.replace("app.site", "dta.site").replace("24h", "1d").replace("track: callback", "track: on")
    errors, _ = problems_of(text)
    assert [(problem.line, problem.rule) for problem in errors] == [
        (17, "swap"),
        (20, "swap"),
        (32, "orders"),
    ]


def test_all_templates_without_quotes_show_at_once() -> None:
    """All templates without quotes are reported together."""
    text = RULES.replace('"{{ app.site }}"', "{{ app.site }}").replace('"{{ app.slot }}"', "{{ app.slot }}")
    errors, _ = problems_of(text)
    assert [(problem.line, problem.message) for problem in errors] == [
        (17, "a template needs quotes"),
        (18, "a template needs quotes"),
    ]


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        (b"", "the file is empty", "write `connections` and `rules`"),
        (b"# only a comment\n", "the file is empty", "write `connections` and `rules`"),
        (RULES.encode("utf-16"), "the file is UTF-16, not UTF-8", "save it as UTF-8"),
        (RULES.encode("utf-16-le"), "the file is UTF-16, not UTF-8", "save it as UTF-8"),
        (
            RULES.replace("A new", "Für die").encode("latin-1"),
            "the file is not UTF-8: line 8 has the byte 0xFC at its byte 19",
            "save it as UTF-8",
        ),
        (b"rules", "the file must be an object", "write `connections:` and `rules:`"),
    ],
)
def test_a_file_that_is_no_rules_file(
    content: bytes, message: str, fix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message describes the file, and what to do."""
    file = tmp_path / "rules.yaml"
    file.write_bytes(content)
    assert main(["validate", "--rules", str(file)]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert f"fix: {fix}" in err
    assert err.endswith("\n1 error\n")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """A byte order mark is accepted; editors on Windows write one."""
    file = tmp_path / "rules.yaml"
    file.write_bytes(RULES.encode("utf-8-sig"))
    assert main(["validate", "--rules", str(file)]) == 0


def test_a_missing_file_and_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both errors show what to write after `--rules`."""
    assert main(["validate", "--rules", str(tmp_path / "nope.yaml")]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path / 'nope.yaml'}: there is no such file\n"
        "  fix: write the file's path after `--rules`, or change into the folder that has it\n1 error\n"
    )
    assert main(["validate", "--rules", str(tmp_path)]) == 1
    assert (
        "this is a folder\n  fix: write the path of a file in it after `--rules`" in capsys.readouterr().err
    )


def test_json_has_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is one object for each position, with file, line, column, rule, message and fix."""
    file = tmp_path / "rules.yaml"
    file.write_text(
        RULES.replace("connection: analytics", "connection: analytix").replace("SlotSwapC", "SlotC")
    )
    assert main(["validate", "--rules", str(file), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    report = json.loads(captured.out)
    part = {
        "code": "InvalidRules",
        "file": str(file),
        "column": 19,
        "path": "start.connection",
        "message": "there is no connection `analytix`",
        "fix": "did you mean `analytics`?",
    }
    assert report["errors"] == [
        {**part, "line": 14, "rules": ["swap"]},
        {**part, "line": 29, "rules": ["orders"]},
    ]
    assert [(each["line"], each["rules"]) for each in report["warnings"]] == [(10, ["swap"])]
    file.write_text(RULES)
    assert main(["validate", "--rules", str(file), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["errors"], report["warnings"]) == (True, [], [])


def test_json_has_what_samples_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding without a position in the file has only a message."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert main(["validate", "--rules", str(file), "--json", "--samples", str(tmp_path / "none")]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == [
        {"code": "SampleProblem", "message": f"{tmp_path / 'none'}: there is no such folder"}
    ]


def test_a_secret_that_was_pasted_is_not_shown() -> None:
    """A possible secret in the line is hidden, and the caret stays at its position."""
    wrong = RULES.replace(
        'auth: {kind: entra, scope: "api://airflow/.default"}',
        "auth: {kind: airflow, username: u, password: hunter2, password_secret: airflow-password, x: 1}",
    )
    errors, _ = problems_of(wrong)
    shown = "\n".join(line for problem in errors for line in problem_lines(problem))
    assert "hunter2" not in shown
    assert "password: *******, password_secret: airflow-password" in shown
    errors, _ = problems_of(RULES.replace("%UPDRAFT_AIRFLOW_URL%", "https://me:hunter2@airflow.example"))
    shown = "\n".join(line for problem in errors for line in problem_lines(problem))
    assert "hunter2" not in shown
    assert 'url: "https://**********@airflow.example"' in shown


def test_a_no_break_space_is_named() -> None:
    """A no-break space is named; editors show it as a space."""
    [problem], _ = problems_of(RULES.replace("      dag: smoke", "   \u00a0  dag: smoke"))
    assert str(problem) == (
        "rules.yaml:15:4: rule `swap`: U+00A0 NO-BREAK SPACE is not allowed here; delete it, or write a space"
    )


def test_a_long_line_is_cut_around_the_place() -> None:
    """A long line is cut around the error, and the caret is under it, also after wide characters."""
    long = RULES.replace(
        'conf: {url: "{{ data.url }}"', 'conf: {a: "' + "\u6587" * 200 + '", url: "{{ dta.url }}"'
    )
    [problem], _ = problems_of(long)
    _, source, caret, _ = problem_lines(problem)
    assert len(source) < 130
    assert source[8:].startswith("\u2026")
    before = source[: source.index('"{{ dta')]
    assert caret.index("^") == len(before) + before.count("\u6587")


def test_what_strangers_wrote_is_escaped() -> None:
    """Text of the file is escaped for the terminal."""
    errors, _ = problems_of(RULES.replace("max_age: 24h", 'max_age: "1\\e[2J\\u202e"'))
    shown = "\n".join(line for problem in errors for line in problem_lines(problem))
    assert shown.replace("\n", "").isprintable()


def test_the_value_of_a_setting_is_named() -> None:
    """A wrong value of a setting is reported with the name of the setting."""
    [problem], _ = problems_of(RULES, {"UPDRAFT_AIRFLOW_URL": "airflow.example"})
    assert (
        problem.message
        == "`url` is not an address (the value of the application setting `UPDRAFT_AIRFLOW_URL`)"
    )
    assert problem.fix == "write one such as https://airflow.contoso.example"


def test_a_setting_that_is_misspelt_is_found_where_settings_are_known() -> None:
    """`updraft validate` does not check names of settings; `--live` does."""
    text = RULES.replace("_URL%", "_URI%")
    assert problems_of(text) == ((), ())
    [problem], _ = problems_of(text, {"UPDRAFT_AIRFLOW_URL": "https://airflow.example"})
    assert problem.message == "the application setting `UPDRAFT_AIRFLOW_URI` is missing"
    assert problem.fix == "did you mean `UPDRAFT_AIRFLOW_URL`? (set it in the app)"


def test_one_value_may_stand_for_a_list_of_values() -> None:
    """One value is accepted instead of a list, as Event Grid's own tools write `values: shop`."""
    assert problems_of(RULES.replace("values: [production]", "values: production")) == ((), ())


def test_a_file_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the operating system's reason, and what to check."""
    assert main(["validate", "--rules", "x" * 5_000]) == 1
    err = capsys.readouterr().err
    assert ": the file cannot be read: File name too long\n" in err
    assert "fix: check its rights" in err


@pytest.mark.parametrize(
    ("auth", "message", "fix"),
    [
        ("[{kind: entra, scope: s}]", "has fewer members than 2", "write 2 members"),
        (
            "{kind: entra, scope: s, header: 'X Y'}",
            "`X Y` is not allowed here",
            "write a header's name, such as `X-Proxy-Authorization`",
        ),
        (
            "{kind: entra, scope: s, client_id: 5}",
            "must be text, not the number 5",
            'write it in quotes: `"5"`',
        ),
        ("{kind: entra, scope: ''}", "must not be empty", "write a value, or leave the key out"),
    ],
)
def test_mistakes_of_an_auth(auth: str, message: str, fix: str) -> None:
    """The errors of `auth` and of its members are reported."""
    [problem], _ = problems_of(RULES.replace('{kind: entra, scope: "api://airflow/.default"}', auth))
    assert (problem.message, problem.fix) == (message, fix)
