"""What the camera's process and its parent say to each other."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Opened:
    """Child: the camera is open and configured; blocks are at most (height, width) pixels.

    ``triggered`` says that a line trigger is on, so that lines come with the web's motion; None
    where the camera does not tell. ``encoder`` is False where it has no chunk of its position.
    ``notes`` are for the log.
    """

    name: str
    width: int
    height: int
    dtype: str
    bits: int
    pixel_format: str
    line_rate_hz: float | None
    triggered: bool | None = None
    encoder: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Parent: start acquiring; the ring's descriptor follows."""

    slots: int
    height: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Parent: stop and end."""


class Handed(enum.Enum):
    """What became of a block in the child."""

    WHOLE = enum.auto()
    """It is in a slot."""
    INCOMPLETE = enum.auto()
    """Its data did not all arrive."""
    NO_SLOT = enum.auto()
    """The ring was full."""
    BAD = enum.auto()
    """It has another width or pixel format than configured, or no rows: then nothing is lost."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the camera and the clock say of a block's lines.

    Attributes:
        rows: lines that it really holds.
        block_id: GenTL's frame id.
        counter: the camera's line counter at the first line.
        ticks: encoder position at the first and last line.
        both_ends: both were read; otherwise the first stands for the last.
        overruns: line triggers missed so far.
        device_ns: time stamp of the camera, taken as that of the last line.
        host_ns: time since the epoch at which the block was fetched.
        at_ns: monotonic time at which it was fetched.
        fresh: the block was fetched as soon as it came: none had waited before.
        under_runs: blocks that the producer dropped so far for want of a buffer.
    """

    rows: int
    host_ns: int
    at_ns: int
    block_id: int | None = None
    counter: int | None = None
    ticks: tuple[int, int] | None = None
    both_ends: bool = False
    overruns: int | None = None
    device_ns: int | None = None
    fresh: bool = True
    under_runs: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Child: a block was fetched; ``slot`` holds it, if ``handed`` says so.

    ``encoder`` is (rows,) int64, where every line's position was read. An incomplete block has no
    evidence where the producer does not show it.
    """

    handed: Handed
    evidence: Evidence | None
    slot: int | None = None
    encoder: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Child: it stopped as asked, or to be replaced because its memory has grown."""

    recycle: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Child: the camera cannot be had or was lost; one sentence without a full stop."""

    why: str


FromChild = Opened | Block | Ended | Failed
