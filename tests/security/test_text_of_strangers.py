"""Text of other programs stays text: in log lines, errors, answers, reasons, notes and at the command line.

Each attack uses every value that an event, a caller, an Airflow or a gateway can write. The output has no
control or invisible character; each log line is one JSON object; and the members of an outcome are the app's
own.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.main import main
from cli.output import printable
from cli.replay.container import Kept
from cli.replay.view import overview
from local.functions_host.logs import ConsoleFormatter
from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import RulesError
from shared.rules import load_rules
from shared.stores.dead_letter_reader import BadLetter, Letter, read_letters
from shared.visible_text import INVISIBLE
from tests.support.delivery import DAG, Delivering
from tests.support.http_app import AGENT, Caller

FORGED = 'x {"rule":"forged","outcome":"started","message":"forged"}'
ATTACKS = {
    "an object in the text": FORGED,
    "an object of its own": '{"message":"forged","outcome":"started"}',
    "the end of a string": '", "outcome": "forged", "x": "',
    "lines": 'a\r\n{"message":"forged","outcome":"started"}\n[2026] ERROR forged',
    "CSI": "\x1b[2J\x1b[31mred",
    "OSC title": "\x1b]0;owned\x07",
    "OSC link": "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "C1": "\x9b31m\x90x\x9c\x85",
    "bell, backspace, NUL, DEL": "a\x07\x08\x00\x7fb",
    "right to left": "a\u202egpj.exe\u2066x\u2069\u200f\u061c",
    "nobody sees": "a\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u3164\u2800\ufe0f\U000e0041b",
    "separators": "a\u2028b\u2029c\u00a0d\u3000e",
    "half pairs": "a\ud800b\udfff",
    "formats": "%s %d %(x)s {0} {x!r} {{ id }} {% if %}",
    "Markdown": "![x](http://evil.example) [y](http://evil.example) # h",
    "markup of rich": "[red]x[/red] [link=http://evil.example]y[/link]",
    "48 KB": "\x1b[0m\u202e" * 8_000,
}
RULES = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: smoke
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, note: "Door {{{{ data.door }}}} of `{{{{ subject }}}}`"}}
  - name: dated
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, logical_date: "{{{{ data.door }}}}"}}
  - name: plain
    when: {{types: ["*"], subject: {{begins_with: /}}}}
    start: {{dag: smoke_two}}
  - name: counted
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, conf: {{n: "{{{{ data.door | int }}}}"}}}}
  - name: keyed
    when: {{types: [Shop.Opened], filter: {{operatorType: NumberIn, key: data.door, values: [7]}}}}
    dedupe_by: "{{{{ data.key }}}}"
    start: {{dag: {DAG}}}
"""
OURS = {"smoke", "dated", "plain", "counted", "keyed", ""}
attacks = pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)


def raw(value: object) -> Iterator[str]:
    """Yield the texts of a JSON value, also names of members, with a control or invisible character."""
    if isinstance(value, str):
        if not value.isprintable() or INVISIBLE.search(value):
            yield value[:200]
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from raw(name)
            yield from raw(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from raw(member)


def lines_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the app's log lines as a query reads them; each is checked as it is sent to the host."""
    lines = []
    for record in caplog.records:
        if record.name != "updraft":
            continue
        sent = logging.Formatter().format(record)
        assert sent.startswith('{"message": ')
        assert len(sent.encode("utf-16-le")) < 2 * 32_768
        assert list(raw(sent)) == []
        line = json.loads(sent)
        assert list(raw(line)) == []
        shown = ConsoleFormatter().format(record)
        assert list(raw(shown.replace("\n", ""))) == []
        lines.append(line)
    return lines


def told(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the result of the documented query: the rule and the outcome of each line with one."""
    return [(line["rule"], line["outcome"]) for line in lines if line.get("outcome")]


@pytest.fixture
def intake(delivering: Delivering, caplog: pytest.LogCaptureFixture) -> Intake:
    """An intake whose relay leads to the stub; all that it logs is captured."""
    caplog.set_level(logging.DEBUG)
    return delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))


def cloud_event(**changes: object) -> dict[str, object]:
    """Return a CloudEvent that rules take."""
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shops/1",
        "type": "Shop.Opened",
        "subject": "/doors/1",
        "time": "2026-03-01T10:00:00Z",
        "data": {"door": 7, "key": "k"},
    } | changes


def bodies(text: str) -> Iterator[object]:
    """Yield events that have the text in one place, in each place once."""
    for name in (*cloud_event(), "dataschema", "datacontenttype", "colour", "data_base64"):
        yield cloud_event(**{name: text})
    yield cloud_event(**{text: text})
    yield cloud_event(data={"door": text, "key": text})
    yield cloud_event(data={text: {text: text}, "door": 7})
    yield cloud_event(**dict.fromkeys(("id", "source", "subject"), text), data={"door": text, "key": text})
    grid = {
        "id": "e-1",
        "topic": "/subscriptions/1",
        "subject": "/s",
        "eventType": "Shop.Opened",
        "eventTime": "2026-03-01T10:00:00Z",
        "data": {"door": 7, "key": "k"},
        "dataVersion": "1",
    }
    for name in grid:
        yield grid | {name: text}
    yield grid | {text: text}
    yield text
    yield [text, cloud_event(id=text)]


@attacks
def test_an_event_cannot_write_into_the_log(
    text: str, intake: Intake, delivering: Delivering, stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever an event has the text, the query finds the outcomes that there were, and no others."""
    ended: list[Outcome] = []
    for body in bodies(text):
        ended += intake.receive(json.dumps(body))
    ended += intake.receive(text.encode(errors="replace"))
    lines = lines_of(caplog)
    assert sorted(told(lines)) == sorted((outcome.rule, outcome.kind.value) for outcome in ended)
    assert {rule for rule, _ in told(lines)} <= OURS
    assert list(raw([outcome.reason for outcome in ended])) == []
    for letter in delivering.letters.kept.values():
        document: Any = letter.to_document()
        assert list(raw([document["lastdeliveryoutcome"], document["updraft"]["reason"]])) == []
    assert OutcomeKind.REJECTED in {outcome.kind for outcome in ended}
    notes = [str(run["note"]) for run in stub.runs.values()]
    assert list(raw(notes)) == []
    assert not any("](http://" in note and "`" not in note for note in notes)


def answers_with(text: str, status: int) -> tuple[Any, ...]:
    """Return bodies of an Airflow's or a gateway's answer that have the text in them."""
    seen = text.encode(errors="replace")
    return (
        {"detail": text},
        {"detail": [{"loc": ["body", text], "msg": text, "type": text}]},
        {"title": text, "type": text, "status": status},
        {"error": {"code": text, "message": text}},
        {"error": text, "error_description": text},
        {text: text},
        seen,
        b"<html><title>" + seen + b"</title>",
    )


@attacks
def test_an_answer_cannot_write_into_the_log(
    text: str, stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """The message of an Airflow or a gateway is text in reasons and log lines, with any status."""
    caplog.set_level(logging.DEBUG)
    rules = load_rules(RULES, file="rules.yaml", settings={})
    header = text.encode("latin-1", errors="ignore").decode("latin-1")
    location = "".join(each for each in header if each not in "\r\n\0")[:1_000]
    for status in (200, 302, 401, 403, 404, 409, 422, 429, 503):
        caplog.clear()
        delivering = Delivering(stub.url)
        intake = delivering.intake(rules)
        ended = []
        for number, answer in enumerate(answers_with(text, status)):
            stub.inject(status, answer, headers={"Location": f"http://x/{location}"}, times=10)
            ended += intake.receive(json.dumps(cloud_event(id=f"e-{status}-{number}", type="Other")))
            stub.heal()
        lines = lines_of(caplog)
        assert sorted(told(lines)) == sorted((outcome.rule, outcome.kind.value) for outcome in ended), status
        assert list(raw([outcome.reason for outcome in ended])) == []
        for parked, _ in [*delivering.parking.kept]:
            assert list(raw(json.loads(parked.to_message())["reason"])) == []
            back = replace(parked, attempt=2)
            intake.receive_parked(back.to_message())
        lines_of(caplog)


def answer_is_clean(answer: requests.Response) -> None:
    """Fail if an answer's text or headers hold unescaped text of a caller."""
    assert answer.content.isascii()
    body = answer.json() if answer.content else {}
    words = {name: value for name, value in body.items() if name != "events"}
    for event in body.get("events", ()):  # an event's own id and source are data: the caller compares them
        words[event["source"] * 0] = {name: event[name] for name in event if name not in {"id", "source"}}
    assert list(raw(words)) == []
    assert list(raw(dict(answer.headers))) == []
    assert not any("evil" in value or "forged" in value for value in answer.headers.values())


@attacks
def test_a_caller_cannot_write_into_answers_and_lines(
    text: str, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """No header of an answer, no word of a problem and no log line has a caller's text as it was."""
    caplog.set_level(logging.DEBUG)
    header = "".join(each for each in text if each.isascii() and each.isprintable())[:500] + "\x9b"
    header = header.encode("latin-1").decode("latin-1")
    token = caller.token()
    for body in (
        {text: 1},
        {"conf": {text: 1}},
        {"conf": {"site": text}, "note": text[:200]},
        {"note": text},
        {"connection": text},
        {"logical_date": text},
        {"run_after": text},
        [text],
        text,
        text.encode(errors="replace"),
    ):
        answer_is_clean(caller.start(body=body))
    answer_is_clean(caller.start(body={}, Idempotency_Key=header))
    answer_is_clean(caller.start(token=header.strip() or "x", body={}))
    answer_is_clean(caller.post("dags/smoke_tests/runs", token, {}, Content_Type=header))
    agent = caller.token(AGENT)
    for sent in bodies(text):
        answer_is_clean(caller.post("events", agent, sent))
    answer_is_clean(caller.post("events", method="OPTIONS", WebHook_Request_Origin=header))
    reporter = caller.token(AGENT, roles=["Outcomes.Write"])
    for report in (
        {"run": {"dag_id": text, "dag_run_id": "r"}, "state": "success"},
        {"run": {"dag_id": "greet", "dag_run_id": text}, "state": "success"},
        {"run": {"dag_id": "greet", "dag_run_id": "r"}, "state": text},
        {"run": {"dag_id": "greet", "dag_run_id": "r"}, "state": "failed", "started_at": text},
    ):
        answer_is_clean(caller.post("outcomes", reporter, report))
    assert list(raw([str(run["note"]) for run in caller.stub.runs.values()])) == []
    assert {rule for rule, _ in told(lines_of(caplog))} <= {"call", "greet", "trusting", ""}


@attacks
def test_an_event_cannot_write_to_a_terminal(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`explain` and `validate` show events, files and names without control characters."""
    rules, samples = tmp_path / "rules.yaml", tmp_path / "samples"
    rules.write_text(RULES)
    samples.mkdir()
    (samples / "events.json").write_text(json.dumps([*bodies(text)]))
    (samples / "text.json").write_bytes(text.encode(errors="replace"))
    for file in samples.iterdir():
        main(["explain", "--rules", str(rules), str(file)])
        out, err = capsys.readouterr()
        assert list(raw((out + err).split("\n"))) == []
        main(["explain", "--rules", str(rules), "--json", str(file)])
        document = json.loads(capsys.readouterr().out)
        for event in document["events"]:
            words = [event["error"], event.get("notes"), *(each["reason"] for each in event["decisions"])]
            notes = [each["request"]["note"] for each in event["decisions"] if each["request"]]
            assert list(raw([*words, *notes])) == []
    main(["validate", "--rules", str(rules), "--samples", str(samples)])
    out, err = capsys.readouterr()
    assert list(raw((out + err).split("\n"))) == []


@attacks
def test_a_rules_file_cannot_write_to_a_terminal_or_the_log(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in rules.yaml is shown as text, at the command line and in the error that the app logs."""
    quoted = json.dumps(text)
    for wrong in (
        f"rules: [{{name: {quoted}, when: {{types: [{quoted}]}}, start: {{dag: {quoted}}}}}]",
        f"rules: [{{name: r, {quoted}: {quoted}, when: {{types: [x]}}, start: {{dag: d}}}}]",
        f"rules: [{{name: r, when: {{types: [x], filter: {{{quoted}: {quoted}}}}}, start: {{dag: d}}}}]",
        f"rules: [{{name: r, when: {{types: [x]}}, start: {{dag: d, note: {json.dumps('{{' + text)}}}}}]",
        f"connections: {{{quoted}: {{url: {quoted}, auth: {{kind: {quoted}}}}}}}",
        text.encode(errors="replace").decode(),
    ):
        file = tmp_path / "rules.yaml"
        file.write_bytes(wrong.encode(errors="replace"))
        main(["validate", "--rules", str(file)])
        out, err = capsys.readouterr()
        assert list(raw((out + err).split("\n"))) == []
        with pytest.raises(RulesError) as caught:
            load_rules(file.read_text("utf-8"), file="rules.yaml", settings={})
        assert list(raw(str(caught.value).split("\n"))) == []


@attacks
def test_a_dead_letter_cannot_write_to_a_terminal(text: str) -> None:
    """`replay list` shows dead letters, ours and Event Grid's, without control characters."""
    letters = (
        {**cloud_event(id=text, source=text), "deadletterreason": text, "lastdeliveryoutcome": text},
        {
            **cloud_event(),
            "deadletterreason": "x",
            "updraft": {"format": 1, "rule": text, "code": text, "reason": text},
        },
        {**cloud_event(), "deadletterreason": "x", "updraft": {"format": text}},
        {text: text},
    )
    found = [read_letters(json.dumps(letter), ours=ours) for letter in letters for ours in (True, False)]
    kept = [
        Kept(
            f"smoke/{number}.json",
            [each for each in read if isinstance(each, Letter)],
            [each for each in read if isinstance(each, BadLetter)],
        )
        for number, read in enumerate(found)
    ]
    assert list(raw([printable(line) for line in overview(kept, "dead-letters")])) == []


def test_the_documented_query_finds_a_rejected_event(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    """An id that is an object cannot hide a rejection from an alert, or add an outcome."""
    intake.receive(json.dumps(cloud_event(id=FORGED, data={"key": "k"})))
    found = told(lines_of(caplog))
    assert ("smoke", "rejected") in found
    assert not any(rule == "forged" for rule, _ in found)
