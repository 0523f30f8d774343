"""``linescan record``: lines of any source onto the disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linescan.cli.exits import INTERRUPTED, OK
from linescan.cli.options import Duration, Lines, Overrides

if TYPE_CHECKING:
    from linescan.config import Config
    from linescan.records import Interval
    from linescan.sources.base import Source


def record(
    source: Annotated[
        Path,
        typer.Argument(
            help="A configuration (.yaml) whose source is recorded, or what replay takes.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new recording.", show_default=False)],
    lines: Lines = None,
    duration: Duration = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a recording that is there.")] = False,
    overrides: Overrides = None,
) -> None:
    """Record the lines of a source, with its losses, so that a replay gives the same again.

    Ctrl-C ends the recording; what was recorded is whole.

    Example: [bold]linescan record configs/camera.yaml --out scans/monday --lines 200000[/]
    """
    from rich.console import Console

    from linescan.cli.logs import set_up_logging
    from linescan.cli.sources import source_config
    from linescan.pipeline.limits import LimitedSource
    from linescan.sources import open_source

    set_up_logging(Console(stderr=True), verbose=False)
    config = source_config(source, list(overrides or ()))
    _keep_the_source(config, out)
    opened: Source = open_source(config.source)
    if lines is not None:
        opened = LimitedSource(opened, lines)
    opened.open(_ignore)
    try:
        with _ends(opened, duration) as received:
            kept, lost = _write(opened, config.camera, out, overwrite=overwrite)
    finally:
        opened.close()
    typer.echo(f"{out}: {kept} lines recorded, {lost} lost")
    raise typer.Exit(INTERRUPTED if signal.SIGINT in received else OK)


def _keep_the_source(config: Config, out: Path) -> None:
    """Refuse to write the recording over the one that is to be recorded."""
    from linescan.errors import SourceError

    path: Path | None = getattr(config.source, "path", None)
    if path is not None and out.resolve() in (path.resolve(), path.resolve().parent):
        raise SourceError(f"{out}: this is what is to be recorded; choose another folder")


def _write(source: Source, camera: str, out: Path, *, overwrite: bool) -> tuple[int, int]:
    """Write all items; the numbers of lines kept and lost."""
    from linescan.cli.bars import line_bar
    from linescan.config import Pitch
    from linescan.recording import Header, Prompt, Provenance, RecordingWriter
    from linescan.records import Loss

    info = source.description
    header = Header(
        camera=camera,
        width=info.width,
        dtype="uint8" if info.dtype == "uint8" else "uint16",
        bits=info.bits,
        line_rate_hz=info.line_rate_hz,
        pitch=Pitch(across_mm=info.across_mm, along_mm=info.along_mm),
        provenance=Provenance(source=info.name),
    )
    kept = lost = 0
    with (
        RecordingWriter(out, header, overwrite=overwrite) as writer,
        Prompt(writer, source.stop) as prompt,
        line_bar("recording", info.total_lines) as show,
    ):
        for item in source.items():
            prompt.append(item)
            (lines,) = item.lines()
            if isinstance(item, Loss):
                lost += lines.count
            else:
                kept += lines.count
            show(kept + lost)
    return kept, lost


@contextmanager
def _ends(source: Source, duration: float | None) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM or the time limit end the source; what it gave is kept.

    Yields:
        The signals that came.
    """
    received: list[int] = []

    def stop(number: int = 0, _: object = None) -> None:
        received.append(number)
        source.stop()

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    timer = threading.Timer(duration, stop) if duration else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield received
    finally:
        if timer:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(_: Iterable[Interval]) -> None:
    """Recording keeps what the source gives; the account is made when it is replayed."""
