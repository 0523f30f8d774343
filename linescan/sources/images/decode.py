"""Image files to gray pixels."""

from __future__ import annotations

import logging
import mmap
from pathlib import Path

import numpy as np

from linescan.records import GrayArray
from linescan.sources.images.formats import check_whole, read_header
from linescan.sources.images.problem import ImageHeader, ImageProblem

MAX_PIXELS = 2**30
"""Most pixels of an image; OpenCV takes no more."""

_log = logging.getLogger(__name__)


def peek(path: Path) -> ImageHeader:
    """Size and depth of an image, without reading more of it than needed.

    Raises:
        ImageProblem: it cannot be read, is no image, or is too large.
    """
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise ImageProblem("the file is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header = read_header(data)
    except OSError as error:
        raise ImageProblem(f"it cannot be read: {error.strerror or error}") from error
    if header.width * header.height > MAX_PIXELS:
        raise ImageProblem(
            f"it has {header.height} rows of {header.width} pixels; at most {MAX_PIXELS} pixels "
            "can be read, cut it into several files"
        )
    return header


def read_pixels(path: Path, header: ImageHeader) -> GrayArray:
    """The pixels as they are stored: (height, width), or (height, width, channels) in BGR order.

    Raises:
        ImageProblem: the file is damaged, cannot be decoded, or is not the one of ``header``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageProblem(f"it cannot be read: {error.strerror or error}") from error
    if not data:
        raise ImageProblem("the file is empty")
    if read_header(data) != header:
        raise ImageProblem("the file was changed while it was read")
    check_whole(data)
    return _decode(data)


class GrayReader:
    """Reads images as gray pixels, and says once what it had to leave out."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def read(self, path: Path, header: ImageHeader, bits: int) -> GrayArray:
        """The pixels (height, width) of an image, all smaller than 2 to the power of ``bits``.

        Raises:
            ImageProblem: the file is damaged or cannot be decoded.
        """
        gray = self._to_gray(path, read_pixels(path, header))
        if gray.shape != (header.height, header.width) or gray.dtype != header.dtype:
            raise ImageProblem(
                f"expected {header.height} rows of {header.width} {header.dtype} pixels, decoded "
                f"{' x '.join(map(str, gray.shape))} {gray.dtype}"
            )
        if bits not in (8, 16) and int(gray.max()) >= 1 << bits:
            raise ImageProblem(f"its largest value {gray.max()} does not fit {bits} bits")
        return gray

    def _to_gray(self, path: Path, pixels: GrayArray) -> GrayArray:
        if pixels.ndim == 2:
            return pixels
        import cv2

        channels = pixels.shape[2]
        if channels == 4:
            self._say_once("%s: transparency is ignored, here and in images to come", path)
        if channels not in (3, 4):
            raise ImageProblem(f"it has {channels} channels; expected 1, 3 or 4")
        self._say_once("%s: colour becomes gray (BT.601 luma), here and in images to come", path)
        code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
        return np.ascontiguousarray(cv2.cvtColor(pixels, code))  # type: ignore[return-value]

    def _say_once(self, text: str, path: Path) -> None:
        if text not in self._said:
            self._said.add(text)
            _log.warning(text, path)


def _decode(data: bytes) -> GrayArray:
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageProblem(f"it cannot be decoded: {error.err}") from error
    if pixels is None:
        raise ImageProblem("it cannot be decoded")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageProblem(f"it has {pixels.dtype} pixels; expected 8 or 16 bits")
    return pixels  # type: ignore[return-value]
