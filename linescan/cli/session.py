"""One run of a pipeline from the command line: signals, progress, summary, exit code."""

from __future__ import annotations

import itertools
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from linescan.cli.exits import BAD_INPUT, INTERRUPTED, OK, UNBALANCED
from linescan.cli.logs import set_up_logging
from linescan.cli.progress import Progress
from linescan.cli.statistics import Statistics, write_summary
from linescan.config import Config
from linescan.errors import LinescanError
from linescan.pipeline.factory import build_pipeline
from linescan.pipeline.runner import Outcome, Pipeline
from linescan.records import Interval

log = logging.getLogger("linescan")

MOST_NAMED: Final = 5
"""Runs of unaccounted lines that are named at the end."""


def play(
    config: Config,
    *,
    limit_s: float | None,
    lines: int | None,
    summary: Path | None,
    verbose: bool,
) -> None:
    """Run a pipeline to its end and leave with the right exit code.

    Raises:
        LinescanError: what the configuration names cannot be had.
        typer.Exit: always, otherwise.
    """
    if summary is not None and not summary.parent.is_dir():
        raise LinescanError(f"{summary}: cannot write the summary: there is no such folder")
    console = Console(stderr=True)
    set_up_logging(console, verbose=verbose)
    statistics = Statistics()
    pipeline, info = build_pipeline(config, lines=lines, limit_s=limit_s, on_result=statistics.note)
    log.info("camera %s: %s, %d pixels across", config.camera, info.name, info.width)
    with _signals(pipeline) as received, Progress(pipeline, statistics, info.total_lines, console):
        outcome = pipeline.run()
    _report(console, outcome, statistics, pipeline.ledger.open_lines())
    if summary is not None:
        write_summary(summary, statistics.summary(outcome))
    raise typer.Exit(_exit_code(outcome, received))


@contextmanager
def _signals(pipeline: Pipeline) -> Iterator[list[int]]:
    """Ctrl-C and a service manager's SIGTERM end the run cleanly; a second one hurries it."""
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        name = signal.Signals(number).name
        if not pipeline.started:
            pipeline.stop(name)  # native code that loads a model may swallow the exception
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(OK)
        log.warning("%s: %s", name, "ending" if len(received) == 1 else "discarding what is left")
        pipeline.stop(name)

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(outcome: Outcome, received: list[int]) -> int:
    totals = outcome.totals
    if isinstance(outcome.error, LinescanError):
        raise outcome.error
    if outcome.error is not None:
        log.error("the run failed: %s: %s", type(outcome.error).__name__, outcome.error)
        return BAD_INPUT
    if not totals.balanced:
        return UNBALANCED
    if signal.SIGINT in received:
        return INTERRUPTED
    if totals.captured and not totals.published:
        log.error("nothing was published: all %d lines were lost", totals.lost_total)
        return UNBALANCED
    return OK


def _report(
    console: Console, outcome: Outcome, statistics: Statistics, open_lines: Iterator[Interval]
) -> None:
    if statistics.objects:
        log.info("%s", statistics.explain())
    log.info("%s: %s", outcome.reason, outcome.totals.explain())
    for lines in itertools.islice(open_lines, MOST_NAMED):
        log.error("lines %d to %d have no fate", lines.first, lines.end - 1)
    if not console.is_terminal:
        return
    table = Table(title="Time in each stage", title_justify="left", box=None)
    for name in ("stage", "items", "p50 ms", "p95 ms", "p99 ms", "max ms"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    latencies = {**outcome.latencies, "end to end": statistics.end_to_end}
    for name, latency in latencies.items():
        row = latency.summary()
        values = [f"{row[key]:.2f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
        table.add_row(name, str(row["count"]), *values)
    console.print(table)
