"""The reasons to refuse a caller, without HTTP; `shared/http_api/refusals.py` has the response to each.

* CallerRefused
  x TokenRefused            the token is not accepted
    + InvalidToken          it is not a token for this app, or is forged
      + UnknownKey          the tenant has no such key
    + TokenExpired
    + TokenNotYetValid
    + WrongAudience
  + NotAllowed              no entry of `callers` allows it
    + ConfNotAllowed        the entry does not allow a key of the conf
  + RateExceeded            a later call may succeed
  + TooManyEvents           the rate is smaller than this one call

`KeysUnavailable` (`shared/errors.py`) is not a refusal: the caller may try again.
"""

from shared.errors import UpdraftError


class CallerRefused(UpdraftError):
    """The base of all refusals.

    Args:
        message: The reason. For a token, only the log gets it; otherwise the caller gets it too.
    """


class TokenRefused(CallerRefused):
    """A token that is not accepted."""


class InvalidToken(TokenRefused):
    """It is not a token of the tenant for this app; its sender gets no more detail."""


class UnknownKey(InvalidToken):
    """The key set was fetched after the token arrived, and does not have the key."""


class TokenExpired(TokenRefused):
    """It is valid, but has expired."""


class TokenNotYetValid(TokenRefused):
    """It is not valid yet: the clocks differ."""


class WrongAudience(TokenRefused):
    """It is the tenant's token for another app."""


class NotAllowed(CallerRefused):
    """No entry of `callers` allows the call."""


class ConfNotAllowed(NotAllowed):
    """The entry allows the run, but not all keys of its conf."""


class RateExceeded(CallerRefused):
    """The caller exceeds its rate.

    Attributes:
        retry_after: Whole seconds until the next call is allowed.
    """

    def __init__(self, rate: str, seconds: float) -> None:
        self.retry_after = int(seconds) + 1
        super().__init__(f"more than {rate} calls; wait {self.retry_after} s")


class TooManyEvents(CallerRefused):
    """One call asks for more than the caller's rate allows in a whole unit of time."""
