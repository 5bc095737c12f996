"""The stream of events for all faults: three types, a fifth delivered again, in random order."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

ORDER: Final = "Contoso.Order"
REFUND: Final = "Contoso.Refund"
OTHER: Final = "Contoso.Nothing"
RULES_OF: Final = {ORDER: ("orders", "audit"), REFUND: ("audit",), OTHER: ()}
"""The rules that an event of each type matches; a rule's DAG has the rule's name."""
AGAIN: Final = 0.2
_MIX: Final = (ORDER,) * 6 + (REFUND,) * 3 + (OTHER,)
_SOURCE: Final = "/subscriptions/0/contoso"

type Run = tuple[str, str]
"""An expected run: the rule's name and the event's id."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one event.

    Attributes:
        event_id: The event's id.
        rules: The number of rules that the event matches.
        body: The body of the delivery.
    """

    event_id: str
    rules: int
    body: str


@dataclass(frozen=True, slots=True)
class Stream:
    """The deliveries of one trial, and their expected runs.

    Attributes:
        events: The number of events.
        deliveries: The deliveries in their order.
        expected: The runs that Airflow must have in the end.
    """

    events: int
    deliveries: tuple[Delivery, ...]
    expected: frozenset[Run] = field(repr=False)


def stream(events: int, *, name: str, types: Iterable[str] = _MIX) -> Stream:
    """Return a stream that is the same at every call.

    Args:
        events: The number of events.
        name: The prefix of the events' ids; also the seed of their order.
        types: The types of the events, repeated in this order.
    """
    draw = random.Random(name)  # noqa: S311 - the same at every call is what is wanted
    kinds = tuple(types)
    deliveries: list[Delivery] = []
    expected: set[Run] = set()
    for number in range(events):
        kind = kinds[number % len(kinds)]
        event_id = f"{name}-{number}"
        body = _event_grid(event_id, kind, number) if number % 2 else _cloud_event(event_id, kind, number)
        deliveries.append(Delivery(event_id, len(RULES_OF[kind]), body))
        expected |= {(rule, event_id) for rule in RULES_OF[kind]}
    deliveries += draw.sample(deliveries, round(events * AGAIN))
    draw.shuffle(deliveries)
    return Stream(events, tuple(deliveries), frozenset(expected))


def _cloud_event(event_id: str, kind: str, number: int) -> str:
    known = {"specversion": "1.0", "id": event_id, "source": _SOURCE, "type": kind, "data": {"n": number}}
    return json.dumps(known | {"time": "2026-11-01T12:00:00Z"})


def _event_grid(event_id: str, kind: str, number: int) -> str:
    known = {"id": event_id, "topic": _SOURCE, "subject": f"orders/{number}", "eventType": kind}
    more = {"eventTime": "2026-11-01T12:00:00Z", "data": {"n": number}, "dataVersion": "1"}
    return json.dumps([known | more])
