"""OpenCV, loaded when the first picture is asked for."""

from __future__ import annotations

from typing import Any

from linescan.errors import LinescanError, install_hint


def load_cv2() -> Any:
    """Give the module ``cv2``.

    Raises:
        LinescanError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise LinescanError(
            f"pictures need OpenCV, which cannot be loaded ({error}); {install_hint('pictures')}"
        ) from error
    return cv2
