"""What all contenders see: frames of a simulated web, and the recording they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from linescan.benchmark.contender import GrayFrame
from linescan.config import SimulatedSource
from linescan.recording import Recording
from linescan.records import LineBlock
from linescan.sources.simulated import record_simulated

FRAMES: Final = 4
"""Different frames, where they are not huge."""
MOST_PIXELS: Final = 64 << 20
"""Of the recording, which is played in a loop."""
SEED: Final = 21


def record_web(frame: tuple[int, int], path: Path) -> list[GrayFrame]:
    """Record a simulated web of a few frames, uint8, and give the frames.

    Args:
        frame: rows and columns.
        path: folder of the recording; made.

    Raises:
        SourceError: the web cannot be simulated or recorded so.
    """
    rows, columns = frame
    count = max(1, min(FRAMES, MOST_PIXELS // (rows * columns)))
    section = SimulatedSource(preset="parts", seed=SEED, width=columns, lines=count * rows)
    record_simulated(section, path)
    blocks = [b.pixels for b in Recording.open(path).blocks() if isinstance(b, LineBlock)]
    web = np.concatenate(blocks)
    return [np.ascontiguousarray(part, np.uint8) for part in np.split(web, count)]
