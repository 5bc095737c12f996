"""Why a caller is refused, apart from HTTP; `shared/http_api/refusals.py` has the answer to each.

* CallerRefused
  x TokenRefused            the token proves nothing
    + InvalidToken          it is not a token for this app, or it is forged
      + UnknownKey          the tenant has no such key
    + TokenExpired
    + TokenNotYetValid
    + WrongAudience
  + NotAllowed              no entry of `callers` allows it
    + ConfNotAllowed        the entry does not allow a key of the conf
  + RateExceeded            waiting helps
  + TooManyEvents           waiting does not help: the rate is smaller than this one call

`KeysUnavailable` (`shared/errors.py`) is not a refusal: the caller may come again.
"""

from shared.errors import UpdraftError


class CallerRefused(UpdraftError):
    """A caller does not get what it asks for.

    Args:
        message: Why. Of a refused token it is for the log alone; else the caller may know it.
    """


class TokenRefused(CallerRefused):
    """A token that is not accepted."""


class InvalidToken(TokenRefused):
    """It is not a token of the right issuer for this app; its sender must not learn more."""


class UnknownKey(InvalidToken):
    """The key set was fetched after the token came, and the key is not in it."""


class TokenExpired(TokenRefused):
    """It was good, and its time is over."""


class TokenNotYetValid(TokenRefused):
    """Its time has not begun: the clocks differ."""


class WrongAudience(TokenRefused):
    """It is the tenant's, and for another app."""


class NotAllowed(CallerRefused):
    """No entry of `callers` allows it."""


class ConfNotAllowed(NotAllowed):
    """The entry allows the run, and not all keys of its conf."""


class RateExceeded(CallerRefused):
    """The caller has used its rate up.

    Attributes:
        retry_after: Whole seconds until it may come again.
    """

    def __init__(self, rate: str, seconds: float) -> None:
        self.retry_after = int(seconds) + 1
        super().__init__(f"more than {rate} calls; wait {self.retry_after} s")


class TooManyEvents(CallerRefused):
    """One call asks for more than the caller's rate allows in its whole unit of time."""
