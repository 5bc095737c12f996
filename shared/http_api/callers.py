"""What comes first at each call with an Entra token: the token, and whether anything of the rate is left.

Then the endpoint asks for the right, and reads the body after that.
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
    """Who makes one call.

    Attributes:
        identity: Whom the token speaks for.
        rules: The rules in force during the whole call.
    """

    identity: "Identity"
    rules: "Rules"

    @property
    def entries(self) -> "tuple[CallerSpec, ...]":
        """What rules.yaml has under `callers`."""
        return self.rules.callers


@dataclass(frozen=True, slots=True)
class Callers:
    """Lets callers in by their tokens and rates; safe to use from any thread.

    Attributes:
        rules: Gives the rules in force; may raise `ConfigurationError`.
        verifier: Gives what tokens are verified with; raises `SettingsError` where callers are not set up.
        rates: What each caller has used of its rate, at all endpoints together.
    """

    rules: "Callable[[], Rules]"
    verifier: "Callable[[], TokenVerifier]"
    rates: Rates

    @contextmanager
    def admitted(self, request: Request) -> Iterator[Caller]:
        """Carry out the reading and checking of a request; a refusal in it takes one from the caller's rate.

        An answer "too many" or "try again" takes nothing: who tries again has to get through.

        Raises:
            CallerRefused: Token or rate are not good; the body was not looked at.
            CallRefused: There is no token.
            KeysUnavailable: Whether the token is good cannot be said now.
            ConfigurationError: Callers, or the rules, are not set up.
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
