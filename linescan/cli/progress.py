"""Progress of a run: a live panel on a terminal, a plain log line now and then elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from linescan.cli.statistics import Statistics
from linescan.ledger import Totals, name_losses
from linescan.pipeline.runner import Pipeline

log = logging.getLogger("linescan")

TERMINAL_S: Final = 0.25
LOG_S: Final = 10.0


class Progress:
    """Shows what a pipeline does while the context is open.

    Args:
        pipeline: what to watch.
        statistics: its counts.
        total_lines: lines that will come, where known.
        console: where to show it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        statistics: Statistics,
        total_lines: int | None,
        console: Console,
    ) -> None:
        self._pipeline = pipeline
        self._statistics = statistics
        self._total = total_lines
        self._console = console
        self._done = threading.Event()
        self._began = time.monotonic()
        self._last = (self._began, 0)
        self._rate = 0.0
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._console.is_terminal:
            while not self._done.wait(LOG_S):
                log.info("%s", self._line())
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as live:
            while not self._done.wait(TERMINAL_S):
                live.update(self._table())

    def _measure(self) -> Totals:
        totals, now = self._pipeline.ledger.totals(), time.monotonic()
        if not totals.captured:  # models are loading, subscribers are waited for
            self._last = (now, 0)
        seconds = now - self._last[0]
        if seconds >= 1.0:
            self._rate = (totals.captured - self._last[1]) / seconds
            self._last = (now, totals.captured)
        return totals

    def _line(self) -> str:
        totals = self._measure()
        queues = " ".join(f"{name} {n}" for name, n in self._pipeline.queued.items())
        return (
            f"{totals.captured} lines, {self._statistics.frames} frames, "
            f"{self._rate:.0f} lines/s, {self._statistics.objects} objects, "
            f"{self._statistics.completed} complete, "
            f"lost {name_losses(totals.lost)}, waiting: {queues}"
        )

    def _table(self) -> Table:
        totals = self._measure()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        share = f" of {self._total} ({totals.captured / self._total:.0%})" if self._total else ""
        queues = "  ".join(f"{name} {n}" for name, n in self._pipeline.queued.items())
        table.add_row("lines", f"{totals.captured}{share}")
        table.add_row("frames", f"{self._statistics.frames}")
        found, complete = self._statistics.objects, self._statistics.completed
        table.add_row("objects", f"{found}, {complete} complete on the web")
        table.add_row("rate", f"{self._rate:.0f} lines/s")
        table.add_row("waiting", queues)
        lost = name_losses(totals.lost)
        table.add_row("lost", lost if lost == "none" else f"[bold red]{lost}[/]")
        table.add_row("time", f"{time.monotonic() - self._began:.0f} s   [dim]Ctrl-C ends[/]")
        return table
