"""``linescan image``: single pictures in; depth, heat map, mask and overlay out."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from linescan.cli.exits import BAD_INPUT, OK
from linescan.cli.options import Overrides
from linescan.errors import LinescanError, SourceError

if TYPE_CHECKING:
    from linescan.config import Config, DepthSection
    from linescan.records import DepthMap, Frame, Inspection
    from linescan.stages import Stage

log = logging.getLogger("linescan")


def image(
    files: Annotated[list[Path], typer.Argument(help="Image files.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take depth and segmentation from this file."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Turn pictures into depth: 16-bit depth, heat map, object mask and overlay for each file.

    Takes PNG, TIFF, BMP and JPEG, 8 or 16 bit; colour becomes gray. Each picture is one frame.

    Example: [bold]linescan image part.png other.tif --out pictures --set depth.model=small[/]
    """
    from rich.console import Console

    from linescan.cli.logs import set_up_logging

    set_up_logging(Console(stderr=True), verbose=False)
    settings = _settings(config, list(overrides or ()), files[0])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LinescanError(f"{out}: cannot be the folder of pictures: {error.strerror}") from error
    bad = 0
    with _Inspector(settings) as inspector:
        for file, stem in zip(files, _stems(files), strict=True):
            try:
                frame, bits = _read(file)
            except SourceError as error:
                typer.echo(f"error: {error}", err=True)
                bad += 1
                continue
            inspection = inspector.inspect(frame, bits)
            names = _save(out, stem, inspection)
            count = len(inspection.segmentation.objects) if inspection.segmentation else 0
            typer.echo(f"{file}: {count} objects; {', '.join(names)}")
    raise typer.Exit(BAD_INPUT if bad else OK)


class _Inspector(ExitStack):
    """Depth and objects of single frames; keeps the engine while it suits."""

    def __init__(self, config: Config) -> None:
        from linescan.depth import read_card

        super().__init__()
        self._config = config
        self._card = read_card(config.depth.model)
        self._stages: list[Stage[Any, Any]] = []
        self._key: object = None

    def inspect(self, frame: Frame, bits: int) -> Inspection:
        """Run one frame through depth and segmentation."""
        from linescan.pipeline.chain import through

        depth = self._config.depth
        rows, columns = frame.pixels.shape
        shape: tuple[int, int] | None = (rows, columns)
        if depth.mode == "resize":
            if depth.size == "auto" and self._card.frame_size is None:
                depth = depth.model_copy(update={"size": self._card.fit(rows, columns)})
            shape = self._card.frame_size and shape  # any shape is stretched to the same size
        if self._key != (depth.size, shape, bits):
            self._open(depth, (rows, columns), bits)
            self._key = (depth.size, shape, bits)
        (inspection,) = through(self._stages, frame)
        return cast("Inspection", inspection)

    def _open(self, depth: DepthSection, shape: tuple[int, int], bits: int) -> None:
        from linescan.config import FrameSection
        from linescan.pipeline.chain import set_up
        from linescan.pipeline.factory import processing_stages
        from linescan.sources.base import SourceInfo

        self.close()
        depth = depth.model_copy(update={"enabled": True})
        frame = FrameSection(lines=shape[0], overlap=0)
        config = self._config.model_copy(update={"depth": depth, "frame": frame})
        pitch = config.source.pitch if config.source.type == "images" else None
        info = SourceInfo(
            "images",
            width=shape[1],
            bits=bits,
            across_mm=pitch.across_mm if pitch else None,
            along_mm=pitch.along_mm if pitch else None,
        )
        self._stages = processing_stages(config, info, streaming=False)
        self.enter_context(set_up(self._stages))


def _settings(config: Path | None, overrides: list[str], file: Path) -> Config:
    from linescan.config import ImagesSource, load, parse

    source = ImagesSource(path=file)
    if config:
        return load(config, overrides, source)
    return parse("", "image", overrides, source=source)


def _read(file: Path) -> tuple[Frame, int]:
    """A picture as a frame, and the bits of its pixels that are in use."""
    import numpy as np

    from linescan.records import Frame
    from linescan.sources.images.decode import GrayReader, peek
    from linescan.sources.images.problem import ImageProblem

    try:
        header = peek(file)
        pixels = GrayReader().read(file, header, header.bits)
    except ImageProblem as error:
        raise SourceError(f"{file}: {error}") from error
    return Frame(pixels, 0, np.ones(len(pixels), np.bool_), 0, time.time_ns()), header.bits


def _save(out: Path, stem: str, inspection: Inspection) -> list[str]:
    """Write the pictures of one frame; their names."""
    from linescan.pictures import save_inspection

    segmentation = inspection.segmentation
    paths = save_inspection(
        out,
        stem,
        depth=cast("DepthMap", inspection.depth),  # always on here
        labels=segmentation.labels if segmentation else None,
        objects=segmentation.objects if segmentation else (),
        thresholds=segmentation.thresholds if segmentation else None,
        image=inspection.frame.pixels,
    )
    return [path.name for path in paths]


def _stems(files: list[Path]) -> list[str]:
    """The files' names without endings; with endings, then numbered, where two are the same."""
    count = Counter(file.stem for file in files)
    stems: dict[str, None] = {}  # in order
    for file in files:
        stem = name = file.stem if count[file.stem] == 1 else file.name.replace(".", "_")
        number = 1
        while stem in stems:
            number += 1
            stem = f"{name}_{number}"
        stems[stem] = None
    return list(stems)
