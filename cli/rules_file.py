"""What every command that reads rules.yaml and events shares."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import Problem, RulesError, SettingsError

if TYPE_CHECKING:
    from shared.rules import Rules

type Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other

DEFAULT_RULES: Final = "rules.yaml"


def add_rules_option(parser: argparse.ArgumentParser) -> None:
    """Add `--rules FILE`."""
    parser.add_argument(
        "--rules", metavar="FILE", default=DEFAULT_RULES, help="the rules file (default: %(default)s)"
    )


def add_kind_option(parser: argparse.ArgumentParser) -> None:
    """Add `--as KIND` and `--event NAME`."""
    from shared.event import KINDS  # noqa: PLC0415 - `--version` needs no event reader

    parser.add_argument(
        "--as",
        dest="kind",
        choices=sorted(KINDS),
        help="read bodies without an event envelope as what this sender sends",
    )
    parser.add_argument(
        "--event",
        metavar="NAME",
        help="the event's name, which GitHub sends in the header X-GitHub-Event and not in the body, as in "
        "push; means --as github",
    )


def kind_and_headers(args: argparse.Namespace) -> tuple[str | None, Mapping[str, str]]:
    """Return the kind of body that `--as` and `--event` ask for, and the headers to read it with.

    Raises:
        SettingsError: `--event` stands beside another kind than github.
    """
    if args.event is None:
        return args.kind, {}
    if args.kind not in {None, "github"}:
        raise SettingsError(f"--event is for GitHub's bodies, and --as is {args.kind}: leave one of them out")
    return "github", {"x-github-event": args.event}


def load(file: str, settings: Mapping[str, str] | None = None) -> "Rules":
    """Load a rules file.

    Args:
        file: Its path.
        settings: The application settings that it may name; by default it is read as its author has it,
            without those of where it will run.

    Raises:
        RulesError: It cannot be read, or has mistakes; with settings, one that is missing is a mistake.
    """
    from shared.rules import load_rules  # noqa: PLC0415 - imports pydantic and PyYAML

    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulesError([Problem("the file is not UTF-8 text; save it as UTF-8", file)]) from error
    except OSError as error:
        raise RulesError([Problem(f"the file cannot be read: {error.strerror or error}", file)]) from error
    return load_rules(text, file=file, settings=settings)
