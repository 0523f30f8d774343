"""Objects that are complete: measured over all frames that show a part of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Cut(enum.Flag):
    """Why an object that is reported as complete may still be only a part of what lies there."""

    NONE = 0
    START = enum.auto()
    """The run began in the middle of it."""
    END = enum.auto()
    """The run ended in the middle of it."""
    GAP = enum.auto()
    """Lines before it, after it or in it were lost."""
    LENGTH = enum.auto()
    """It is as long as an object may be; what follows is another one."""
    COUNT = enum.auto()
    """More objects were open than may be; what follows of it is another one."""
    OTHER = enum.auto()
    """A reason that this version does not know."""

    def names(self) -> list[str]:
        """As published: lower case, in this order."""
        return [str(flag.name).lower() for flag in self]

    @classmethod
    def named(cls, names: Iterable[str]) -> Cut:
        """From names as published; one that is not known counts as ``OTHER``."""
        flags = cls.NONE
        for name in names:
            flags |= cls.__members__.get(name.upper(), cls.OTHER)
        return flags


@dataclass(frozen=True, slots=True)
class WholeObject:
    """One object on the web, all of it, in web coordinates (absolute lines, pixels across).

    Each web line counts once, although frames overlap.

    Attributes:
        track: its identity, unique within a run; objects of frames carry the same.
        first_line: first line that it reaches into.
        line_count: lines that it reaches into.
        first_column: first camera pixel across that it reaches into.
        column_count: camera pixels across that it reaches into.
        area_px: area in camera pixels.
        mean_height: over its area, above the background, towards the camera positive, in the unit
            of the depth map.
        max_height: the signed extreme: negative for a dent.
        volume_px: mean height times area, in the depth map's unit times camera pixels.
        elongation: square root of the ratio of its second moments along its own axes, at least 1:
            1 for a disc or square, a / b for a bar of a by b. In mm where the pitch is known.
        extent: share of its bounding box that it covers, 0 to 1.
        cut: why it may be a part only.
        merged: identities of parts that turned out to belong to it, ascending.
        area_mm2: area in mm², where the pitch is known.
        volume_mm3: volume in mm³, where the pitch is known and the height is metric.
    """

    track: int
    first_line: int
    line_count: int
    first_column: int
    column_count: int
    area_px: float
    mean_height: float
    max_height: float
    volume_px: float
    elongation: float
    extent: float
    cut: Cut = Cut.NONE
    merged: tuple[int, ...] = ()
    area_mm2: float | None = None
    volume_mm3: float | None = None
