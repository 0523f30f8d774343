"""``linescan replay``: recorded lines through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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

if TYPE_CHECKING:
    from linescan.config import ImagesSource, RecordingSource


def _rate(text: str) -> float | Literal["max"]:
    if text == "max":
        return "max"
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise typer.BadParameter(f"'{text}': expected lines per second, such as 20000, or max")
    return rate


def replay(
    path: Annotated[
        Path,
        typer.Argument(help="A recording, a folder of images, or one image.", show_default=False),
    ],
    rate: Annotated[
        str,
        typer.Option(metavar="HZ|max", help="Lines per second, or as fast as possible."),
    ] = "max",
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Count what cannot be read as lost, and go on.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take all but the source from this file."),
    ] = None,
    overrides: Overrides = None,
    duration: Duration = None,
    lines: Lines = None,
    summary: Summary = None,
    wait_subscribers: WaitSubscribers = None,
    verbose: Verbose = False,
) -> None:
    """Play recorded lines as a camera would give them, through the whole pipeline.

    Takes a recording (see [bold]linescan record[/]), a folder of PNG, TIFF, BMP or JPEG images in
    natural order, or one image. Nothing is lost: a slow stage slows the replay.

    Example: [bold]linescan replay sim_data/parts --rate 20000 --wait-subscribers 1[/]
    """
    from linescan.cli.session import play
    from linescan.config import load, parse
    from linescan.sources import guess_source

    chosen = {"rate": _rate(rate), "loop": loop, "skip_bad": skip_bad}
    source = guess_source(path).model_copy(update=chosen)
    settings = ["overload.policy=block", *settings_of(overrides, wait_subscribers)]
    if config:
        read = load(config, settings, source)
    else:
        named = any(item.partition("=")[0].strip() == "camera" for item in settings)
        text = "" if named else f"camera: {json.dumps(_camera(source))}"
        read = parse(text, "replay", settings, source=source)
    play(read, limit_s=duration, lines=lines, summary=summary, verbose=verbose)


def _camera(source: RecordingSource | ImagesSource) -> str:
    """The camera that the lines came from, where that is known."""
    from linescan.errors import ProtocolError, SourceError
    from linescan.protocol import check_camera
    from linescan.recording import Recording
    from linescan.recording.header import HEADER_FILE

    if source.type != "recording":
        return "web-1"
    recording = Recording.open(source.path)
    try:
        return check_camera(recording.header.camera)
    except ProtocolError as error:
        raise SourceError(
            f"{recording.path / HEADER_FILE}: {error}; give it another with --set camera=NAME"
        ) from error
