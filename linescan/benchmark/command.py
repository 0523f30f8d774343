"""The command: options in, tables and files out."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from linescan.benchmark.compare import print_comparison
from linescan.benchmark.markdown import report
from linescan.benchmark.measure import Benchmark
from linescan.benchmark.options import Options, parse
from linescan.benchmark.results import Results, read_json, write_json, write_text
from linescan.benchmark.tables import print_results
from linescan.errors import LinescanError, install_hint

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark that a command line asks for; the exit code.

    0: done. 1: the pipeline failed; the rest was measured, printed and written. 2: an option, a
    model or a file is wrong; the text says which. 130: ended by Ctrl-C or SIGTERM, after what was
    measured was printed and written.
    """
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    try:
        options = parse(arguments)
        _check_plot(options)
        old = read_json(options.compare) if options.compare else None
        with _sigterm_as_ctrl_c(), _quiet():
            results, interrupted = _measure(options)
        print_results(results, console)
        _write(results, options, console)
        if old is not None:
            print_comparison(results, old, console)
    except LinescanError as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    if interrupted:
        return INTERRUPTED
    missing = (results["pipeline"] or {}).get("missing")
    if missing is not None:
        sys.stderr.write(f"error: the pipeline was not measured: {missing}\n")
        return FAILED
    return OK


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Children end and the temporary folder goes, however a run is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def _quiet() -> Iterator[None]:
    """What does not load stands in the table, not in the log."""
    logger = logging.getLogger("linescan")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _measure(options: Options) -> tuple[Results, bool]:
    """Results, and whether Ctrl-C cut them short."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar_console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="linescan-", ignore_cleanup_errors=True) as folder,
        Progress(
            *columns, console=bar_console, transient=True, disable=not bar_console.is_terminal
        ) as progress,
    ):
        benchmark = Benchmark(options, Path(folder), _Bar(progress))
        try:
            benchmark.run()
        except KeyboardInterrupt:
            return benchmark.results, True
        return benchmark.results, False


class _Bar:
    """One line that says what is being done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("starting", total=None)

    def __call__(self, what: str, share: float | None) -> None:
        total = None if share is None else 1.0
        self._progress.update(self._task, description=what, total=total, completed=share or 0.0)


def _check_plot(options: Options) -> None:
    """Better before the measurement than after it."""
    if options.plot is None:
        return
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise LinescanError(
            f"--plot needs matplotlib; {install_hint('bench')} ({error})"
        ) from error


def _write(results: Results, options: Options, console: Console) -> None:
    if options.json is not None:
        write_json(results, options.json)
    if options.markdown is not None:
        write_text(report(results), options.markdown)
    if options.plot is not None:
        from linescan.benchmark.plot import draw

        draw(results, options.plot)
    for path in (options.json, options.markdown, options.plot):
        if path is not None:
            console.print(f"written: {path}", markup=False, soft_wrap=True)
