import base64
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from local.stand_ins.certificates import Certificates
from local.stand_ins.event_grid_topic import (
    DeadLetter,
    EventGridTopic,
    HandshakeFailed,
    RetryPolicy,
    Schema,
    StorageQueue,
    Subscription,
    Webhook,
)
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request

KEY = "a-made-up-key"
FAST = RetryPolicy(scale=0.0001)


class Endpoint(LoopbackServer):
    """A webhook that does the handshake and records its requests; `inject` makes it fail."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.code: Callable[[str], str] = lambda code: code
        self.allowed = "*"

    def handle(self, request: Request) -> Reply:
        """Do the handshake, or accept the event."""
        if request.method == "OPTIONS":
            return Reply(200, headers={"WebHook-Allowed-Origin": self.allowed})
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            document: Any = request.json()
            return Reply(200, {"validationResponse": self.code(document[0]["data"]["validationCode"])})
        self.requests.append(request)
        return Reply(202)

    @property
    def bodies(self) -> list[Any]:
        """The delivered events, decoded."""
        return [request.json() for request in self.requests]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A webhook."""
    with Endpoint() as server:
        yield server


@pytest.fixture
def topic() -> Iterator[EventGridTopic]:
    """A topic with a key, whose waits are short."""
    with EventGridTopic(key=KEY, retry=FAST) as server:
        yield server


def event(**members: object) -> dict[str, Any]:
    """An event in the Event Grid schema, as a publisher sends it."""
    return {
        "id": "1",
        "subject": "/apps/shop",
        "eventType": "Shop.Deployed",
        "eventTime": "2026-11-22T15:00:00Z",
        "data": {"slot": "production"},
        "dataVersion": "2.0",
    } | members


def cloud_event(**members: object) -> dict[str, Any]:
    """The same as a CloudEvent."""
    return {"specversion": "1.0", "id": "1", "source": "/apps", "type": "Shop.Deployed"} | members


def publish(topic: EventGridTopic, body: object, **headers: str) -> requests.Response:
    """Post `body` to the topic, with its key."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(
        topic.endpoint,
        params={"api-version": "2018-01-01"},
        data=data,
        headers={"aeg-sas-key": KEY, "Content-Type": "application/json"} | headers,
        timeout=10,
    )


def test_delivers_an_event_as_event_grid_does(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A webhook gets an array of one stamped event, with Event Grid's headers."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url + "/hook?code=1", headers={"X-Own": "y"})))
    assert publish(topic, [event()]).status_code == 200
    assert topic.wait_idle(10)
    stamped = event(topic=topic.resource_id, metadataVersion="1")
    assert endpoint.bodies == [[stamped]]
    headers = endpoint.requests[0].headers
    assert {name: headers[name] for name in headers if name.startswith(("aeg-", "x-own"))} == {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "APP",
        "aeg-delivery-count": "0",
        "aeg-data-version": "2.0",
        "aeg-metadata-version": "1",
        "x-own": "y",
    }
    assert headers["content-type"] == "application/json; charset=utf-8"
    (record,) = topic.deliveries
    assert (record.event_id, record.attempt, record.status, record.succeeded) == ("1", 1, 202, True)
    assert [published.event_id for published in topic.published] == ["1"]


def test_delivers_cloud_events_structured(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A batch of CloudEvents arrives as one structured event a request, whole."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url), schema=Schema.CLOUD_EVENTS))
    batch = [cloud_event(id="1"), cloud_event(id="2", data={"a": 1})]
    kind = "application/cloudevents-batch+json; charset=utf-8"
    assert publish(topic, batch, **{"Content-Type": kind}).status_code == 200
    single = cloud_event(id="3")
    assert publish(topic, single, **{"Content-Type": "application/cloudevents+json"}).status_code == 200
    assert topic.wait_idle(10)
    assert sorted(endpoint.bodies, key=lambda body: str(body["id"])) == [*batch, single]
    assert {request.headers["content-type"] for request in endpoint.requests} == {
        "application/cloudevents+json; charset=utf-8"
    }


def test_converts_event_grid_events_to_cloud_events(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """An Event Grid event becomes a CloudEvent whose source is the topic."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url), schema=Schema.CLOUD_EVENTS))
    publish(topic, [event()])
    assert topic.wait_idle(10)
    assert endpoint.bodies == [
        {
            "specversion": "1.0",
            "id": "1",
            "source": topic.resource_id,
            "subject": "/apps/shop",
            "type": "Shop.Deployed",
            "time": "2026-11-22T15:00:00Z",
            "dataschema": "#2.0",
            "data": {"slot": "production"},
        }
    ]


def test_never_converts_cloud_events(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A CloudEvent for a subscription in the Event Grid schema is a dead letter, not a wrong event."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url), schema=Schema.EVENT_GRID))
    publish(topic, cloud_event(), **{"Content-Type": "application/cloudevents+json"})
    assert topic.wait_idle(10)
    assert endpoint.bodies == []
    assert topic.dead_letters[0].event["deadletterreason"] == "SchemaNotConvertible"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"{", "application/json", "not JSON"),
        (b"[" * 200_000, "application/json", "not JSON"),
        ({"id": "1"}, "application/json", "array"),
        (["x"], "application/json", "not a JSON object"),
        ([event(id="")], "application/json", "'id'"),
        ([event(id=7)], "application/json", "'id'"),
        ([event(eventTime="yesterday")], "application/json", "eventTime"),
        ([event(topic="/another")], "application/json", "topic"),
        ([event(metadataVersion="2")], "application/json", "metadataVersion"),
        ([{k: v for k, v in event().items() if k != "subject"}], "application/json", "'subject'"),
        ([cloud_event()], "application/cloudevents+json", "one JSON object"),
        (cloud_event(specversion="0.3"), "application/cloudevents+json", "specversion"),
        (cloud_event(time="later"), "application/cloudevents+json", "time"),
        (cloud_event(data=1, data_base64="MQ=="), "application/cloudevents+json", "exclude"),
        ([cloud_event(source="")], "application/cloudevents-batch+json", "'source'"),
    ],
)
def test_refuses_what_event_grid_refuses(topic: EventGridTopic, body: object, kind: str, said: str) -> None:
    """A body that breaks the schema is answered 400, and none of it is delivered."""
    answer = publish(topic, body, **{"Content-Type": kind})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert topic.published == ()


def test_one_bad_event_refuses_the_whole_batch(topic: EventGridTopic) -> None:
    """A batch is accepted whole or not at all."""
    assert publish(topic, [event(), event(id="")]).status_code == 400
    assert topic.published == ()


def test_refuses_other_requests(topic: EventGridTopic) -> None:
    """Another path, API version, key or size is answered 404, 400, 401 or 413."""
    assert requests.post(topic.url + "/", timeout=10).status_code == 404
    assert requests.post(topic.endpoint, timeout=10).status_code == 400
    assert publish(topic, [event()], **{"aeg-sas-key": "wrong"}).status_code == 401
    assert publish(topic, [event(data="x" * 1024 * 1024)]).status_code == 413
    bare = requests.post(topic.endpoint, params={"api-version": "2018-01-01"}, timeout=10)
    assert bare.status_code == 401
    assert KEY not in bare.text


def test_a_full_topic_says_so(endpoint: Endpoint) -> None:
    """More deliveries than the limit are answered 503, so that memory is limited."""
    with EventGridTopic(key=KEY, limit=1) as topic:
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))
        assert publish(topic, [event(id="1"), event(id="2")]).status_code == 503
        assert publish(topic, [event(id="1")]).status_code == 200


def test_retries_with_a_growing_count_until_it_succeeds(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A failed delivery is tried again with the next delivery count, after the documented waits."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    endpoint.inject(500, times=2)
    publish(topic, [event()])
    assert topic.wait_idle(10)
    assert [record.outcome for record in topic.deliveries] == ["GenericError", "GenericError", "Success"]
    assert [record.attempt for record in topic.deliveries] == [1, 2, 3]
    assert endpoint.requests[0].headers["aeg-delivery-count"] == "2"


def test_waits_follow_the_documented_schedule() -> None:
    """The waits are Event Grid's, and a 408 or 503 waits longer at least."""
    policy = RetryPolicy()
    waits = [policy.wait(attempt, 500) for attempt in range(1, 12)]
    assert waits == [10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200]
    assert policy.wait(1, 408) == 120
    assert policy.wait(1, 503) == 30
    assert RetryPolicy(scale=0.5).wait(1, None) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_gives_up_at_once_what_is_never_retried(status: int, endpoint: Endpoint) -> None:
    """A status that Event Grid never retries makes a dead letter after one attempt."""
    given_up: list[DeadLetter] = []
    with EventGridTopic(key=KEY, retry=FAST, on_dead_letter=given_up.append) as topic:
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))
        endpoint.inject(status, times=5)
        publish(topic, [event()])
        assert topic.wait_idle(10)
        (letter,) = given_up
        assert letter.event["deliveryAttempts"] == 1
        assert letter.event["data"] == {"slot": "production"}
        assert topic.dead_letters == (letter,)


def test_gives_up_after_the_last_attempt(endpoint: Endpoint) -> None:
    """After the most attempts the event is a dead letter in Event Grid's own form."""
    with EventGridTopic(key=KEY) as topic:
        retry = RetryPolicy(max_attempts=2, scale=0.0001)
        topic.subscribe(Subscription("app", Webhook(endpoint.url), retry=retry))
        endpoint.inject(404, times=5)
        publish(topic, [event()])
        assert topic.wait_idle(10)
        letter = topic.dead_letters[0].event
        assert letter["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
        assert letter["lastDeliveryOutcome"] == "NotFound"
        assert letter["deliveryAttempts"] == 2
        assert {"publishTime", "lastDeliveryAttemptTime"} <= letter.keys()


def test_gives_up_an_event_that_is_too_old(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """An event past its time to live is not tried again."""
    retry = RetryPolicy(time_to_live=0.0, scale=0.0001)
    topic.subscribe(Subscription("app", Webhook(endpoint.url), retry=retry))
    publish(topic, [event()])
    assert topic.wait_idle(10)
    assert topic.dead_letters[0].event["deadLetterReason"] == "TimeToLiveExceeded"
    assert endpoint.requests == []


def test_a_late_or_missing_answer_is_a_failure(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """An endpoint that answers too late, or not at all, gets the event again."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url, response_timeout=0.2)))
    endpoint.inject(delay=0.5, times=1)
    endpoint.inject(0, times=1)
    publish(topic, [event()])
    assert topic.wait_idle(10)
    outcomes = [record.outcome for record in topic.deliveries]
    assert outcomes[-1] == "Success"
    assert {"TimedOut", "SocketError"} <= set(outcomes)


def test_redirects_are_no_success(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A redirect is not followed: only 200 to 204 are success."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    endpoint.inject(302, headers={"Location": endpoint.url + "/elsewhere"})
    publish(topic, [event()])
    assert topic.wait_idle(10)
    assert [record.status for record in topic.deliveries] == [302, 202]


def test_redelivers_on_demand(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """An event can be delivered once more, unchanged, as at-least-once delivery may do."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    publish(topic, [event()])
    assert topic.redeliver("1") == 1
    assert topic.wait_idle(10)
    assert endpoint.bodies[0] == endpoint.bodies[1]
    with pytest.raises(KeyError):
        topic.redeliver("never")


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({}, True),
        ({"included_event_types": ("shop.deployed",)}, True),
        ({"included_event_types": ("Shop.Removed",)}, False),
        ({"subject_begins_with": "/APPS/"}, True),
        ({"subject_begins_with": "/other"}, False),
        ({"subject_ends_with": "Shop"}, True),
        ({"subject_ends_with": "cart"}, False),
        (
            {
                "advanced_filters": (
                    {"operatorType": "StringIn", "key": "data.slot", "values": ["production"]},
                )
            },
            True,
        ),
        (
            {"advanced_filters": ({"operatorType": "StringIn", "key": "data.slot", "values": ["staging"]},)},
            False,
        ),
    ],
)
def test_filters_as_event_grid_does(
    topic: EventGridTopic, endpoint: Endpoint, members: dict[str, Any], *, wanted: bool
) -> None:
    """Only events that pass a subscription's filter are delivered to it."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url), **members))
    publish(topic, [event()])
    assert topic.wait_idle(10)
    assert bool(endpoint.requests) is wanted


def test_a_webhook_must_shake_hands(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """Without the validation code, or the permission, there is no subscription."""
    endpoint.code = lambda code: code[::-1]
    endpoint.allowed = "example.org"
    for schema in (Schema.EVENT_GRID, Schema.CLOUD_EVENTS):
        with pytest.raises(HandshakeFailed):
            topic.subscribe(Subscription("app", Webhook(endpoint.url), schema=schema))
    endpoint.inject(200, "no JSON")
    with pytest.raises(HandshakeFailed, match="without its code"):
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    endpoint.stop()
    with pytest.raises(HandshakeFailed, match="no answer"):
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))


def test_subscriptions_have_unique_names(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """A second subscription of the same name is refused until the first is removed."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    with pytest.raises(ValueError, match="app"):
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    topic.unsubscribe("app")
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))


def test_stops_with_deliveries_waiting(endpoint: Endpoint) -> None:
    """Stopping drops events that wait for a retry, and leaves no thread."""
    before = set(threading.enumerate())
    topic = EventGridTopic(key=KEY).start()
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    endpoint.inject(500)
    publish(topic, [event()])
    assert not topic.wait_idle(0.2)
    topic.stop()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("event-grid")}


def test_the_publisher_client_publishes_with_a_key(topic: EventGridTopic, endpoint: Endpoint) -> None:
    """The real publisher client's events of both schemas are taken and delivered."""
    topic.subscribe(Subscription("app", Webhook(endpoint.url)))
    with EventGridPublisherClient(topic.endpoint, AzureKeyCredential(KEY)) as client:
        client.send(
            EventGridEvent(
                subject="/apps/shop", event_type="Shop.Deployed", data={"a": 1}, data_version="1.0"
            )
        )
        client.send(CloudEvent(source="/apps", type="Shop.Deployed", data=b"bytes", extensions={"tier": "1"}))
    assert topic.wait_idle(10)
    bodies = {type(body): body for body in endpoint.bodies}
    assert bodies[list][0]["data"] == {"a": 1}
    assert bodies[dict]["data_base64"] == base64.b64encode(b"bytes").decode()
    assert bodies[dict]["tier"] == "1"


class Issued:
    """A credential with a token of the loopback identity endpoint."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """Give the token to a client that asks for Event Grid's scope."""
        assert scopes == ("https://eventgrid.azure.net/.default",)
        return AccessToken(self._token, int(datetime.now(UTC).timestamp()) + 3600)


def test_the_publisher_client_publishes_with_a_token(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTPS a token for Event Grid is accepted; one for another audience, or a forged one, is not."""
    for name, value in certificates.environment().items():
        monkeypatch.setenv(name, value)
    tls = certificates.server_context()
    with IdentityEndpoint() as identity, EventGridTopic(tls=tls, read_claims=identity.claims) as topic:
        wanted = EventGridEvent(subject="s", event_type="Shop.Deployed", data={}, data_version="1")

        def send(token: str) -> None:
            with EventGridPublisherClient(topic.endpoint, Issued(token)) as client:
                client.send(wanted)

        send(identity.issue("https://eventgrid.azure.net"))
        assert len(topic.published) == 1
        with pytest.raises((ClientAuthenticationError, HttpResponseError), match="it must be for"):
            send(identity.issue("https://storage.azure.com"))
        with pytest.raises((ClientAuthenticationError, HttpResponseError), match="not valid"):
            send(identity.issue("https://eventgrid.azure.net", exp=1))
        with pytest.raises((ClientAuthenticationError, HttpResponseError), match="not valid"):
            send("no.token.atall")
        assert publish_key_is_refused(topic, certificates)


def publish_key_is_refused(topic: EventGridTopic, certificates: Certificates) -> bool:
    """Whether a key is refused, with the reason, by a topic that has none."""
    answer = requests.post(
        topic.endpoint,
        params={"api-version": "2018-01-01"},
        headers={"aeg-sas-key": KEY},
        verify=certificates.environment()["REQUESTS_CA_BUNDLE"],
        timeout=10,
    )
    return answer.status_code == 401 and "switched off" in answer.text


def test_any_signature_will_do_unless_told_otherwise() -> None:
    """Without a way to check signatures the audience and the expiry still count."""
    with IdentityEndpoint() as identity, EventGridTopic() as topic:
        good = identity.issue("https://eventgrid.azure.net")
        assert publish(topic, [event()], Authorization=f"Bearer {good}").status_code == 200
        old = identity.issue("https://eventgrid.azure.net", exp=1)
        assert publish(topic, [event()], Authorization=f"Bearer {old}").status_code == 401
        assert publish(topic, [event()], Authorization="Bearer x").status_code == 401


class Queue(LoopbackServer):
    """The used call of the queue service: put a message."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def handle(self, request: Request) -> Reply:
        """Store a message."""
        assert request.method == "POST"
        assert request.path == "/account/events/messages"
        text = request.body.decode().partition("<MessageText>")[2].partition("</MessageText>")[0]
        self.messages.append(text)
        body = (
            "<?xml version='1.0'?><QueueMessagesList><QueueMessage><MessageId>1</MessageId>"
            "<InsertionTime>Sun, 22 Nov 2026 15:00:00 GMT</InsertionTime>"
            "<ExpirationTime>Sun, 29 Nov 2026 15:00:00 GMT</ExpirationTime><PopReceipt>x</PopReceipt>"
            "<TimeNextVisible>Sun, 22 Nov 2026 15:00:00 GMT</TimeNextVisible>"
            "</QueueMessage></QueueMessagesList>"
        )
        return Reply(201, body, {"Content-Type": "application/xml"})


def test_delivers_to_a_queue_as_base64_text(topic: EventGridTopic) -> None:
    """A queue gets each event alone, as base64 of its JSON; a queue that fails gets it again."""
    from azure.storage.queue import QueueServiceClient

    with Queue() as server:
        key = base64.b64encode(b"made up").decode()
        credential = {"account_name": "account", "account_key": key}
        with QueueServiceClient(server.url + "/account", credential=credential, retry_total=0) as service:
            topic.subscribe(Subscription("queue", StorageQueue(service, "events")))
            server.inject(404)
            server.inject(500)
            publish(topic, [event(), event(id="2")])
            assert topic.wait_idle(10)
        decoded = [json.loads(base64.b64decode(message)) for message in server.messages]
        assert sorted(body["id"] for body in decoded) == ["1", "2"]
        assert {record.outcome for record in topic.deliveries} == {"Success", "NotFound", "GenericError"}


def test_a_missing_certificate_authority_is_a_failed_attempt(topic: EventGridTopic, tmp_path: Path) -> None:
    """A webhook whose authority's file is missing cannot be reached; the event becomes a dead letter."""
    hook = Webhook("https://127.0.0.1:1", verify=str(tmp_path / "ca.pem"))
    stamped = event(metadataVersion="1")
    assert hook.deliver(stamped, subscription="app", attempt=1).outcome == "SocketError"
    with pytest.raises(HandshakeFailed):
        topic.subscribe(Subscription("app", hook))


def test_a_dead_letter_that_nobody_takes_is_still_kept(endpoint: Endpoint) -> None:
    """A callback that fails does not stop the topic, which stores the dead letter."""

    def refuse(_: DeadLetter) -> None:
        raise RuntimeError("no")

    with EventGridTopic(key=KEY, on_dead_letter=refuse) as topic:
        topic.subscribe(Subscription("app", Webhook(endpoint.url)))
        endpoint.inject(400)
        publish(topic, [event()])
        assert topic.wait_idle(10)
        assert len(topic.dead_letters) == 1
