"""How a frame is laid out for the model: one plan for each shape of frame.

The frame is resized once to a *canvas*, which is also the depth map's array, so that every array
pixel keeps its exact place on the web. *Windows* of the model's size lie on the canvas; where one
reaches beyond it, the canvas' edge is repeated. A window is shown to the model as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from linescan.config import DepthSection
from linescan.depth.card import ModelCard
from linescan.depth.models import PATCH
from linescan.errors import ModelError
from linescan.records import WebMap

Size = tuple[int, int]
"""Rows and columns."""
Mode = Literal["resize", "letterbox", "tile"]

MOST_TILES: Final = 1024
"""In one frame: all are kept until they are fitted, and each is a pass of the model."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the model looks, for frames of one shape.

    Attributes:
        frame: rows and columns of the frame.
        canvas: rows and columns that the whole frame is resized to; the depth map's shape.
        window: rows and columns of the model's input.
        tops: first canvas row of each row of windows, ascending; negative where the window begins
            before the canvas.
        lefts: first canvas column of each column of windows.
        coarse: canvas of the pass over the whole frame that tiles are fitted to, if there is one.
        coarse_window: rows and columns of that pass; its canvas lies in the middle of it.
        native: the model takes the frame as it is and resizes it itself.
    """

    frame: Size
    canvas: Size
    window: Size
    tops: tuple[int, ...] = (0,)
    lefts: tuple[int, ...] = (0,)
    coarse: Size | None = None
    coarse_window: Size | None = None
    native: bool = False

    @property
    def passes(self) -> tuple[Size, ...]:
        """The model's input size in each of the passes that one frame takes."""
        tiles = (self.window,) * (len(self.tops) * len(self.lefts))
        return tiles if self.coarse_window is None else (*tiles, self.coarse_window)

    @property
    def image(self) -> Size:
        """Rows and columns of the image that the frame becomes before inference."""
        return self.frame if self.native else self.canvas

    def web_map(
        self, first_line: int, pitch_mm: tuple[float | None, float | None] = (None, None)
    ) -> WebMap:
        """Where the centres of canvas pixels lie on the web.

        A resize maps extents onto extents, so with s = frame / canvas the centre of canvas pixel r
        lies at (r + 0.5)·s - 0.5 in camera pixels.
        """
        line_step = self.frame[0] / self.canvas[0]
        column_step = self.frame[1] / self.canvas[1]
        return WebMap(
            line_offset=first_line + 0.5 * line_step - 0.5,
            line_step=line_step,
            column_offset=0.5 * column_step - 0.5,
            column_step=column_step,
            mm_per_line=pitch_mm[0],
            mm_per_column=pitch_mm[1],
        )


class Framing:
    """Lays frames out as the configuration says.

    Model sizes and the scale are settled once, for the nominal shape of a frame, because engines
    are opened for them; ``plan`` then lays out any frame, such as a short last one.

    Args:
        section: the configuration's ``depth``.
        card: of its model.
        frame: rows and columns that frames have.

    Attributes:
        mode: how a frame meets the model's input.
        size: rows and columns of the model's input.
        coarse_size: those of the pass over the whole frame, where there is one.

    Raises:
        ModelError: the model does not run so, or a frame takes more than ``MOST_TILES`` tiles.
    """

    def __init__(self, section: DepthSection, card: ModelCard, frame: Size) -> None:
        if card.channels != 1:
            raise ModelError(
                f"{card.path}: takes RGB images, for comparisons only: export the model without "
                f"colour for the pipeline"
            )
        self.mode: Mode = section.mode
        self.frame = frame
        self._path = card.path
        self._frame_size = card.frame_size
        self._overlap = section.tile_overlap
        self._scale = 1.0
        self.coarse_size: Size | None = None
        self.size = card.resolve_size(section.size)
        if card.frame_size is not None:
            self._check_native(card, section)
        elif self.mode == "letterbox" and section.size == "auto":
            self.size = card.fit(*frame)
        elif self.mode == "tile":
            self._set_up_tiles(section, card)
        self._nominal = self.plan(frame)

    @property
    def nominal(self) -> Plan:
        """The plan for frames of the shape that frames have."""
        return self._nominal

    def plan(self, frame: Size) -> Plan:
        """The plan for frames of another shape, at the same scale where tiles are cut.

        Raises:
            ModelError: the model resizes frames itself and takes none of that shape.
        """
        if self._frame_size is not None:
            if frame != self._frame_size:
                raise ModelError(
                    f"{self._path}: takes frames of {_text(self._frame_size)} and resizes them "
                    f"itself, got {_text(frame)}: set frame.lines so, or export the model for it"
                )
            return Plan(frame, self.size, self.size, native=True)
        if self.mode == "resize":
            return Plan(frame, self.size, self.size)
        if self.mode == "letterbox":
            canvas = fit_into(frame, self.size)
            return Plan(frame, canvas, self.size, *_around(canvas, self.size))
        return self._tiles(frame)

    def _check_native(self, card: ModelCard, section: DepthSection) -> None:
        if section.mode != "resize":
            raise ModelError(
                f"{card.path}: resizes whole frames itself: set depth.mode to resize, or take a "
                f"model that was exported without a frame size for {section.mode}"
            )

    def _set_up_tiles(self, section: DepthSection, card: ModelCard) -> None:
        """Scale and sizes: a tile covers ``tile`` lines, or the frame's shorter side."""
        rows, columns = self.size
        if section.tile != "auto":
            scale = rows / section.tile
        elif self.frame[0] <= self.frame[1]:
            scale = rows / self.frame[0]
        else:
            scale = columns / self.frame[1]
        self._scale = min(scale, 1.0)  # enlarging a frame adds cost and no information
        canvas = self._canvas(self.frame)
        if card.dynamic:  # no larger than the canvas, in whole patches
            self.size = (_clip(canvas[0], rows), _clip(canvas[1], columns))
        self._check_tiles(section, card.dynamic, (rows, columns))
        if len(self._tiles(self.frame).passes) > 1:
            self.coarse_size = card.fit(*self.frame)

    def _check_tiles(self, section: DepthSection, dynamic: bool, size: Size) -> None:
        found = self._tiles(self.frame)
        count = len(found.tops) * len(found.lefts)
        if count <= MOST_TILES:
            return
        lines = math.ceil(size[0] / self._scale)
        while self._count(size[0] / lines, dynamic, size) > MOST_TILES:
            lines = math.ceil(lines * 1.02)
        raise ModelError(
            f"depth.tile {section.tile}: a frame of {_text(self.frame)} takes {count} tiles, at "
            f"most {MOST_TILES} are taken: depth.tile {lines} fits, and so may a smaller "
            f"depth.tile_overlap or frame.lines"
        )

    def _count(self, scale: float, dynamic: bool, size: Size) -> int:
        """Tiles at another scale."""
        count = 1
        for n, side in zip(self.frame, size, strict=True):
            canvas = max(1, round(n * scale))
            window = _clip(canvas, side) if dynamic else side
            count *= len(spread(canvas, window, self._overlap))
        return count

    def _canvas(self, frame: Size) -> Size:
        return max(1, round(frame[0] * self._scale)), max(1, round(frame[1] * self._scale))

    def _tiles(self, frame: Size) -> Plan:
        canvas = self._canvas(frame)
        tops, lefts = (
            spread(n, window, self._overlap) for n, window in zip(canvas, self.size, strict=True)
        )
        if self.coarse_size is None or len(tops) * len(lefts) == 1:
            return Plan(frame, canvas, self.size, tops, lefts)
        # The whole frame at the scale of the nominal one: a short frame is not stretched.
        coarse = tuple(
            min(window, max(1, round(window * n / nominal)))
            for window, n, nominal in zip(self.coarse_size, frame, self.frame, strict=True)
        )
        return Plan(frame, canvas, self.size, tops, lefts, (coarse[0], coarse[1]), self.coarse_size)


def spread(length: int, window: int, overlap: float) -> tuple[int, ...]:
    """Where windows begin that cover ``length``: evenly spread, as few as the overlap allows.

    Neighbours have at least ``overlap`` of a window in common. A window that is longer than the
    whole lies around its middle.
    """
    if length <= window:
        return (-((window - length) // 2),)
    shared = min(math.ceil(overlap * window), window - 1)
    count = -(-(length - shared) // (window - shared))
    return tuple(k * (length - window) // (count - 1) for k in range(count))


def fit_into(frame: Size, size: Size) -> Size:
    """The largest size of the frame's aspect that fits, at least 1 x 1."""
    scale = min(size[0] / frame[0], size[1] / frame[1])
    rows, columns = (
        min(most, max(1, round(n * scale))) for n, most in zip(frame, size, strict=True)
    )
    return rows, columns


def _around(canvas: Size, window: Size) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rows, columns = (spread(n, w, 0.0) for n, w in zip(canvas, window, strict=True))
    return rows, columns


def _clip(canvas: int, side: int) -> int:
    """A side of a window on a canvas that may be smaller: a multiple of the patch, at least two."""
    return min(side, max(2, -(-canvas // PATCH)) * PATCH)


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
