"""What the camera's process and its parent say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from linescan.records import Loss


@dataclass(frozen=True, slots=True)
class Opened:
    """Child: the camera is open and configured; blocks are at most (height, width) pixels.

    ``notes`` are for the log.
    """

    name: str
    width: int
    height: int
    dtype: str
    bits: int
    line_rate_hz: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Parent: start acquiring into this ring."""

    ring: str
    slots: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Parent: stop and end."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Child: losses, and then the block in a slot of the ring, which the parent is to free."""

    losses: tuple[Loss, ...]
    slot: int
    first_line: int
    rows: int
    valid_rows: int
    host_time_ns: int
    device_time_ns: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """Child: it stopped as asked; these losses came last."""

    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Child: the camera cannot be had or was lost; one sentence without a full stop."""

    why: str
    losses: tuple[Loss, ...] = ()


FromChild = Opened | Delivered | Ended | Failed
FromParent = Start | Stop
