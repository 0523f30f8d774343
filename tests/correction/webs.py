"""Webs whose lines are taken unevenly, and what a resampler makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from linescan.correction.resample import Resample
from linescan.intervals import IntervalSet
from linescan.ledger import Ledger
from linescan.records import Cause, Frame, Interval, LineBlock, Loss
from linescan.stitching import Stitch

Item = LineBlock | Loss
WIDTH = 5


def picture(ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """What lies under the camera at each tick: the same at the same place."""
    across = np.arange(WIDTH)[None, :]
    values = 30000 + 20000 * np.sin(ticks[:, None] / 97 + across)
    return np.rint(values).astype(np.uint16)


def blocks(
    ticks: Sequence[int] | npt.NDArray[np.int64],
    cuts: Sequence[int] = (),
    *,
    lost: Sequence[Interval] = (),
    first: int = 0,
    cause: Cause = Cause.QUEUE_OVERFLOW,
) -> list[Item]:
    """Lines in blocks cut at the given indices; some lost."""
    line_ticks = np.asarray(ticks, np.int64)
    count = len(line_ticks)
    gone = {line for run in lost for line in range(run.first, run.end) if line < count}
    marks = {0, count, *(c for c in cuts if 0 < c < count)}
    marks |= {k for k in range(1, count) if (k in gone) != (k - 1 in gone)}
    edges = sorted(marks)
    items: list[Item] = []
    for a, b in itertools.pairwise(edges):
        if a in gone:
            items.append(Loss(first + a, b - a, cause))
        else:
            some = line_ticks[a:b]
            items.append(LineBlock(picture(some), first + a, b - a, first + b, encoder=some))
    return items


def feed(stage: Resample, items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        yield from stage.skip(item) if isinstance(item, Loss) else stage.process(item)
    yield from stage.finish()


def rows_of(output: Sequence[Item]) -> dict[int, tuple[tuple[int, ...], int]]:
    """Pixels and tick of each row that was given; each only once, in order."""
    rows: dict[int, tuple[tuple[int, ...], int]] = {}
    for block in output:
        if isinstance(block, Loss):
            continue
        assert block.encoder is not None
        assert len(block.pixels) == block.valid_rows == len(block.encoder)
        for k in range(block.valid_rows):
            row = block.first_line + k
            assert not rows or row > max(rows)
            rows[row] = tuple(block.pixels[k].tolist()), int(block.encoder[k])
    return rows


def flags_of(output: Sequence[Item]) -> list[str]:
    """Names of all flags, in order."""
    found = (flag for b in output if isinstance(b, LineBlock) for flag in b.flags)
    return [str(flag.name) for flag in found]


def lost_lines(output: Sequence[Item], cause: Cause) -> list[int]:
    return [
        line
        for item in output
        if isinstance(item, Loss) and item.cause is cause
        for line in range(item.first_line, item.first_line + item.count)
    ]


def check_account(items: Sequence[Item], output: Sequence[Item], rows: int, overlap: int) -> None:
    """Every line that came is carried by a frame or lost, after stitching, and counted once."""
    carried = IntervalSet()
    for block in output:
        if isinstance(block, LineBlock):
            for run in block.lines():
                assert not len(carried.intersection(IntervalSet([run]))), "carried only once"
                carried.add(run)
    ledger = Ledger()
    for item in items:
        ledger.capture(item.lines())
    stitch = Stitch(rows, overlap, "drop" if rows % 2 else "pad")
    results: list[Frame | Loss] = []
    for x in output:
        results += stitch.skip(x) if isinstance(x, Loss) else stitch.process(x)
    for result in [*results, *stitch.finish()]:
        if isinstance(result, Loss):
            ledger.lose(result)
        else:
            ledger.publish(result.lines())
    totals = ledger.totals()
    assert totals.balanced, totals.explain()
    assert totals.captured == sum(run.count for item in items for run in item.lines())
