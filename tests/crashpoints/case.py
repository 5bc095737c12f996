"""One scenario with faults at chosen requests: delivered until acknowledged, then audited."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.servers.azurite import Azurite, _Signed
from local.stand_ins.certificates import Certificates
from shared.azure.storage_account import CLAIMS_CONTAINER, DEAD_LETTERS_CONTAINER, WINDOWS_CONTAINER
from shared.stores.dead_letter_names import REPLAYED, read_sent_mark
from shared.stores.names import PARKED_QUEUE
from tests.crashpoints.instance import Done, Instance, Killed, Work
from tests.crashpoints.servers import Servers
from tests.crashpoints.wire import Fault, Point, Wire

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueClient

    from tests.crashpoints.scenarios import Scenario

TRIES: Final = 30
"""Deliveries of one event after which it counts as lost; Event Grid gives up later."""
PATIENCE: Final = 60.0
"""Seconds after which a parked delivery counts as lost."""
_AGAIN: Final = 0.1
_LEASE: Final = 45
"""Seconds for which a message is hidden while it is handled: longer than an instance may hang."""

type Run = tuple[str, str]
"""An expected run: the rule's name and the event's id."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The broken promises of a case; empty if all promises hold.

    Attributes:
        scenario: The scenario's name.
        plan: The faults, by request.
        wrong: The broken promises, in words.
        reached: Whether the scenario sent all planned requests.
        points: Every request, in the order of arrival.
        orphans: Blobs that stay until a lifecycle rule deletes them: claims without a message, windows that
            no index lists.
        seconds: The duration of the case.
    """

    scenario: str
    plan: Mapping[Point, Fault]
    wrong: tuple[str, ...]
    reached: bool
    points: tuple[Point, ...] = field(repr=False)
    orphans: int
    seconds: float

    def __str__(self) -> str:
        faults = ", ".join(f"{fault} at {point}" for point, fault in self.plan.items()) or "no fault"
        return f"{self.scenario}: {faults}: {'; '.join(self.wrong) or 'kept'}"


class Case:
    """A running scenario.

    Args:
        scenario: The deliveries and the expected runs.
        plan: The faults, by request.
        azurite: The session's Azurite.
        account: An account of it that no other case uses.
        certificates: For the servers.
        folder: The folder for the rules file.
        instances: The number of instances of the app; each action is done by the next one.
    """

    def __init__(
        self,
        scenario: "Scenario",
        plan: Mapping[Point, Fault],
        *,
        azurite: Azurite,
        account: str,
        certificates: Certificates,
        folder: Path,
        instances: int = 1,
    ) -> None:
        self._scenario = scenario
        self._plan = plan
        self._certificates = certificates
        self._urls = {
            service: f"{url.rpartition('/')[0]}/{account}"
            for service, url in (("blob", azurite.blob_url), ("queue", azurite.queue_url))
        }
        self.wire = Wire(plan, self._kill)
        self.servers = Servers(self.wire, azurite, account, certificates, scenario.dags)
        self._rules = folder / f"{account}.yaml"
        self._rules.write_text(scenario.rules, encoding="utf-8")
        self._instances: list[Instance | None] = [None] * instances
        self._turn = -1
        self._at_work: Instance | None = None

    def run(self) -> Verdict:
        """Run the scenario, and return the verdict."""
        began = time.monotonic()
        wrong: list[str] = []
        with self.servers:
            try:
                self._scenario.act(self)
                self.drain()
                self.wire.settle()
                self.drain()
                wrong += self._audit()
            except (TimeoutError, AssertionError, Killed) as error:
                wrong.append(str(error) or type(error).__name__)
            finally:
                self.wire.close()
                for instance in self._instances:
                    if instance is not None:
                        instance.stop()
        return Verdict(
            scenario=self._scenario.name,
            plan=self._plan,
            wrong=tuple(wrong),
            reached=self.wire.hit == self._plan.keys(),
            points=tuple(self.wire.points),
            orphans=self._orphans(),
            seconds=time.monotonic() - began,
        )

    # --- what scenarios do --------------------------------------------------------------------------------

    def deliver(self, body: str) -> None:
        """Deliver an event until it is acknowledged, as Event Grid does."""
        self.insist("event", body)

    def insist(self, work: Work, *arguments: Any) -> Done:
        """Repeat an action until it is acknowledged.

        Raises:
            TimeoutError: It was not acknowledged after many attempts.
        """
        done = Done(ok=False)
        for _ in range(TRIES):
            with contextlib.suppress(Killed):
                done = self._do(work, *arguments)
                if done.ok:
                    return done
            time.sleep(_AGAIN)
        raise TimeoutError(f"`{work}` was not acknowledged in {TRIES} tries: {done.error}")

    def drain(self) -> None:
        """Handle parked deliveries until none is left, as the host's queue trigger does.

        Raises:
            TimeoutError: A delivery stays parked.
        """
        queue = self._queue()
        until = time.monotonic() + PATIENCE
        while self._messages(queue):
            if time.monotonic() > until:
                raise TimeoutError(f"{self._messages(queue)} deliveries are still parked")
            for message in queue.receive_messages(max_messages=1, visibility_timeout=_LEASE):
                if self._parked(message.content):
                    queue.delete_message(message)
                else:
                    queue.update_message(message.id, message.pop_receipt, visibility_timeout=0)
            time.sleep(_AGAIN)

    def parked(self) -> int:
        """Return how many deliveries are parked."""
        return self._messages(self._queue())

    def correct_rules(self, wrong: str, right: str) -> None:
        """Deploy corrected rules: the instances are replaced."""
        self._rules.write_text(self._scenario.rules.replace(wrong, right), encoding="utf-8")
        for turn, instance in enumerate(self._instances):
            if instance is not None:
                instance.stop()
                self._instances[turn] = None

    def run_of(self, rule: str) -> dict[str, Any]:
        """Return the only run that a rule has started."""
        (run,) = [run for run in self.servers.airflow.runs.values() if _conf(run)["_updraft"]["rule"] == rule]
        return dict(run)

    # --- instances ----------------------------------------------------------------------------------------

    def _do(self, work: Work, *arguments: Any) -> Done:
        """Let the next instance do something; start it again if it was killed."""
        turn = self._turn = (self._turn + 1) % len(self._instances)
        instance = self._instances[turn]
        if instance is None:
            settings = self.servers.settings() | {"UPDRAFT_RULES": str(self._rules)}
            instance = self._instances[turn] = Instance(settings)
        self._at_work = instance
        try:
            return instance.do(work, *arguments)
        except Killed:
            instance.stop()
            self._instances[turn] = None
            raise

    def _kill(self) -> None:
        if self._at_work is not None:
            self._at_work.kill()

    def _parked(self, content: str) -> bool:
        try:
            return self._do("parked", content).ok
        except Killed:
            return False

    # --- the audit ----------------------------------------------------------------------------------------

    def _audit(self) -> list[str]:
        """Return the broken promises."""
        found: Counter[Run] = Counter()
        for run in self.servers.airflow.runs.values():
            found.update(_runs_of(_conf(run)))
        expected = self._scenario.expected
        wrong = [f"lost: {run}" for run in expected - found.keys()]
        wrong += [f"not expected: {run}" for run in found.keys() - expected]
        wrong += [f"{count} runs of {run}" for run, count in found.items() if count > 1]
        letters, pending = self._letters()
        if len(letters) != self._scenario.letters:
            wrong.append(f"{len(letters)} dead letters, not {self._scenario.letters}: {letters}")
        wrong += [f"a dead letter was not sent again: {letter}" for letter in pending]
        wrong += [f"an open window holds events: {name}" for name in self._open_windows()]
        return wrong

    def _orphans(self) -> int:
        """Return how many blobs remain that no instance will read."""
        empty = [
            blob for blob in self._blobs(WINDOWS_CONTAINER) if "/windows/" in blob.name and not blob.size
        ]
        return len(self._names(CLAIMS_CONTAINER)) + len(empty)

    def _letters(self) -> tuple[list[Run], list[Run]]:
        """Return the rules and events of all dead letters, and of those that were not sent again."""
        container = self._blob_service().get_container_client(DEAD_LETTERS_CONTAINER)
        names = self._names(DEAD_LETTERS_CONTAINER)
        sent = {mark[0] for name in names if (mark := read_sent_mark(name))}
        letters: list[Run] = []
        pending: list[Run] = []
        for name in names:
            if name.startswith(REPLAYED):
                continue
            letter = json.loads(container.download_blob(name).readall())
            run = (letter["updraft"]["rule"], letter["id"] if "id" in letter else letter["run"]["id"])
            letters.append(run)
            if name not in sent:
                pending.append(run)
        return letters, pending

    def _open_windows(self) -> list[str]:
        """Return the windows that hold events and were never closed."""
        windows = self._blob_service().get_container_client(WINDOWS_CONTAINER)
        held = [
            blob.name for blob in self._blobs(WINDOWS_CONTAINER) if "/windows/" in blob.name and blob.size
        ]
        return [
            name
            for name in held
            if not windows.get_blob_client(name).get_blob_properties().is_append_blob_sealed
        ]

    def _names(self, container: str) -> list[str]:
        return [blob.name for blob in self._blobs(container)]

    def _blobs(self, container: str) -> list[Any]:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return list(self._blob_service().get_container_client(container).list_blobs())
        except ResourceNotFoundError:
            return []

    def _blob_service(self) -> "BlobServiceClient":
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(
            self._urls["blob"],
            _Signed(self.servers.identity),
            connection_verify=str(self._certificates.authority),
        )

    def _queue(self) -> "QueueClient":
        from azure.storage.queue import QueueServiceClient

        service = QueueServiceClient(
            self._urls["queue"],
            _Signed(self.servers.identity),
            connection_verify=str(self._certificates.authority),
        )
        return service.get_queue_client(PARKED_QUEUE)

    @staticmethod
    def _messages(queue: "QueueClient") -> int:
        """Return how many messages a queue has, hidden messages included."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return int(queue.get_queue_properties().approximate_message_count or 0)
        except ResourceNotFoundError:
            return 0


def _conf(run: Mapping[str, Any]) -> dict[str, Any]:
    conf: dict[str, Any] = run["conf"]
    return conf


def _runs_of(conf: Mapping[str, Any]) -> list[Run]:
    """Return the rule and the events of a run."""
    kept = conf["_updraft"]
    events = conf["events"] if "window" in kept else [kept["event"]]
    return [(kept["rule"], event["id"]) for event in events]
