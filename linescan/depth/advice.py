"""Whether depth keeps up with the lines that come and, if not, what would."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from linescan.config import DepthSection
from linescan.depth.card import ModelCard
from linescan.depth.cost import cost, tokens
from linescan.depth.framing import Framing, Size
from linescan.depth.models import PATCH
from linescan.depth.warm_up import FrameCost
from linescan.errors import ModelError

log = logging.getLogger(__name__)

HEADROOM: Final = 0.9
"""Share of the time that a suggestion may take: other stages share the machine."""
LARGER: Final = 1.05
"""Factor from one tile that is tried to the next."""
LONGEST_FRAME: Final = 4
"""A frame of more than so many times the lines is not suggested: objects would drown in it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the source and the stitcher ask of depth.

    Attributes:
        lines: rows of a frame.
        overlap: of them shared with the frame before.
        line_rate_hz: lines, or rows after resampling, that come in a second; None where that is
            not known, or where as many come as are taken.
        paced: they come at a rate of the source's own.
    """

    lines: int
    overlap: int
    line_rate_hz: float | None
    paced: bool = False

    @property
    def rate(self) -> str:
        """What the source gives, in words."""
        if self.line_rate_hz is not None:
            return f"{self.line_rate_hz:.0f}"
        return "as many as the web's speed makes" if self.paced else "as many as are taken"

    def lines_per_s(self, ms: float) -> float:
        """New lines per second where a frame takes so long."""
        return (self.lines - self.overlap) / (ms / 1e3)


def report_cost(
    demand: Demand, section: DepthSection, card: ModelCard, frame: Size, cost: FrameCost
) -> None:
    """Log what a frame costs and, as a warning, what would keep up where this does not."""
    log.info("%s", describe(cost, demand))
    if ways := advise(cost, demand, section, card, Framing(section, card, frame)):
        log.warning(
            "depth cannot keep up: it takes %.0f lines/s, the source gives %.0f; what would: %s",
            demand.lines_per_s(cost.ms),
            demand.line_rate_hz,
            "; ".join(ways),
        )


def describe(cost: FrameCost, demand: Demand) -> str:
    """One line on what a frame costs and what that is enough for."""
    sizes = list(dict.fromkeys(cost.passes))
    parts = [f"{cost.passes.count(size)} x {size[0]}x{size[1]}" for size in sizes]
    gflop = "" if cost.gflop is None else f", {cost.gflop:.3g} GFLOP"
    aligning = f" ({cost.align_ms:.3g} of them to align tiles)" if cost.align_ms else ""
    return (
        f"depth of a frame: {' + '.join(parts)}, {cost.tokens} tokens{gflop}, {cost.ms:.3g} ms"
        f"{aligning} on {cost.engine}: {1e3 / cost.ms:.3g} frames/s, "
        f"{demand.lines_per_s(cost.ms):.0f} lines/s; the source gives {demand.rate}"
    )


def advise(
    cost: FrameCost, demand: Demand, section: DepthSection, card: ModelCard, framing: Framing
) -> tuple[str, ...]:
    """What would keep up, one short text each; empty where the configuration does.

    Times of what was not measured are scaled by the operations it takes.

    Args:
        cost: of a frame, measured.
        demand: what is asked for.
        section: the configuration's ``depth``.
        card: of its model.
        framing: made of both.
    """
    rate = demand.line_rate_hz
    if rate is None or demand.lines_per_s(cost.ms) >= rate:
        return ()
    budget = HEADROOM * demand.lines_per_s(1.0) / rate  # ms for a frame
    model = _Model(card, cost)
    found = [
        *_smaller_input(budget, section, card, framing, model),
        *_fewer_tiles(budget, section, card, framing, model),
        *_other_frames(cost, demand, framing),
    ]
    if (section.backend, section.precision) != ("auto", "auto"):
        found.append("depth.backend and depth.precision auto, if that finds a faster engine")
    return (*found, f"a source of at most {HEADROOM * demand.lines_per_s(cost.ms):.0f} lines/s")


class _Model:
    """Predicts times from the measured one."""

    def __init__(self, card: ModelCard, measured: FrameCost) -> None:
        self._card = card
        self._measured = measured

    def ms(self, passes: Sequence[Size]) -> float:
        """Passes go by their work, aligning them by their number: it takes samples of each."""
        measured = self._measured
        running = measured.ms - measured.align_ms
        aligning = measured.align_ms * len(passes) / len(measured.passes)
        if len(passes) == 1:
            aligning = 0.0
        return running * self._work(passes) / self._work(measured.passes) + aligning

    def _work(self, passes: Sequence[Size]) -> float:
        if self._measured.gflop is None:
            return float(sum(tokens(size) for size in passes))
        return sum(cost(self._card, size).gflop for size in passes)


def _smaller_input(
    budget: float, section: DepthSection, card: ModelCard, framing: Framing, model: _Model
) -> Iterator[str]:
    """The largest input of the same aspect that fits."""
    rows, columns = framing.size
    for patches in range(rows // PATCH - 1, 1, -1):
        size = (patches * PATCH, max(2, round(patches * columns / rows)) * PATCH)
        passes: Sequence[Size] = (size,)
        if framing.mode == "tile" and card.dynamic:
            passes = _layout(section, card, framing, size=size).nominal.passes
        elif framing.mode == "tile":
            passes = (size,) * len(framing.nominal.passes)
        ms = model.ms(passes)
        if ms <= budget:
            how = f"depth.size [{size[0]}, {size[1]}]"
            if not card.dynamic:
                how = f"the model exported with --size {size[0]} {size[1]}"
            yield f"{how} ({ms:.3g} ms)"
            return


def _fewer_tiles(
    budget: float, section: DepthSection, card: ModelCard, framing: Framing, model: _Model
) -> Iterator[str]:
    """The smallest tile that fits; else one pass over the whole frame."""
    if framing.mode != "tile":
        return
    frame, plan = framing.frame, framing.nominal
    if len(plan.passes) == 1:
        return
    lines = plan.window[0] * frame[0] / plan.canvas[0]
    while lines < max(frame):
        lines = math.ceil(lines * LARGER)
        ms = model.ms(_layout(section, card, framing, tile=lines).nominal.passes)
        if ms <= budget:
            yield f"depth.tile {lines} ({ms:.3g} ms)"
            return
    ms = model.ms((framing.size,))
    if ms <= budget:
        yield f"depth.mode resize ({ms:.3g} ms)"


def _other_frames(cost: FrameCost, demand: Demand, framing: Framing) -> Iterator[str]:
    """Frames that share fewer lines, or hold more of them in the same passes."""
    if demand.line_rate_hz is None:
        return
    needed = math.ceil(demand.line_rate_hz * cost.ms / 1e3 / HEADROOM)
    if demand.overlap > 0 and demand.lines >= needed:
        yield f"frame.overlap {demand.lines - needed}"
    longer = needed + demand.overlap
    if framing.mode == "resize" and longer <= LONGEST_FRAME * demand.lines:
        yield f"frame.lines {longer} in the same pass, coarser along the web"


def _layout(section: DepthSection, card: ModelCard, framing: Framing, **changes: object) -> Framing:
    try:
        return Framing(section.model_copy(update=changes), card, framing.frame)
    except ModelError:
        return framing
