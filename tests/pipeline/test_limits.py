"""Sources that end after so many lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from linescan.pipeline.limits import LimitedSource
from linescan.records import LineBlock, Loss
from tests.pipeline.helpers import Lines
from tests.pipeline.running import run


@pytest.mark.parametrize("limit", [1, 10, 15, 95, 1000])
def test_a_limited_source_gives_exactly_so_many_lines(limit: int) -> None:
    source = LimitedSource(Lines(100, lost={90}), limit)
    outcome = run(source)
    assert source.description.total_lines == min(limit, 100)
    assert outcome.totals.captured == min(limit, 100)
    assert outcome.totals.balanced


def test_a_limited_source_does_not_wait_for_what_comes_after() -> None:
    class Ends(Lines):
        def items(self) -> Iterator[LineBlock | Loss]:
            yield from itertools.islice(super().items(), 2)
            raise OSError("asked for more")

    outcome = run(LimitedSource(Ends(None), 20))
    assert outcome.error is None
    assert outcome.totals.published == 20
