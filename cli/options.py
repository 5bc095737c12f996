"""Options and types of values that several commands share, each written once."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from cli.local_settings import LOCAL_HELP, go_local
from cli.output import AS_JSON
from shared.errors import UnusableValue
from shared.settings import RULES_FILE
from shared.values.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_RULES: Final = "rules.yaml"
FILE: Final = click.Path(allow_dash=True)
"""A file's name; `-` is standard input. The command that reads the file reports a missing one."""
FOLDER: Final = click.Path()
"""A folder's name; as above."""
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def local_option[Function: "Callable[..., Any]"](function: Function) -> Function:
    """Add `--local`, which `updraft` itself has as well; it is read first, because it may set `--rules`."""

    def given(context: click.Context, _parameter: click.Parameter, local: bool) -> None:  # noqa: FBT001 - click's signature
        if local and not context.resilient_parsing:
            go_local(context)

    return click.option(
        "--local", is_flag=True, is_eager=True, expose_value=False, callback=given, help=LOCAL_HELP
    )(function)


def rules_option[Function: "Callable[..., Any]"](function: Function) -> Function:
    """Add `--rules FILE`, as the parameter `rules_file`."""
    return click.option(
        "--rules",
        "rules_file",
        metavar="FILE",
        type=FILE,
        default=DEFAULT_RULES,
        envvar=RULES_FILE,
        show_default=True,
        help="the rules file",
    )(function)


def kind_options[Function: "Callable[..., Any]"](function: Function) -> Function:
    """Add `--as KIND` and `--via WAY`, as the parameters `kind` and `via`."""
    from shared.event.via import KINDS, VIAS

    via = click.option(
        "--via",
        metavar="WAY",
        type=click.Choice([via for via in VIAS if via not in {"call", "unknown"}]),
        help="how the events reached the app, for rules with `when.via`: queue, webhook, hook/KIND, events "
        "or replay; by default, a hook's body came by its hook",
    )
    kind = click.option(
        "--as",
        "kind",
        metavar="KIND",
        type=click.Choice(sorted(KINDS)),
        help="the kind of a hook's body whose members do not show it: "
        f"{', '.join(sorted(KINDS)[:-1])} or {max(KINDS)}; events with an envelope and most bodies of hooks "
        "are recognised by their members",
    )
    return kind(via(function))


def wait_options[Function: "Callable[..., Any]"](
    seconds: int, wait_help: str
) -> "Callable[[Function], Function]":
    """Return what adds `--wait` and `--timeout SECONDS`, as the parameters `wait` and `timeout`.

    Args:
        seconds: The default of `--timeout`.
        wait_help: The help of `--wait`.
    """
    wait = click.option("--wait", is_flag=True, help=wait_help)
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=seconds,
        show_default=True,
        metavar="SECONDS",
        help="the longest time that --wait waits",
    )
    return lambda function: wait(timeout(function))


def json_option[Function: "Callable[..., Any]"](function: Function) -> Function:
    """Add `--json`, as the parameter `as_json`; the document is written by `cli.output.print_json`.

    An error that ends the command becomes a document as well (`cli/main.py`).
    """
    return click.option(
        "--json", "as_json", is_flag=True, callback=_remember, help="print the result as one JSON document"
    )(function)


def _remember(context: click.Context, _parameter: click.Parameter, as_json: bool) -> bool:  # noqa: FBT001 - click's signature
    """Record for `cli/main.py` whether `--json` was given."""
    context.meta[AS_JSON] = as_json
    return as_json


def since_when(text: str) -> datetime:
    """Read `--since`: a time, in UTC unless it has an offset, or a span before now.

    Raises:
        ValueError: It is neither; click shows the message.
    """
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    for time in (text, f"{text}T00:00"):
        with suppress(UnusableValue):
            return parse_time(time, without_offset_is_utc=True)
    raise ValueError(f"{text!r} is neither a time such as 2026-11-01T12:00Z nor a span such as 90m, 6h or 3d")
