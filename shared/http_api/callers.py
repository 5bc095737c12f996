"""The first checks of each call with an Entra token: the token, and the rate.

After them the endpoint checks the permission, and then reads the body.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.callers.errors import CallerRefused
from shared.callers.permissions import Rates
from shared.http_api.refusals import refusal_of
from shared.web import CallRefused, Request, bearer

if TYPE_CHECKING:
    from shared.callers import Identity, TokenVerifier
    from shared.rules import Rules
    from shared.rules.model.callers import CallerSpec

_TOO_MANY: Final = 429
_OUR_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one call.

    Attributes:
        identity: The identity in the token.
        rules: The rules for the whole call.
    """

    identity: "Identity"
    rules: "Rules"

    @property
    def entries(self) -> "tuple[CallerSpec, ...]":
        """The entries of `callers` in rules.yaml."""
        return self.rules.callers


@dataclass(frozen=True, slots=True)
class Callers:
    """Checks the tokens and rates of callers; safe to use from any thread.

    Attributes:
        rules: Returns the current rules; may raise `ConfigurationError`.
        verifier: Returns the verifier of tokens; raises `SettingsError` if callers are not configured.
        rates: The used part of each caller's rate, for all endpoints together.
    """

    rules: "Callable[[], Rules]"
    verifier: "Callable[[], TokenVerifier]"
    rates: Rates

    @contextmanager
    def admitted(self, request: Request) -> Iterator[Caller]:
        """Check token and rate; a refusal inside uses one call of the caller's rate.

        An answer 429 or 5xx uses none, so that the caller's next try is not refused for its rate.

        Raises:
            CallerRefused: The token is not valid, or the rate is used up; the body was not read.
            CallRefused: There is no token.
            KeysUnavailable: The token cannot be verified now.
            ConfigurationError: Callers or the rules are not configured.
        """
        identity = self.verifier().verify(bearer(request))
        caller = Caller(identity, self.rules())
        self.rates.check_any_left(caller.entries, identity)
        try:
            yield caller
        except (CallRefused, CallerRefused) as error:
            answer = error if isinstance(error, CallRefused) else refusal_of(error)
            if answer.status < _OUR_FAULT and answer.status != _TOO_MANY:
                self.rates.spend_refusal(caller.entries, identity)
            raise
