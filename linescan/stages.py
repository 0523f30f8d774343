"""What a stage of the pipeline is: a map (stateless) or a fold (depends on what came before).

A stage takes items and losses in order and gives items and losses in order. It runs in a thread of
its own; see ``linescan.pipeline.runner`` for how stages are joined and what happens when one fails.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar, runtime_checkable

from linescan.latency import Latency
from linescan.records import Cause, Completed, Interval, Loss


@runtime_checkable
class Item(Protocol):
    """Anything that travels: it knows which camera lines it stands for."""

    def lines(self) -> tuple[Interval, ...]:
        """The camera lines that this record stands for."""
        ...


In = TypeVar("In", bound=Item)
Out = TypeVar("Out", bound=Item)
State = TypeVar("State")


class Stage(ABC, Generic[In, Out]):
    """The parts that maps and folds share.

    Class attributes:
        name: in logs, metrics and latency tables.
        failure: the cause that an item's lines are lost for when ``process`` raises.
    """

    name: str
    failure: Cause

    def setup(self) -> None:
        """Acquire what the stage needs; raise a ``LinescanError`` where that cannot be had."""

    @abstractmethod
    def process(self, item: In) -> Iterable[Out | Loss]:
        """Turn one item into any number of items and losses."""

    def skip(self, loss: Loss) -> Iterable[Out | Loss]:
        """Take note of lost lines and pass the loss on."""
        return (loss,)

    def hand_on(self, completed: Completed) -> Iterable[Completed]:
        """Take note of completed objects that come without a frame, and pass them on."""
        return (completed,)

    def finish(self) -> Iterable[Out | Loss]:
        """Give what is left when the stream has ended."""
        return ()

    def teardown(self) -> None:
        """Release what ``setup`` acquired; called once, also after a failure."""

    @property
    def steps(self) -> Mapping[str, Latency]:
        """How long each step of the stage takes, by name, where it is made of several.

        Tables of latencies list the steps in the place of the stage.
        """
        return {}

    @property
    def partial_failures(self) -> Mapping[str, int]:
        """How often the stage failed at a part of its output while the rest was given, by name."""
        return {}


class MapStage(Stage[In, Out]):
    """A stateless stage: each item is processed on its own, so it may run in parallel."""


class FoldStage(Stage[In, Out], Generic[In, Out, State]):
    """A stage whose output depends on what came before; its input is ordered."""

    @abstractmethod
    def snapshot(self) -> State:
        """The state, detached from the stage: later items do not change it."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Go on as the stage that gave ``state`` would."""
