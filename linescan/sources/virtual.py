"""The virtual camera: a camera like any other, and the world that it sees."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from linescan.config import GenicamSource, VirtualWeb
from linescan.errors import SourceError
from linescan.recording import Recording
from linescan.records import GrayArray, Interval, LineBlock
from linescan.simulation import SimulatedWeb, preset
from linescan.simulation.virtual_camera import (
    ENVIRONMENT,
    NAME,
    FaultPlan,
    VirtualWorld,
    WorldSettings,
    build_producer,
)
from linescan.sources.genicam import GenicamCamera

SIMULATED_LINES = 4096
"""Lines of a simulated web that come again and again."""
MOST_BYTES = 2**30
"""The pixels that come again and again take no more."""
LINE_RATE_HZ = 2000.0
"""Line rate where neither the configuration nor the recording says one."""
FAULTS = 1000


class VirtualCamera(GenicamCamera):
    """Acquires from the virtual camera's producer; makes its world at the start, ends it after."""

    def __init__(self, section: GenicamSource) -> None:
        super().__init__(section)
        self._camera = section
        self._world = ExitStack()

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Make the world, build the producer if need be, and open the camera.

        Raises:
            SourceError: one of these cannot be done.
        """
        self._world.enter_context(visible(self._camera))
        super().open(captured)

    def close(self) -> None:
        """Close the camera and forget its world."""
        super().close()
        self._world.close()


@contextmanager
def visible(section: GenicamSource) -> Iterator[None]:
    """While this lasts, processes that load the producer find the camera that is configured.

    Raises:
        SourceError: its world cannot be made, or the producer not be built.
    """
    if section.producer.name == NAME:
        build_producer(section.producer)
    with _nameless() as file, _nameless() as lines:
        before = os.environ.get(ENVIRONMENT)
        with make_world(_path_of(file), section, store=_path_of(lines)) as world:
            os.environ.update(world.environment)
        try:
            yield
        finally:
            os.environ.pop(ENVIRONMENT, None)
            if before is not None:
                os.environ[ENVIRONMENT] = before


def _nameless() -> IO[bytes]:
    """A temporary file without a name: a process that is killed leaves nothing behind.

    Raises:
        SourceError: there is no place for one.
    """
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise SourceError(
            f"the virtual camera's world cannot be written: {error}; set TMPDIR to a folder with "
            "room for it"
        ) from error


def _path_of(file: IO[bytes]) -> Path:
    """Where this process and those it starts find a file that has no name."""
    return Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def make_world(path: Path, section: GenicamSource, *, store: Path | None = None) -> VirtualWorld:
    """A world as a configuration describes it; its first line is the first that is acquired.

    Args:
        path: the world file.
        section: the camera, with what it sees; its line rate and block height are the world's, too.
        store: the file for its pixels; beside the world where None.

    Raises:
        SourceError: the lines cannot be had, are too many, or cannot be written.
    """
    seen = section.virtual or VirtualWeb()
    if seen.recording is not None:
        recording = Recording.open(seen.recording)
        pixels, bits = _recorded(recording, seen.lines), recording.header.bits
        recorded_rate = recording.header.line_rate_hz
    else:
        pixels, bits = _simulated(seen), 8
        recorded_rate = None
    settings = WorldSettings(
        line_rate_hz=section.line_rate_hz or recorded_rate or LINE_RATE_HZ,
        block_lines=section.block_lines or 512,
        hold=True,
    )
    try:
        world = VirtualWorld.create(path, pixels, bits=max(8, bits), settings=settings, store=store)
    except ValueError as error:
        raise SourceError(f"the virtual camera: {error}") from error
    if seen.fault_every_lines is not None:
        world.inject(*_faults(seen, settings.block_lines, seen.fault_every_lines))
    return world


def _recorded(recording: Recording, lines: int | None) -> GrayArray:
    header = recording.header
    wanted = header.lines if lines is None else min(lines, header.lines)
    if not wanted:
        raise SourceError(f"{recording.path}: the recording holds no lines")
    _check_size(wanted * header.width * np.dtype(header.dtype).itemsize)
    pixels: npt.NDArray[Any] = np.empty((wanted, header.width), header.dtype)
    row = 0
    for block in recording.blocks():
        if isinstance(block, LineBlock) and row < wanted:
            count = min(block.valid_rows, wanted - row)
            pixels[row : row + count] = block.pixels[:count]
            row += count
    kept: GrayArray = pixels[:row]
    return kept


def _simulated(seen: VirtualWeb) -> GrayArray:
    lines = SIMULATED_LINES if seen.lines is None else seen.lines
    _check_size(lines * seen.width)
    web = SimulatedWeb(preset(seen.preset, seed=seen.seed, width=seen.width))
    pixels = np.empty((lines, seen.width), np.uint8)
    for first in range(0, lines, 256):
        count = min(256, lines - first)
        pixels[first : first + count] = web.lines(first, count).pixels
    return pixels


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise SourceError(
            f"the virtual camera's lines take {size / 2**20:.0f} MiB, more than "
            f"{MOST_BYTES // 2**20}; set fewer with 'source.virtual.lines'"
        )


def _faults(seen: VirtualWeb, block_lines: int, spacing: int) -> FaultPlan:
    return FaultPlan.seeded(
        seen.seed,
        FAULTS,
        block_lines=max(2, block_lines),
        first_line=spacing,
        spacing_lines=spacing,
    )
