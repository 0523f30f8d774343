"""One stage in its thread: takes from one channel, gives to the next, survives failures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from linescan.pipeline.channel import Channel, ChannelClosed
from linescan.pipeline.latency import Latency
from linescan.records import Cause, Frame, Inspection, Loss, ModelInput
from linescan.stages import Stage

log = logging.getLogger(__name__)

QUIET_AFTER: Final = 5
"""Failures of a stage in a row that are logged one by one; then every hundredth."""


class Worker:
    """Runs a stage until its input ends.

    An item that makes the stage raise becomes a loss of its lines, with the stage's cause, and the
    pipeline goes on. Once ``discard`` is set, items are no longer processed but counted as lost.

    Args:
        stage: the stage, set up.
        inbox: where items and losses come from.
        emit: called with each item and loss that the stage gives.
        done: called once, in the worker's thread, when everything was given.
        discard: set to count what is still to come as lost by shut-down.
    """

    def __init__(
        self,
        stage: Stage[Any, Any],
        inbox: Channel[Any],
        emit: Callable[[Any], None],
        done: Callable[[], None],
        discard: threading.Event,
    ) -> None:
        self.stage = stage
        self.inbox = inbox
        self.latency = Latency()
        self.failures = 0
        self._in_a_row = 0
        self._emit = emit
        self._done = done
        self._discard = discard
        self._thread = threading.Thread(target=self._run, name=stage.name, daemon=True)

    def start(self) -> None:
        """Begin; the stage must be set up."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; whether it was reached in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while True:
                entry = self.inbox.get()
                if isinstance(entry, Loss):
                    self._skip(entry)
                else:
                    self._process(entry)
        except ChannelClosed:
            self._guard(self._finish)
        finally:
            self.inbox.close()
            self._done()

    def _process(self, item: Any) -> None:
        if self._discard.is_set():
            self._lose(item, Cause.SHUTDOWN)
            return
        began = time.perf_counter_ns()
        outputs: list[Any] = []
        failed = False
        try:
            outputs.extend(map(self._stamp, self.stage.process(item)))
        except Exception as error:  # noqa: BLE001 - a stage's failure must not end the daemon
            failed = True
            self._note_failure(error, item)
        else:
            self._in_a_row = 0
            self.latency.add(time.perf_counter_ns() - began)
        for output in outputs:
            self._emit(output)
        if failed:
            self._lose(item, self.stage.failure)

    def _skip(self, loss: Loss) -> None:
        outputs: Iterable[Any]
        try:
            outputs = list(self.stage.skip(loss))
        except Exception as error:  # noqa: BLE001 - the loss itself must still arrive
            self._note_failure(error, loss)
            outputs = (loss,)
        for output in outputs:
            self._emit(output)

    def _finish(self) -> None:
        for output in self.stage.finish():
            self._emit(output)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ChannelClosed:
            log.warning("stage %s: the next stage is gone", self.stage.name)
        except Exception:
            self.failures += 1
            log.exception("stage %s failed at the end of the stream", self.stage.name)

    def _lose(self, item: Any, cause: Cause) -> None:
        for lines in item.lines():
            self._skip(Loss(lines.first, lines.count, cause))

    def _note_failure(self, error: Exception, item: Any) -> None:
        self.failures += 1
        self._in_a_row += 1
        if self._in_a_row > QUIET_AFTER and self._in_a_row % 100:
            return
        lines = ", ".join(f"{i.first} to {i.end - 1}" for i in item.lines()) or "none"
        log.error(
            "stage %s failed on lines %s: %s: %s (%d in a row)",
            self.stage.name,
            lines,
            type(error).__name__,
            error,
            self._in_a_row,
            exc_info=error if self._in_a_row == 1 else None,
        )

    def _stamp(self, output: Any) -> Any:
        """Write down in the output's frame when this stage was done with it."""
        if isinstance(output, Frame):
            return replace(output, stamps={**output.stamps, self.stage.name: time.time_ns()})
        if isinstance(output, ModelInput | Inspection):
            return replace(output, frame=self._stamp(output.frame))
        return output
