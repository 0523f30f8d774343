"""What is said of an image file: its size and depth, or what is wrong with it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

Data = bytes | mmap.mmap
"""The bytes of a file."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Size of an image and the bits of a pixel value that are in use."""

    width: int
    height: int
    bits: int

    @property
    def dtype(self) -> str:
        """Type that the decoded pixels have."""
        return "uint8" if self.bits <= 8 else "uint16"


class ImageProblem(Exception):  # noqa: N818 - not an error of the program's user yet
    """What is wrong with an image file, in one clause without its name."""


def truncated(data: Data, expected: str) -> ImageProblem:
    """The problem of a file that ends too early."""
    return ImageProblem(f"the file is truncated: {expected} after its {len(data)} bytes")
