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

    method: Literal["mad", "quantile", "otsu", "multi_otsu"] = "mad"
    """Median + k·MAD, a quantile, Otsu's two classes, or Otsu's several classes."""
    k: PositiveFloat = 6.0
    """For ``mad``: distance from the median in robust standard deviations (1.4826·MAD)."""
    quantile: float = Field(default=0.98, gt=0.5, lt=1.0)
    """For ``quantile``: share of pixels below the upper threshold."""
    classes: int = Field(default=3, ge=2, le=5)
    """For ``multi_otsu``: number of classes; all but the background's are objects."""
    side: Literal["both", "raised", "sunk"] = "both"
    """Which deviations are objects."""
    floor: NonNegativeFloat | Literal["auto"] = "auto"
    """Least distance from the background, in the unit of the depth map, whatever the method;
    ``auto`` takes what the model says of itself."""


class SegmentationSection(Section):
    """Objects from depth."""

    enabled: bool = True
    """Switch off to deliver depth alone."""
    background: Literal["none", "plane", "columns", "both"] = "both"
    """Slowly varying background to remove first: a plane, the profile of columns, or both."""
    threshold: ThresholdSection = ThresholdSection()
    """Where an object begins."""
    hysteresis: float = Field(default=0.5, gt=0.0, le=1.0)
    """An object reaches out to where depth falls below this share of the threshold; 1 = off."""
    open_px: int = Field(default=3, ge=0, le=99)
    """Diameter of the morphological opening, in pixels of the depth map; 0 or 1 = off."""
    min_area_px: int = Field(default=40, ge=1, le=MOST_LINES**2)
    """Least area of an object, in pixels of the depth map."""
    max_objects: int = Field(default=1000, ge=1, le=65534)
    """Most objects of a frame; the largest are kept."""
