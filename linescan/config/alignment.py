"""Depth that fits from frame to frame, and becomes height in a unit."""

from __future__ import annotations

from typing import Literal

from linescan.config.base import Section
from linescan.config.genicam import FilePath


class AlignmentSection(Section):
    """Depth that goes on from frame to frame without steps and does not drift."""

    enabled: bool = True
    """Switch off to take each frame as the model gives it."""
    fit: Literal["auto", "scale-shift", "shift"] = "auto"
    """What of each frame is fitted; ``auto`` leaves the scale of a model that has one of its own
    (a height, or a unit) as it is and fits the shift alone."""
    reference: Literal["auto", "first"] | FilePath = "auto"
    """What keeps a long run from drifting: the ``first`` frames, or those that a file of
    ``linescan calibrate height`` keeps; ``auto`` takes the file of ``calibration.height`` where one
    is given, else the first frames."""
    hold_when_flat: bool = True
    """Keep the scale of the frame before where a frame shows too little structure to tell it."""


class CalibrationSection(Section):
    """Height in a unit from what the model gives."""

    height: FilePath | None = None
    """File of ``linescan calibrate height`` for this camera and model; none leaves depth as it
    is."""
    other_model: bool = False
    """Apply a calibration that was made with another model, or at another resolution, all the same:
    heights may be wrong."""
