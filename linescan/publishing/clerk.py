"""Slow work beside the publisher's thread: reading from the journal, writing acknowledgements."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

Work = Callable[[], Callable[[], None]]
"""Runs in the clerk's thread; what it gives runs in the publisher's."""
MOST_JOBS: Final = 64
"""Jobs under way, at most, beside those of running replays."""


class Clerk:
    """One thread that does jobs in order and hands back what is to be done with their results.

    Args:
        wake: wakes the publisher's thread, which then calls ``settle``.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.under_way = 0
        """Jobs whose results were not taken over yet."""
        self._jobs: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="publisher-clerk", daemon=True)

    @property
    def busy(self) -> bool:
        """Whether too much is under way to take on more."""
        return self.under_way >= MOST_JOBS

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Do something; callers that are not bounded otherwise ask ``busy`` before."""
        self.under_way += 1
        self._jobs.put(work)

    def settle(self) -> None:
        """Take over results, in the thread that submits."""
        while self._done:
            self.under_way -= 1
            self._done.popleft()()

    def close(self, timeout_s: float) -> bool:
        """Finish what is under way; whether that was done in time."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            try:
                done = work()
            except Exception:
                log.exception("work for the control socket failed")
                done = _nothing
            self._done.append(done)
            self._wake()


def _nothing() -> None:
    pass
