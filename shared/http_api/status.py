"""`GET status`: the version, the connections and the counts of this process, for a verified caller."""

from typing import TYPE_CHECKING

from shared.callers import status_entry
from shared.http_api.callers import Callers
from shared.http_api.refusals import answered
from shared.web import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.values.json_text import JsonObject


class StatusEndpoint:
    """Returns the status of this process; safe to use from any thread.

    Args:
        callers: Checks token and rate.
        status: Returns the status.
    """

    def __init__(self, callers: Callers, *, status: "Callable[[], JsonObject]") -> None:
        self._callers = callers
        self._status = status

    @answered
    def read(self, request: Request) -> Reply:
        """Return the status.

        Raises:
            CallRefused: 401, 403 or 429, as for each call.
            ConfigurationError: Callers or the rules are not configured.
        """
        with self._callers.admitted(request) as caller:
            entry = status_entry(caller.entries, caller.identity)
            self._callers.rates.spend(entry, caller.identity)
        return Reply(200, self._status())
