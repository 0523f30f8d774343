"""Where lines come from: the ``source`` part of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat

from linescan.config.base import ENDLESS, Extent, LineRate, Section


def _named(path: object) -> object:
    """Refuse what names no file: pathlib would take '' for the current folder."""
    if isinstance(path, str) and (not path.strip() or "\0" in path):
        raise ValueError(f"expected a path, got {path!r}")
    return path


Preset = Literal["mixed", "parts", "surface", "print"]
Rate = LineRate | Literal["max"]
FilePath = Annotated[Path, BeforeValidator(_named)]


class Pitch(Section):
    """Size of one camera pixel on the web."""

    across_mm: PositiveFloat | None = None
    """Distance of neighbouring columns on the web, in mm."""
    along_mm: PositiveFloat | None = None
    """Distance of neighbouring lines on the web, in mm."""


class RecordingSource(Section):
    """Play a recording, see ``linescan record``."""

    type: Literal["recording"] = "recording"
    """Play a recorded scan."""
    path: FilePath
    """Folder of the recording (the one that holds recording.yaml)."""
    rate: Rate = "max"
    """Lines per second, or ``max`` for as fast as possible."""
    loop: bool = False
    """Start again at the end, with line numbers that go on."""
    skip_bad: bool = False
    """Count blocks that cannot be read as lost instead of stopping."""


class ImagesSource(Section):
    """Play image files as lines, row by row, in natural order of their names."""

    type: Literal["images"] = "images"
    """Play image files."""
    path: FilePath
    """An image file (PNG, TIFF, BMP, JPEG; 8 or 16 bit), or a folder of them."""
    rate: Rate = "max"
    """Lines per second, or ``max`` for as fast as possible."""
    loop: bool = False
    """Start again at the end, with line numbers that go on."""
    skip_bad: bool = False
    """Count images that cannot be read as lost instead of stopping."""
    block_lines: Extent = 256
    """Rows that are given at once; the last ones of an image may be fewer."""
    bits: int | None = Field(default=None, ge=1, le=16)
    """Bits of a pixel value that are in use, such as 12 in 16-bit files; the file's own if not."""
    pitch: Pitch = Pitch()
    """Pixel size on the web, where known."""


class SimulatedSource(Section):
    """An endless simulated web, see ``linescan simulate``."""

    type: Literal["simulated"] = "simulated"
    """Stream a simulated web."""
    preset: Preset = "mixed"
    """What lies on the web."""
    seed: NonNegativeInt = 1
    """The same seed gives the same web, for ever."""
    width: int = Field(default=2048, ge=1, le=32768)
    """Pixels across the web."""
    block_lines: int = Field(default=256, ge=1, le=8192)
    """Lines per block."""
    lines: int | None = Field(default=None, ge=1, le=ENDLESS)
    """End after so many lines; endless where not given."""
    rate: Rate = "max"
    """Lines per second, or ``max`` for as fast as possible."""


class Device(Section):
    """Which camera of the producer; the first one that matches all given keys."""

    serial: str | None = None
    """Serial number."""
    model: str | None = None
    """Model name."""
    user_name: str | None = None
    """User-defined name."""
    index: NonNegativeInt = 0
    """Position among those that match, from 0."""


class VirtualWeb(Section):
    """What the virtual camera sees, and what goes wrong with it; see ``make producer``."""

    recording: FilePath | None = None
    """Folder of a recording, played again and again; a simulated web where not given."""
    preset: Preset = "parts"
    """What lies on the simulated web."""
    seed: NonNegativeInt = 1
    """The same seed gives the same web and the same faults."""
    width: int = Field(default=1024, ge=64, le=32768)
    """Pixels across the simulated web."""
    lines: int | None = Field(default=None, ge=1, le=10**7)
    """Lines that come again and again: the recording's first, or 4096 of the simulated web."""
    fault_every_lines: int | None = Field(default=None, ge=1, le=ENDLESS)
    """Mean distance of faults of mixed causes, 1000 of them, in lines; none where not given."""


class GenicamSource(Section):
    """A GenICam camera through a GenTL producer (.cti)."""

    type: Literal["genicam"] = "genicam"
    """Acquire from a camera."""
    producer: FilePath
    """The GenTL producer file (.cti) of the camera's or grabber's vendor."""
    device: Device = Device()
    """Which camera."""
    virtual: VirtualWeb | None = None
    """For the virtual camera's producer: what it sees."""
    width: Extent | None = None
    """Pixels across; the camera's own setting where not given."""
    block_lines: Extent | None = None
    """Lines per buffer (feature Height); the camera's own setting where not given."""
    line_rate_hz: LineRate | None = None
    """Lines per second (feature AcquisitionLineRate); the camera's own where not given."""
    pixel_format: Literal["Mono8", "Mono10", "Mono12", "Mono16"] | None = None
    """Pixel format; the camera's own setting where not given."""
    buffers: int = Field(default=32, ge=3, le=1024)
    """Buffers announced to the producer."""
    pitch: Pitch = Pitch()
    """Pixel size on the web, where known."""


Source = Annotated[
    RecordingSource | ImagesSource | SimulatedSource | GenicamSource,
    Field(discriminator="type"),
]
