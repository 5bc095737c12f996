"""`GET status`: a verified caller asks which version this is, what it has, and what it has counted.

Anybody may ask `GET health`, which says one of two words; all else takes a right.
"""

from typing import TYPE_CHECKING

from shared.callers import status_entry
from shared.http_api.callers import Callers
from shared.http_api.refusals import answered
from shared.web import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.values.json_text import JsonObject


class StatusEndpoint:
    """Reports what this process knows of itself; safe to use from any thread.

    Args:
        callers: Lets callers in.
        status: Gives the report.
    """

    def __init__(self, callers: Callers, *, status: "Callable[[], JsonObject]") -> None:
        self._callers = callers
        self._status = status

    @answered
    def read(self, request: Request) -> Reply:
        """Return the report.

        Raises:
            CallRefused: 401, 403 or 429, as for every call.
            ConfigurationError: Callers, or the rules, are not set up.
        """
        with self._callers.admitted(request) as caller:
            entry = status_entry(caller.entries, caller.identity)
            self._callers.rates.spend(entry, caller.identity)
        return Reply(200, self._status())
