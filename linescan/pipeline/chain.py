"""Stages one after the other in the caller's thread: for single pictures and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from linescan.records import Loss
from linescan.stages import Stage


def through(stages: Sequence[Stage[Any, Any]], item: Any) -> list[Any]:
    """All that the stages, set up, make of one item; errors are the caller's."""
    items: list[Any] = [item]
    for stage in stages:
        items = [output for entry in items for output in _step(stage, entry)]
    return items


@contextmanager
def set_up(stages: Sequence[Stage[Any, Any]]) -> Iterator[None]:
    """Set stages up, and tear down those that were, whatever happens."""
    ready: list[Stage[Any, Any]] = []
    try:
        for stage in stages:
            stage.setup()
            ready.append(stage)
        yield
    finally:
        for stage in reversed(ready):
            stage.teardown()


def _step(stage: Stage[Any, Any], entry: Any) -> Iterable[Any]:
    return stage.skip(entry) if isinstance(entry, Loss) else stage.process(entry)
