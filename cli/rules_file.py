"""Reads rules.yaml for a command."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import Problem, RulesError, UnusableValue
from shared.values.text_files import file_text

if TYPE_CHECKING:
    from shared.rules import Rules


def load(file: str, settings: Mapping[str, str] | None = None) -> "Rules":
    """Load a rules file.

    Args:
        file: Its path.
        settings: The application settings that the file names; None leaves their names in the values.

    Raises:
        RulesError: The file cannot be read, or has mistakes; with `settings`, a missing setting is a mistake.
    """
    from shared.rules import load_rules

    try:
        text = file_text(Path(file).read_bytes())
    except UnusableValue as error:
        message, _, fix = str(error).partition("; ")
        raise RulesError([Problem(message, file, fix=fix)]) from error
    except FileNotFoundError as error:
        fix = "write the file's path after `--rules`, or change into the folder that has it"
        raise RulesError([Problem("there is no such file", file, fix=fix)]) from error
    except IsADirectoryError as error:
        fix = "write the path of a file in it after `--rules`"
        raise RulesError([Problem("this is a folder", file, fix=fix)]) from error
    except OSError as error:
        problem = Problem(f"the file cannot be read: {error.strerror or error}", file, fix="check its rights")
        raise RulesError([problem]) from error
    return load_rules(text, file=file, settings=settings)
