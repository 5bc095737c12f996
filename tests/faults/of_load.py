"""Faults 14 and 15 on the stub: very many events at once, and instances with different clocks."""

from dataclasses import replace
from datetime import timedelta

from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import chance, stubbed
from tests.faults.verdict import Verdict

_PLACES = 8
_CONNECTIONS = 2


def flood(ground: Ground, events: int) -> Verdict:
    """All events arrive at once, at three instances; each connection stays within its budget."""
    with stubbed(ground, stream(events, name="flood"), instances=3, threads=16, in_flight=_PLACES) as (
        trial,
        stub,
    ):
        stub.latency = 0.005
        trial.feed()
        verdict = trial.audit()
        more = {
            "parked": trial.counted("parked"),
            "peak": stub.peak,
            "budget_held": stub.peak <= _PLACES * _CONNECTIONS,
        }
        return replace(verdict, more=more)


def skewed_clocks(ground: Ground, events: int) -> Verdict:
    """Of three clocks one is an hour fast and one an hour slow; one instance resumes what another parked."""
    hour = timedelta(hours=1)
    with stubbed(ground, stream(events, name="skew"), skews=(hour, timedelta(), -hour)) as (trial, stub):
        stub.inject(503, times=10**9, when=chance(0.6))
        trial.feed((1.0, stub.heal))
        return trial.audit(parked=trial.counted("parked"))
