"""One trial: instances of the app, a stream delivered to them, and the audit of Airflow's runs."""

import contextlib
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, Self

from local.stand_ins.airflow_stub import AirflowStub
from shared.app import App
from shared.backoff import Backoff
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.policy import Policy
from shared.stores.names import PARKED_QUEUE
from tests.faults.ground import Ground
from tests.faults.pump import Pump
from tests.faults.stream import Delivery, Run, Stream
from tests.faults.verdict import Verdict, compare

QUICK: Final = Policy(
    budget=4.0,
    hold_back=20.0,
    later=Backoff(first=1.0, longest=3.0),
    alarm=Backoff(first=2.0, longest=2.0, least=1.0),
    dag_not_found=Backoff(first=1.0, longest=2.0),
    breaker_rest=1.0,
)
"""The product's policy with short waits; a message's own wait is at least a second."""
DAGS: Final = ("orders", "audit")
"""The DAGs of the two rules, which have the same names."""
PATIENCE: Final = 240.0
"""Seconds after which a parked delivery counts as lost."""
RULES: Final = """
connections:
  as-identity:
    url: {url}
    api: v2
    auth: {{kind: entra, scope: "api://airflow/.default"}}
    read_timeout: {read_timeout}
    in_flight: {in_flight}
  with-password:
    url: {url}
    api: v2
    auth: {{kind: airflow, username: updraft, password_secret: airflow-password}}
    read_timeout: {read_timeout}
    in_flight: {in_flight}
rules:
  - {{name: orders, when: {{types: [Contoso.Order]}},
      start: {{connection: {first}, dag: {orders}, conf: {conf}}}}}
  - {{name: audit, when: {{types: [Contoso.Order, Contoso.Refund]}},
      start: {{connection: with-password, dag: {audit}, conf: {conf}}}}}
"""


class TrialAirflow(Protocol):
    """The part of an Airflow, real or not, that a trial uses."""

    url: str

    def found(self) -> Counter[Run]:
        """Return the number of runs for each rule and event, by the identity in their confs."""

    def alive(self) -> bool:
        """Return whether Airflow answers, its scheduler included."""


class StubbedAirflow(AirflowStub):
    """The loopback stub, which stores its runs."""

    def __init__(self) -> None:
        super().__init__(DAGS)

    def found(self) -> Counter[Run]:
        """Return the runs; see `TrialAirflow`."""
        return Counter(identity(run["conf"]) for run in list(self.runs.values()))

    def alive(self) -> bool:
        """Return whether the stub answers."""
        with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=10) as answer:  # noqa: S310 - our own loopback
            return bool(answer.status == 200)


def identity(conf: Any) -> Run:
    """Return the rule and the event of a run's conf; ("", "") for a run of another program."""
    kept = conf.get("_updraft") if isinstance(conf, dict) else None
    return (kept["rule"], kept["event"]["id"]) if isinstance(kept, dict) else ("", "")


def write_rules(
    folder: Path,
    url: str,
    *,
    read_timeout: float = 1.5,
    in_flight: int = 8,
    identity_works: bool = True,
    dags: tuple[str, str] = DAGS,
) -> Path:
    """Write the stream's rules into a file, and return it; see `Trial`."""
    text = RULES.format(
        url=url,
        read_timeout=read_timeout,
        in_flight=in_flight,
        first="as-identity" if identity_works else "with-password",
        orders=dags[0],
        audit=dags[1],
        conf='{n: "{{ data.n }}"}',
    )
    if not identity_works:
        text = text[: text.index("  as-identity:")] + text[text.index("  with-password:") :]
    file = folder / "rules.yaml"
    file.write_text(text)
    return file


def chance(
    of: float, *, seed: str = "chance", when: Callable[[Any], bool] = lambda _: True
) -> Callable[[Any], bool]:
    """Return a condition for `inject` that holds for a random part of the requests."""
    draw = random.Random(seed)  # noqa: S311 - the same at every call is what is wanted
    return lambda request: when(request) and draw.random() < of


class Trial:
    """Instances of the app that get a stream of events; a context manager.

    Args:
        ground: The stand-ins.
        airflow: The Airflow.
        stream: The deliveries.
        instances: The number of instances of the app.
        threads: The number of deliveries to each instance at one time; also of parked deliveries.
        skews: The error of each instance's clock.
        read_timeout: The connections' `read_timeout` in rules.yaml, in seconds.
        in_flight: The connections' `in_flight` in rules.yaml.
        identity_works: Whether the Airflow accepts the managed identity's token; else both rules use the
            password.
        url: The address of a proxy in front of Airflow.
        dags: The DAGs of the rules `orders` and `audit`.
        policy: The app's waits.
    """

    def __init__(
        self,
        ground: Ground,
        airflow: TrialAirflow,
        stream: Stream,
        *,
        instances: int = 2,
        threads: int = 6,
        skews: Sequence[timedelta] = (),
        read_timeout: float = 1.5,
        in_flight: int = 8,
        identity_works: bool = True,
        url: str = "",
        dags: tuple[str, str] = DAGS,
        policy: Policy = QUICK,
    ) -> None:
        self.ground = ground
        self.airflow = airflow
        self.stream = stream
        self.letters_expected = 0
        self._threads = threads
        self._calls: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._given_up = threading.Event()
        self._began = time.monotonic()
        self._delivered = 0
        rules = write_rules(
            ground.folder,
            url or airflow.url,
            read_timeout=read_timeout,
            in_flight=in_flight,
            identity_works=identity_works,
            dags=dags,
        )
        settings = ground.settings | {"UPDRAFT_RULES": str(rules)}
        skews = skews or (timedelta(),) * instances
        self.apps = [App(settings, policy=policy, now=_clock(skew)) for skew in skews]
        self._pumps = [
            Pump(ground.storage.queue(PARKED_QUEUE), self._resume(app), threads=threads) for app in self.apps
        ]

    def __enter__(self) -> Self:
        for pump in self._pumps:
            pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pump in self._pumps:
            pump.stop()

    def feed(self, *during: tuple[float, Callable[[], None]]) -> None:
        """Deliver the stream, each delivery until it is acknowledged, as Event Grid does.

        Args:
            during: Functions by the part of the stream, from 0 to 1, after which each is called once.
        """
        pending = sorted(during, key=lambda each: each[0])
        total = len(self.stream.deliveries)

        def one(number: int, delivery: Delivery) -> None:
            self._deliver(self.apps[number % len(self.apps)], delivery)
            with self._counting:
                self._delivered += 1
                due = [pending.pop(0)[1]] if pending and self._delivered >= pending[0][0] * total else []
            for happens in due:
                happens()

        with ThreadPoolExecutor(self._threads * len(self.apps)) as grid:
            all_of_them = [grid.submit(one, *each) for each in enumerate(self.stream.deliveries)]
            try:
                for done in all_of_them:
                    done.result()
            except BaseException:  # after Ctrl-C: do not wait for the other deliveries
                self._given_up.set()
                grid.shutdown(wait=False, cancel_futures=True)
                raise
        for _, happens in pending:
            happens()

    def drain(self, seconds: float = PATIENCE) -> None:
        """Wait until no delivery is parked."""
        queue = self.ground.storage.queue(PARKED_QUEUE)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(Exception):  # the fault may be in the storage account
                if not _messages(queue) and not any(pump.busy for pump in self._pumps):
                    return
            time.sleep(0.2)

    def wait_for_runs(self, seconds: float = PATIENCE) -> None:
        """Wait until the app has started as many runs as there should be."""
        until = time.monotonic() + seconds
        while self.counted("started") < len(self.stream.expected) and time.monotonic() < until:
            time.sleep(0.05)

    def audit(self, **more: float | bool | str) -> Verdict:
        """Compare Airflow's runs with the expected runs."""
        self.drain()
        found = self.airflow.found()
        lost, twice = compare(self.stream.expected, found)
        letters = len(self.ground.dead_letters())
        return Verdict(
            events=self.stream.events,
            expected_runs=len(self.stream.expected),
            runs=found.total(),
            lost=lost + max(0, self.letters_expected - letters),
            twice=twice,
            counts_balance=self._balances() and letters == self.letters_expected,
            airflow_alive=self.airflow.alive(),
            seconds=round(time.monotonic() - self._began, 2),
            more=more,
        )

    def counted(self, word: str) -> int:
        """Return the sum of one outcome in the counts of all instances."""
        return sum(counts[word] for app in self.apps for counts in app.outcome_counts.by_rule().values())

    def _balances(self) -> bool:
        """Return whether the counts have exactly one end for each acknowledged delivery.

        A call that raised may have counted ends that the next call counts again. While Storage fails, it may
        store a delivery without an answer; this delivery is parked, but not counted.
        """
        ended = sum(self.counted(kind) for kind in OutcomeKind)
        least, open_ends = self._calls["acknowledged"], self._calls["raised"]
        parked_fits = abs(self.counted(OutcomeKind.PARKED) - self._calls["resumed"]) <= open_ends
        fits = least <= ended <= self.counted("received") <= least + open_ends
        return fits and parked_fits and all(app.outcome_counts.balances() for app in self.apps)

    def _deliver(self, app: App, delivery: Delivery) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self._given_up.is_set():
            try:
                app.intake.receive(delivery.body)
            except Exception:  # noqa: BLE001 - the host answers 500 whatever it is, and Event Grid comes again
                self._count(raised=max(delivery.rules, 1))
                time.sleep(0.3)
            else:
                self._count(acknowledged=max(delivery.rules, 1))
                return

    def _resume(self, app: App) -> Callable[[bytes], None]:
        def resume(body: bytes) -> None:
            try:
                outcome = app.intake.receive_parked(body)
            except Exception:
                self._count(raised=1)
                raise
            self._count(resumed=1, acknowledged=1)
            app.intake.hold_back([outcome])

        return resume

    def _count(self, **counts: int) -> None:
        with self._counting:
            self._calls.update(counts)


@contextlib.contextmanager
def stubbed(ground: Ground, stream: Stream, **options: Any) -> Iterator[tuple[Trial, StubbedAirflow]]:
    """Create a trial on the stub."""
    ground.clear()
    with StubbedAirflow() as stub, Trial(ground, stub, stream, **options) as trial:
        yield trial, stub


def _clock(skew: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + skew


def _messages(queue: Any) -> int:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return int(queue.get_queue_properties().approximate_message_count or 0)
    except ResourceNotFoundError:
        return 0  # no delivery was parked
