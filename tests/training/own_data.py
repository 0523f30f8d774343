"""Folders such as a user has: images, and what is known of their height."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from linescan.training.data import HeightFrame, simulated_frame


def write_pair(folder: Path, name: str, frame: HeightFrame) -> None:
    """Image and height map; a model pixel is 10 µm."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}_intensity.png"), frame.image)
    np.save(folder / f"{name}_height_um.npy", 10 * frame.height)


def write_pairs(folder: Path, count: int, size: int = 84) -> Path:
    """Pairs of the simulated web, small ones."""
    for seed in range(count):
        write_pair(folder, f"part{seed:02}", simulated_frame(seed, size))
    return folder
