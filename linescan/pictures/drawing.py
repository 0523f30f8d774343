"""Text, boxes and numbers in sizes that suit the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linescan.pictures.colours import INK, PAPER, Bgr, BgrArray
from linescan.pictures.opencv import load_cv2

TEXT_SHARE = 1 / 46
"""Height of capitals over the picture's shorter side."""
LEAST_TEXT = 10


@dataclass(frozen=True, slots=True)
class Pen:
    """Text height and line width, in pixels, for one picture."""

    text: int
    line: int

    @classmethod
    def for_picture(cls, height: int, width: int) -> Pen:
        """Sizes that stay legible when the whole picture is looked at."""
        text = max(LEAST_TEXT, round(min(height, width) * TEXT_SHARE))
        return cls(text, max(1, round(text / 9)))

    def extent(self, text: str) -> tuple[int, int]:
        """Width of a text and the room that it needs below its base line."""
        cv2 = load_cv2()
        (width, _), below = cv2.getTextSize(text, *self._font(cv2))
        return int(width), int(below)

    def write(self, picture: BgrArray, text: str, at: tuple[int, int], colour: Bgr = INK) -> None:
        """Write with the base line's left end at (x, y)."""
        cv2 = load_cv2()
        font, scale, thickness = self._font(cv2)
        cv2.putText(picture, text, at, font, scale, colour, thickness, cv2.LINE_AA)

    def _font(self, cv2: object) -> tuple[int, float, int]:
        font = int(cv2.FONT_HERSHEY_SIMPLEX)  # type: ignore[attr-defined]
        (_, tall), _ = cv2.getTextSize("0", font, 1.0, 1)  # type: ignore[attr-defined]
        return font, self.text / tall, max(1, round(self.text / 14))


def unit_name(unit: str) -> str:
    """How a unit is written; before version 5 OpenCV's fonts have no Greek letters."""
    if unit == "um" and int(load_cv2().__version__.split(".")[0]) >= 5:
        return "µm"
    return unit


def number(value: float, *, sign: bool = False) -> str:
    """Three significant digits, no exponent where it can be helped."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    if digits > 6 or abs(value) >= 1e7:
        return f"{value:{'+' if sign else ''}.2e}"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers (steps of 1, 2 or 5) between two limits."""
    raw = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_labels(values: list[float]) -> list[str]:
    """All with the same number of decimals, as many as their distance asks for."""
    step = values[1] - values[0] if len(values) > 1 else abs(values[0]) if values else 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    if digits > 6:
        return [f"{v:.3g}" for v in values]
    return [f"{v + 0.0:.{digits}f}" for v in values]


def plate(picture: BgrArray, left: int, top: int, right: int, bottom: int) -> None:
    """Darken a rectangle so that text on it is legible on any ground."""
    part = picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    part //= 4
    part += np.asarray(PAPER, np.uint8) // 2
