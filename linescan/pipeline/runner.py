"""The runner joins a source and stages by channels, runs each in a thread, and ends cleanly.

    source -> channel -> stage -> channel -> … -> last stage -> on_result

The source tells the ledger what was captured; the last stage tells it what became of each line.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from linescan.config import OverloadSection
from linescan.latency import Latency
from linescan.ledger import Ledger, Totals
from linescan.pipeline.chain import release, set_up
from linescan.pipeline.channel import Channel, ChannelClosed
from linescan.pipeline.opencv import one_opencv_thread
from linescan.pipeline.worker import Worker
from linescan.sources.base import Source
from linescan.stages import Stage

log = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""After the drain deadline, time for stages to count what is left and to publish the end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        totals: the final ledger.
        reason: ``finished``, what stopped it, or the source's error.
        error: the error that ended the source, or None.
        seconds: from the first item to the end.
        latencies: time spent in each stage, by stage name, or in each of its steps.
        failures: items that made a stage fail, by stage name; and how often a part of a stage's
            output could not be made, by ``stage.part``.
    """

    totals: Totals
    reason: str
    error: Exception | None
    seconds: float
    latencies: dict[str, Latency]
    failures: dict[str, int]


class Pipeline:
    """A source and its stages, for one run.

    Args:
        source: where lines come from; already open, with ``ledger.capture``.
        stages: in order; the last one settles the fate of lines in the ledger.
        ledger: the account of lines that the last stage also holds.
        overload: queue length, overflow policy and drain deadline.
        on_result: called in the last stage's thread with each item and loss that it gives.
        limit_s: stop after so many seconds.
    """

    def __init__(
        self,
        source: Source,
        stages: Sequence[Stage[Any, Any]],
        ledger: Ledger,
        overload: OverloadSection,
        on_result: Callable[[Any], None] = lambda _: None,
        limit_s: float | None = None,
    ) -> None:
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        self.ledger = ledger
        self.acquire = Latency()
        self._source = source
        self._overload = overload
        self._on_result = on_result
        self._limit_s = limit_s
        self._discard = threading.Event()
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._reason = "finished"
        self._error: Exception | None = None
        self._began = time.monotonic()
        self._channels: list[Channel[Any]] = [
            Channel(overload.queue, overload.policy) for _ in stages
        ]
        self._workers = [self._worker(i, stage) for i, stage in enumerate(stages)]
        self._reader = threading.Thread(target=self._read, name="source", daemon=True)

    @property
    def started(self) -> bool:
        """Whether lines flow; before, stages are being set up."""
        return self._reader.ident is not None

    @property
    def reason(self) -> str:
        """Why the run ends or ended."""
        return self._reason

    @property
    def queued(self) -> dict[str, int]:
        """Items that wait in front of each stage, by stage name."""
        return {w.stage.name: len(w.inbox) for w in self._workers}

    def run(self) -> Outcome:
        """Set up, run to the end, tear down.

        Raises:
            LinescanError: a stage cannot be set up.
        """
        try:
            with set_up([worker.stage for worker in self._workers]), one_opencv_thread():
                self._start()
                self._wait()
        finally:
            release(self._source.close)
        return self._outcome()

    def stop(self, reason: str) -> None:
        """End soon: what was captured is drained, within the deadline. Safe from any thread.

        A second call discards what is left, counted as lost.
        """
        if self._stopped.is_set():
            self._discard.set()
        else:
            self._reason = reason
            self._stopped.set()
            self._source.stop()

    def _worker(self, index: int, stage: Stage[Any, Any]) -> Worker:
        inbox = self._channels[index]
        if index + 1 == len(self._channels):
            return Worker(stage, inbox, self._deliver, self._ended.set, self._discard, self._fail)
        outbox = self._channels[index + 1]
        return Worker(stage, inbox, outbox.put, outbox.close, self._discard, self._fail)

    def _deliver(self, result: Any) -> None:
        try:
            self._on_result(result)
        except Exception as error:
            log.exception("what is done with results failed")
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the run because of an error; the first one is reported."""
        if self._error is None:
            self._error = error
            self.stop(f"error: {error}")

    def _start(self) -> None:
        self._began = time.monotonic()
        for worker in self._workers:
            worker.start()
        self._reader.start()

    def _read(self) -> None:
        inbox = self._channels[0]
        try:
            items = self._source.items()
            while not self._stopped.is_set():
                began = time.perf_counter_ns()
                item = next(items, None)
                if item is None:
                    break
                self.acquire.add(time.perf_counter_ns() - began)
                inbox.put(item)
        except ChannelClosed:
            log.error("the first stage is gone")
        except Exception as error:  # noqa: BLE001 - reported by run() in the caller's thread
            self._fail(error)
        finally:
            inbox.close()

    def _wait(self) -> None:
        """Wait for the end; once stopped, no longer than the deadline allows."""
        while not self._ended.wait(0.1) and not self._stopped.is_set():
            if self._limit_s is not None and time.monotonic() - self._began > self._limit_s:
                self.stop("the set duration is over")
        deadline = time.monotonic() + self._overload.drain_s
        while not self._ended.wait(0.05):
            if self._discard.is_set() or time.monotonic() > deadline:
                break
        else:
            return
        if self._discard.is_set():
            log.warning("asked to end at once: the rest is discarded")
        else:
            log.warning("not drained within %g s: the rest is discarded", self._overload.drain_s)
        self._discard.set()
        if self._ended.wait(GRACE_S):
            return
        hung = [w.stage.name for w in self._workers if w.busy]
        log.error("stages that do not end: %s", ", ".join(hung) or "none")
        for channel in self._channels:
            channel.close()
        self._ended.wait(GRACE_S)

    def _outcome(self) -> Outcome:
        latencies: dict[str, Latency] = {"acquire": self.acquire}
        failures: dict[str, int] = {}
        for worker in self._workers:
            stage = worker.stage
            latencies |= stage.steps or {stage.name: worker.latency}
            failures[stage.name] = worker.failures
            failures |= {f"{stage.name}.{what}": n for what, n in stage.partial_failures.items()}
        return Outcome(
            totals=self.ledger.totals(),
            reason=self._reason,
            error=self._error,
            seconds=time.monotonic() - self._began,
            latencies=latencies,
            failures=failures,
        )
