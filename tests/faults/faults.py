"""The faults by name, with the number of events in the short and in the long form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.faults import (
    of_airflow,
    of_dags,
    of_host,
    of_identity,
    of_load,
    of_real_airflow,
    of_scale,
    of_storage,
)
from tests.faults.ground import Ground
from tests.faults.verdict import Verdict

if TYPE_CHECKING:
    from tests.faults.real import Database, RealAirflow


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: The fault's number and its description.
        run: Puts a stream of so many events through it.
        short: The number of events in pytest.
        long: The number of events in `make faults`.
    """

    name: str
    run: Callable[[Ground, int], Verdict]
    short: int
    long: int


def _storage(ground: Ground, events: int) -> Verdict:
    return of_storage.storage_restarted(ground.folder / "storage", events)


ON_THE_STUB: Final = (
    Fault("3 half of the answers are 500", of_airflow.half_500, 30, 400),
    Fault("4 answers 429 with Retry-After", of_airflow.busy_429, 20, 300),
    Fault("5 answers after the client gave up", of_airflow.late_answers, 20, 300),
    Fault("6 resets at four places", of_airflow.resets, 30, 400),
    Fault("7 twenty times as slow", of_airflow.slow_answers, 30, 400),
    Fault("8 tokens expire, none to be had", of_identity.expired_tokens, 20, 300),
    Fault("8b a role is granted late", of_identity.role_granted_late, 20, 300),
    Fault("9 Key Vault throttled and down", of_identity.vault_down, 20, 300),
    Fault("10 Storage restarted while parking", _storage, 20, 200),
    Fault("11 the host killed mid-burst", of_host.host_killed, 30, 300),
    Fault("12 hostile bodies in the queues", of_host.hostile_messages, 20, 200),
    Fault("13 DAG late, paused, refusing", of_dags.late_paused_refusing, 30, 300),
    Fault("14 10,000 events at once, stub", of_load.flood, 200, 10_000),
    Fault("14d 1,000 events through 40 processes, stub", of_scale.many_processes, 100, 1_000),
    Fault("15 clocks an hour apart", of_load.skewed_clocks, 20, 300),
)


@dataclass(frozen=True, slots=True)
class RealFault:
    """One fault on a real Airflow.

    Attributes:
        name: The fault's number and its description.
        database: The Airflow's database.
        run: Puts a stream of so many events through it.
        short: The number of events in pytest.
        long: The number of events in `make faults`.
    """

    name: str
    database: "Database"
    run: "Callable[[Ground, RealAirflow, int], Verdict]"
    short: int
    long: int


def _flood_postgres(ground: Ground, airflow: "RealAirflow", events: int) -> Verdict:
    return of_real_airflow.flood(ground, airflow, events, of_real_airflow.SWEEP, name="postgres")


def _flood_sqlite(ground: Ground, airflow: "RealAirflow", events: int) -> Verdict:
    """With two requests in flight SQLite is locked and the scheduler ends, so the budget is one.

    A second instance would only park its events, so there is one instance.
    """
    return of_real_airflow.flood(ground, airflow, events, (1,), name="sqlite", in_flight=1, instances=1)


ON_A_REAL_AIRFLOW: Final = (
    RealFault("1 the API server killed mid-burst", "postgres", of_real_airflow.api_killed, 30, 200),
    RealFault("2 Airflow down from the start", "postgres", of_real_airflow.down_from_the_start, 20, 100),
    RealFault("14b 1,000 events at once, Postgres", "postgres", _flood_postgres, 40, 1_000),
    RealFault(
        "14e 1,000 events through 40 processes, Postgres",
        "postgres",
        of_scale.many_processes_on_airflow,
        100,
        1_000,
    ),
    RealFault(
        "13b DAG late, paused, refusing, Postgres",
        "postgres",
        of_dags.late_paused_refusing_on_airflow,
        30,
        300,
    ),
    RealFault("14c 1,000 events at once, SQLite, in_flight 1", "sqlite", _flood_sqlite, 40, 1_000),
)
