"""A simulated web as a camera, and as a recording with its truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import linescan.simulation as simulation
from linescan.config import Pitch, SimulatedSource
from linescan.errors import SourceError
from linescan.recording import Header, HeightEncoding, Provenance, RecordingWriter, TruthObject
from linescan.records import Interval, LineBlock
from linescan.simulation import Scene, SimulatedWeb
from linescan.sources.base import SourceInfo
from linescan.sources.pacing import Pacer


class SimulatedCamera:
    """Streams a simulated web, for ever or for a number of lines."""

    def __init__(self, section: SimulatedSource) -> None:
        self._section = section
        self._pacer = Pacer(section.rate)
        self._web: SimulatedWeb | None = None
        self._captured: Callable[[Iterable[Interval]], None] = lambda _: None

    @property
    def description(self) -> SourceInfo:
        """What is known of the source; only once it is open."""
        section, scene = self._section, self._open_web().scene
        return SourceInfo(
            name=f"simulated {section.preset}, seed {section.seed}",
            width=scene.width,
            dtype=_dtype(scene),
            bits=scene.camera.bit_depth,
            line_rate_hz=None if section.rate == "max" else section.rate,
            across_mm=scene.pitch_mm,
            along_mm=scene.pitch_mm,
            total_lines=section.lines,
        )

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Prepare the web.

        Raises:
            SourceError: it cannot be simulated so.
        """
        self._web = SimulatedWeb(_scene(self._section))
        self._captured = captured

    def items(self) -> Iterator[LineBlock]:
        """Blocks in order; see ``Source.items``."""
        web, section = self._open_web(), self._section
        line = 0
        while section.lines is None or line < section.lines:
            left = section.block_lines if section.lines is None else section.lines - line
            count = min(section.block_lines, left)
            lines = web.lines(line, count)
            if not self._pacer.wait(count):
                return
            self._captured([Interval(line, count)])
            yield LineBlock(lines.pixels, line, count, time.time_ns(), encoder=lines.encoder)
            line += count

    def stop(self) -> None:
        """End ``items`` soon."""
        self._pacer.stop()

    def close(self) -> None:
        """Forget the web."""
        self._pacer.stop()
        self._web = None

    def _open_web(self) -> SimulatedWeb:
        if self._web is None:
            raise SourceError("the simulated web is not open")
        return self._web


def record_simulated(
    section: SimulatedSource,
    path: Path,
    *,
    camera: str = "web-1",
    line_rate_hz: float | None = None,
    truth: HeightEncoding | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Header:
    """Record a stretch of a simulated web, with its truth where ``truth`` says how to store it.

    Args:
        section: the web; ``lines`` must say how many, ``rate`` has no effect.
        path: folder of the recording.
        camera: name of the camera.
        line_rate_hz: line rate that the recording claims.
        truth: how to store heights; labels and objects are then stored, too.
        overwrite: replace a recording that is already there.
        progress: told the number of lines done, after each block.

    Returns:
        The header of the finished recording.

    Raises:
        SourceError: the web cannot be simulated so, or the recording cannot be written.
    """
    if section.lines is None:
        raise SourceError("an endless web cannot be recorded; say how many lines")
    scene = _scene(section)
    web = SimulatedWeb(scene)
    header = Header(
        camera=camera,
        width=scene.width,
        dtype=_dtype(scene),
        bits=scene.camera.bit_depth,
        line_rate_hz=line_rate_hz,
        pitch=Pitch(across_mm=scene.pitch_mm, along_mm=scene.pitch_mm),
        provenance=Provenance(source=f"simulated web, preset {section.preset}", seed=section.seed),
    )
    with RecordingWriter(path, header, overwrite=overwrite, truth=truth) as writer:
        for first in range(0, section.lines, section.block_lines):
            count = min(section.block_lines, section.lines - first)
            _record_block(writer, web, first, count, line_rate_hz, with_truth=truth is not None)
            progress(first + count)
    return writer.header


def _record_block(
    writer: RecordingWriter,
    web: SimulatedWeb,
    first: int,
    count: int,
    line_rate_hz: float | None,
    *,
    with_truth: bool,
) -> None:
    lines = web.lines(first, count)
    device = None if line_rate_hz is None else round((first + count) * 1e9 / line_rate_hz)
    writer.append(
        LineBlock(lines.pixels, first, count, time.time_ns(), device, encoder=lines.encoder)
    )
    if with_truth:
        writer.append_truth(first, lines.height, lines.labels)
        # An object is listed once: with the block it begins in, or with the first it reaches into.
        begun = (o for o in web.objects(first, count) if o.first_line >= first or first == 0)
        writer.append_objects(TruthObject(**asdict(thing)) for thing in begun)


def _scene(section: SimulatedSource) -> Scene:
    try:
        return simulation.preset(section.preset, seed=section.seed, width=section.width)
    except ValueError as error:
        raise SourceError(f"the simulated web: {error}") from error


def _dtype(scene: Scene) -> Literal["uint8", "uint16"]:
    return "uint8" if scene.camera.bit_depth == 8 else "uint16"
