"""What a source of lines is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from linescan.records import Interval, LineBlock, Loss


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    Attributes:
        name: for logs and provenance.
        width: pixels across the web.
        dtype: of the pixels, uint8 or uint16.
        bits: bits of a pixel value that are in use, such as 8, 12 or 16.
        line_rate_hz: lines per second, where known.
        across_mm: distance of neighbouring columns on the web in mm, where known.
        along_mm: distance of neighbouring lines on the web in mm, where known.
        total_lines: lines that will come, where the source ends by itself.
        encoder: False where lines certainly come without encoder ticks.
        resampled: rows of equal travel stand for the lines; rate and distance along are theirs.
    """

    name: str
    width: int
    dtype: npt.DTypeLike = np.uint8
    bits: int = 8
    line_rate_hz: float | None = None
    across_mm: float | None = None
    along_mm: float | None = None
    total_lines: int | None = None
    encoder: bool = True
    resampled: bool = False


class Source(Protocol):
    """Gives lines and losses in order, once."""

    @property
    def description(self) -> SourceInfo:
        """What is known of the source; only once it is open."""
        ...

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        """Get ready; ``captured`` is told of lines as the source's own evidence shows them.

        It is called before the item that holds the lines is given, for lost lines too, and never
        runs ahead by more than one block.

        Raises:
            SourceError: lines cannot be had.
        """
        ...

    def items(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses, in order; ends by itself, or soon after ``stop``.

        Raises:
            SourceError: what comes next cannot be read; its lines were given as a loss before.
        """
        ...

    def stop(self) -> None:
        """End ``items`` soon. Safe to call from any thread, also twice."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
