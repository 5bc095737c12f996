"""The commands that messages suggest: with `--local` where this call has it, and ready to paste."""

import shlex

import click

from cli import local_settings


def is_local() -> bool:
    """Return whether this call uses the settings of the local stack."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(local_settings.LOCAL))


def updraft(*words: str) -> str:
    """Return an `updraft` command that works where this call does."""
    return shlex.join(["updraft", *(["--local"] if is_local() else []), *words])


def updraft_on(file: str, *words: str) -> str:
    """Return an `updraft` command that reads the file of this call.

    Args:
        file: The file; `FILE` replaces standard input.
        words: The words before the file.
    """
    return updraft(*words, "FILE" if file == "-" else file)


def local_call() -> str:
    """Return this call with `--local`; empty if it has the option, or if no local stack runs.

    `cli/main.py` makes the words of the command line the `obj` of the click context.
    """
    context = click.get_current_context(silent=True)
    if context is None or is_local() or not local_settings.FILE.exists():
        return ""
    return shlex.join(["updraft", "--local", *(context.obj or ())])


def or_local() -> str:
    """Return the end of a message about a missing setting: how to use the local stack, if one runs."""
    call = local_call()
    return f"; or use the running local stack: `{call}`" if call else ""
