"""``linescan run``: the pipeline as a configuration describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linescan.cli.options import (
    Duration,
    Lines,
    Overrides,
    Summary,
    Verbose,
    WaitSubscribers,
    settings_of,
)


def run(
    config: Annotated[Path, typer.Argument(help="Configuration file.", show_default=False)],
    overrides: Overrides = None,
    duration: Duration = None,
    lines: Lines = None,
    summary: Summary = None,
    wait_subscribers: WaitSubscribers = None,
    verbose: Verbose = False,
) -> None:
    """Run a pipeline: lines from its source become depth, masks and objects over ZeroMQ.

    It runs until the source ends, Ctrl-C, or a limit below; what is under way is drained, and the
    final ledger says what became of every line. The exit code is 0 only if the ledger balances.

    Example: [bold]linescan run configs/demo.yaml --set depth.backend=cpu --summary end.json[/]
    """
    from linescan.cli.session import play
    from linescan.config import load

    settings = settings_of(overrides, wait_subscribers)
    play(load(config, settings), limit_s=duration, lines=lines, summary=summary, verbose=verbose)
