"""A sample of `make crashpoints`: some single faults and pairs of every scenario."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.crashpoints.report import Bench, Wanted, bench, pairs, single_faults
from tests.crashpoints.scenarios import OVERTAKEN, SCENARIOS, Scenario
from tests.crashpoints.wire import Fault, Point, Wire

SEED = "a sample"
"""The same cases at each run; `make crashpoints` has all."""
WORKERS = 6


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An Azurite with an account for each case."""
    with bench(tmp_path_factory.mktemp("crashpoints")) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_crash_loses_nothing_and_starts_nothing_twice(cases: Bench, scenario: Scenario) -> None:
    """After any lost request and any kill of the process, each event has exactly one run in the end."""
    draw = random.Random(f"{SEED} {scenario.name}")  # noqa: S311 - a sample, not a secret
    clean = cases.run(Wanted(scenario, {}))
    assert not clean.wrong, clean
    wanted = draw.sample(single_faults(scenario, clean.points), 5)
    wanted += pairs(scenario, clean.points, draw, 2)
    broken = [str(verdict) for verdict in cases.run_all(wanted, WORKERS) if verdict.wrong]
    assert broken == []


def test_a_newer_event_that_overtakes_costs_nobody_a_run(cases: Bench) -> None:
    """If a newer event starts its run between the older one's check and its run, both have one run."""
    verdict = cases.run(Wanted(OVERTAKEN, {}, instances=2))
    assert not verdict.wrong, verdict


def test_the_audit_finds_what_is_wrong(cases: Bench) -> None:
    """A missing run, an unexpected run and a missing dead letter are all reported."""
    scenario = replace(SCENARIOS[0], expected=frozenset({("greet", "e2")}), letters=1)
    verdict = cases.run(Wanted(scenario, {}))
    assert [each.partition(":")[0] for each in verdict.wrong] == [
        "lost",
        "not expected",
        "0 dead letters, not 1",
    ]


@pytest.mark.parametrize(
    ("fault", "effects", "answered", "kills"),
    [
        (Fault.NEVER, 0, False, 0),
        (Fault.LOST, 1, False, 0),
        (Fault.KILLED, 1, False, 1),
        (Fault.LATE, 1, False, 0),
        (None, 1, True, 0),
    ],
)
def test_the_wire_does_what_a_fault_says(
    fault: Fault | None, effects: int, *, answered: bool, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault of the planned request, and of no other, decides its effect, its answer and the kill."""
    monkeypatch.setattr("tests.crashpoints.wire.LATE", 0.01)
    done: list[str] = []
    killed: list[int] = []

    def second() -> str:
        done.append("second")
        return "second"

    point = Point("airflow POST runs", 2)
    wire = Wire({point: fault} if fault else {}, lambda: killed.append(1))
    assert wire.carry(point.kind, lambda: "first") == "first"
    answer = wire.carry(point.kind, second)
    wire.settle()
    assert (len(done), answer == "second", len(killed)) == (effects, answered, kills)
    assert wire.hit == ({point} if fault else set())
