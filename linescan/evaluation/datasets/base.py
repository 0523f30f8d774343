"""What the yardstick judges on: frames whose true height is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from linescan.errors import LinescanError
from linescan.recording import TruthObject
from linescan.records import FloatArray, Frame, LabelArray, WebMap

HeightUnit = Literal["mm", "um"]
MM_PER: dict[HeightUnit, float] = {"mm": 1.0, "um": 1e-3}
"""Millimetres in a unit of height."""


class DataSetError(LinescanError):
    """A data set cannot be judged on: it is missing, damaged or contradicts itself."""


@dataclass(frozen=True, slots=True)
class KnownLight:
    """Mean direction of the light, see ``linescan.simulation.scene.Light``.

    Attributes:
        azimuth_deg: seen from above; 0 is the side of the earlier lines.
        elevation_deg: above the web.
        ambient: share of the flat web's brightness that has no direction.
    """

    azimuth_deg: float
    elevation_deg: float
    ambient: float


@dataclass(frozen=True, slots=True)
class TrueFrame:
    """One frame and what is known of it.

    Attributes:
        name: of the frame, for reports.
        web: frames with the same number follow each other on one web, in order.
        frame: camera pixels, as the pipeline's stitcher cuts them.
        bits: significant bits of a pixel.
        height: (h, w) float32 true height in the data set's unit, NaN where unknown.
        height_web: where each of these heights lies on the web.
        labels: (rows, width) uint16 true objects at camera pixels, 0 for none; None where unknown.
        objects: the true objects that reach into the frame, whole; heights in mm.
        pitch_mm: size of a camera pixel in mm, (along, across); None where unknown.
        light: where the light comes from, where that is known.
    """

    name: str
    web: int
    frame: Frame
    bits: int
    height: FloatArray
    height_web: WebMap
    labels: LabelArray | None = None
    objects: tuple[TruthObject, ...] = ()
    pitch_mm: tuple[float | None, float | None] = (None, None)
    light: KnownLight | None = None


Wanted = Callable[[int], bool]


def every(_number: int) -> bool:
    """All frames are wanted."""
    return True


class DataSet(Protocol):
    """Frames with truth, drawn one at a time: whoever iterates needs memory for one.

    Attributes:
        name: as it was asked for.
        about: what it is, in one sentence.
        unit: of its heights.
        count: frames that it holds.
        continuous: frames follow each other on one web.
        overlap: lines that such a frame shares with the next one.
        pictures: each frame stands alone and keeps its aspect, as in ``linescan image``; False
            where frames are cut from a web, as in ``linescan run``.
    """

    name: str
    about: str
    unit: HeightUnit
    count: int
    continuous: bool
    overlap: int
    pictures: bool

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Frames with their numbers, in order; the same ones each time.

        Args:
            wanted: of a number, whether its frame is drawn at all.

        Raises:
            LinescanError: a frame cannot be read.
        """
        ...
