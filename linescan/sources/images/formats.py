"""What image files say about themselves, and whether they are whole.

Decoders give gray or stale pixels for a file that was cut, some without a word. So the structure of
a file is checked before its pixels are trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linescan.sources.images import bmp, jpeg, png, tiff
from linescan.sources.images.problem import Data, ImageHeader, ImageProblem


@dataclass(frozen=True, slots=True)
class _Format:
    read_header: Callable[[Data], ImageHeader]
    check_whole: Callable[[Data], None]


_MAGIC: tuple[tuple[bytes, _Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", _Format(png.read_header, png.check_whole)),
    (b"\xff\xd8\xff", _Format(jpeg.read_header, jpeg.check_whole)),
    (b"II*\0", _Format(tiff.read_header, tiff.check_whole)),
    (b"MM\0*", _Format(tiff.read_header, tiff.check_whole)),
    (b"II+\0", _Format(tiff.read_header, tiff.check_whole)),
    (b"MM\0+", _Format(tiff.read_header, tiff.check_whole)),
    (b"BM", _Format(bmp.read_header, bmp.check_whole)),
)


def read_header(data: Data) -> ImageHeader:
    """Size and depth of an image.

    Raises:
        ImageProblem: it is no image, or cut within its header.
    """
    header = _format_of(data).read_header(data)
    if header.width < 1 or header.height < 1:
        raise ImageProblem(f"it has {header.height} rows of {header.width} pixels")
    return header


def check_whole(data: Data) -> None:
    """Check that nothing is missing.

    Raises:
        ImageProblem: the file is cut or damaged.
    """
    _format_of(data).check_whole(data)


def _format_of(data: Data) -> _Format:
    start = bytes(data[:8])
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
        if start and magic.startswith(start):
            raise ImageProblem(f"the file is truncated to {len(data)} bytes")
    raise ImageProblem("it is no PNG, TIFF, BMP or JPEG image")
