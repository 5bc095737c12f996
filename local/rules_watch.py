"""Loads the rules file into the local function app when a person has changed it.

On Azure a changed rules file comes with a deployment, which starts the app again. Here this module does it.
"""

import os

from cli.output import plural
from local.processes.processes import StackError
from local.stack import Stack
from shared.errors import RulesError, UpdraftError
from shared.rules import load_rules
from shared.settings import Settings


class RulesWatch:
    """The rules file of a running stack.

    Args:
        stack: The stack; its app has read the file.

    Attributes:
        file: The rules file.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._settings = Settings.of({**os.environ, **stack.environment})
        self.file = self._settings.rules_file
        self._seen = self._last = self._content()

    def look(self) -> str:
        """Start the app again if the file has changed and is right.

        Returns:
            What a person should read, with the mistakes of a wrong file; empty where nothing has changed.
        """
        content = self._content()
        settled, self._last = content == self._last, content
        if content == self._seen or not settled:  # an editor may be writing it
            return ""
        self._seen = content
        name = self.file.name
        try:
            count = count_rules(self._settings)
        except UpdraftError as error:
            return (
                f"{name} has changed: it has errors, so the app keeps the rules that it has.\n{listed(error)}"
            )
        try:
            self._stack.app.stop()
            self._stack.start_app()
        except StackError as error:
            return f"{name} has changed: {error}"
        return f"{name} has changed: the app has loaded it ({count})."

    def _content(self) -> bytes:
        """Return what the file holds; nothing where it is missing."""
        try:
            return self.file.read_bytes()
        except OSError:
            return b""


def count_rules(settings: Settings, *, stack_is_up: bool = True) -> str:
    """Return how many rules a file has, in words.

    Args:
        settings: They name the file.
        stack_is_up: Whether the settings that the file names have to exist: some are addresses of the stack.

    Raises:
        RulesError: The file has mistakes.
        SettingsError: It cannot be read.
    """
    environment = settings.environment if stack_is_up else None
    rules = load_rules(settings.read_rules(), file=settings.rules_file.name, settings=environment)
    return plural(len(rules.rules), "rule")


def why_no_start() -> str:
    """Return why the app could not start with its rules file, before anything is started; empty if it can."""
    settings = Settings.of(os.environ)
    try:
        count_rules(settings, stack_is_up=False)
    except RulesError as error:
        return f"function app did not start: {settings.rules_file.name} has errors\n{listed(error)}"
    except UpdraftError as error:
        return f"function app did not start: {error}"
    return ""


def listed(error: UpdraftError) -> str:
    """Return an error as indented lines, one for each mistake of a rules file."""
    lines = map(str, error.problems) if isinstance(error, RulesError) else [str(error)]
    return "\n".join(f"  {line}" for line in lines)
