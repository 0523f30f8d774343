"""Slow work beside the publisher's thread: reading from the journal, writing acknowledgements."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from linescan.publishing.journalling import FAILURES

log = logging.getLogger(__name__)

T = TypeVar("T")
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
        self._jobs: queue.SimpleQueue[Callable[[], Callable[[], None]] | None] = queue.SimpleQueue()
        self._done: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="publisher-clerk", daemon=True)

    @property
    def busy(self) -> bool:
        """Whether too much is under way to take on more."""
        return self.under_way >= MOST_JOBS

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]
    ) -> None:
        """Do something; callers that are not bounded otherwise ask ``busy`` before.

        Args:
            work: runs in the clerk's thread.
            done: told what came of it, in the publisher's thread.
            failed: told why nothing came of it, or why ``done`` failed, in the publisher's thread.
        """
        self.under_way += 1
        self._jobs.put(partial(_do, work, done, failed))

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
        while (job := self._jobs.get()) is not None:
            self._done.append(job())
            self._wake()


def log_failure(what: str, error: Exception) -> None:
    """Log why something failed; what nobody thought of, with its traceback."""
    log.error("%s: %s", what, error, exc_info=None if isinstance(error, FAILURES) else error)


def _do(
    work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]
) -> Callable[[], None]:
    try:
        found = work()
    except Exception as error:  # noqa: BLE001 - who waits must hear of it
        return partial(failed, error)
    return partial(_take_over, done, failed, found)


def _take_over(done: Callable[[T], None], failed: Callable[[Exception], None], found: T) -> None:
    try:
        done(found)
    except Exception as error:  # noqa: BLE001 - nonsense found must not end the publisher
        failed(error)
