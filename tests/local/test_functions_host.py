import asyncio
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from local.functions_host.host import Host
from local.functions_host.settings import HostSettingsError
from local.functions_host.worker import AppNotIndexed, Worker, event_grid_data, queue_data
from local.processes import programs
from local.stand_ins.event_grid_topic import EventGridTopic, Schema, Subscription, Webhook
from tests.support.functions_host import forget_runtime, running_host
from tests.support.paths import APPS, ROOT

EVENT = {"id": "1", "subject": "s", "eventType": "t", "eventTime": "2026-11-22T15:00:00Z", "data": {}}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host with the app `echo`."""
    with running_host(APPS / "echo") as running:
        yield running


def webhook(
    host: Host,
    body: object,
    *,
    kind: str | None = "Notification",
    function: str = "on_event",
    path: str = "/runtime/webhooks/EventGrid",
) -> requests.Response:
    """Post a body to the Event Grid webhook, as it is or as JSON."""
    return requests.post(
        host.url + path,
        params={"functionName": function},
        data=body if isinstance(body, bytes) else json.dumps(body),
        headers={"aeg-event-type": kind} if kind else {},
        timeout=20,
    )


def test_a_disabled_function_does_not_listen() -> None:
    """Its route and its Event Grid webhook answer 404, and the other functions answer."""
    names = ("things", "on_event")
    settings = {f"AzureWebJobs.{name}.Disabled": "true" for name in names}
    with running_host(APPS / "echo", settings=settings) as partly:
        assert requests.get(f"{partly.url}/api/things/one", timeout=20).status_code == 404
        assert requests.post(f"{partly.url}/api/binary", data=b"x", timeout=20).status_code == 201
        assert webhook(partly, EVENT).status_code == 404
        assert webhook(partly, EVENT, function="on_event_async").status_code == 202


# The Event Grid webhook


@pytest.mark.parametrize("body", [[EVENT], EVENT, [], [EVENT, EVENT]])
@pytest.mark.parametrize("path", ["/runtime/webhooks/EventGrid", "/RUNTIME/webhooks/eventgrid"])
def test_a_notification_runs_the_function(host: Host, body: object, path: str) -> None:
    """An array, or one object, is answered 202 once each event was handled; paths have no case."""
    answer = webhook(host, body, path=path)
    assert (answer.status_code, answer.text) == (202, "")


def test_events_of_one_body_run_at_once(host: Host) -> None:
    """Each element is an invocation of its own, and all of them start together."""
    meeting = EVENT | {"data": {"meet": True}}
    assert webhook(host, [meeting, meeting]).status_code == 202


def test_one_failure_fails_the_body(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """If one event of a body fails, the answer is 500 with the host's exception; the log has the cause."""
    with caplog.at_level(logging.INFO):
        answer = webhook(host, [EVENT, EVENT | {"id": "2", "data": {"fail": "boom"}}])
    assert answer.status_code == 500
    assert answer.text == "Exception while executing function: Functions.on_event"
    assert "ValueError: boom" in caplog.text
    assert "got 1" in caplog.text
    assert webhook(host, [EVENT]).status_code == 202


@pytest.mark.parametrize("body", [b"{", b"", b"7", b'"text"', b"[" * 100_000])
def test_an_unreadable_body_is_an_empty_500(host: Host, body: bytes) -> None:
    """A body that the extension's parser refuses is its unhandled exception: 500 without a text."""
    answer = webhook(host, body)
    assert (answer.status_code, answer.text) == (500, "")


def test_an_element_that_is_no_object_fails_alone(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A member of the array that cannot be bound fails without reaching the function; the others run."""
    with caplog.at_level(logging.INFO):
        assert webhook(host, ["text", EVENT]).status_code == 500
    assert "Exception binding parameter" in caplog.text
    assert "got 1" in caplog.text


@pytest.mark.parametrize("function", ["", "nobody", "things", "ON_EVENT"])
def test_an_unknown_function_is_a_404(host: Host, function: str) -> None:
    """A name without an Event Grid function is answered 404 with the name."""
    answer = webhook(host, [EVENT], function=function)
    assert (answer.status_code, answer.text) == (404, f"cannot find function: '{function}'")


def test_the_other_kinds_of_request(host: Host) -> None:
    """Unsubscribe is 202; no kind, or another, is 400; the kind's case does not matter."""
    assert webhook(host, [], kind="Unsubscribe").status_code == 202
    assert webhook(host, [EVENT], kind=None).status_code == 400
    assert webhook(host, [EVENT], kind="Something").status_code == 400
    assert webhook(host, [EVENT], kind="NOTIFICATION").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        [{"data": {"validationCode": "abc"}}],
        {"data": json.dumps({"validationCode": "abc"})},
        {"data": {"validationCode": "abc"}},
    ],
)
def test_the_validation_handshake(host: Host, body: object) -> None:
    """The validation code comes back, from an array or from one object with double-encoded data."""
    answer = webhook(host, body, kind="SubscriptionValidation")
    assert answer.status_code == 200
    assert answer.json() == {"validationResponse": "abc"}


@pytest.mark.parametrize("body", [[], {}, [{"data": None}], {"data": "x"}, "text"])
def test_a_validation_without_a_code_is_a_500(host: Host, body: object) -> None:
    """A validation event without its code is the extension's unhandled exception."""
    assert webhook(host, body, kind="SubscriptionValidation").status_code == 500


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("eventgrid.azure.net", "eventgrid.azure.net"),
        ("eventgrid.azure.cn", "eventgrid.azure.cn"),
        ("example.org", "eventgrid.azure.net"),
    ],
)
def test_the_cloud_events_handshake(host: Host, origin: str, allowed: str) -> None:
    """OPTIONS is allowed for Event Grid's own origins and nobody else's."""
    answer = requests.options(
        host.url + "/runtime/webhooks/EventGrid",
        params={"functionname": "on_event"},
        headers={"WebHook-Request-Origin": origin},
        timeout=20,
    )
    assert answer.status_code == 200
    assert answer.headers["Webhook-Allowed-Origin"] == allowed


def test_other_extensions_have_no_webhook(host: Host) -> None:
    """Only the Event Grid extension is here."""
    assert webhook(host, [EVENT], path="/runtime/webhooks/blobs").status_code == 404


def test_async_functions_log_under_their_invocation(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A function on the event loop runs, and its log lines are marked too."""
    with caplog.at_level(logging.INFO):
        assert webhook(host, [EVENT], function="on_event_async").status_code == 202
    assert "async got 1" in caplog.text


def test_a_function_that_takes_too_long_fails(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """After functionTimeout an invocation fails with the host's message; the host continues."""
    with caplog.at_level(logging.INFO):
        answer = webhook(host, [EVENT | {"data": {"wait": 3}}])
    assert answer.status_code == 500
    assert answer.text == "Timeout value of 00:00:02 was exceeded by function: Functions.on_event"
    assert webhook(host, [EVENT]).status_code == 202


def test_a_function_that_exits_fails_alone(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Even sys.exit in a function is only that invocation's failure."""
    with caplog.at_level(logging.INFO):
        assert webhook(host, [EVENT | {"data": {"exit": 3}}]).status_code == 500
    assert "SystemExit: 3" in caplog.text
    assert webhook(host, [EVENT]).status_code == 202


# HTTP


def test_an_http_function_gets_the_request(host: Host) -> None:
    """Method, URL, route, query, headers in lower case and the body's bytes reach the function."""
    answer = requests.post(
        host.url + "/API/things/a%20b%2Fc/5",
        params=[("x", "1"), ("x", "2"), ("empty", "")],
        data=b"\x00\xff",
        headers={"X-Own": "Y"},
        timeout=20,
    )
    seen = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert seen["method"] == "POST"
    assert seen["url"].startswith(host.url + "/API/things/")
    assert seen["route"] == {"name": "a b/c", "number": "5"}
    assert seen["query"] == {"x": "1,2"}
    assert seen["headers"]["x-own"] == "Y"
    assert seen["body"] == "00ff"


def test_an_http_function_answers_with_bytes_and_cookies(host: Host) -> None:
    """Status, binary body, headers, several cookies and the caller's trace come through."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = requests.post(
        host.url + "/api/binary",
        data=bytes(range(256)),
        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        timeout=20,
    )
    assert answer.status_code == 201
    assert answer.content == bytes(range(256))
    assert answer.headers["content-type"] == "application/x-own"
    assert trace in answer.headers["x-trace"]
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert {"Path=/x", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=60"} <= set(cookies[0].split("; "))
    assert "Domain=example.org" in cookies[1]


def test_text_functions_and_every_method(host: Host) -> None:
    """A function may return text, and one without a list of methods answers all of them."""
    for method in ("GET", "DELETE", "PATCH"):
        answer = requests.request(method, host.url + "/api/text", timeout=20)
        assert answer.text == f"hello {method}"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nothing"),
        ("GET", "/things/a"),
        ("GET", "/api/things/a/notanumber"),
        ("DELETE", "/api/things/a"),
        ("GET", "/admin/else"),
        ("POST", "/admin/functions/nobody"),
        ("POST", "/admin/functions/things"),
    ],
)
def test_what_matches_no_route_is_a_404(host: Host, method: str, path: str) -> None:
    """No route, a broken constraint and a method that is not listed are all 404, as in the real host."""
    assert requests.request(method, host.url + path, timeout=20).status_code == 404


def test_a_failing_http_function_is_an_empty_500(host: Host) -> None:
    """An exception is a 500 without its text."""
    answer = requests.get(host.url + "/api/things/a?fail=secret", timeout=20)
    assert (answer.status_code, answer.text) == (500, "")


def test_the_hosts_own_pages(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The status, the landing page, and running a function by hand."""
    assert requests.get(host.url + "/admin/host/status", timeout=20).json()["state"] == "Running"
    assert requests.get(host.url + "/", timeout=20).ok
    with caplog.at_level(logging.INFO):
        run = {"input": json.dumps(EVENT | {"id": "by-hand"})}
        assert requests.post(host.url + "/admin/functions/on_event", json=run, timeout=20).status_code == 202
        assert webhook(host, [EVENT]).status_code == 202
    assert "got by-hand" in caplog.text
    broken = requests.post(host.url + "/admin/functions/on_event", data="{", timeout=20)
    assert broken.status_code == 400
    assert (
        requests.post(host.url + "/admin/functions/on_event", json={"input": "{"}, timeout=20).status_code
        == 202
    )


# From the topic to the function


@pytest.mark.parametrize("schema", [Schema.EVENT_GRID, Schema.CLOUD_EVENTS])
def test_the_topic_delivers_to_the_host(host: Host, schema: Schema, caplog: pytest.LogCaptureFixture) -> None:
    """What the real publisher client sends reaches the function in either schema, handshake included."""
    webhook_url = host.url + "/runtime/webhooks/EventGrid?functionName=on_event"
    with EventGridTopic(key="made-up") as topic:
        topic.subscribe(Subscription("app", Webhook(webhook_url), schema=schema))
        sent = EventGridEvent(subject="s", event_type="t", data={}, data_version="1")
        with (
            caplog.at_level(logging.INFO),
            EventGridPublisherClient(topic.endpoint, AzureKeyCredential("made-up")) as client,
        ):
            client.send(sent)
            assert topic.wait_idle(20)
        assert [record.status for record in topic.deliveries] == [202]
    assert f"got {sent.id}" in caplog.text


# Starting


def test_the_worker_alone_is_light() -> None:
    """Importing the worker loads neither a web server nor a client: what is measured is the app's own."""
    code = "import sys, local.functions_host.worker; print(*sys.modules)"
    modules = programs.run([sys.executable, "-c", code], check=True, cwd=ROOT).stdout.split()
    assert not {"aiohttp", "azure", "azure_functions_runtime", "requests"} & set(modules)


def test_a_taken_port_is_named() -> None:
    """A port that is taken is named, with the remedy."""

    async def start(port: int) -> None:
        await Host(APPS / "echo", port=port).start()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        forget_runtime()
        port = taken.getsockname()[1]
        with pytest.raises(HostSettingsError, match=f"Port {port} is unavailable.*--port"):
            asyncio.run(start(port))
        forget_runtime()


@pytest.mark.parametrize(
    ("app", "error", "said"),
    [
        ("broken", AppNotIndexed, "no_such_module"),
        ("unsupported", HostSettingsError, r"blobTrigger \(function on_blob\).*func start"),
        ("unsupported", HostSettingsError, r"timerTrigger \(function on_time\).*func start"),
        ("queue", HostSettingsError, "%QUEUE%.*set QUEUE"),
    ],
)
def test_an_app_that_cannot_run_says_why(app: str, error: type[Exception], said: str) -> None:
    """A broken import, each unsupported trigger and a missing setting end the start with the reason."""
    with pytest.raises(error, match=said), running_host(APPS / app, settings={}):
        pass


def test_an_app_without_functions_says_so(tmp_path: Path) -> None:
    """A folder without function_app.py is refused, and so is one that is not there."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(AppNotIndexed, match="no functions"), running_host(tmp_path):
        pass

    async def enter() -> None:
        async with Worker(tmp_path / "nowhere"):
            pass

    with pytest.raises(AppNotIndexed, match="nowhere"):
        asyncio.run(enter())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"QUEUE": "q"}, "set AzureWebJobsStorage"),
        ({"QUEUE": "q", "AzureWebJobsStorage": "rubbish"}, "not a Storage connection string"),
    ],
)
def test_a_missing_storage_connection_is_named(settings: dict[str, str], said: str) -> None:
    """A queue function without a usable connection is named with the settings that it needs."""
    with (
        pytest.raises(HostSettingsError, match=f"on_message.*{said}"),
        running_host(APPS / "queue", settings=settings),
    ):
        pass


# The worker alone


def test_a_worker_runs_functions_without_a_server() -> None:
    """The runtime alone indexes an app, runs a function and gives back what went wrong."""

    async def use() -> list[Any]:
        async with Worker(APPS / "echo") as worker:
            names = sorted(worker.functions)
            good = await worker.invoke("on_event", event_grid_data(EVENT))
            bad = await worker.invoke("on_event", event_grid_data(EVENT | {"data": {"fail": "boom"}}))
            with pytest.raises(KeyError):
                await worker.invoke("nobody", event_grid_data(EVENT))
            return [names, good, bad]

    forget_runtime()
    names, good, bad = asyncio.run(use())
    forget_runtime()
    assert names == ["binary", "on_event", "on_event_async", "text", "things"]
    assert good.succeeded
    assert bad.error == "ValueError: boom"
    assert "raise ValueError" in bad.stack_trace


def test_a_worker_takes_queue_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue function can be run without a queue, with the metadata of a message."""
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))

    async def use() -> bool:
        async with Worker(APPS / "queue") as worker:
            data, metadata = queue_data("hello", dequeue_count=3)
            return (await worker.invoke("on_message", data, metadata=metadata)).succeeded

    forget_runtime()
    assert asyncio.run(use())
    forget_runtime()
    seen = json.loads((tmp_path / "seen").read_text())
    assert (seen["body"], seen["dequeue_count"], seen["id"]) == ("hello", 3, "1")
