"""Setting stages up and tearing them down, and running them one after the other.

The runner gives each stage a thread; single pictures go through them in the caller's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from linescan.records import Loss
from linescan.stages import Stage

log = logging.getLogger(__name__)


def through(stages: Sequence[Stage[Any, Any]], item: Any) -> list[Any]:
    """All that the stages, set up, make of one item; errors are the caller's."""
    items: list[Any] = [item]
    for stage in stages:
        items = [output for entry in items for output in _step(stage, entry)]
    return items


@contextmanager
def set_up(stages: Sequence[Stage[Any, Any]]) -> Iterator[None]:
    """Set stages up, and tear down those that were, whatever happens.

    Raises:
        LinescanError: a stage cannot be set up.
    """
    ready: list[Stage[Any, Any]] = []
    try:
        for stage in stages:
            stage.setup()
            ready.append(stage)
        yield
    finally:
        for stage in reversed(ready):
            release(stage.teardown)


def release(teardown: Callable[[], None]) -> None:
    """Release one thing; where that fails it is logged, so that the next is released, too."""
    try:
        teardown()
    except Exception:
        log.exception("teardown failed")


def _step(stage: Stage[Any, Any], entry: Any) -> Iterable[Any]:
    return stage.skip(entry) if isinstance(entry, Loss) else stage.process(entry)
