"""Faults of the virtual camera, placed by line or by block, and seeded plans of them."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


class FaultKind(enum.IntEnum):
    """What goes wrong; the comment says what ``amount`` means."""

    INCOMPLETE = 1
    """A block arrives incomplete: ``amount`` rows of it, and no chunks."""
    SHORT = 2
    """A block ends after ``amount`` rows, or holds none with 0, as when no line trigger came in
    time; rows of the block before it lie behind them."""
    PADDED = 3
    """Each line of a block ends with ``amount`` bytes of padding, at most 32."""
    DROPPED = 4
    """``amount`` blocks never arrive; their ids are used up."""
    UNDER_RUN = 5
    """``amount`` blocks find no buffer, whatever is queued."""
    REVERSAL = 6
    """The encoder runs backwards over ``amount`` lines."""
    OVER_TRIGGER = 7
    """Over ``amount`` lines every second line trigger comes too early and is missed."""
    LOST = 8
    """The device is gone for ``amount`` ns."""
    HANG = 9
    """A GenTL call never returns; ``amount`` is a ``HangCall``."""
    CRASH = 10
    """The process dies: 0 by SIGSEGV, 1 by abort."""
    TRIGGER_STOP = 11
    """No line trigger for ``amount`` ns: no line is exposed."""
    LEAK = 12
    """The producer takes ``amount`` bytes and never gives them back."""


class HangCall(enum.IntEnum):
    """Which call hangs."""

    GET_DATA = 0
    STOP = 1
    READ_PORT = 2


STREAM_FAULTS = (
    FaultKind.INCOMPLETE,
    FaultKind.SHORT,
    FaultKind.PADDED,
    FaultKind.DROPPED,
    FaultKind.UNDER_RUN,
    FaultKind.REVERSAL,
    FaultKind.OVER_TRIGGER,
)
"""Faults that a stream survives."""
ENDING_FAULTS = (FaultKind.LOST, FaultKind.HANG, FaultKind.CRASH)
"""Faults that need the device opened anew."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    It strikes the first block that reaches beyond line ``at`` (or that is block ``at`` or a later
    one since the world began, with ``by_block``); one fault a block, the others wait for the next.
    ``REVERSAL``, ``OVER_TRIGGER`` and ``TRIGGER_STOP`` act at line ``at`` itself, acquired or not.
    """

    kind: FaultKind
    at: int
    amount: int = 1
    by_block: bool = False


@dataclass(frozen=True, slots=True)
class FaultState:
    """A fault and what became of it.

    Attributes:
        fault: the fault.
        done: whether it has struck.
        line: first line of the block that it struck, or None.
    """

    fault: Fault
    done: bool
    line: int | None


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults in order of their lines."""

    faults: tuple[Fault, ...]

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)

    def __len__(self) -> int:
        return len(self.faults)

    @classmethod
    def seeded(
        cls,
        seed: int,
        count: int,
        *,
        block_lines: int,
        first_line: int,
        spacing_lines: int,
        kinds: Sequence[FaultKind] = STREAM_FAULTS,
        lost_ns: int = 200_000_000,
    ) -> FaultPlan:
        """A plan of mixed causes; the same arguments give the same plan.

        Args:
            seed: of the random numbers.
            count: how many faults; each kind comes about equally often.
            block_lines: lines of a block, to which amounts are fitted.
            first_line: no fault comes before this line.
            spacing_lines: mean distance of two faults, in lines.
            kinds: the causes to mix.
            lost_ns: mean time that a lost device or a stopped trigger stays away, in ns.

        Raises:
            ValueError: there is nothing to plan from.
        """
        if count < 1 or not kinds or block_lines < 2 or spacing_lines < 1:
            raise ValueError("a plan needs faults, kinds, blocks of 2 lines or more, and spacing")
        draw = random.Random(seed)
        causes = [kinds[i % len(kinds)] for i in range(count)]
        draw.shuffle(causes)
        line, faults = first_line, []
        for kind in causes:
            faults.append(Fault(kind, line, _amount(draw, kind, block_lines, lost_ns)))
            line += max(1, round(spacing_lines * draw.uniform(0.5, 1.5)))
        return cls(tuple(faults))


def _amount(draw: random.Random, kind: FaultKind, block_lines: int, lost_ns: int) -> int:
    match kind:
        case FaultKind.INCOMPLETE | FaultKind.SHORT:
            return draw.randint(1, block_lines - 1)
        case FaultKind.PADDED:
            return draw.choice((1, 4, 8, 16, 32))
        case FaultKind.DROPPED | FaultKind.UNDER_RUN:
            return draw.randint(1, 3)
        case FaultKind.REVERSAL | FaultKind.OVER_TRIGGER:
            return draw.randint(1, 2 * block_lines)
        case FaultKind.LOST | FaultKind.TRIGGER_STOP:
            return round(lost_ns * draw.uniform(0.5, 1.5))
        case FaultKind.CRASH:
            return draw.randint(0, 1)
        case FaultKind.HANG:
            return int(HangCall.GET_DATA)
        case FaultKind.LEAK:
            return 64 * 2**20
