"""Where lines come from: the ``source`` part of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from linescan.config.base import ENDLESS, Extent, LineRate, Section
from linescan.config.genicam import FilePath, GenicamSource, Pitch, Preset

Rate = LineRate | Literal["max"]


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


Source = Annotated[
    RecordingSource | ImagesSource | SimulatedSource | GenicamSource,
    Field(discriminator="type"),
]
