"""CRC-32C (Castagnoli) of array parts, where a fast implementation is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping


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
    """CRC-32C of contiguous bytes, computed without Python's lock; None where it cannot be had."""
    compute = _implementation()
    return None if compute is None else compute(data)


@functools.cache
def _implementation() -> Checksum | None:
    try:
        from crc32c import crc32c as compute
    except ImportError:
        return None
    return compute
