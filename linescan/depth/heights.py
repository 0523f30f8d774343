"""The stages from a model's depth to height along the web, as the configuration says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from linescan.depth.card import ModelCard
from linescan.errors import CalibrationError

if TYPE_CHECKING:
    from linescan.config import AlignmentSection, CalibrationSection
    from linescan.depth.alignment import Align, Reference
    from linescan.depth.calibration import HeightCalibration
    from linescan.depth.calibration.stage import Calibrate

log = logging.getLogger(__name__)


def height_stages(
    alignment: AlignmentSection,
    calibration: CalibrationSection,
    card: ModelCard,
    steps: tuple[float, float],
    *,
    streaming: bool = True,
) -> tuple[list[Align | Calibrate], float]:
    """Alignment and calibration, where they are switched on.

    Args:
        alignment: the configuration's ``alignment``.
        calibration: the configuration's ``calibration``.
        card: of the model.
        steps: camera lines and pixels per value of depth, (along, across).
        streaming: frames follow one another; else each is held against a stored reference alone.

    Returns:
        The stages, and the factor from the unit of the model to that of the heights.

    Raises:
        CalibrationError: a file cannot be read, or was made for another model or resolution.
    """
    made = _calibration(calibration, card, steps)
    stages: list[Align | Calibrate] = []
    if alignment.enabled:
        reference = _reference(alignment, made, card)
        if streaming or reference is not None:
            from linescan.depth.alignment import Align

            stages.append(Align(alignment, reference, alone=not streaming))
    if made is None or calibration.height is None:
        return stages, 1.0
    from linescan.depth.calibration.stage import Calibrate

    stages.append(Calibrate(made, calibration.height))
    return stages, abs(made.curve.scale)


def _calibration(
    section: CalibrationSection, card: ModelCard, steps: tuple[float, float]
) -> HeightCalibration | None:
    path = section.height
    if path is None:
        return None
    from linescan.depth.calibration import load_height_calibration

    made = load_height_calibration(path)
    try:
        made.check_fits(card.sha256, steps, f"'calibration.height': {path}")
    except CalibrationError as error:
        if not section.other_model:
            raise
        log.warning("%s; used all the same, as calibration.other_model says", error)
    return made


def _reference(
    section: AlignmentSection, made: HeightCalibration | None, card: ModelCard
) -> Reference | None:
    """The stored reference that frames are held against; None for the first frames."""
    from linescan.depth.alignment import Reference, load_reference

    if isinstance(section.reference, Path):
        found = load_reference(section.reference)
        if found.sha256 != card.sha256:
            raise CalibrationError(
                f"'alignment.reference': {section.reference}: made with another model "
                f"({found.sha256[:12]}…) than {card.name} ({card.sha256[:12]}…); make it again "
                "with 'linescan calibrate height', or set alignment.reference: first"
            )
        return found
    if section.reference == "first" or made is None or made.sha256 != card.sha256:
        return None
    return Reference.from_json(made.reference)
