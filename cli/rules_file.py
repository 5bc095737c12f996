"""Reads rules.yaml for a command."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Problem, RulesError

if TYPE_CHECKING:
    from shared.rules import Rules


def load(file: str, settings: Mapping[str, str] | None = None) -> "Rules":
    """Load a rules file.

    Args:
        file: Its path.
        settings: The application settings that it may name; by default it is read as its author has it,
            without those of where it will run.

    Raises:
        RulesError: It cannot be read, or has mistakes; with settings, one that is missing is a mistake.
    """
    from shared.rules import load_rules

    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulesError([Problem("the file is not UTF-8 text; save it as UTF-8", file)]) from error
    except OSError as error:
        raise RulesError([Problem(f"the file cannot be read: {error.strerror or error}", file)]) from error
    return load_rules(text, file=file, settings=settings)
