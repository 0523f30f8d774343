"""Bytes that stages move for a frame, held against the memory copy that the machine can do.

Counted as ``limits.copy_gb_s`` is, bytes read plus bytes written: a stage's arrays that come in,
once, and those that it makes, once. What it keeps meanwhile in a cache does not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from linescan.protocol.checksum import crc32c


def moved_per_frame(
    frame: tuple[int, int], image: tuple[int, int], message_bytes: float
) -> dict[str, int]:
    """Bytes read plus bytes written for one frame by each stage that moves any.

    ``send`` is missing because it hands arrays over by reference: what the transport copies, into
    the kernel and out of it, counts in ``delivery``, with the checksums at both ends.

    Args:
        frame: rows and columns, uint8.
        image: rows and columns that the frame is resized to; the frame's own where the model
            resizes.
        message_bytes: of the arrays of one inspection.
    """
    pixels, message = math.prod(frame), round(message_bytes)
    moved = {"stitch": 2 * pixels}
    if image != frame:
        moved["resize"] = pixels + math.prod(image)
    sums = crc32c(memoryview(b"1")) is not None
    if sums:
        moved |= {"encode": message, "receive": message}
    moved["delivery"] = (2 * sums + 4) * message
    return moved


def relate_to_copy(
    stages: Mapping[str, dict[str, Any] | None],
    moved: Mapping[str, int],
    copy_gb_s: float | None,
) -> None:
    """Add to each stage what it moves, at which rate, and that rate over the machine's copy.

    Args:
        stages: their figures; ``bytes_per_frame``, ``gb_s`` and ``share_of_copy`` are added, None
            where a stage moves nothing.
        moved: bytes per frame of those that do.
        copy_gb_s: as measured, of all threads together.
    """
    for name, row in stages.items():
        if row is None:
            continue
        ms = row["ms_per_frame"]
        count = moved.get(name)
        rate = count / ms / 1e6 if count and ms else None
        row["bytes_per_frame"] = count
        row["gb_s"] = None if rate is None else float(f"{rate:.3g}")
        row["share_of_copy"] = (
            float(f"{rate / copy_gb_s:.3g}") if rate is not None and copy_gb_s else None
        )
