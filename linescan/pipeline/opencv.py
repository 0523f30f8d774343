"""OpenCV beside an inference engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV to the thread that calls it, where a stage that was set up has loaded it.

    Stages run side by side in threads of their own already. More of OpenCV's would take the cores
    from the engine, whose threads all wait for the slowest of them, and gain a stage next to
    nothing: on two cores they cost 1.5 to 2.5 ms of CPU a frame of 2048 x 2048 pixels.
    """
    cv2 = sys.modules.get("cv2")
    if cv2 is None:
        yield
        return
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
