"""One stage in its thread: takes from one channel, gives to the next, survives failures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from linescan.errors import LinescanError, PublishError
from linescan.latency import Latency
from linescan.pipeline.channel import Channel, ChannelClosed
from linescan.records import Cause, Completed, Frame, Inspection, Loss, ModelInput, remains
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
        fatal: called with an error after which the run has no use: nothing can be published, or
            the stream cannot be ended.

    Attributes:
        latency: time spent in ``process``.
        failures: items, losses and ends that made the stage fail.
        busy: whether the stage is at work right now.
    """

    def __init__(
        self,
        stage: Stage[Any, Any],
        inbox: Channel[Any],
        emit: Callable[[Any], None],
        done: Callable[[], None],
        discard: threading.Event,
        fatal: Callable[[Exception], None],
    ) -> None:
        self.stage = stage
        self.inbox = inbox
        self.latency = Latency()
        self.failures = 0
        self.busy = False
        self._in_a_row = 0
        self._emit = emit
        self._done = done
        self._discard = discard
        self._fatal = fatal
        self._thread = threading.Thread(target=self._run, name=stage.name, daemon=True)

    def start(self) -> None:
        """Begin; the stage must be set up."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                entry = self.inbox.get()
                if isinstance(entry, Loss):
                    self._skip(entry)
                elif isinstance(entry, Completed):
                    self._hand_on(entry)
                else:
                    self._process(entry)
        except ChannelClosed:
            self._end()
        finally:
            self.inbox.close()
            self._done()

    def _end(self) -> None:
        try:
            self._finish()
        except ChannelClosed:
            log.warning("stage %s: the next stage is gone", self.stage.name)

    def _process(self, item: Any) -> None:
        if self._discard.is_set():
            self._lose(item, Cause.SHUTDOWN)
            return
        began = time.perf_counter_ns()
        outputs, error = self._collect(lambda: self.stage.process(item))
        took = time.perf_counter_ns() - began
        self._emit_all(outputs)
        if error is not None:
            self._note_failure(error, item)
            self._lose(item, self.stage.failure)
            return
        self._in_a_row = 0
        self.latency.add(took)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s in %.2f ms", self.stage.name, _name_lines(item), took / 1e6)

    def _skip(self, loss: Loss) -> None:
        outputs, error = self._collect(lambda: self.stage.skip(loss))
        self._emit_all(outputs)
        if error is not None:
            self._note_failure(error, loss)
            self._emit(loss)  # the loss itself must still arrive

    def _hand_on(self, completed: Completed) -> None:
        outputs, error = self._collect(lambda: self.stage.hand_on(completed))
        self._emit_all(outputs)
        if error is not None:
            self._note_failure(error, completed)
            if not outputs:
                self._emit(completed)

    def _finish(self) -> None:
        outputs, error = self._collect(self.stage.finish)
        self._emit_all(outputs)
        if error is not None:
            self.failures += 1
            log.error("stage %s failed at the end of the stream", self.stage.name, exc_info=error)
            self._fatal(error)

    def _collect(self, step: Callable[[], Iterable[Any]]) -> tuple[list[Any], Exception | None]:
        """What a step of the stage gives, stamped, and its error; what came before that is kept."""
        outputs: list[Any] = []
        self.busy = True
        try:
            outputs.extend(map(self._stamp, step()))
        except Exception as error:  # noqa: BLE001 - a stage's failure must not end the daemon
            return outputs, error
        finally:
            self.busy = False
        return outputs, None

    def _emit_all(self, outputs: Iterable[Any]) -> None:
        for output in outputs:
            self._emit(output)

    def _lose(self, item: Any, cause: Cause) -> None:
        for lines in item.lines():
            self._skip(Loss(lines.first, lines.count, cause))
        if (rest := remains(item)) is not None:
            self._hand_on(rest)

    def _note_failure(self, error: Exception, item: Any) -> None:
        self.failures += 1
        self._in_a_row += 1
        if isinstance(error, PublishError):
            self._fatal(error)
        if self._in_a_row > QUIET_AFTER and self._in_a_row % 100:
            return
        # An error that says what to do needs no trace.
        traced = self._in_a_row == 1 and not isinstance(error, LinescanError)
        log.error(
            "stage %s failed on %s: %s: %s (%d in a row)",
            self.stage.name,
            _name_lines(item),
            type(error).__name__,
            error,
            self._in_a_row,
            exc_info=error if traced else None,
        )

    def _stamp(self, output: Any) -> Any:
        """Write down in the output's frame when this stage was done with it."""
        if isinstance(output, Frame):
            return replace(output, stamps={**output.stamps, self.stage.name: time.time_ns()})
        if isinstance(output, ModelInput | Inspection):
            return replace(output, frame=self._stamp(output.frame))
        return output


def _name_lines(item: Any) -> str:
    runs = ", ".join(f"{i.first} to {i.end - 1}" for i in item.lines())
    return f"lines {runs}" if runs else "no lines"
