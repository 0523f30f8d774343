"""A progress bar for work on a known or unknown number of lines, messages or bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def line_bar(what: str, total: int | None, unit: str = "lines") -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal's standard error; elsewhere stay silent.

    Args:
        what: the work.
        total: how much there is, where known.
        unit: what is counted; ``bytes`` are shown as kB, MB or GB.

    Yields:
        A function to call with the number done so far.
    """
    console = Console(stderr=True)
    counted = (MofNCompleteColumn(), TextColumn(unit))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *((DownloadColumn(),) if unit == "bytes" else counted),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
