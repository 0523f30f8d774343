"""The calibration of height: what turns a model's values into mm or µm, and its file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from linescan.depth.calibration import curve as curves
from linescan.depth.calibration.curve import Across, Curve, Floats
from linescan.depth.calibration.points import columns_at
from linescan.errors import CalibrationError
from linescan.records import FloatArray, WebMap

FORMAT: Final = "linescan-height-calibration"
VERSION: Final = 1
AGAIN: Final = "make it again with 'linescan calibrate height'"
UNITS: Final = ("um", "mm")
SAME_STEP: Final = 0.05
"""Relative difference of camera pixels per value up to which a resolution is the same."""


@dataclass(frozen=True, slots=True, eq=False)
class HeightCalibration:
    """What turns a model's values into height.

    Attributes:
        model: name of the model.
        sha256: of its file, hexadecimal.
        unit: of heights: ``"um"`` or ``"mm"``.
        curve: from values, corrected across, to heights.
        across: correction across the web; None where there is none.
        width: camera pixels across the web.
        steps: camera lines and pixels per value, (along, across).
        range: lowest and highest height at measured places; beyond them it is extrapolated.
        created: when it was made: UTC, ISO 8601.
        uncertainty: what is known of its error, as plain data.
        reference: alignment's reference while it was made, as plain data; None without alignment.
        about: how it was made, as plain data.
    """

    model: str
    sha256: str
    unit: str
    curve: Curve
    across: Across | None
    width: int
    steps: tuple[float, float]
    range: tuple[float, float]
    created: str
    uncertainty: Mapping[str, Any] = field(default_factory=dict)
    reference: Mapping[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of this very calibration: made of all that it holds."""
        text = json.dumps(self._content(), sort_keys=True, allow_nan=False)
        return f"hc-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def apply(self, values: FloatArray, web: WebMap) -> FloatArray:
        """Heights of a depth map.

        Args:
            values: (h, w) float32 as alignment gave them; NaN stays.
            web: where they lie.

        Returns:
            (h, w) float32 in ``unit``.
        """
        if self.across is None and not len(self.curve.knots):
            heights = values * np.float32(self.curve.scale)
            heights += np.float32(self.curve.shift)
            return heights
        columns = columns_at(web, np.arange(values.shape[1]))
        return np.asarray(self.heights(np.asarray(values, np.float64), columns), np.float32)

    def heights(self, values: Floats, columns: Floats) -> Floats:
        """Heights of single values at web columns, both of shapes that broadcast."""
        corrected = values if self.across is None else self.across(values, columns)
        return self.curve(corrected)

    def check_fits(self, sha256: str, steps: tuple[float, float], name: object) -> None:
        """Refuse values that it was not made for.

        Args:
            sha256: of the model's file.
            steps: camera lines and pixels per value, (along, across).
            name: what to call the calibration.

        Raises:
            CalibrationError: the model is another one, or the resolution differs.
        """
        all_the_same = "or set calibration.other_model: true to use it all the same"
        if sha256 != self.sha256:
            raise CalibrationError(
                f"{name}: made with the model {self.model} ({self.sha256[:12]}…), depth comes from "
                f"another ({sha256[:12]}…): calibrate this one with 'linescan calibrate height', "
                f"{all_the_same}"
            )
        if any(abs(a - b) > SAME_STEP * b for a, b in zip(steps, self.steps, strict=True)):
            (along, across), (here, there) = self.steps, steps
            raise CalibrationError(
                f"{name}: made with {along:.3g} x {across:.3g} camera pixels per value, depth has "
                f"{here:.3g} x {there:.3g}: use the frame and depth settings it was made with, "
                f"calibrate again, {all_the_same}"
            )

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "created": self.created,
            "model": {"name": self.model, "sha256": self.sha256},
            "unit": self.unit,
            "curve": curves.to_json(self.curve, self.across),
            "width": self.width,
            "steps": list(self.steps),
            "range": list(self.range),
            "uncertainty": dict(self.uncertainty),
            "reference": None if self.reference is None else dict(self.reference),
            "about": dict(self.about),
        }


def save_height_calibration(calibration: HeightCalibration, path: Path) -> None:
    """Write the calibration so that either the old file or the new one is there, whole.

    Raises:
        CalibrationError: it cannot be written.
    """
    content = {"id": calibration.id, **calibration._content()}  # noqa: SLF001 - of this module
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be written: {error.strerror}") from error


def load_height_calibration(path: Path) -> HeightCalibration:
    """Read and check a calibration.

    Raises:
        CalibrationError: it is missing, none of ours, of a later version, or was changed.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CalibrationError(
            f"{path}: no such calibration; make one with 'linescan calibrate height'"
        ) from error
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: not a calibration that can be read; {AGAIN}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CalibrationError(f"{path}: not a calibration of height; {AGAIN}")
    if content.get("version") != VERSION:
        raise CalibrationError(
            f"{path}: format version {content.get('version')}, this software reads {VERSION}; "
            "update linescan"
        )
    try:
        found = _calibration(content)
        intact = found.id == content["id"]
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(f"{path}: the file is damaged ({error}); {AGAIN}") from error
    if not intact:
        raise CalibrationError(f"{path}: the file is damaged or was changed; {AGAIN}")
    return found


def _calibration(content: Mapping[str, Any]) -> HeightCalibration:
    width = int(content["width"])
    curve, across = curves.from_json(content["curve"], width)
    along, beside = map(float, content["steps"])
    low, high = map(float, content["range"])
    unit = str(content["unit"])
    if unit not in UNITS or width < 1 or along <= 0 or beside <= 0 or not low < high:
        raise ValueError("unit, width, steps or range")
    return HeightCalibration(
        model=str(content["model"]["name"]),
        sha256=str(content["model"]["sha256"]),
        unit=unit,
        curve=curve,
        across=across,
        width=width,
        steps=(along, beside),
        range=(low, high),
        created=str(content["created"]),
        uncertainty=dict(content["uncertainty"]),
        reference=None if content["reference"] is None else dict(content["reference"]),
        about=dict(content["about"]),
    )
