"""Events of the simulation: they wait in a queue or are pushed, and are parked if there is no slot."""

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from threading import Event as Signal
from typing import Final

from shared.admission.fair_queue import Waiter
from shared.admission.limiter import SharedLimiter

_BATCH: Final = 5
_NEXT_BATCH_AT: Final = 3
_FIRST_POLL: Final = 0.1
_LONGEST_POLL: Final = 5.0
"""As in host.json; the first poll interval is the host's default."""
_WAIT_FOR_SLOT: Final = 4.0
_HOLD_BACK: Final = 60.0
_REDELIVERED: Final = 30.0
"""Seconds after which the waiting events of a dead instance are delivered again."""


@dataclass(frozen=True, slots=True)
class Load:
    """Which events arrive, and how long an event without a permit is parked.

    Attributes:
        size: How many arrive at the same moment.
        every: The mean seconds between two such moments.
        pushed: The share that is pushed to an instance by HTTP; the others are put into the queue.
        parked_for: The interval of seconds for which an instance parks an event while other instances hold
            all permits; None for the limiter's value.
    """

    size: int
    every: float
    pushed: float = 0.2
    parked_for: tuple[float, float] | None = None


@dataclass(slots=True, eq=False)
class SimulatedEvent:
    """An event: when it arrived, and when its request to Airflow began."""

    arrived: float
    started: float = math.inf


class EventQueue:
    """A Storage queue: a message is visible from some time on, to one instance."""

    def __init__(self) -> None:
        self._messages: list[tuple[float, int, SimulatedEvent]] = []
        self._order = itertools.count()

    def put(self, event: SimulatedEvent, *, visible_at: float) -> None:
        """Put an event into the queue."""
        heapq.heappush(self._messages, (visible_at, next(self._order), event))

    def take(self, now: float, most: int) -> list[SimulatedEvent]:
        """Take the visible events that have waited longest."""
        taken: list[SimulatedEvent] = []
        while self._messages and self._messages[0][0] <= now and len(taken) < most:
            taken.append(heapq.heappop(self._messages)[2])
        return taken


@dataclass(slots=True)
class _Listener:
    """Fetches the messages of one queue: the next batch when few are in work."""

    queue: EventQueue
    in_work: int = 0
    poll_after: float = _FIRST_POLL
    polls: bool = False


@dataclass(slots=True, eq=False)
class _Delivery:
    event: SimulatedEvent
    listener: _Listener | None
    turn: Waiter | None = None

    def done(self) -> None:
        """Let the listener fetch another message."""
        if self.listener is not None:
            self.listener.in_work -= 1


@dataclass(slots=True)
class World:
    """The state that the instances share.

    Attributes:
        clock: Returns the time.
        at: Calls a function at a time.
        load: Which events arrive.
        random: Draws how long an event is parked.
        events: The queue of new events.
        parked: The queue of parked events.
        parkings: How often an event was parked.
    """

    clock: Callable[[], float]
    at: Callable[[float, Callable[[], None]], None]
    load: Load
    random: Random
    events: EventQueue = field(default_factory=EventQueue)
    parked: EventQueue = field(default_factory=EventQueue)
    parkings: int = 0


class Deliveries:
    """The events of one instance: what its queue listeners fetch, and what is pushed to it.

    Args:
        world: What the instances share.
        limiter: The instance's limiter.
        send: Sends a request to Airflow, and calls a function when it is answered.
        wake: Starts the limiter's keeper if it does not run.
    """

    def __init__(
        self,
        world: World,
        limiter: SharedLimiter,
        send: Callable[[Callable[[], None]], None],
        wake: Callable[[], None],
    ) -> None:
        self._world = world
        self._limiter = limiter
        self._send = send
        self._wake = wake
        self._listeners = (_Listener(world.events), _Listener(world.parked))
        self._waiting: list[_Delivery] = []
        self._held_back: list[tuple[Signal, _Delivery]] = []
        self._alive = True

    def push(self, event: SimulatedEvent) -> None:
        """Take an event that arrives by HTTP."""
        self._deliver(_Delivery(event, None))

    def go_on(self) -> None:
        """Continue events that waited for the limiter; called after each possible change of it."""
        if not self._alive:
            return
        for delivery in [each for each in self._waiting if each.turn is not None and each.turn.is_set()]:
            self._waiting.remove(delivery)
            self._begin(delivery, served=delivery.turn is not None and delivery.turn.served)
        for room, delivery in [each for each in self._held_back if each[0].is_set()]:
            self._held_back.remove((room, delivery))
            delivery.done()
        for listener in self._listeners:
            self._fetch(listener)

    def die(self) -> None:
        """End the instance at any moment: events that wait for a slot are delivered again."""
        self._alive = False
        for delivery in self._waiting:
            self._world.events.put(delivery.event, visible_at=self._world.clock() + _REDELIVERED)

    def _fetch(self, listener: _Listener) -> None:
        """Fetch as many messages as may be in work; poll again later if the queue is empty."""
        while self._alive and listener.in_work <= _NEXT_BATCH_AT and not listener.polls:
            batch = listener.queue.take(self._world.clock(), _BATCH)
            listener.in_work += len(batch)
            if batch:
                listener.poll_after = _FIRST_POLL
            else:
                listener.polls = True
                self._world.at(self._world.clock() + listener.poll_after, partial(self._poll, listener))
                listener.poll_after = min(2 * listener.poll_after, _LONGEST_POLL)
            for event in batch:
                self._deliver(_Delivery(event, listener))

    def _poll(self, listener: _Listener) -> None:
        listener.polls = False
        self._fetch(listener)

    def _deliver(self, delivery: _Delivery) -> None:
        turn = self._limiter.ask("rule", wait=_WAIT_FOR_SLOT)
        if turn is not True:
            self._world.at(self._world.clock(), self._wake)
        if isinstance(turn, bool):
            self._begin(delivery, served=turn)
            return
        delivery.turn = turn
        self._waiting.append(delivery)
        self._world.at(self._world.clock() + _WAIT_FOR_SLOT, partial(self._waited, delivery, turn))

    def _waited(self, delivery: _Delivery, turn: Waiter) -> None:
        if self._alive and delivery in self._waiting:
            self._waiting.remove(delivery)
            self._begin(delivery, served=self._limiter.withdraw("rule", turn))

    def _begin(self, delivery: _Delivery, *, served: bool) -> None:
        """Send the request, or park the event if it has no slot."""
        now = self._world.clock()
        if served:
            delivery.event.started = now
            self._send(partial(self._answered, delivery, now))
            return
        self._world.parkings += 1
        self._world.parked.put(delivery.event, visible_at=now + self._parked_for())
        room = self._limiter.ask_for_capacity() if delivery.listener is not None else None
        if room is None:
            delivery.done()
        else:
            self._held_back.append((room, delivery))
            self._world.at(now + _HOLD_BACK, partial(self._held_long_enough, room, delivery))

    def _parked_for(self) -> int:
        """Return the whole seconds for which an event is parked now."""
        seconds = self._limiter.delay_for_rejected()
        if seconds == 0 and self._world.load.parked_for is not None:
            seconds = self._world.random.uniform(*self._world.load.parked_for)
        return math.ceil(seconds)

    def _held_long_enough(self, room: Signal, delivery: _Delivery) -> None:
        if self._alive and (room, delivery) in self._held_back:
            self._limiter.withdraw_from_capacity(room)
            self._held_back.remove((room, delivery))
            delivery.done()
            self.go_on()

    def _answered(self, delivery: _Delivery, began: float) -> None:
        if self._alive:
            self._limiter.leave("rule", seconds=self._world.clock() - began, healthy=True)
            delivery.done()
            self.go_on()
