"""Files of events: each event is recognised by its members, also if kinds are mixed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from cli.event_files import read_event_file
from cli.main import main
from shared.event import Event, Unreadable
from shared.event.body_shapes import kinds_like
from tests.support.paths import ROOT, SAMPLES
from tests.support.samples import event_samples, is_invalid, read_sample

FILES: Final = [name for name in event_samples("**/*.json") if ".binary." not in name]
EXAMPLES: Final = sorted((ROOT / "examples/events").glob("*.json"))
ONE_OF_EACH: Final = {
    "acr/push.json": "hook/acr",
    "azure-devops/git_push.json": "hook/azure-devops",
    "github/workflow_run_completed.json": "hook/github",
    "kudu/success_in_slot.json": "hook/kudu",
    "appservice/slot_swap_completed.eventgrid.json": "unknown",
    "appservice/slot_swap_completed.cloudevents.json": "unknown",
    "batches/four_events_with_a_duplicate.eventgrid.json": "unknown",
}
RULES: Final = """
connections: {main: {url: "%AIRFLOW%", auth: {kind: entra, scope: s}}}
rules:
  - {name: acr, when: {via: [hook/acr], types: [Microsoft.ContainerRegistry.*]}, start: {dag: d}}
  - {name: devops, when: {via: [hook/azure-devops], types: [git.*]}, start: {dag: d}}
  - {name: github, when: {via: [hook/github], types: [com.github.*]}, start: {dag: d}}
  - {name: kudu, when: {via: [hook/kudu], types: [Microsoft.Web.Kudu.*]}, start: {dag: d}}
  - {name: swap, when: {via: [queue], types: [Microsoft.Web.SlotSwapCompleted]}, start: {dag: d}}
"""


def compact(name: str) -> str:
    """Return a sample on one line."""
    return json.dumps(json.loads((SAMPLES / name).read_text("utf-8-sig")))


@pytest.mark.parametrize("name", FILES)
def test_every_sample_is_read_as_what_it_is(name: str) -> None:
    """Without `--as`, a file has the same events as the app reads from a request of its kind."""
    found = [each.event for each in read_event_file((SAMPLES / name).read_bytes())]
    known = read_sample(name)
    if is_invalid(name):
        assert any(isinstance(each, Unreadable) for each in found)
    else:
        assert found == known


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_is_an_event(file: Path) -> None:
    """The examples of the project can be read."""
    assert all(isinstance(each.event, Event) for each in read_event_file(file.read_bytes()))


@pytest.mark.parametrize("kind", [None, "acr", "azure-devops", "github", "kudu"])
@pytest.mark.parametrize("form", ["array", "lines", "lines with CRLF and a mark"])
def test_kinds_can_be_mixed_in_a_file(form: str, kind: str | None) -> None:
    """An array or lines of every kind give the same events in the same order, whatever `--as` says."""
    texts = [compact(name) for name in ONE_OF_EACH]
    body = {
        "array": f"[{','.join(text.removeprefix('[').removesuffix(']') for text in texts)}]",
        "lines": "\n".join(texts),
        "lines with CRLF and a mark": "\ufeff" + "\r\n\r\n".join(texts) + "\r\n",
    }[form]
    found = read_event_file(body.encode(), kind)
    own = [replace(each.event, notes=()) if isinstance(each.event, Event) else each for each in found]
    assert own == [event for name in ONE_OF_EACH for event in read_sample(name)]
    texts_found = [json.loads(each.text) for each in found]
    assert texts_found[: len(texts) - 1] == [json.loads(text) for text in texts[:-1]]


def test_a_folder_of_every_kind_is_validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate --samples` and `explain` read every kind in one folder; a hook's body came by its hook."""
    rules, folder = tmp_path / "rules.yaml", tmp_path / "samples"
    rules.write_text(RULES)
    folder.mkdir()
    for number, name in enumerate(ONE_OF_EACH):
        (folder / f"{number}.json").write_bytes((SAMPLES / name).read_bytes())
    (folder / "all.jsonl").write_text("\n".join(map(compact, ONE_OF_EACH)))
    (folder / "notes.txt").write_text("no sample")
    for extra in ((), ("--as", "github")):
        assert main(["validate", "--rules", str(rules), "--samples", str(folder), *extra]) == 0
        printed = capsys.readouterr().out
        for rule in ("acr", "devops", "github", "kudu", "swap"):
            assert printed.count(f"hits {rule}\n") >= 2, rule
    files = [str(file) for file in sorted(folder.iterdir()) if file.suffix != ".txt"]
    assert main(["explain", "--rules", str(rules), "--json", *files]) == 0
    ways = {event["via"] for event in json.loads(capsys.readouterr().out)["events"]}
    assert ways == set(ONE_OF_EACH.values())


def test_a_body_of_two_shapes_is_named_and_as_decides() -> None:
    """A body whose members fit two kinds is an error that names `--as`, and `--as` decides."""
    body = json.loads((SAMPLES / "acr/push.json").read_text()) | {"sender": {"login": "x"}}
    assert kinds_like(body) == ("acr", "github")
    (found,) = read_event_file(json.dumps(body).encode())
    assert isinstance(found.event, Unreadable)
    assert found.event.error == (
        "the body looks like one of kind acr and like one of kind github: name the kind with --as acr or "
        "--as github"
    )
    (found,) = read_event_file(json.dumps(body).encode(), "acr")
    assert isinstance(found.event, Event)
    assert (found.event.via, found.event.notes) == ("hook/acr", ())


def test_a_body_of_no_shape_names_what_can_be_passed() -> None:
    """A body of no known kind gets the list of kinds; with `--as`, the error of that kind."""
    (found,) = read_event_file(b'{"hello": 1}')
    assert isinstance(found.event, Unreadable)
    assert found.event.error.endswith("is read with --as acr, --as azure-devops, --as github or --as kudu")
    (found,) = read_event_file(b'{"hello": 1}', "kudu")
    assert isinstance(found.event, Unreadable)
    assert found.event.error.startswith("id is missing")


def test_a_shape_that_contradicts_as_is_noted() -> None:
    """A Kudu body with `--as github` is read as Kudu's, and `explain` prints a note."""
    (found,) = read_event_file((SAMPLES / "kudu/success_in_slot.json").read_bytes(), "github")
    assert isinstance(found.event, Event)
    assert found.event.notes == ("read as a body of kind kudu, by its shape, and not as one of kind github",)


GOOD: Final = '{"specversion": "1.0", "id": "1", "source": "s", "type": "t"}'


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (f'{GOOD}\n{{"x": 1}}\n{{', ["", "line 2: no event schema", "line 3: not JSON: a name in double"]),
        ('[{"x": 1}, 3]', ["member 1 of 2: no event", "member 2 of 2: an event is a JSON object"]),
        ('{"a": 1}\n[{"x": 1}, 3]', ["line 1: no", "line 2: member 1 of 2: no", "line 2: member 2 of 2: an"]),
        ('{\n "a": 1,\n}\n', ["not JSON: there is a `,` before the closing bracket (line 2, column 8)"]),
        ("", ["the file is empty"]),
        ("[]", []),
        ('{"action": "ping"}', [""]),
    ],
)
def test_a_bad_event_is_named_with_its_place(body: str, errors: list[str]) -> None:
    """Each error names the line or the member, once; the neighbours are read."""
    found = [each.event for each in read_event_file(body.encode())]
    printed = [each.error if isinstance(each, Unreadable) else "" for each in found]
    assert len(printed) == len(errors)
    assert [
        said[: len(error)] if error else said for error, said in zip(errors, printed, strict=True)
    ] == errors
