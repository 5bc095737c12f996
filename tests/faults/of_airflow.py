"""Faults 3 to 7: Airflow's answers are errors, late, incomplete or missing."""

from local.stand_ins.loopback_server import Request
from tests.faults.broken_wire import BrokenWire, Cut
from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import StubbedAirflow, Trial, chance, stubbed
from tests.faults.verdict import Verdict

_ALWAYS = 10**9


def starts(request: Request) -> bool:
    """Return whether a request starts a run."""
    return request.method == "POST" and request.path.endswith("/dagRuns")


def half_500(ground: Ground, events: int) -> Verdict:
    """Half of all requests are answered 500, some of them after the run was created."""
    with stubbed(ground, stream(events, name="half-500")) as (trial, stub):
        stub.inject(500, times=_ALWAYS, when=chance(0.25, seed="after", when=starts), after_handling=True)
        stub.inject(500, {"detail": "made up"}, times=_ALWAYS, when=chance(1 / 3, seed="before"))
        trial.feed((1.0, stub.heal))
        return trial.audit()


def busy_429(ground: Ground, events: int) -> Verdict:
    """A gateway answers a third of the requests, and for some time all, with 429 and `Retry-After`."""
    with stubbed(ground, stream(events, name="busy-429")) as (trial, stub):
        stub.inject(429, retry_after=1, times=_ALWAYS, when=chance(1 / 3))
        trial.feed(
            (0.3, lambda: stub.inject(429, retry_after=1, times=events // 2, when=starts)), (1.0, stub.heal)
        )
        return trial.audit()


def late_answers(ground: Ground, events: int) -> Verdict:
    """A fifth of the answers comes after the client's time-out, and the run was created."""
    with stubbed(ground, stream(events, name="late"), read_timeout=0.4) as (trial, stub):
        stub.inject(delay=0.9, times=_ALWAYS, when=chance(0.2, when=starts), after_handling=True)
        trial.feed((1.0, stub.heal))
        return trial.audit()


def resets(ground: Ground, events: int) -> Verdict:
    """Connections are reset before and within the request, and before and within the answer."""
    ground.clear()
    with (
        StubbedAirflow() as stub,
        BrokenWire(stub.port, every=4) as wire,
        Trial(ground, stub, stream(events, name="resets"), url=wire.url) as trial,
    ):
        trial.feed((1.0, wire.heal))
        return trial.audit(resets=sum(wire.cuts.values()), each_kind=all(wire.cuts[cut] for cut in Cut))


def slow_answers(ground: Ground, events: int) -> Verdict:
    """Airflow suddenly needs twenty times as long for each request, for some time."""
    with stubbed(ground, stream(events, name="slow")) as (trial, stub):
        stub.latency = 0.01

        def slow() -> None:
            stub.latency = 0.2

        def quick() -> None:
            stub.latency = 0.01

        trial.feed((0.3, slow), (0.8, quick))
        return trial.audit(peak=stub.peak)
