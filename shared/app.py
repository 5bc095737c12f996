"""Creates the parts of the app, once per process, at the first event.

On Azure a process starts as a placeholder and becomes this app later, with other settings. So the settings
are read at the first event, and never at import.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shared.admission.breaker import Breaker
from shared.admission.limiter import SharedLimiter
from shared.admission.permit_blobs import PermitBlobs, permits_of
from shared.admission.permits import Permits, longest_request
from shared.airflow.connect import connect
from shared.azure.credential import azure_credential
from shared.azure.key_vault import Vaults
from shared.azure.storage_account import Storage
from shared.callbacks.attach import RunCallbacks
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import OutcomeCounts
from shared.delivery.policy import Policy
from shared.delivery.queue_intake import QueueIntake
from shared.delivery.relay import Relay
from shared.delivery.target import Target
from shared.errors import ConfigurationError
from shared.log import LOGGER
from shared.rules import Connection, Rules, load_rules
from shared.settings import Settings
from shared.stores.dead_letters import BlobDeadLetters
from shared.stores.parking import QueueParking
from shared.stores.poison import StoragePoisonQueues
from shared.stores.window_blobs import WindowBlobs
from shared.values.hook_settings import check_hooks
from shared.version import VERSION

if TYPE_CHECKING:
    from shared.http_api.api import HttpApi
    from shared.stores.work_items import UnverifiedHook
    from shared.values.json_text import JsonObject


class App:
    """The parts of one process, created when they are first needed; safe to use from any thread.

    Args:
        environment: The application settings.
        policy: How long deliveries are tried.
        now: The time of day, with a time zone.

    Attributes:
        outcome_counts: The deliveries of this process and their outcomes.
        intake: Receives events.
        queues: Handles the messages of the app's queues.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        policy: Policy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = Settings.of(environment)
        self._policy = policy or Policy()
        self._now = now
        self._lock = threading.RLock()
        self._rules: Rules | ConfigurationError | None = None
        self._targets: dict[str, Target] = {}
        self._vaults = Vaults(self._settings, azure_credential)
        self._callbacks = RunCallbacks(self._settings.environment, self._vaults.own)
        self._storage = storage = Storage(self._settings.environment, azure_credential)
        parking = QueueParking(storage)
        self.outcome_counts = OutcomeCounts()
        closing = Closing(BlobDeadLetters(storage), self.outcome_counts, now=now)
        self.intake = Intake(
            rules=self.rules,
            relay=Relay(
                self._target,
                parking=parking,
                closing=closing,
                policy=self._policy,
                now=now,
            ),
            windows=WindowBlobs(storage, parking),
            parking=parking,
            closing=closing,
            verify_hook=self._verify_hook,
        )
        self.queues = QueueIntake(
            self.intake, StoragePoisonQueues(storage), deliveries=self._policy.queue_deliveries
        )
        self._http_api: HttpApi | None = None

    @property
    def http_api(self) -> "HttpApi":
        """The HTTP endpoints."""
        from shared.http_api.api import HttpApi

        with self._lock:
            if self._http_api is None:
                self._http_api = HttpApi(
                    self._settings.environment,
                    rules=self.rules,
                    intake=self.intake,
                    secrets=self._vaults.own,
                    storage=self._storage,
                    status=self.status,
                    tokens=self._callbacks.tokens,
                )
            return self._http_api

    def rules(self) -> Rules:
        """Return the rules, read and compiled once.

        Raises:
            ConfigurationError: The rules file has mistakes or cannot be read. Each call raises the same
                error, because a deployed file does not change while the process runs.
        """
        with self._lock:
            if self._rules is None:
                self._rules = self._load()
            if isinstance(self._rules, ConfigurationError):
                raise self._rules.with_traceback(None)  # otherwise its traceback grows with each call
            return self._rules

    def is_well(self) -> bool:
        """Return whether rules and settings can be used, and each Airflow answers.

        Unauthenticated clients may call this often: after the first call it does no I/O and logs nothing.
        """
        if self._rules is None:
            with suppress(ConfigurationError):
                self.rules()
        if isinstance(self._rules, ConfigurationError):
            return False
        try:
            check_hooks(self._settings.environment)
        except ConfigurationError:
            return False
        with self._lock:
            targets = [*self._targets.values()]
        return all(target.breaker.outage is None for target in targets)

    def status(self) -> "JsonObject":
        """Return the status of this process, without I/O and without secrets.

        Raises:
            ConfigurationError: The rules cannot be used.
        """
        rules = self.rules()
        return {
            "status": "ok" if self.is_well() else "degraded",
            "version": VERSION,
            "rules": sum(rule.enabled for rule in rules.rules),
            "connections": {name: self._condition(name) for name in rules.connections},
            "counts": {
                "balances": self.outcome_counts.balances(),
                "rules": {rule: {**counts} for rule, counts in self.outcome_counts.by_rule().items()},
            },
        }

    def _verify_hook(self, hook: "UnverifiedHook", first_seen: datetime) -> bool:
        return self.http_api.webhooks.verify(hook, first_seen)

    def _load(self) -> Rules | ConfigurationError:
        try:
            check_hooks(self._settings.environment)
        except ConfigurationError as error:
            LOGGER.error("operator action needed: %s", error)
        try:
            rules = load_rules(
                self._settings.read_rules(),
                file=self._settings.rules_file.name,
                settings=self._settings.environment,
            )
        except ConfigurationError as error:
            mistakes = "; ".join(str(error).splitlines())
            LOGGER.error("no event can be handled until this is fixed: %s", mistakes)
            return error
        for warning in rules.warnings:
            LOGGER.warning("%s", warning)
        return rules

    def _target(self, name: str) -> Target:
        with self._lock:
            if name not in self._targets:
                rules = self.rules()
                connection = rules.connections[name]
                airflow = connect(connection, self._vaults, rules.vaults, self._callbacks.start)
                self._targets[name] = Target(
                    airflow,
                    Breaker(rest=self._policy.breaker_rest, now=self._now),
                    self._limiter(connection),
                )
            return self._targets[name]

    def _limiter(self, connection: Connection) -> SharedLimiter:
        """Return the limiter of the requests in flight to an Airflow, for all instances together."""
        slots = connection.in_flight
        longest = longest_request(
            connection.connect_timeout, connection.read_timeout, budget=self._policy.budget
        )
        store = PermitBlobs(
            lambda: self._storage.address("blob"),
            azure_credential,
            name=permits_of(connection.address),
            places=slots,
        )
        return SharedLimiter(connection.name, Permits(slots, longest_request=longest), store, most=slots)

    def _condition(self, connection: str) -> "JsonObject":
        """Return the condition of an Airflow, as this process knows it."""
        with self._lock:
            target = self._targets.get(connection)
        if target is None:
            return {"condition": "no event yet"}
        outage = target.breaker.outage
        return {"condition": "ok"} if outage is None else outage.to_document()


class _Process:
    """The App of this process, and its factory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.make: Callable[[], App] = _from_settings
        self.made: App | None = None


def _from_settings() -> App:
    return App(os.environ)


_process: Final = _Process()


def app() -> App:
    """Return this process's app, created at the first call."""
    with _process.lock:
        if _process.made is None:
            _process.made = _process.make()
        return _process.made


def start_anew(make: Callable[[], App] = _from_settings) -> None:
    """Discard this process's app, as if the process had just started; for tests with other settings.

    Args:
        make: Creates the app at the next call of `app`.
    """
    with _process.lock:
        _process.make, _process.made = make, None
