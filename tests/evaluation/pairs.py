"""Pairs of picture and height, made by hand: brightness is height, so a simple model is perfect."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 56
UM_PER_LEVEL = 0.05


def picture(number: int) -> npt.NDArray[np.uint8]:
    """A picture of (SIDE, SIDE) blocks of several brightnesses."""
    levels = np.random.default_rng(number).integers(40, 220, (7, 7)).astype(np.uint8)
    return np.kron(levels, np.ones((SIDE // 7, SIDE // 7), np.uint8))


def write_pair(folder: Path, name: str, number: int = 0) -> None:
    """A pair in which height is brightness, in µm."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = picture(number)
    cv2.imwrite(str(folder / f"{name}_intensity.png"), pixels)
    np.save(folder / f"{name}_height_um.npy", pixels.astype(np.float32) * UM_PER_LEVEL)


def write_pairs(folder: Path, count: int, pitch_um: float | None = 0.5) -> Path:
    """A folder of pairs."""
    for number in range(count):
        write_pair(folder, f"part{number}", number)
    if pitch_um is not None:
        steps = {"step_x_um": pitch_um, "step_y_um": pitch_um}
        meta = {f"part{number}": steps for number in range(count)}
        (folder / "meta.json").write_text(json.dumps(meta))
    return folder
