"""Picture files, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from linescan.errors import LinescanError
from linescan.pictures.opencv import load_cv2

PixelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def encode_png(picture: PixelArray) -> bytes:
    """PNG bytes of a gray or BGR picture, 8 or 16 bit."""
    cv2 = load_cv2()
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture))
    if not done:
        raise LinescanError(f"OpenCV cannot encode a picture of {picture.shape} as PNG")
    return bytes(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write ``path`` by way of ``path.part``: a reader never sees half a file.

    Raises:
        LinescanError: the disk is full or the folder cannot be written to; no part is left.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            if not part.is_dir():
                part.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise LinescanError(
            f"{path}: cannot write the picture: {reason}; free space or choose another folder"
        ) from error
