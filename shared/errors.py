"""The errors that this app raises on purpose.

* UpdraftError
  + EventError            a body cannot be read as an event
  x ConfigurationError    the operator has to fix something
    + SettingsError       an application setting is missing or unusable
    + RulesError          rules.yaml has mistakes, all of them listed
  + UnusableValue         a value that Airflow or this app cannot hold: a time, a text, a size
    + TemplateError       a rule's template cannot be rendered for this event
  x CredentialError       no usable token or secret; names the hop that failed
    + TokenUnavailable    the identity endpoint or a token endpoint gave no token
    + SecretUnavailable   Key Vault gave no secret
  + KeysUnavailable       a token or a signature cannot be verified now
  + StorageUnavailable    a parked delivery or a dead letter could not be written

The reasons to refuse a caller are in `shared/callers/errors.py`.

A message never holds a secret, a token or a key. It names the thing and the fix.
A message may quote an event, a caller or an answer: the base class makes every character of it visible.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.visible_text import visible


class UpdraftError(Exception):
    """The base of every error that this app raises on purpose.

    Args:
        lines: The message; a line end within one of them is shown as an escape.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(visible, lines)))


class EventError(UpdraftError):
    """A body that cannot be read as an event; names the member that is wrong, and why."""


class ConfigurationError(UpdraftError):
    """A mistake that the operator has to fix before events can be handled."""


class SettingsError(ConfigurationError):
    """An application setting that is missing or unusable, by name."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in rules.yaml.

    Attributes:
        message: What is wrong, with the value.
        file: The file as the operator named it.
        line: The line, from 1; 0 if the mistake concerns no line of the file.
        column: The column, from 1; 0 if the mistake concerns no line of the file.
        path: Where in the document, or in the rule where `rule` is given, as in `when.filter[0].key`.
        fix: What to write.
        rule: The name of the rule; empty where the mistake is not in one.
        source: The line of the file.
        others: Line, column and rule of the other places with the same mistake.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    fix: str = ""
    rule: str = ""
    source: str = ""
    others: tuple[tuple[int, int, str], ...] = ()

    @property
    def subject(self) -> str:
        """The rules and their part, as in ``rules `a`, `b`: when.types: ``; empty for the whole file."""
        rules = list(
            dict.fromkeys(rule for rule in (self.rule, *(rule for _, _, rule in self.others)) if rule)
        )
        named = f"rule{'s' if len(rules) > 1 else ''} {', '.join(f'`{rule}`' for rule in rules)}: "
        return f"{named if rules else ''}{self.path + ': ' if self.path else ''}"

    @property
    def more(self) -> str:
        """The other lines with the same mistake, as in ` (also on line 9)`; empty without others."""
        lines = sorted({line for line, _, _ in self.others} - {self.line})
        return f" (also on line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))})" if lines else ""

    def __str__(self) -> str:
        place = (
            f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        )
        return f"{place}{self.subject}{self.message}{self.more}{'; ' + self.fix if self.fix else ''}"


class RulesError(ConfigurationError):
    """All mistakes of a rules file.

    Attributes:
        problems: The mistakes.
        warnings: Possible mistakes.
    """

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__(*map(str, self.problems))


class UnusableValue(UpdraftError):
    """A value that Airflow or this app cannot hold; names it, and why."""


class TemplateError(UnusableValue):
    """A template that cannot be rendered for an event; another try gives the same error."""


class CredentialError(UpdraftError):
    """No usable token or secret.

    Attributes:
        permanent: True if only an operator can fix it (a missing role, a wrong name). False if
            it may pass (throttling, an outage).
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class TokenUnavailable(CredentialError):
    """The identity endpoint, or a token endpoint, gave no token."""


class SecretUnavailable(CredentialError):
    """Key Vault gave no usable secret."""


class KeysUnavailable(UpdraftError):
    """The keys of a sender cannot be read, or must not be read again yet; a later try may succeed.

    Attributes:
        retry_after: Whole seconds until the next try.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = max(1, math.ceil(retry_after))


class StorageUnavailable(UpdraftError):
    """A parked delivery or a dead letter could not be written; the caller must not acknowledge the event."""
