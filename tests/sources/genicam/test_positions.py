"""Encoder positions out of a buffer's bytes: never others than GenApi's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.sources.genicam.positions import CHECKED, KINDS, TRIES, Positions

ROWS = 64


class Block:
    """A buffer with positions somewhere in it, as GenApi shows them line by line."""

    def __init__(self) -> None:
        self.true = np.zeros(0, np.int64)
        self.memory = b""
        self.asked = 0

    def fill(self, ticks: np.ndarray, kind: str = "<i8", offset: int = 100) -> None:
        self.true = ticks.astype(np.int64)
        self.memory = bytes(offset) + ticks.astype(kind).tobytes() + bytes(7)

    def tick(self, row: int) -> int | None:
        self.asked += 1
        return int(self.true[row]) if row < len(self.true) else None


@pytest.fixture
def block() -> Block:
    return Block()


@pytest.mark.parametrize("kind", KINDS)
def test_from_the_second_block_on_a_few_lines_are_asked_for(block: Block, kind: str) -> None:
    positions = Positions(block.tick)
    for n in range(5):
        block.fill(np.arange(ROWS) * 3 + 100_000 + 1000 * n, kind)
        block.asked = 0
        ticks = positions.read(block.memory, ROWS)
        assert ticks is not None
        assert ticks.tolist() == block.true.tolist()
        assert block.asked == (2 + CHECKED if n else ROWS)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**33), 2**33),
            st.integers(-3, 3),
            st.integers(0, 40),
            st.integers(1, ROWS),
            st.sampled_from(["<i8", "<i8", ">i8"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_wherever_the_positions_move_they_are_genapi_s(blocks: list[tuple[int, ...]]) -> None:
    block = Block()
    positions = Positions(block.tick)
    for start, step, offset, rows, kind in blocks:
        block.fill(start + step * np.arange(rows), str(kind), offset)
        ticks = positions.read(block.memory, rows)
        assert ticks is not None
        assert ticks.tolist() == block.true.tolist()


def test_a_position_of_32_bits_that_turns_negative_is_read_anew(block: Block) -> None:
    positions = Positions(block.tick)
    for start in (2**31 - 200, 2**31 - 100, 2**31 - 10, 2**31):
        block.fill(start + np.arange(ROWS), "<u4")
        ticks = positions.read(block.memory, ROWS)
        assert ticks is not None
        assert ticks.tolist() == block.true.tolist()


def test_what_is_not_in_the_buffer_is_looked_for_a_number_of_times(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions = Positions(block.tick)
    for n in range(TRIES + 5):
        block.fill(np.arange(ROWS) + n)
        block.memory = bytes(10)
        ticks = positions.read(block.memory, ROWS)
        assert ticks is not None
        assert ticks.tolist() == block.true.tolist()
    assert positions._tries == TRIES


def test_a_block_without_positions_has_none(block: Block) -> None:
    positions = Positions(block.tick)
    block.fill(np.arange(ROWS))
    assert positions.read(block.memory, ROWS) is not None
    assert positions.read(block.memory, ROWS + 1) is None, "GenApi has fewer"
    block.true = block.true[:0]
    assert positions.read(block.memory, ROWS) is None
