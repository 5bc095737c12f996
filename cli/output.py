"""A progress bar for commands that work through many things."""

from collections.abc import Iterable, Iterator


def with_progress[T](items: Iterable[T], doing: str, total: int) -> Iterator[T]:
    """Yield the items, and show on standard error how far it is, where that is a terminal.

    Args:
        items: The items.
        doing: What is being done with them, in one word.
        total: How many there are.
    """
    from rich.console import Console  # noqa: PLC0415 - `--help` needs no bar
    from rich.progress import MofNCompleteColumn, Progress  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=total)
        for item in items:
            yield item
            bar.advance(task)
