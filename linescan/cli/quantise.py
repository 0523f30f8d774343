"""``linescan model quantise``: the int8 twin of an exported model, and how far it is off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from linescan.config import Source
    from linescan.config.genicam import Preset
    from linescan.depth.quantise import QuantiseReport

MOST_FRAMES = 512
SIMULATED_WIDTH = 1024
"""Pixels across the simulated webs; their frames have as many lines."""


def quantise(
    model: Annotated[
        str,
        typer.Argument(
            help="A name of 'linescan model list', or the path of an exported .onnx file.",
            show_default=False,
        ),
    ],
    frames: Annotated[
        Path | None,
        typer.Option(
            help="What to calibrate on: a recording, a folder of images, or an image.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Calibrate on simulated webs of that kind instead, to try it out: mixed, parts, "
            "surface or print.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="ROWS COLS",
            help="Model input to calibrate a dynamic model at; its own where not given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The .onnx file; NAME-int8.onnx in the model folder where not given.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            help="Most frames to use, spread over the whole recording; every fourth is held back "
            "to measure the result.",
            min=1,
            max=MOST_FRAMES,
        ),
    ] = 128,
    tolerance: Annotated[
        float,
        typer.Option(
            help="Most deviation on the held-back frames: RMS in standard deviations of the "
            "original.",
            min=1e-6,
            max=0.99,
        ),
    ] = 0.02,
    force: Annotated[
        bool, typer.Option("--force", help="Write the file even if it deviates by more.")
    ] = False,
) -> None:
    """Make the int8 twin of an exported model: faster on CPUs with int8 arithmetic, less exact.

    As much of the model becomes int8 as the tolerance has room for; the rest stays as it is. No
    engine ever chooses the file by itself: name it in depth.model.
    """
    from rich.progress import BarColumn, Progress, TextColumn

    from linescan.depth import read_card
    from linescan.depth.quantise import quantise as quantise_model
    from linescan.errors import ModelError

    if (frames is None) == (preset is None):
        raise ModelError("give either --frames, what to calibrate on, or --preset")
    card = read_card(model)
    rows, columns = card.image_shape(card.resolve_size(size or "auto"))[:2]
    console = Console(stderr=True)
    bar = (TextColumn("{task.description}"), BarColumn())
    with Progress(*bar, console=console, transient=True) as progress:
        task = progress.add_task("collecting frames", total=1.0)
        images = list(islice(_images(frames, preset, (rows, columns), limit), limit))
        report = quantise_model(
            card,
            images,
            out,
            size=size,
            tolerance=tolerance,
            force=force,
            progress=lambda text, share: progress.update(task, description=text, completed=share),
        )
    _print(report)


def _images(
    frames: Path | None, preset: str | None, size: tuple[int, int], limit: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames as the model takes them."""
    from linescan.config import SimulatedSource
    from linescan.errors import ConfigError
    from linescan.simulation import PRESETS
    from linescan.sources.factory import guess_source

    if frames is not None:
        yield from _play(guess_source(frames), size, limit)
        return
    if preset not in PRESETS:
        raise ConfigError(f"--preset {preset}: expected one of {', '.join(sorted(PRESETS))}")
    for seed in range(limit):
        section = SimulatedSource(
            preset=cast("Preset", preset),
            seed=seed,
            width=SIMULATED_WIDTH,
            lines=SIMULATED_WIDTH,
        )
        yield from _play(section, size, 1)


def _play(section: Source, size: tuple[int, int], limit: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Whole frames of a source, as many as wanted and spread over all of it."""
    from linescan.config import FrameSection
    from linescan.depth.resize import Resize
    from linescan.records import Frame, Loss, ModelInput
    from linescan.sources import open_source
    from linescan.stitching import Stitch

    source = open_source(section)
    source.open(lambda _: None)
    try:
        info = source.description
        rows, _ = FrameSection().resolve(info.width)
        total = max((info.total_lines or 0) // rows, limit)
        stitch, resize = Stitch(rows, 0, "drop"), Resize(size, bits=info.bits)
        for item in source.items():
            made: Any = stitch.skip(item) if isinstance(item, Loss) else stitch.process(item)
            for frame in made:
                if not isinstance(frame, Frame) or not frame.valid.all():
                    continue
                index = frame.first_line // rows
                if index * limit // total != (index - 1) * limit // total:
                    yield from (i.image for i in resize.process(frame) if isinstance(i, ModelInput))
    finally:
        source.close()


def _print(report: QuantiseReport) -> None:
    rows, columns = report.size
    held_back = len(report.deviation.frames)
    typer.echo(
        f"{report.path}: {report.name}, {report.nbytes / 1e6:.1f} MB "
        f"(the original {report.original_nbytes / 1e6:.1f} MB)"
    )
    for part in report.parts:
        typer.echo(
            f"int8: {part.quantised} of {part.total} {part.kind}, {part.share:.0%} of their work"
        )
    typer.echo(f"calibrated on {report.calibrated} frames at {rows}x{columns}")
    typer.echo(
        f"deviation on {held_back} other frames: {report.deviation.pooled:.2g} standard "
        f"deviations, at worst {report.deviation.worst:.2g} on one"
    )
    if report.deviation.pooled > report.tolerance:
        typer.echo(f"THIS IS MORE than the tolerance of {report.tolerance:g}", err=True)
    speed = report.speed
    typer.echo(
        f"time: {speed.ms:.1f} ms on {speed.engine}, the original {speed.other_ms:.1f} ms on "
        f"{speed.other}"
    )
    typer.echo(f"to use it, name it in the configuration: depth.model: {_use(report)}")


def _use(report: QuantiseReport) -> str:
    from linescan.depth.models import model_path

    same = model_path(report.path.stem) == report.path
    return report.path.stem if same else str(report.path)
