"""What is done to lines before they become frames: the ``correction`` part of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from linescan.config.base import Section
from linescan.config.genicam import FilePath

Rows = Annotated[float, Field(ge=1, le=4096)]


class EncoderResamplingSection(Section):
    """Rows of equal travel from lines of uneven travel, by each line's encoder tick."""

    enabled: bool = False
    """Switch on to make rows of ``row_mm`` travel each; lines then need encoder ticks."""
    mm_per_tick: PositiveFloat | None = None
    """Travel of the web for one encoder tick, in mm."""
    row_mm: PositiveFloat | Literal["auto"] = "auto"
    """Travel of one row, in mm; ``auto`` takes the source's pitch across: square pixels."""
    counts: Literal["up", "down"] = "up"
    """Whether the encoder counts up or down while the web runs forward."""
    max_gap_rows: Rows = 3.0
    """Rows between two lines are interpolated up to this travel, in rows; beyond it they are
    missing."""
    jitter_rows: float = Field(default=1.0, ge=0, le=4096)
    """A step back of at most so many rows counts as standing still; beyond it the web runs back and
    its lines are lost as ``reversed_travel``."""

    @model_validator(mode="after")
    def _has_scale(self) -> EncoderResamplingSection:
        if self.enabled and self.mm_per_tick is None:
            raise ValueError(
                "'mm_per_tick' is missing: give the travel of the web for one encoder tick, in mm"
            )
        return self


class CorrectionSection(Section):
    """What is done to lines before they become frames."""

    flat_field: FilePath | None = None
    """Reference file of ``linescan calibrate flat-field`` for this camera; none leaves the lines as
    they are."""
    encoder_resampling: EncoderResamplingSection = EncoderResamplingSection()
    """Rows of equal travel from lines of uneven travel."""
