"""``linescan forward``: what the journal keeps, handed to the plant's brokers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from linescan.cli.exits import INTERRUPTED, OK, UNBALANCED
from linescan.cli.options import Overrides, Verbose

if TYPE_CHECKING:
    from linescan.sinks import Forwarder

log = logging.getLogger("linescan")

LOG_S: Final = 10.0
TERMINAL_S: Final = 0.25
GOODBYE_S: Final = 5.0
"""When asked to end, wait so long for acknowledgements of what is under way."""


def forward(
    config: Annotated[Path, typer.Argument(help="Configuration file.", show_default=False)],
    overrides: Overrides = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is there has been forwarded.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Forward what the journal keeps to the brokers that the configuration names (sinks).

    It runs beside [bold]linescan run[/], or without it, and follows the journal until Ctrl-C. A
    broker that is away is tried for ever; its place in the journal is kept, also over restarts.
    The exit code is 1 if something could not be forwarded any more, and 2 if a broker refuses us.

    Example: [bold]linescan forward web-1.yaml[/]
    """
    from linescan.cli.logs import set_up_logging
    from linescan.config import load
    from linescan.sinks.factory import build_forwarders, unkept

    settings = load(config, overrides or ())
    console = Console(stderr=True)
    set_up_logging(console, verbose=verbose)
    forwarders = build_forwarders(settings)
    for name in unkept(settings):
        log.warning(
            "journal.keep_for does not name %s: what is older than journal.max_age_h goes,"
            " forwarded or not",
            name,
        )
    received = asyncio.run(_run(forwarders, console, once=once))
    for forwarder in forwarders:
        log.info("%s", forwarder.state.line())
    if signal.SIGINT in received:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(UNBALANCED if any(f.state.lost for f in forwarders) else OK)


async def _run(forwarders: list[Forwarder], console: Console, *, once: bool) -> list[int]:
    """Run all forwarders to their end; the signals that came.

    Raises:
        LinescanError: one of them cannot go on; the others are ended.
    """
    stop = asyncio.Event()
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    tasks = [asyncio.create_task(f.run(stop, once=once)) for f in forwarders]
    show = asyncio.create_task(_show(forwarders, console))
    stopped = asyncio.create_task(stop.wait())
    try:
        pending: set[asyncio.Task[Any]] = set(tasks)
        while pending and not stop.is_set():
            done, pending = await asyncio.wait(
                {*pending, stopped}, return_when=asyncio.FIRST_COMPLETED
            )
            pending.discard(stopped)
            if any(task.exception() for task in done - {stopped}):
                stop.set()
        if pending:
            await asyncio.wait(pending, timeout=GOODBYE_S)
    finally:
        for task in (*tasks, show, stopped):
            task.cancel()
        await asyncio.gather(*tasks, show, stopped, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            raise error
    return received


async def _show(forwarders: list[Forwarder], console: Console) -> None:
    """A live line for each sink on a terminal, a log line now and then elsewhere."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LOG_S)
            for forwarder in forwarders:
                log.info("%s", forwarder.state.line())
    with console.status("") as status, contextlib.suppress(asyncio.CancelledError):
        while True:
            lines = [forwarder.state.line() for forwarder in forwarders]
            status.update("\n".join((*lines, "Ctrl-C ends")))
            await asyncio.sleep(TERMINAL_S)
