"""What every command that reads rules.yaml and events shares."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import Problem, RulesError

if TYPE_CHECKING:
    from shared.event.via import Via
    from shared.rules import Rules

type Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names no other

DEFAULT_RULES: Final = "rules.yaml"


def add_rules_option(parser: argparse.ArgumentParser) -> None:
    """Add `--rules FILE`."""
    parser.add_argument(
        "--rules", metavar="FILE", default=DEFAULT_RULES, help="the rules file (default: %(default)s)"
    )


def add_kind_option(parser: argparse.ArgumentParser) -> None:
    """Add `--as KIND` and `--via WAY`."""
    from shared.event.via import KINDS, VIAS  # noqa: PLC0415 - `--version` needs no event

    parser.add_argument(
        "--as",
        dest="kind",
        choices=sorted(KINDS),
        help="read bodies without an event envelope as what this sender sends; means --via hook/KIND",
    )
    parser.add_argument(
        "--via",
        choices=[via for via in VIAS if via not in {"call", "unknown"}],
        help="how the events come, for rules that ask for it (`when.via`)",
    )


def via_of(args: argparse.Namespace) -> "Via | None":
    """Return how the events come, as `--via` and `--as` say; None where neither is given."""
    from shared.event.via import HOOK_VIAS  # noqa: PLC0415 - as above

    via: Via | None = args.via or HOOK_VIAS.get(args.kind or "")
    return via


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
