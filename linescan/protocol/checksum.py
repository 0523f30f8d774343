"""CRC-32C (Castagnoli) of array parts, where a fast implementation is installed."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping

import numpy as np


class Frames(list[bytes | memoryview]):
    """A message's frames: topic, header, parts.

    Attributes:
        checksums: CRC-32C of those frames, by position, for which it is known already.
    """

    def __init__(self, frames: Iterable[bytes | memoryview], checksums: Mapping[int, int]) -> None:
        super().__init__(frames)
        self.checksums = checksums


Checksum = Callable[[memoryview], int]


def crc32c(data: memoryview) -> int | None:
    """CRC-32C of contiguous bytes; None where it cannot be had at the speed of the stream."""
    compute = _implementation()
    return None if compute is None else compute(data)


@functools.cache
def _implementation() -> Checksum | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import google_crc32c
    except ImportError:
        return None
    # Its fallback in pure Python would take seconds for one frame.
    if google_crc32c.implementation != "c":
        return None
    # It takes arrays and bytes, but no memoryview.
    return lambda data: int(google_crc32c.value(np.frombuffer(data, dtype=np.uint8)))
