"""The label mask as a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from linescan.records import LabelArray


def render_mask(labels: LabelArray) -> npt.NDArray[np.uint8]:
    """(h, w) uint8: 255 where an object is, else 0, pixel by pixel as the labels."""
    return np.where(labels > 0, np.uint8(255), np.uint8(0))
