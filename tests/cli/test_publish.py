"""`updraft publish`: the topic gets the text of the file, and any failure is one message."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.main import main
from cli.publish.json_members import with_members
from cli.publish.outgoing import SOME_TOPIC, read_outgoing, renewed
from cli.publish.topic import LARGEST, endpoint, send
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import LoopbackServer
from shared.errors import EventError, SettingsError, UpdraftError
from shared.event import Event, read_events
from shared.values.json_text import Json, JsonObject
from tests.support.paths import ROOT, SAMPLES
from tests.support.recording_topic import RecordingTopic
from tests.support.samples import sample_names

EXAMPLE: Final = ROOT / "examples" / "events" / "slot_swap_completed.json"
CLOUD_EVENT: Final[JsonObject] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "shop.order",
    "data": {"n": 1},
}
GRID_EVENT: Final[JsonObject] = {
    "id": "1",
    "subject": "s",
    "eventType": "t",
    "eventTime": "2026-11-25T09:00:00Z",
    "dataVersion": "1",
}
TIMES: Final = (
    "2026-11-25T09:00:00+05:30",
    "2026-11-25T09:00:00.1234567-09:30",
    "2026-11-25T09:00:00Z",
    "2026-11-25T23:59:59.999999999+14:00",
)


@pytest.fixture
def topic(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingTopic]:
    """A topic, and this process as a managed identity that may publish to it."""
    with IdentityEndpoint() as identity, RecordingTopic(tls=certificates.server_context()) as running:
        for name, value in (identity.environment() | certificates.environment()).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("UPDRAFT_TOPIC_ENDPOINT", running.endpoint)
        yield running


def written(tmp_path: Path, content: str | bytes) -> str:
    """Write a file, and return its name."""
    file = tmp_path / "event.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def json_text(document: Json) -> bytes:
    """Return a document as a file holds it."""
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize("event", [CLOUD_EVENT, GRID_EVENT], ids=["CloudEvents", "Event Grid"])
@pytest.mark.parametrize("time", TIMES)
def test_a_time_arrives_as_it_stands(
    topic: RecordingTopic, tmp_path: Path, event: JsonObject, time: str
) -> None:
    """A time with an offset is the same text at the topic, not another moment."""
    name = "time" if "specversion" in event else "eventTime"
    assert main(["publish", written(tmp_path, json_text(event | {name: time}))]) == 0
    (sent,) = topic.events()
    assert sent[name] == time


def test_numbers_arrive_as_they_are_written(topic: RecordingTopic, tmp_path: Path) -> None:
    """Numbers keep all their digits and zeros."""
    data = '{"a": 1.10, "b": 0.12345678901234567890123, "c": 123456789012345678901234567890, "d": 1E2}'
    text = json.dumps(GRID_EVENT)[:-1] + f', "data": {data}, "topic": "/subscriptions/other"}}'
    assert main(["publish", written(tmp_path, text)]) == 0
    assert f'"data": {data}'.encode() in topic.last
    assert "topic" not in topic.events()[0]


VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)
FORMS: Final = st.tuples(st.booleans(), st.booleans())
PLAIN: Final = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
MOMENTS: Final = st.datetimes(timezones=st.sampled_from([UTC])).flatmap(
    lambda moment: st.sampled_from([f"{moment:%Y}".zfill(4) + f"{moment:-%m-%dT%H:%M:%S}"]).flatmap(
        lambda text: st.sampled_from([f"{text}Z", f"{text}.5+05:30", f"{text}.1234567-11:45"])
    )
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=VALUES, id_=PLAIN, subject=PLAIN, time=MOMENTS, form=FORMS)
def test_what_arrives_means_what_the_file_says(
    topic: RecordingTopic, data: Json, id_: str, subject: str, time: str, form: tuple[bool, bool]
) -> None:
    """For any event in either schema, the JSON at the topic equals the JSON of the file."""
    cloud, ascii_only = form
    event: JsonObject = {"data": data, "subject": subject, "id": id_}
    event |= (
        {"specversion": "1.0", "source": "/x", "type": "T", "time": time}
        if cloud
        else {"eventType": "T", "eventTime": time, "dataVersion": ""}
    )
    body = json.dumps([event, event], ensure_ascii=ascii_only, indent=1).encode()
    outgoing = read_outgoing(body)
    send(outgoing, topic.endpoint)
    assert topic.events() == [event, event]
    again = renewed(outgoing[0])
    changed = {"id", "time" if cloud else "eventTime"}
    assert {name: value for name, value in json.loads(again.text).items() if name not in changed} == {
        name: value for name, value in event.items() if name not in changed
    }


@pytest.mark.parametrize("name", [*sample_names("*/*.eventgrid.json"), *sample_names("*/*.cloudevents.json")])
def test_every_sample_is_published_as_it_stands(topic: RecordingTopic, name: str) -> None:
    """Each sample with the members that Event Grid requires arrives unchanged except for `topic`."""
    content = (SAMPLES / name).read_bytes()
    try:
        outgoing = read_outgoing(content)
    except EventError as error:
        assert "Event Grid" in str(error)  # noqa: PT017 - some samples have no complete envelope
        return
    if name == "custom/times_as_publishers_write_them.eventgrid.json":
        with pytest.raises(UpdraftError, match="answered 400: 'eventTime' is not an ISO 8601 time"):
            send(outgoing, topic.endpoint)
        return
    send(outgoing, topic.endpoint)
    document = json.loads(content.decode("utf-8-sig"))
    events = document if isinstance(document, list) else [document]
    grid = not outgoing[0].cloud_event
    assert topic.events() == [{n: v for n, v in each.items() if n != "topic" or not grid} for each in events]
    if not grid:
        assert [each.event for each in outgoing] == read_events(content)


def test_both_schemas_are_published_as_the_managed_identity(topic: RecordingTopic) -> None:
    """The topic checks the shape of both schemas and the token, and its own path is added."""
    (swap,) = map(renewed, read_outgoing(EXAMPLE.read_bytes()))
    send([swap], topic.endpoint)
    send(read_outgoing(json_text([CLOUD_EVENT])), topic.url)
    assert [(record.event_id, record.event_type) for record in topic.published] == [
        (swap.event.id, "Microsoft.Web.SlotSwapCompleted"),
        ("1", "shop.order"),
    ]
    assert swap.event.source == SOME_TOPIC


def test_the_command_publishes_a_file(
    topic: RecordingTopic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the topic from its setting, reads standard input, and prints the ids or a document."""
    assert main(["publish", str(EXAMPLE)]) == 0
    own = json.loads(EXAMPLE.read_text())["id"]
    assert capsys.readouterr().out == f"published {own}\n"
    assert main(["publish", "--new", "--topic", topic.endpoint, str(EXAMPLE)]) == 0
    assert [record.event_id == own for record in topic.published] == [True, False]
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(EXAMPLE.read_bytes())))
    assert main(["publish", "--json", "-"]) == 0
    events = [{"id": own, "type": "Microsoft.Web.SlotSwapCompleted"}]
    assert json.loads(capsys.readouterr().out) == {"ok": True, "errors": [], "warnings": [], "events": events}


def test_a_server_without_tls_is_told(topic: RecordingTopic, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that speaks http is named as such, not as a library's error."""
    assert topic.endpoint
    with LoopbackServer() as plain:
        address = f"https://127.0.0.1:{plain.port}/api/events"
        assert main(["publish", "--topic", address, str(EXAMPLE)]) == 2
    assert f"{address} cannot be reached: it does not speak TLS as expected" in capsys.readouterr().err


def test_lines_are_published_together(topic: RecordingTopic, tmp_path: Path) -> None:
    """A file with one event a line is one request."""
    lines = [json.dumps(CLOUD_EVENT | {"id": str(number)}) for number in range(3)]
    assert main(["publish", written(tmp_path, "\ufeff" + "\n".join(lines))]) == 0
    assert [event["id"] for event in topic.events()] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "EventGrid Data Sender"),
        (403, "EventGrid Data Sender"),
        (413, "answered 413"),
        (503, "503: soon"),
    ],
)
def test_a_refusal_is_a_sentence(
    topic: RecordingTopic, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    """The answer of the topic is one line, with status 2."""
    topic.inject(status, times=10, body={"error": {"message": "soon"}})
    assert main(["publish", str(EXAMPLE)]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_event_grids_own_words_are_shown(topic: RecordingTopic, capsys: pytest.CaptureFixture[str]) -> None:
    """A body that Event Grid refuses ends with its message, whose invisible characters are escaped."""
    topic.inject(400, body={"error": {"message": "the event has no \x1b[31mcolour"}})
    assert main(["publish", str(EXAMPLE)]) == 2
    assert "answered 400: the event has no \\x1b[31mcolour" in capsys.readouterr().err
    topic.inject(502, times=9, body="<html>bad gateway</html>")
    assert main(["publish", str(EXAMPLE)]) == 2
    assert "answered 502: <html>bad gateway</html>" in capsys.readouterr().err


def test_a_topic_that_is_not_there_is_named(
    topic: RecordingTopic, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection, a foreign certificate, silence and no identity are printed in words."""
    topic.inject(None, delay=3, times=9)
    with pytest.raises(UpdraftError, match="there was no answer within 0 s"):
        send(read_outgoing(json_text(CLOUD_EVENT)), topic.endpoint, timeout=0.1)
    topic.heal()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    assert main(["publish", str(EXAMPLE)]) == 2
    assert "its certificate is not trusted" in capsys.readouterr().err
    topic.stop()
    assert main(["publish", str(EXAMPLE)]) == 2
    assert capsys.readouterr().err == f"{topic.endpoint} cannot be reached: Connection refused\n"
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/")
    assert main(["publish", str(EXAMPLE)]) == 2
    assert "no token for https://eventgrid.azure.net" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "no topic is named: pass --topic URL, or set UPDRAFT_TOPIC_ENDPOINT"),
        ("http://topic.example/api/events", "https"),
        ("http://127.0.0.1/api/events", "it has to be an https address"),
        ("topic.example", "https"),
        ("https://a b", "blank"),
    ],
)
def test_a_topic_needs_https(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The token is never sent without TLS, and the message about a missing address names the setting."""
    monkeypatch.setenv("UPDRAFT_TOPIC_ENDPOINT", address)
    assert main(["publish", str(EXAMPLE)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "there is no event in an empty array"),
        ('"text"', "an event is a JSON object, and this is a string"),
        ("", "the file is empty"),
        ("{", ": not JSON: a name in double quotes is missing (at the end)"),
        (b"\xff\xfe{", "not JSON"),
        (json_text([CLOUD_EVENT, 3]), "member 2 of 2: an event is a JSON object"),
        ('{"specversion": "1.0", "id": "1"}', "source is missing"),
        ('{"specVersion": "1.0", "id": "1", "source": "s", "type": "t"}', "the event has no specversion"),
        ('{"id": "1", "eventType": "t", "subject": "s"}', "the event has no eventTime, which Event"),
        (json_text([CLOUD_EVENT, GRID_EVENT]), "the file mixes CloudEvents and events of Event"),
        (json_text(GRID_EVENT | {"id": "x\n"}), "id holds a control character"),
        (json_text([CLOUD_EVENT, {"action": "ping"}]), "2: a body of kind acr is not an event of a topic"),
        ('{"hello": 1}', "no event schema is like this"),
        (json_text(CLOUD_EVENT | {"data": "x" * LARGEST}), "Event Grid takes 1048576 in one request"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_before_anything_is_sent(
    topic: RecordingTopic,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | bytes,
    words: str,
) -> None:
    """The message has the file, the position and the mistake, and the status is 2."""
    file = written(tmp_path, content)
    assert main(["publish", file]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{file}: ")
    assert words in printed.err
    assert (printed.out, topic.last) == ("", b"")


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A missing file and a folder are named."""
    for file, words in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory")):
        assert main(["publish", str(file)]) == 2
        assert f"{file}: the file cannot be read: {words}" in capsys.readouterr().err


JSONLIKE: Final = st.one_of(
    st.binary(max_size=200),
    VALUES.map(json_text),
    st.dictionaries(st.sampled_from([*CLOUD_EVENT, *GRID_EVENT, "topic", "Topic", "ID"]), VALUES).map(
        json_text
    ),
    st.lists(st.sampled_from(['{"specversion"', ":", '"1.0"', ",", "}", "[", "]", "\n", '"id"', "1"])).map(
        lambda parts: "".join(parts).encode()
    ),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=JSONLIKE)
def test_no_file_makes_a_traceback(
    topic: RecordingTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    """Any file is sent, or one message has the reason."""
    status = main(["publish", written(tmp_path, body)])
    printed = capsys.readouterr()
    assert (status, bool(printed.err)) in {(0, False), (2, True)}
    assert "Traceback" not in printed.err


@settings(max_examples=150, deadline=None)
@given(address=st.text(max_size=30) | st.text(max_size=20).map(lambda text: f"https://{text}"))
def test_no_address_makes_a_traceback(address: str) -> None:
    """Any text for a topic is an address to post to, or an error about the setting."""
    try:
        assert endpoint(address).startswith("https://")
    except SettingsError as error:
        assert str(error)  # noqa: PT017 - any bytes: read, or refused with a text


@pytest.mark.parametrize("event", [CLOUD_EVENT, GRID_EVENT | {"topic": "/x", "ID": "2"}])
def test_a_renewed_event_keeps_all_but_its_id_and_time(event: JsonObject) -> None:
    """Both schemas are renewed in their own spelling, and each event's new id is its own."""
    (known,) = read_outgoing(json_text(event))
    again = renewed(known)
    (read,) = read_outgoing(again.text.encode())
    assert isinstance(read.event, Event)
    assert (read.event.id, read.event.time) == (again.event.id, again.event.time)
    assert again.event.id != known.event.id
    assert datetime.fromisoformat(str(again.event.time)) > datetime.now(UTC) - timedelta(minutes=1)
    assert renewed(known).event.id != again.event.id


@pytest.mark.parametrize(
    ("text", "changes", "result"),
    [
        ("{}", {"a": "1"}, '{"a": 1}'),
        (' { "a" : 1.0 , "b":[ 1.00,{"a": 2}]}\n', {"a": None}, '{"b": [ 1.00,{"a": 2}]}'),
        ('{"a": 1, "a": 2, "c": "}"}', {"a": "3"}, '{"a": 3, "c": "}"}'),
        ('{"\\u0061": 1}', {"a": "2", "b": None}, '{"\\u0061": 2}'),
    ],
)
def test_members_are_changed_in_the_text(text: str, changes: dict[str, str | None], result: str) -> None:
    """Only the named members change; the rest of the text stays the same."""
    assert with_members(text, changes) == result
