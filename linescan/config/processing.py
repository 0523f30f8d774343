"""What is done with the lines beside depth: stitching and segmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    model_validator,
)

from linescan.config.base import MOST_LINES, Extent, Section


def check_overlap(lines: int, overlap: int) -> None:
    """Raise a ValueError where frames would share more than half of their rows."""
    if overlap * 2 > lines:
        raise ValueError(f"overlap {overlap} is more than half of lines {lines}")


Overlap = Annotated[int, Field(ge=0, le=MOST_LINES // 2)]


class FrameSection(Section):
    """How lines become frames."""

    lines: Extent | Literal["auto"] = "auto"
    """Rows of a frame; ``auto`` takes as many as the web has pixels across, at most 4096."""
    overlap: Overlap | Literal["auto"] = "auto"
    """Rows that a frame shares with the one before; ``auto`` takes a sixteenth of its rows."""
    last: Literal["pad", "drop", "short"] = "pad"
    """A last frame that is not full: pad it with invalid rows, drop it, or send it short."""

    @model_validator(mode="after")
    def _overlap_fits(self) -> FrameSection:
        if isinstance(self.lines, int) and isinstance(self.overlap, int):
            check_overlap(self.lines, self.overlap)
        return self

    def resolve(self, width: int) -> tuple[int, int]:
        """Rows and overlap of a frame for a web of ``width`` pixels.

        Raises:
            ValueError: the overlap is more than half of the rows.
        """
        lines = min(width, 4096) if self.lines == "auto" else self.lines
        overlap = lines // 16 if self.overlap == "auto" else self.overlap
        check_overlap(lines, overlap)
        return lines, overlap


class ThresholdSection(Section):
    """Where an object begins, from the distribution of depth above the background."""

    method: Literal["mad", "quantile", "otsu", "multi_otsu", "height", "belt"] = "mad"
    """Median + k·MAD, a quantile, Otsu's two or several classes, a fixed height, or k times the
    noise that the belt was found to have (needs ``background: belt``)."""
    k: PositiveFloat = 6.0
    """For ``mad`` and ``belt``: distance from the background in robust standard deviations
    (1.4826·MAD), of this frame or of the belt."""
    high: PositiveFloat | None = None
    """For ``height``: an object needs a pixel so far from the background, in the unit of the depth
    map."""
    low: PositiveFloat | None = None
    """For ``height``: what belongs to it reaches out to this distance; where left out, to
    ``hysteresis`` times ``high``. It ends there with ``outline: threshold``."""
    quantile: float = Field(default=0.98, gt=0.5, lt=1.0)
    """For ``quantile``: share of pixels below the upper threshold."""
    classes: int = Field(default=3, ge=2, le=5)
    """For ``multi_otsu``: number of classes; all but the background's are objects."""
    side: Literal["both", "raised", "sunk"] = "both"
    """Which deviations are objects."""
    floor: NonNegativeFloat | Literal["auto"] = "auto"
    """Least distance from the background, in the unit of the depth map, whatever the method;
    ``auto`` takes what the model says of itself."""

    @model_validator(mode="after")
    def _heights_fit(self) -> ThresholdSection:
        if self.method == "height":
            if self.high is None:
                raise ValueError("method height needs high, the height at which an object begins")
            if self.low is not None and self.low > self.high:
                raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        elif self.high is not None or self.low is not None:
            raise ValueError(f"high and low are for method height, not {self.method}")
        return self


class BeltSection(Section):
    """How the belt is learned, for ``background: belt``."""

    memory_lines: int = Field(default=20_000, ge=1, le=10**9)
    """Time constant, in web lines: what the belt looked like so long ago counts a third. Columns
    in which no belt was seen for so long are learned anew."""


class ShapeSection(Section):
    """Which objects count, by their shape; judged on the whole object where it is cut by frames."""

    max_area_px: PositiveFloat | None = None
    """Largest area, in pixels of the depth map."""
    min_area_mm2: PositiveFloat | None = None
    """Least area in mm²; the pitch must be known."""
    max_area_mm2: PositiveFloat | None = None
    """Largest area in mm²; the pitch must be known."""
    min_height: PositiveFloat | None = None
    """Least height of the highest pixel (depth of the deepest), in the unit of the depth map."""
    min_elongation: float | None = Field(default=None, ge=1.0)
    """Least ratio of length to width: 1 for a disc or square, 10 for a scratch."""
    max_elongation: float | None = Field(default=None, ge=1.0)
    """Largest ratio of length to width."""
    min_extent: float | None = Field(default=None, gt=0.0, le=1.0)
    """Least share of its bounding box that an object covers: 0.785 for a disc."""

    @property
    def needs_pitch(self) -> bool:
        """Whether the size of a camera pixel must be known."""
        return self.min_area_mm2 is not None or self.max_area_mm2 is not None


class TracksSection(Section):
    """Objects that frame borders cut keep one identity and are reported once, when complete."""

    enabled: bool = True
    """Switch off to take each frame for itself."""
    max_open: int = Field(default=1000, ge=1, le=65534)
    """Most objects that wait for the next frame; the largest are kept open."""
    max_lines: int = Field(default=50_000, ge=1, le=10**9)
    """An object is reported, as cut, once it is so many lines long; what follows is another one."""


class SegmentationSection(Section):
    """Objects from depth."""

    enabled: bool = True
    """Switch off to deliver depth alone."""
    background: Literal["none", "plane", "columns", "both", "belt"] = "both"
    """Slowly varying background to remove first: a plane, the profile of columns, or both, of each
    frame on its own; or the profile of the belt, learned over time."""
    belt: BeltSection = BeltSection()
    """How the belt is learned."""
    threshold: ThresholdSection = ThresholdSection()
    """Where an object begins."""
    hysteresis: float = Field(default=0.5, gt=0.0, le=1.0)
    """What belongs to an object reaches out to this share of the threshold; 1 = off."""
    outline: Annotated[float, Field(ge=0.1, le=0.9)] | Literal["threshold"] = 0.5
    """An object ends where it falls to this share of its own height; with ``threshold``, where
    hysteresis ends, at the same height for all."""
    open_px: int = Field(default=3, ge=0, le=99)
    """Diameter of the morphological opening, in pixels of the depth map; 0 or 1 = off."""
    min_area_px: int = Field(default=25, ge=1, le=MOST_LINES**2)
    """Least area of an object, within its outline, in pixels of the depth map."""
    max_objects: int = Field(default=1000, ge=1, le=65534)
    """Most objects of a frame; the largest are kept."""
    shape: ShapeSection = ShapeSection()
    """Which objects count, by their shape."""
    tracks: TracksSection = TracksSection()
    """Objects across frame borders."""

    @model_validator(mode="after")
    def _belt_is_learned(self) -> SegmentationSection:
        if self.threshold.method == "belt" and self.background != "belt":
            raise ValueError(
                "threshold.method belt needs background: belt, which learns the belt's noise"
            )
        return self
