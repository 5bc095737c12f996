"""Creates the HTTP endpoints of a process."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from shared.callbacks.report_store import BlobRunReports
from shared.callers import Rates, SigningKeys, TokenPolicy, TokenVerifier, tenant_issuers
from shared.http_api.callers import Callers
from shared.http_api.events import EventsEndpoint
from shared.http_api.run_reports import RunReportsEndpoint
from shared.http_api.runs import RunsEndpoint
from shared.http_api.status import StatusEndpoint
from shared.http_api.webhooks import WebhooksEndpoint
from shared.settings import InboundSettings

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets
    from shared.azure.storage_account import Storage
    from shared.callbacks.tokens import ReverseTokens
    from shared.delivery.intake import Intake
    from shared.rules import Rules
    from shared.values.json_text import JsonObject


class HttpApi:
    """The HTTP endpoints of one process; safe to use from any thread.

    Args:
        environment: The application settings.
        rules: Returns the current rules.
        intake: Handles events and direct runs.
        secrets: The app's own vault.
        storage: The app's own Storage account.
        status: Returns the status of the process.
        tokens: Returns the verifier of run tokens; raises `SettingsError` if it is not configured.

    Attributes:
        runs: Starts direct runs.
        events: Receives events of callers.
        webhooks: Receives deployment webhooks.
        run_reports: Receives run reports.
        status: Returns the status of the process.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        rules: "Callable[[], Rules]",
        intake: "Intake",
        secrets: "Secrets",
        storage: "Storage",
        status: "Callable[[], JsonObject]",
        tokens: "Callable[[], ReverseTokens]",
    ) -> None:
        self._settings = InboundSettings(environment)
        self._lock = threading.Lock()
        self._verifier: TokenVerifier | None = None
        rates = Rates()
        callers = Callers(rules, self.verifier, rates)
        self.runs = RunsEndpoint(callers, intake=intake)
        self.events = EventsEndpoint(callers, intake=intake)
        self.webhooks = WebhooksEndpoint(
            intake=intake,
            secrets=secrets,
            github_secret=self._settings.github_secret,
            rates=rates,
            rate=self._settings.hook_rate(),
        )
        self.run_reports = RunReportsEndpoint(callers, tokens=tokens, reports=BlobRunReports(storage))
        self.status = StatusEndpoint(callers, status=status)

    def verifier(self) -> TokenVerifier:
        """Return the verifier of callers' tokens, which is created at the first call.

        Raises:
            SettingsError: Tenant or audience are not set.
        """
        with self._lock:
            if self._verifier is None:
                tenant, authority = self._settings.tenant_id(), self._settings.authority()
                issuers = tenant_issuers(authority, tenant)
                self._verifier = TokenVerifier(
                    TokenPolicy(tenant, issuers, self._settings.audiences()),
                    SigningKeys(authority, tenant, issuers=issuers),
                )
            return self._verifier
