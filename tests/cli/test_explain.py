"""`updraft explain`: its stable document, its exit statuses, and its two views for people."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from local.processes import programs
from shared.deciding.decide import explain
from shared.event import Event, read_events
from shared.rules import load_rules
from tests.support.paths import ROOT, SAMPLES

EVENT = {
    "id": "e1",
    "topic": "/subscriptions/1/resourceGroups/web/providers/Microsoft.Web/sites/shop",
    "subject": "/Microsoft.Web/sites/shop",
    "eventType": "Microsoft.Web.SlotSwapCompleted",
    "eventTime": "2026-03-01T10:00:00Z",
    "data": {"name": "shop", "sourceSlot": "staging", "targetSlot": "production"},
    "dataVersion": "1",
}
EVENT_TOPIC = str(EVENT["topic"])
RULES = """
connections: {main: {url: "%AIRFLOW%", auth: {kind: entra, scope: s}}}
rules:
  - name: swap
    description: A new version went live
    when: {types: [Microsoft.Web.SlotSwapCompleted]}
    start: {dag: smoke, conf: {site: "{{ app.site }}"}, logical_date: "{{ time }}", note: why}
  - {name: other, when: {types: [Other]}, start: {dag: d}}
  - {name: broken, when: {types: ["*"]}, start: {dag: d, conf: {x: "{{ data.gone }}"}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules and an event."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    """Run `updraft explain` with the folder's rules."""
    return main(["explain", "--rules", str(folder / "rules.yaml"), *arguments])


def test_the_document_keeps_its_shape(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints this document, on whose members programs rely."""
    assert run(folder, "--json", str(folder / "event.json")) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "errors": [],
        "warnings": [],
        "events": [
            {
                "id": "e1",
                "type": "Microsoft.Web.SlotSwapCompleted",
                "source": EVENT["topic"],
                "error": None,
                "via": "unknown",
                "decisions": [
                    {
                        "rule": "swap",
                        "matched": True,
                        "reason": None,
                        "request": {
                            "connection": "main",
                            "dag_id": "smoke",
                            "dag_run_id": "swap__e1__d8b1680704dcb0cb24aa287e",
                            "conf": {
                                "site": "shop",
                                "_updraft": {
                                    "rule": "swap",
                                    "event": {
                                        "id": "e1",
                                        "source": EVENT["topic"],
                                        "type": "Microsoft.Web.SlotSwapCompleted",
                                        "time": "2026-03-01T10:00:00Z",
                                        "subject": "/Microsoft.Web/sites/shop",
                                    },
                                    "key": None,
                                },
                            },
                            "note": "why",
                            "logical_date": "2026-03-01T10:00:00Z",
                            "run_after": None,
                        },
                    },
                    {
                        "rule": "other",
                        "matched": False,
                        "reason": "type is `Microsoft.Web.SlotSwapCompleted`, not `Other`",
                        "request": None,
                    },
                    {
                        "rule": "broken",
                        "matched": True,
                        "reason": "x: `{{ data.gone }}`: `data` has no member `gone`; it has name, "
                        "sourceSlot, targetSlot; `| default(…)` allows its absence",
                        "request": None,
                    },
                ],
            }
        ],
    }


def test_what_is_no_event_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unreadable input gives status 2 and its error; the others are still explained."""
    (folder / "batch.json").write_text(json.dumps([EVENT, {"id": "x"}, 7]))
    status = run(folder, "--json", str(folder / "batch.json"), str(folder / "gone.json"))
    assert status == 2
    document = json.loads(capsys.readouterr().out)
    events = document["events"]
    assert not document["ok"]
    assert [(error["code"], error["message"]) for error in document["errors"]] == [
        ("NotAnEvent", event["error"]) for event in events[1:]
    ]
    assert document["errors"][-1]["file"] == str(folder / "gone.json")
    assert [event["error"] is None for event in events] == [True, False, False, False]
    assert [len(event["decisions"]) for event in events] == [3, 0, 0, 0]
    assert events[1]["id"] == "x"
    assert "cannot be read" in events[3]["error"]


def test_standard_input_and_bodies_without_envelope(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` reads standard input, and `--as` reads a body without an envelope."""
    body = (SAMPLES / "kudu/success_in_slot.json").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert run(folder, "--as", "kudu", "--json", "-") == 0
    [event] = json.loads(capsys.readouterr().out)["events"]
    assert event["type"].lower().startswith("microsoft.web.kudu")


def test_rules_with_mistakes_give_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mistakes go to standard error, and nothing is explained."""
    (folder / "rules.yaml").write_text("rules: []\nx: 1")
    assert run(folder, str(folder / "event.json")) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "unknown key `x`" in captured.err
    assert "1 error" in captured.err
    (folder / "rules.yaml").unlink()
    assert run(folder, str(folder / "event.json")) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_plain_text_where_it_is_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the view is plain lines with everything in them."""
    (folder / "bad.json").write_text("{")
    assert run(folder, str(folder / "event.json"), str(folder / "bad.json")) == 2
    out = capsys.readouterr().out
    for part in (
        "Microsoft.Web.SlotSwapCompleted  e1",
        "  swap: match\n    description: A new version went live\n",
        f"  file: {folder / 'event.json'}\n",
        "  via: unknown; give it with `--via`\n  matches 2 of 3 rules\n  swap: match",
        "    run id: swap__e1__",
        "    logical date: 2026-03-01T10:00:00Z",
        '"site": "shop"',
        "  other: no match: type is",
        "  broken: match, but the run cannot be requested: x:",
        f"\n\nnot an event\n  file: {folder / 'bad.json'}\n  error: ",
    ):
        assert part in out
    assert "\x1b" not in out


def test_a_rule_that_collects_bursts_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output shows that the event waits for the end of its window, and names the key."""
    coalesce = "coalesce: {window: 5m, by: '{{ app.site }}'}"
    rule = f"  - {{name: burst, when: {{types: ['*']}}, {coalesce}, start: {{dag: d}}}}\n"
    (folder / "rules.yaml").write_text(RULES + rule)
    assert run(folder, str(folder / "event.json")) == 0
    assert "  burst: match, collected for 300 s with others of the key `shop`" in capsys.readouterr().out


def test_a_burst_that_cannot_be_rendered_from_one_event_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output shows that the event is collected, and what one event alone lacks."""
    coalesce = "coalesce: {window: 5m, by: '{{ app.site }}'}"
    start = "start: {dag: d, conf: {x: '{{ data.nowhere }}'}}"
    rule = f"  - {{name: burst, when: {{types: ['*']}}, {coalesce}, {start}}}\n"
    (folder / "rules.yaml").write_text(RULES + rule)
    assert run(folder, str(folder / "event.json")) == 0
    out = capsys.readouterr().out
    assert "key `shop`; it cannot be rendered from this event alone: " in out
    assert "nowhere" in out


def test_an_empty_array_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For an empty array, the text is a sentence about it, and the JSON document has no events."""
    (folder / "event.json").write_text("[]")
    assert run(folder, str(folder / "event.json")) == 0
    assert capsys.readouterr().out == "there is no event in an empty array\n"
    assert run(folder, "--json", str(folder / "event.json")) == 0
    assert json.loads(capsys.readouterr().out)["events"] == []


@pytest.mark.slow
def test_what_a_terminal_cannot_show_is_written_out(folder: Path) -> None:
    """A terminal that is not UTF-8 gets escapes for what it lacks, not a traceback."""
    (folder / "event.json").write_text(json.dumps({**EVENT, "id": "ü€"}))
    command = [sys.executable, "-m", "cli.main", "explain", "event.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = programs.run(command, cwd=folder, env=environment, check=True)
    assert "SlotSwapCompleted  \\xfc\\u20ac\n" in done.stdout


def test_an_empty_input_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty standard input is an error that names it."""
    (folder / "event.json").write_text("\n")
    assert run(folder, str(folder / "event.json")) == 2
    assert "error: the file is empty" in capsys.readouterr().out


def test_escape_sequences_of_an_event_do_not_reach_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters of an event are escaped."""
    (folder / "event.json").write_text(json.dumps({**EVENT, "id": "\x1b[2Jx\n", "subject": "\x1b]0;t\x07"}))
    run(folder, str(folder / "event.json"))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2Jx\\n" in out


def on_terminal(folder: Path, more: dict[str, str]) -> str:
    """Return the output of `updraft explain` on a terminal for an event and for a text that is not one."""
    leader, follower = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "200", "PYTHONPATH": str(ROOT), **more}
    (folder / "bad.json").write_text("{")
    command = [sys.executable, "-m", "cli.main", "explain", "event.json", "bad.json"]
    process = programs.start(
        command,
        cwd=folder,
        env=environment,
        stdout=follower,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65_536):
            output += chunk
    except OSError:
        pass  # Linux answers EIO once the other end is closed
    os.close(leader)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    return output.decode()


@pytest.mark.slow
@pytest.mark.parametrize("no_colour", [False, True])
def test_a_tree_on_a_terminal(folder: Path, *, no_colour: bool) -> None:
    """On a terminal the view is a tree, in colour unless NO_COLOR is set."""
    text = on_terminal(folder, {"NO_COLOR": "1"} if no_colour else {})
    assert "├── " in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "matches 2 of 3 rules" in plain
    assert "swap: match" in plain
    assert "A new version went live" in plain
    assert '"site": "shop"' in plain
    assert "broken: match, but the run cannot be requested" in plain
    assert ("\x1b[32m" in text) is not no_colour


@pytest.mark.slow
@pytest.mark.parametrize("columns", [30, 40, 60])
def test_a_narrow_terminal_breaks_no_id(folder: Path, columns: int) -> None:
    """Texts are broken between words; an id, an address or a line of conf stays whole, to be copied."""
    path = "https://contoso.blob.core.windows.net/" + "very-long/" * 9 + "name.csv"
    rules = RULES.replace("dag: smoke,", f"dag: {'smoke_tests_' * 5}x,").replace("{{ app.site }}", path)
    (folder / "rules.yaml").write_text(rules)
    event = {**EVENT, "id": f"{'a-long-id-' * 5}end"}
    (folder / "event.json").write_text(json.dumps(event))
    text = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(folder, {"COLUMNS": str(columns)}))
    lines = [line.strip("│├└─ \r") for line in text.splitlines()]
    assert event["id"] in lines
    assert EVENT_TOPIC in lines
    assert f"dag           {'smoke_tests_' * 5}x" in lines
    assert f'"site": "{path}",' in lines
    assert sum(line.startswith("run id        swap__a-long-id-") for line in lines) == 1
    prose = [line for line in text.splitlines() if not re.search(r"[^ \r]{20}", line) and '"' not in line]
    assert len(prose) > 10
    assert all(len(line.rstrip()) <= columns for line in prose)
    assert "…" not in text.replace("default(…)", "")


def many(folder: Path, count: int) -> None:
    """Add rules that do not match."""
    more = "".join(f"  - {{name: more-{n}, when: {{types: [N]}}, start: {{dag: d}}}}\n" for n in range(count))
    (folder / "rules.yaml").write_text(RULES + more)


def test_many_rules_that_do_not_match_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten are shown; with one more, there is their number and how to ask for one."""
    many(folder, 9)
    event = str(folder / "event.json")
    assert run(folder, event) == 0
    assert capsys.readouterr().out.count("no match") == 10
    many(folder, 10)
    assert run(folder, event) == 0
    out = capsys.readouterr().out
    assert "no match" not in out
    assert out.endswith("  11 other rules do not match; --rule NAME shows why\n")
    assert run(folder, "--json", event) == 0
    [explained] = json.loads(capsys.readouterr().out)["events"]
    assert len(explained["decisions"]) == 13
    (folder / "event.json").write_text(json.dumps({**EVENT, "eventType": "Nothing"}))
    rules = (folder / "rules.yaml").read_text().replace('types: ["*"]', "types: [Z]")
    (folder / "rules.yaml").write_text(rules)
    assert run(folder, event) == 0
    assert "  13 rules do not match; --rule NAME shows why" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "rules", "left_out"),
    [
        ([], ["swap", "other", "broken"], ""),
        (["--matches"], ["swap", "broken"], "1 other rule does not match"),
        (["--rule", "other"], ["other"], ""),
        (["--rule", "other", "--rule", "sw*"], ["swap", "other"], ""),
        (["--rule", "other", "--matches"], [], "1 rule does not match"),
        (["--rule", "*o*"], ["other", "broken"], ""),
    ],
)
def test_rules_are_selected(
    arguments: list[str],
    rules: list[str],
    left_out: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--rule` and `--matches` select for people and for programs alike."""
    event = str(folder / "event.json")
    assert run(folder, *arguments, event) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^  (swap|other|broken): ", out, re.MULTILINE) == rules
    assert (f"  {left_out}; " in out) if left_out else ("not match" not in out)
    assert run(folder, *arguments, "--json", event) == 0
    [explained] = json.loads(capsys.readouterr().out)["events"]
    assert [decision["rule"] for decision in explained["decisions"]] == rules


def test_a_named_rule_is_shown_among_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named rules are all shown, however many they are."""
    many(folder, 20)
    assert run(folder, "--rule", "more-*", str(folder / "event.json")) == 0
    assert capsys.readouterr().out.count("no match") == 20


def test_a_rule_that_does_not_exist_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the nearest name and at most ten of the known names."""
    many(folder, 20)
    event = str(folder / "event.json")
    assert run(folder, "--rule", "swop", event) == 1
    printed = "there is no rule `swop` (did you mean `swap`?); there are swap, other, broken, more-0"
    err = capsys.readouterr().err
    assert err.startswith(printed)
    assert err.endswith(" and 13 more\n")
    assert run(folder, "--rule", "swop", "--json", event) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    assert (document["ok"], document["errors"][0]["code"]) == (False, "Failed")
    assert document["errors"][0]["message"].startswith(printed)


@pytest.mark.slow
def test_a_tree_folds_as_well(folder: Path) -> None:
    """The tree's headline counts all rules, and its last branch those that are left out."""
    many(folder, 20)
    text = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(folder, {}))
    assert "matches 2 of 23 rules" in text
    assert "└── 21 other rules do not match; --rule NAME shows why" in text


def test_a_decision_is_the_one_that_the_app_makes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line and the app use the same code for decisions."""
    run(folder, "--json", str(folder / "event.json"))
    [shown] = json.loads(capsys.readouterr().out)["events"]
    [event] = read_events(json.dumps(EVENT))
    assert isinstance(event, Event)
    rules = load_rules(RULES, file="rules.yaml", settings={"AIRFLOW": "https://a.example"})
    decided = explain(event, rules)
    assert [each["request"] and each["request"]["dag_run_id"] for each in shown["decisions"]] == [
        each.request and each.request.dag_run_id for each in decided
    ]


def test_an_attribute_that_cannot_be_used_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The event is explained without the value, and both views have a note with the reason."""
    (folder / "event.json").write_text(json.dumps({**EVENT, "eventTime": "yesterday"}))
    assert run(folder, str(folder / "event.json")) == 0
    note = "eventTime is left out: `yesterday` is not an RFC 3339 time with an offset"
    assert f"  note: {note}" in capsys.readouterr().out
    assert run(folder, "--json", str(folder / "event.json")) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert event["notes"][0].startswith(note)


def test_a_rule_that_asks_for_a_way_is_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--via` a rule with `when.via` does not match; with it, or with `--as`, the rule decides."""
    rules = RULES.replace("types: [", "via: [hook/github, queue], types: [", 1)
    (folder / "rules.yaml").write_text(rules)
    file = str(folder / "event.json")
    for arguments, says in (
        ([file], "via is unknown (--via sets it), not `hook/github` or `queue`"),
        (["--via", "webhook", file], "via is `webhook`, not `hook/github` or `queue`"),
        (["--via", "queue", file], "via: queue"),
    ):
        assert run(folder, *arguments) == 0
        assert says in capsys.readouterr().out
    assert "hits swap" in validated(folder, capsys)


def validated(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the output of `updraft validate --samples` for the folder's event."""
    main(["validate", "--rules", str(folder / "rules.yaml"), "--samples", str(folder)])
    return capsys.readouterr().out


def test_a_kind_of_hook_is_a_way(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--as github` the body came by GitHub's hook, and its members name the event."""
    repository = {"url": "https://api.github.com/repos/contoso/shop"}
    push = {"ref": "refs/heads/main", "before": "0", "after": "1", "repository": repository}
    (folder / "push.json").write_text(json.dumps(push))
    assert run(folder, "--as", "github", str(folder / "push.json")) == 0
    shown = capsys.readouterr().out
    assert "com.github.push" in shown
    assert "via: hook/github" in shown
