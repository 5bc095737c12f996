"""Faults 11 and 12: the Functions host is killed, and its queues have messages that are not events."""

import base64
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue
from shared.stores.queue_messages import queue_text
from tests.faults.ground import Ground
from tests.faults.host import Host
from tests.faults.stream import Delivery, stream
from tests.faults.trial import PATIENCE, StubbedAirflow, write_rules
from tests.faults.verdict import Verdict, compare

_LONG = 200
_AUDIENCE = "api://updraft"
_OPERATOR = """
callers:
  - {name: operator, role: Status.Read, status: true}
"""
HOSTILE: tuple[str, ...] = (
    "",
    "{",
    "null",
    '"text"',
    '"\\ud800"',
    "[" * 5_000,
    '{"id": 1}',
    '{"specversion": "9", "id": "a", "source": "b", "type": "Contoso.Order"}',
    '{"id": "' + "x" * 40_000 + '", "eventType": "Contoso.Order", "topic": 1, "subject": "s"}',
    '{"updraft": 1, "claim": "../../secrets"}',
    '{"updraft": 1, "kind": "event", "rule": "orders", "attempt": 0, "event": {}, "first_seen": "x"}',
    '{"updraft": 1, "kind": "direct-run", "attempt": 0, "waits": 0, "run": {"caller": {}, "dag_id": 7}}',
    "\x00\x01",
    "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
)
"""Bodies that are not events: each has to end as a dead letter, from both queues, in base64 and without."""


def host_killed(ground: Ground, events: int) -> Verdict:
    """The host is killed twice in the burst by SIGKILL, and started again; half of the events come by queue.

    The permits of a killed instance stay taken until their leases end, up to a minute. In the short form
    there are so many permits that no event waits for that.
    """
    places = 8 if events >= _LONG else 64
    return _by_host(ground, events, name="killed", kills=(0.3, 0.6), in_flight=places)


def hostile_messages(ground: Ground, events: int) -> Verdict:
    """Both queues also have bodies that are not events, and one that no program can decode."""
    messages = {message for body in HOSTILE for message in (queue_text(body), _base64(body))}
    return _by_host(ground, events, name="hostile", hostile=tuple(sorted(messages)))


def _by_host(
    ground: Ground,
    events: int,
    *,
    name: str,
    kills: tuple[float, ...] = (),
    hostile: tuple[str, ...] = (),
    in_flight: int = 8,
) -> Verdict:
    ground.clear()
    began = time.monotonic()
    given = stream(events, name=name)
    with StubbedAirflow() as stub:
        stub.latency = 0.02
        rules = write_rules(ground.folder, stub.url, in_flight=in_flight)
        rules.write_text(f"{rules.read_text()}\n{_OPERATOR}")
        host = Host(ground.processes, ground.settings | _callers(ground) | {"UPDRAFT_RULES": str(rules)})
        host.start()
        try:
            for body in hostile:
                send(ground, EVENT_QUEUE, body)
                send(ground, PARKED_QUEUE, body)
            _feed(ground, host, given.deliveries, kills)
            wait(lambda: empty(ground) and len(ground.unreadable_bodies()) >= len(_letters(hostile)))
            lost, twice = compare(given.expected, stub.found())
            letters = len(ground.unreadable_bodies())
            token = ground.identity.issue(_AUDIENCE, roles=["Status.Read"])
            more: dict[str, float | bool | str] = (
                {"kills": len(kills)} if kills else {"dead_letters": letters}
            )
            return Verdict(
                events=events,
                expected_runs=len(given.expected),
                runs=len(stub.runs),
                lost=lost + max(0, len(_letters(hostile)) - letters),
                twice=twice,
                counts_balance=host.outcome_counts(token)["balances"] and letters == len(_letters(hostile)),
                airflow_alive=stub.alive(),
                seconds=round(time.monotonic() - began, 2),
                more=more,
            )
        finally:
            host.kill()


def _callers(ground: Ground) -> dict[str, str]:
    """Return the settings with which the app accepts callers' tokens."""
    return {
        "UPDRAFT_TENANT_ID": ground.identity.tenant_id,
        "UPDRAFT_AUDIENCE": _AUDIENCE,
        "UPDRAFT_AUTHORITY": ground.identity.url,
    }


def _letters(hostile: tuple[str, ...]) -> set[str]:
    """Return the bodies that dead letters must have; a body from both queues is there once.

    A body in base64 that looks like JSON is decoded, and is the same as the body without base64.
    """
    like_json = {_base64(body): body for body in HOSTILE if body.startswith(("{", "["))}
    return {like_json.get(message, message) for message in hostile}


def _base64(body: str) -> str:
    return base64.b64encode(body.encode()).decode()


def _feed(ground: Ground, host: Host, deliveries: tuple[Delivery, ...], kills: tuple[float, ...]) -> None:
    """Deliver the stream, CloudEvents by the queue, and meanwhile kill and start the host."""
    pending = [share * len(deliveries) for share in kills]
    delivered = 0
    lock = threading.Lock()
    given_up = threading.Event()

    def one(delivery: Delivery) -> None:
        nonlocal delivered
        if delivery.body.startswith("{"):
            send(ground, EVENT_QUEUE, delivery.body)
        else:
            wait(lambda: host.deliver(delivery.body) or given_up.is_set(), pause=0.3)
        with lock:
            delivered += 1
            dies = bool(pending) and delivered >= pending[0] and bool(pending.pop(0))
        if dies:
            host.kill()
            host.start()

    with ThreadPoolExecutor(8) as grid:
        all_of_them = [grid.submit(one, delivery) for delivery in deliveries]
        try:
            for done in all_of_them:
                done.result()
        except BaseException:  # after Ctrl-C: do not wait for the other deliveries
            given_up.set()
            grid.shutdown(wait=False, cancel_futures=True)
            raise


def send(ground: Ground, queue: str, body: str | None, *, hidden: int = 0) -> None:
    """Put a message into a queue, which is created if it is missing.

    Args:
        ground: The stand-ins.
        queue: The queue's name.
        body: The message; None only creates the queue.
        hidden: Seconds after which the message is visible.
    """
    from shared.azure.storage_account import create_if_missing

    client = ground.storage.queue(queue)
    create_if_missing(
        client.create_queue,
        lambda: (
            client.get_queue_properties()
            if body is None
            else client.send_message(body, visibility_timeout=hidden)
        ),
    )


def empty(ground: Ground) -> bool:
    """Return whether the app's queues have no message, hidden messages included."""
    from azure.core.exceptions import ResourceNotFoundError

    count = 0
    for queue in (EVENT_QUEUE, PARKED_QUEUE, poison_queue(EVENT_QUEUE), poison_queue(PARKED_QUEUE)):
        with contextlib.suppress(ResourceNotFoundError):
            properties = ground.storage.queue(queue).get_queue_properties()
            count += properties.approximate_message_count or 0
    return count == 0


def wait(condition: Callable[[], object], *, pause: float = 0.2, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds or the time is over; the audit finds what is missing."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(pause)
