"""`updraft validate`, `schema`, `subscription`, and the command line as a whole."""

import json
import sys
from pathlib import Path

import pytest

from cli.commands.subscription import to_bicep
from cli.main import main
from local.processes import programs
from tests.support.paths import ROOT

RULES = """
connections: {main: {url: "%AIRFLOW%", auth: {kind: entra, scope: s}}}
rules:
  - {name: swap, when: {types: [Microsoft.Web.SlotSwapCompleted]}, start: {dag: smoke}}
  - {name: order, when: {types: [Contoso.Order]}, start: {dag: load, conf: {n: "{{ data.n }}"}}}
  - {name: off, enabled: false, when: {types: [Off]}, start: {dag: off}}
"""
ORDER = {"specversion": "1.0", "id": "o1", "source": "/orders", "type": "Contoso.Order", "data": {"n": 1}}
SWAP = {"specversion": "1.0", "id": "s1", "source": "/sites", "type": "Microsoft.Web.SlotSwapCompleted"}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder with a sample for each rule, one of them in a folder of its own."""
    folder = tmp_path / "samples"
    (folder / "inner").mkdir(parents=True)
    (folder / "swap.json").write_text(json.dumps([SWAP]))
    (folder / "inner" / "order.json").write_text(json.dumps(ORDER))
    return folder


def test_rules_without_mistakes_are_valid(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate` needs none of the settings of the deployment."""
    assert main(["validate", "--rules", str(rules)]) == 0
    assert capsys.readouterr().out == f"{rules}: 3 rules, nothing wrong\n"


def test_warnings_are_printed_and_change_no_status(
    rules: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning has its file, line, column and rule, and the exit status is 0."""
    rules.write_text(RULES.replace("SlotSwapCompleted", "SlotSwapComplete", 1))
    assert main(["validate", "--rules", str(rules)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{rules}: 3 rules, 1 warning\n"
    assert captured.err.startswith(f"warning: {rules}:4:")
    assert "fix: did you mean `Microsoft.Web.SlotSwapCompleted`?" in captured.err
    rules.write_text(rules.read_text().replace("dag: smoke", "dagg: smoke"))
    assert main(["validate", "--rules", str(rules)]) == 1
    assert capsys.readouterr().err.endswith("1 error\n")


def test_mistakes_are_listed_with_their_places(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every mistake has its file, line, column and rule."""
    rules.write_text(RULES.replace("dag: smoke", "dagg: smoke").replace("data.n", "dat.n"))
    assert main(["validate", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert f"{rules}:4:76: rule `swap`: start: unknown key `dagg`\n" in err
    assert f"{rules}:5:80: rule `order`: start.conf.n: `dat` is not defined\n" in err
    assert err.endswith("2 errors\n")


def test_samples_say_what_they_hit(rules: Path, samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each sample has a line with the rules that match it; a disabled rule needs no sample."""
    assert main(["validate", "--rules", str(rules), "--samples", str(samples)]) == 0
    out = capsys.readouterr().out
    assert f"{samples / 'swap.json'}: Microsoft.Web.SlotSwapCompleted s1: hits swap\n" in out
    assert f"{samples / 'inner' / 'order.json'}: Contoso.Order o1: hits order\n" in out


def test_samples_show_what_is_wrong(rules: Path, samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule without sample, a file without event, and a match that cannot be rendered are problems."""
    (samples / "swap.json").write_text("{")
    (samples / "inner" / "order.json").write_text(json.dumps({**ORDER, "data": {}}))
    assert main(["validate", "--rules", str(rules), "--samples", str(samples)]) == 1
    err = capsys.readouterr().err
    assert "swap.json: not an event: " in err
    assert "order.json: rule `order` matches, but cannot be rendered: n: " in err
    assert "rule `swap`: none of the 2 samples hits it" in err
    assert err.endswith("3 errors\n")


def test_samples_show_the_keys_that_airflow_reserves(
    rules: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sample whose conf Airflow 3.4 would refuse is a problem, with the key's path."""
    (samples / "inner" / "order.json").write_text(json.dumps({**ORDER, "data": {"n": [{"__type": "N"}]}}))
    assert main(["validate", "--rules", str(rules), "--samples", str(samples)]) == 1
    err = capsys.readouterr().err
    assert "order.json: rule `order` matches, but cannot be rendered: conf.n[0].__type: Airflow 3.4" in err


def test_a_sample_that_cannot_be_read_is_a_problem(
    rules: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with the name of a sample is a problem."""
    (samples / "folder.json").mkdir()
    assert main(["validate", "--rules", str(rules), "--samples", str(samples)]) == 1
    assert "folder.json: not an event: the file cannot be read" in capsys.readouterr().err


def test_a_folder_without_samples_is_a_problem(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder and an empty folder are problems."""
    assert main(["validate", "--rules", str(rules), "--samples", str(tmp_path / "none")]) == 1
    assert "none: there is no such folder" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["validate", "--rules", str(rules), "--samples", str(tmp_path / "none")]) == 1
    assert "there is no sample (*.json, *.jsonl) in it" in capsys.readouterr().err


def test_the_committed_schema_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/rules.schema.json is what `updraft schema` prints."""
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs/rules.schema.json").read_text(encoding="utf-8")


def test_subscription_prints_json_or_bicep(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The filter covers all enabled rules or the named ones; the dead-letter container is there."""
    assert main(["subscription", "--rules", str(rules), "--storage", "/subscriptions/0/s"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("filter")["includedEventTypes"] == ["Microsoft.Web.SlotSwapCompleted", "Contoso.Order"]
    assert printed == {
        "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440},
        "deadLetterWithResourceIdentity": {
            "identity": {"type": "SystemAssigned"},
            "deadLetterDestination": {
                "endpointType": "StorageBlob",
                "properties": {
                    "resourceId": "/subscriptions/0/s",
                    "blobContainerName": "event-grid-dead-letters",
                },
            },
        },
    }
    assert main(["subscription", "--rules", str(rules), "--bicep", "off"]) == 0
    assert capsys.readouterr().out.startswith(
        "filter: {\n  includedEventTypes: [\n    'Off'\n  ]\n  isSubjectCaseSensitive: false\n}\n"
        "retryPolicy: {\n  maxDeliveryAttempts: 30\n  eventTimeToLiveInMinutes: 1440\n}\n"
        "deadLetterWithResourceIdentity: {\n"
    )


def test_subscription_needs_rules(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that does not exist, no rule at all, and rules with mistakes give status 1."""
    assert main(["subscription", "--rules", str(rules), "swop"]) == 1
    assert (
        "there is no rule `swop` (did you mean `swap`?); there are swap, order, off"
        in capsys.readouterr().err
    )
    rules.write_text("connections: {a: {url: 'https://x', auth: {kind: entra, scope: s}}}\nrules: []")
    assert main(["subscription", "--rules", str(rules)]) == 1
    assert "no rule is enabled" in capsys.readouterr().err
    rules.write_text("x")
    assert main(["subscription", "--rules", str(rules)]) == 1


def test_bicep_is_escaped() -> None:
    """Every text becomes a valid Bicep literal."""
    assert to_bicep({"a": ["it's ${x}\n\\", 1.5, 2, True, "\x01"]}) == (
        "{\n  a: [\n    'it\\'s \\${x}\\n\\\\'\n    json('1.5')\n    2\n    true\n    '\\u{1}'\n  ]\n}"
    )


def test_the_command_line_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` and `--help` answer; no command is a usage error."""
    for arguments, status in ((["--version"], 0), (["--help"], 0), ([], 2), (["explain", "--help"], 0)):
        assert main(arguments) == status
    out = capsys.readouterr().out
    for command in ("explain", "validate", "schema", "subscription", "publish"):
        assert command in out


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`updraft schema | head -1` ends without a traceback."""
    command = f"{sys.executable} -m cli.main schema | head -1"
    done = programs.run(["bash", "-c", command], cwd=ROOT)
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.slow
def test_help_needs_no_heavy_library() -> None:
    """`updraft --version` is quick: nothing heavy is imported to read the command line."""
    script = (
        "import sys\nfrom cli.main import main\n"
        "assert main(['--version']) == 0\n"
        "heavy = {'rich', 'jinja2', 'pydantic', 'yaml', 'azure'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    programs.run([sys.executable, "-c", script], cwd=ROOT, check=True)
