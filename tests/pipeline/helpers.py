"""Small real parts for tests of the pipeline: a source of counted lines and a settling stage."""

import threading
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from linescan.ledger import Ledger
from linescan.records import Cause, Frame, Interval, LineBlock, Loss
from linescan.sources.base import SourceInfo
from linescan.stages import MapStage


class Lines:
    """A source that gives blocks of 10 lines; ``until`` None means for ever."""

    def __init__(self, until: int | None, *, lost: set[int] = frozenset(), fails: bool = False):  # type: ignore[assignment]
        self._until = until
        self._lost = lost
        self._fails = fails
        self._stop = threading.Event()
        self.closed = False
        self.description = SourceInfo("lines", width=4, total_lines=until)

    def open(self, captured: Callable[[Iterable[Interval]], None]) -> None:
        self._captured = captured

    def items(self) -> Iterator[LineBlock | Loss]:
        first = 0
        while not self._stop.is_set() and (self._until is None or first < self._until):
            self._captured([Interval(first, 10)])
            if first in self._lost:
                yield Loss(first, 10, Cause.CAMERA_GAP)
            else:
                yield LineBlock(np.full((10, 4), first % 251, np.uint8), first, 10, first)
            first += 10
        if self._fails:
            raise OSError("the cable was pulled")

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self.closed = True


class Settle(MapStage[Frame, Frame]):
    """A last stage: tells the ledger what became of each line."""

    name = "settle"
    failure = Cause.PUBLISHING_FAILURE

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def process(self, item: Frame) -> Iterable[Frame]:
        self.ledger.publish(item.lines())
        return (item,)

    def skip(self, loss: Loss) -> Iterable[Loss]:
        self.ledger.lose(loss)
        return (loss,)


class Through(MapStage[Frame, Frame]):
    """Passes frames on, with something done to each."""

    name = "through"
    failure = Cause.INFERENCE_FAILURE

    def __init__(self, act: Callable[[Frame], Iterable[Frame]]) -> None:
        self._act = act
        self.log: list[str] = []

    def setup(self) -> None:
        self.log.append("setup")

    def process(self, item: Frame) -> Iterable[Frame]:
        return self._act(item)

    def teardown(self) -> None:
        self.log.append("teardown")
