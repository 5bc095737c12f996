"""`GET status`: a verified caller asks which version this is, what it has, and what it has counted.

Anybody may ask `GET health`, which says one of two words; all else takes a right.
"""

from typing import TYPE_CHECKING

from shared.callers import Rates, status_entry
from shared.web import Reply, Request, bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.callers import TokenVerifier
    from shared.rules import Rules
    from shared.values.json_text import JsonObject


class StatusEndpoint:
    """Reports what this process knows of itself; safe to use from any thread.

    Args:
        rules: Gives the rules in force.
        verifier: Gives what tokens are verified with; raises `SettingsError` where callers are not set up.
        status: Gives the report.
        rates: What each caller has used of its rate.
    """

    def __init__(
        self,
        *,
        rules: "Callable[[], Rules]",
        verifier: "Callable[[], TokenVerifier]",
        status: "Callable[[], JsonObject]",
        rates: Rates,
    ) -> None:
        self._rules = rules
        self._verifier = verifier
        self._status = status
        self._rates = rates

    def read(self, request: Request) -> Reply:
        """Return the report.

        Raises:
            CallRefused: 401, 403 or 429, as for every call.
            ConfigurationError: Callers, or the rules, are not set up.
        """
        identity = self._verifier().verify(bearer(request))
        self._rates.spend(status_entry(self._rules().callers, identity), identity)
        return Reply(200, self._status())
